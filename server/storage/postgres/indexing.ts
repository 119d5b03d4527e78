/** Taking the log into the search index. Not on a message's way: the core's indexer calls it. */
import { sql } from 'kysely'
import type { Message, RoomId } from '../../core/model.ts'
import { searchedTextOf } from '../../core/texts.ts'
import type { LogStore } from '../storage.ts'
import type { Database } from './database.ts'
import { gramsOf } from './grams.ts'
import { toMessage } from './rows.ts'
import type { LogRowRecord } from './tables.ts'

/** In UTF-16 units: a batch of long texts ends here, as making grams stops the event loop (100,000: 20 ms). */
const BATCH_LENGTH = 100_000

export function createIndexing(db: Database): Pick<LogStore, 'listUnindexed' | 'indexNext'> {
  return {
    listUnindexed: async (limit) => {
      const { rows } = await sql<{ id: number }>`
        select r.id from rooms r left join search_progress p on p.room_id = r.id
        where r.deleted_at is null and r.head > coalesce(p.seq, 0) limit ${limit}
      `.execute(db)
      return rows.map(({ id }) => id)
    },
    indexNext: async (roomId, limit) => {
      const progress = await findProgress(db, roomId)
      if (progress === null || progress.head === progress.seq) return false
      const rows = await readRows(db, roomId, { above: progress.seq, limit })
      const upTo = rows.at(-1)?.seq ?? progress.seq
      await index(db, roomId, { from: progress.seq, upTo, messages: messagesOf(rows) })
      return upTo < progress.head
    },
  }
}

/** Where the room's log ends, and up to where the index holds it; null where the room is not there. */
async function findProgress(db: Database, roomId: RoomId): Promise<{ head: number; seq: number } | null> {
  const { rows } = await sql<{ head: number; seq: number }>`
    select r.head, coalesce(p.seq, 0) as seq from rooms r left join search_progress p on p.room_id = r.id
    where r.id = ${roomId} and r.deleted_at is null
  `.execute(db)
  return rows[0] ?? null
}

/** At least one, where there is one. */
async function readRows(db: Database, roomId: RoomId, page: { above: number; limit: number }): Promise<LogRowRecord[]> {
  const query = db.selectFrom('log_rows').selectAll().where('room_id', '=', roomId).where('seq', '>', page.above)
  const rows = await query.orderBy('seq').limit(page.limit).execute()
  let length = 0
  const end = rows.findIndex((row) => (length += row.content?.length ?? 0) > BATCH_LENGTH)
  return end === -1 ? rows : rows.slice(0, end + 1)
}

/** The messages that these rows post, edit or delete, as they are now, each once. */
function messagesOf(rows: LogRowRecord[]): Message[] {
  const changes = rows.filter(({ type, message_id }) => message_id !== null && !type.startsWith('reaction.'))
  return [...new Map(changes.map((row) => [row.message_seq, toMessage(row)])).values()]
}

interface Batch {
  from: number
  upTo: number
  messages: Message[]
}

/**
 * One statement: the progress moves on from where these rows were read, or nothing happens, as another has done it. A message
 * may be newer here than `upTo` says; its next rows find it as it is, or change it again.
 */
async function index(db: Database, roomId: RoomId, { from, upTo, messages }: Batch): Promise<void> {
  const present = messages.filter((message) => message.deletedAt === null)
  const gone = messages.filter((message) => message.deletedAt !== null).map((message) => message.seq)
  const folded = present.map(searchedTextOf)
  const grams = present.map((message, nth) => `{${gramsOf(message, folded[nth]!).join()}}`)
  await sql`
    with moved as (
      insert into search_progress as p (room_id, seq) values (${roomId}, ${upTo})
      on conflict (room_id) do update set seq = excluded.seq where p.seq = ${from}
      returning 1
    ), removed as (
      delete from search_texts where room_id = ${roomId} and seq = any (${gone}::bigint[]) and exists (select from moved)
    )
    insert into search_texts (room_id, seq, folded, grams)
    select ${roomId}, t.seq, t.folded, t.grams::int[]
    from unnest(${present.map((message) => message.seq)}::bigint[], ${folded}::text[], ${grams}::text[]) as t (seq, folded, grams)
    where exists (select from moved)
    on conflict (room_id, seq) do update set folded = excluded.folded, grams = excluded.grams
  `.execute(db)
}
