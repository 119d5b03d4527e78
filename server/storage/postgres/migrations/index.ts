/** Every migration in the order in which it is run; one that was released is never changed. */
import { tables } from './0001-tables.ts'
import { events } from './0002-events.ts'
import { membership } from './0003-membership.ts'
import { rooms } from './0004-rooms.ts'
import { posts } from './0005-posts.ts'
import { reads } from './0006-reads.ts'
import { append } from './0007-append.ts'
import { onePost } from './0008-one-post.ts'
import { attachments } from './0009-attachments.ts'
import { company } from './0009-company.ts'
import { appendWithFiles } from './0009-append.ts'
import { postsWithFiles } from './0009-posts.ts'
import { departments } from './0010-departments.ts'
import { search } from './0011-search.ts'
import { guests } from './0012-guests.ts'
import { reactions } from './0013-reactions.ts'
import { registry } from './0014-registry.ts'
import { reactionKinds } from './0015-reaction-kinds.ts'
import { chatList } from './0016-chat-list.ts'
import { removals } from './0017-removals.ts'

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
  { name: '0009-attachments', sql: attachments },
  { name: '0009-company', sql: company },
  { name: '0009-posts', sql: postsWithFiles },
  { name: '0009-append', sql: appendWithFiles },
  { name: '0010-departments', sql: departments },
  { name: '0011-search', sql: search },
  { name: '0012-guests', sql: guests },
  { name: '0013-reactions', sql: reactions },
  { name: '0014-registry', sql: registry },
  { name: '0015-reaction-kinds', sql: reactionKinds },
  { name: '0016-chat-list', sql: chatList },
  { name: '0017-removals', sql: removals },
]
