/** What is read of a room's messages and of its log. A deleted room has none of it. */
import { sql } from 'kysely'
import type { Attachment, MessageId, Reaction, RoomId } from '../../core/model.ts'
import type { LogStore } from '../storage.ts'
import { prepareQuery, type Database } from './database.ts'
import { shareEqual } from './gathering.ts'
import { messageColumns, toLogRow, toMessage } from './rows.ts'
import type { Tables } from './tables.ts'

type MessageReads = Pick<
  LogStore,
  | 'findMessage'
  | 'findMessageAt'
  | 'findMessageSeq'
  | 'listMessages'
  | 'listMessagesBelow'
  | 'listMessagesAbove'
  | 'findAttachment'
  | 'filterAttached'
  | 'listReactions'
  | 'countDeletedAfter'
  | 'readLog'
>

const findPresent = prepareQuery((db, roomId: RoomId, messageId: MessageId) =>
  presentMessagesOf(db, roomId).where('message_id', '=', messageId),
)
const listBelow = prepareQuery((db, roomId: RoomId, below: number, limit: number) =>
  presentMessagesOf(db, roomId).where('seq', '<', below).orderBy('seq', 'desc').limit(limit),
)
const listAbove = prepareQuery((db, roomId: RoomId, above: number, limit: number) =>
  presentMessagesOf(db, roomId).where('seq', '>', above).orderBy('seq').limit(limit),
)

/** Newest first. */
async function readLog(db: Database, roomId: RoomId, below: number, limit: number): Promise<Tables['log_rows'][]> {
  const rows = db.selectFrom('log_rows').selectAll().where('room_id', '=', roomId).where('seq', '<', below)
  const present = rows.where((where) => where.exists(isThere(db, roomId)))
  return present.orderBy('seq', 'desc').limit(limit).execute()
}

export function createMessageReads(db: Database): MessageReads {
  // What everybody asks who comes to a room.
  const readBelow = shareEqual(db, listBelow)
  const readRows = shareEqual(db, readLog)
  return {
    findMessage: async (roomId, messageId) => {
      const [row] = await findPresent(db, roomId, messageId)
      return row === undefined ? null : toMessage(row)
    },
    findMessageAt: async (roomId, seq) => {
      const row = await messagesOf(db, roomId).where('seq', '=', seq).executeTakeFirst()
      return row === undefined ? null : toMessage(row)
    },
    findMessageSeq: async (roomId, messageId) => {
      const row = await messagesOf(db, roomId).clearSelect().select('seq').where('message_id', '=', messageId).executeTakeFirst()
      return row?.seq ?? null
    },
    listMessages: async (roomId, { offset, limit }) => {
      const query = presentMessagesOf(db, roomId).orderBy('message_id', 'desc').offset(offset).limit(limit)
      return (await query.execute()).map(toMessage)
    },
    listMessagesBelow: async (roomId, below, limit) => (await readBelow(roomId, below, limit)).map(toMessage),
    listMessagesAbove: async (roomId, above, limit) => (await listAbove(db, roomId, above, limit)).map(toMessage),
    findAttachment: (url) => findAttachment(db, url),
    filterAttached: async (urls) => {
      const rows = await attachmentsIn(db)
        .select('attachments.url')
        .distinct()
        .where('attachments.url', '=', sql<string>`any(${urls}::text[])`)
        .execute()
      return rows.map((row) => row.url)
    },
    listReactions: (roomId, messageIds) => listReactions(db, roomId, messageIds),
    countDeletedAfter: (roomId, seqs) => countDeletedAfter(db, roomId, seqs),
    readLog: async (roomId, below, limit) => (await readRows(roomId, below, limit)).map(toLogRow),
  }
}

function isThere(db: Database, roomId: RoomId) {
  return db.selectFrom('rooms').select('id').where('id', '=', roomId).where('deleted_at', 'is', null)
}

function messagesOf(db: Database, roomId: RoomId) {
  return db
    .selectFrom('messages')
    .select(messageColumns)
    .where('room_id', '=', roomId)
    .where((where) => where.exists(isThere(db, roomId)))
}

function presentMessagesOf(db: Database, roomId: RoomId) {
  return messagesOf(db, roomId).where('deleted_at', 'is', null)
}

/** The attachments in rooms that are there; those of deleted messages have no row. */
function attachmentsIn(db: Database) {
  return db.selectFrom('attachments').innerJoin('rooms', 'rooms.id', 'attachments.room_id').where('rooms.deleted_at', 'is', null)
}

async function findAttachment(db: Database, url: string): Promise<{ roomId: RoomId; attachment: Attachment } | null> {
  const row = await attachmentsIn(db)
    .innerJoin('messages', (join) =>
      join.onRef('messages.room_id', '=', 'attachments.room_id').onRef('messages.seq', '=', 'attachments.seq'),
    )
    .where('attachments.url', '=', url)
    .select(['attachments.id', 'attachments.room_id', 'messages.attachments'])
    .orderBy('attachments.id')
    .executeTakeFirst()
  const attachment = row?.attachments?.find((found) => found.id === row.id)
  return row === undefined || attachment === undefined ? null : { roomId: row.room_id, attachment }
}

async function listReactions(db: Database, roomId: RoomId, messageIds: MessageId[]): Promise<Reaction[]> {
  const rows = await db
    .selectFrom('reactions')
    .select(['message_id', 'user_id', 'reaction'])
    .where('room_id', '=', roomId)
    .where('message_id', '=', sql<number>`any(${messageIds}::bigint[])`)
    .where((where) => where.exists(isThere(db, roomId)))
    .orderBy('seq')
    .execute()
  return rows.map(({ message_id, user_id, reaction }) => ({ messageId: message_id, userId: user_id, reaction }))
}

async function countDeletedAfter(db: Database, roomId: RoomId, seqs: number[]): Promise<number[]> {
  const { rows } = await sql<{ count: number }>`
    select (
      select count(*) from log l
      where l.room_id = r.id and l.seq > after.seq and l.deleted_at is not null
    ) as count
    from unnest(${seqs}::bigint[]) with ordinality as after (seq, nth)
    left join rooms r on r.id = ${roomId} and r.deleted_at is null
    order by nth
  `.execute(db)
  return rows.map((row) => row.count)
}
