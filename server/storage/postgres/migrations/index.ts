/** Every migration in the order in which it is run; one that was released is never changed. */
import { tables } from './0001-tables.ts'
import { events } from './0002-events.ts'
import { membership } from './0003-membership.ts'
import { rooms } from './0004-rooms.ts'
import { posts } from './0005-posts.ts'
import { reads } from './0006-reads.ts'
import { append } from './0007-append.ts'
import { onePost } from './0008-one-post.ts'

export interface Migration {
  name: string
  sql: string
}

export const migrations: Migration[] = [
  { name: '0001-tables', sql: tables },
  { name: '0002-events', sql: events },
  { name: '0003-membership', sql: membership },
  { name: '0004-rooms', sql: rooms },
  { name: '0005-posts', sql: posts },
  { name: '0006-reads', sql: reads },
  { name: '0007-append', sql: append },
  { name: '0008-one-post', sql: onePost },
]
