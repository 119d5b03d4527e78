/** The log: what is read of rooms, members and messages. A deleted room is in none of it. */
import { sql } from 'kysely'
import type { ReadAdvanced } from '../../core/events.ts'
import type { LogStore, MarkerMove } from '../storage.ts'
import { appendBatch } from './append.ts'
import type { Database } from './database.ts'
import { createJournalStore, prune } from './journals.ts'
import type { Lane } from './pool.ts'
import { toLogRow, toMember, toMessage, toRoom } from './rows.ts'
import type { Tables } from './tables.ts'

export interface LogOptions {
  db: Database
  /** For appends alone. */
  writes: Lane
  messageIdMax: number
  hasAutovacuum: boolean
}

export function createLogStore({ db, writes, messageIdMax, hasAutovacuum }: LogOptions): LogStore {
  return {
    ...createJournalStore(db),
    prune: () => prune(db, hasAutovacuum),
    ...createRoomReads(db),
    ...createMessageReads(db),
    append: (journal, firstPosition, entries) => appendBatch(writes, { journal, firstPosition, entries, messageIdMax }),
    readMarkers: (roomId, options) => (options.explicit ? readReads(db, roomId, options) : readMoves(db, roomId, options)),
  }
}

function createRoomReads(
  db: Database,
): Pick<LogStore, 'findRoom' | 'listRoomsIn' | 'listRoomsOf' | 'findMember' | 'listMembers'> {
  const rooms = db.selectFrom('rooms').selectAll('rooms').where('rooms.deleted_at', 'is', null).orderBy('rooms.id')
  const members = membersOf(db).selectAll('members')
  return {
    findRoom: async (roomId) => {
      const row = await rooms.where('rooms.id', '=', roomId).executeTakeFirst()
      return row === undefined ? null : toRoom(row)
    },
    listRoomsIn: async (spaceId) => (await rooms.where('rooms.space_id', '=', spaceId).execute()).map(toRoom),
    listRoomsOf: async (userId) => {
      const query = rooms.innerJoin('members', 'members.room_id', 'rooms.id')
      const rows = await query.where('members.user_id', '=', userId).where('members.left_at', 'is', null).execute()
      return rows.map(toRoom)
    },
    findMember: async (roomId, userId) => {
      const query = members.where('members.room_id', '=', roomId).where('members.user_id', '=', userId)
      const row = await query.executeTakeFirst()
      return row === undefined ? null : toMember(row)
    },
    listMembers: async (roomId) => {
      const rows = await members.where('members.room_id', '=', roomId).orderBy('members.id').execute()
      return rows.map(toMember)
    },
  }
}

/** The present members of present rooms. */
function membersOf(db: Database) {
  return db
    .selectFrom('members')
    .innerJoin('rooms', 'rooms.id', 'members.room_id')
    .where('rooms.deleted_at', 'is', null)
    .where('members.left_at', 'is', null)
}

type MessageReads = Pick<LogStore, 'findMessage' | 'findMessageAt' | 'listMessages' | 'countDeletedAfter' | 'readLog'>

function createMessageReads(db: Database): MessageReads {
  return {
    findMessage: async (roomId, messageId) => {
      const row = await messagesOf(db, roomId)
        .where('message_id', '=', messageId)
        .where('deleted_at', 'is', null)
        .executeTakeFirst()
      return row === undefined ? null : toMessage(row)
    },
    findMessageAt: async (roomId, seq) => {
      const row = await messagesOf(db, roomId).where('seq', '=', seq).executeTakeFirst()
      return row === undefined ? null : toMessage(row)
    },
    listMessages: async (roomId, { offset, limit }) => {
      const query = messagesOf(db, roomId).where('deleted_at', 'is', null).orderBy('message_id', 'desc')
      return (await query.offset(offset).limit(limit).execute()).map(toMessage)
    },
    countDeletedAfter: (roomId, seqs) => countDeletedAfter(db, roomId, seqs),
    readLog: async (roomId, below, limit) => {
      const query = logOf(db, roomId).where('seq', '<', below).orderBy('seq', 'desc').limit(limit)
      return (await query.execute()).map(toLogRow)
    },
  }
}

function logOf(db: Database, roomId: number) {
  const isThere = db.selectFrom('rooms').select('id').where('id', '=', roomId).where('deleted_at', 'is', null)
  return db
    .selectFrom('log_rows')
    .selectAll()
    .where('room_id', '=', roomId)
    .where((where) => where.exists(isThere))
}

function messagesOf(db: Database, roomId: number) {
  return logOf(db, roomId).where('type', '=', 'message.posted').where('message_id', 'is not', null)
}

async function countDeletedAfter(db: Database, roomId: number, seqs: number[]): Promise<number[]> {
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

interface MarkerPage {
  below: number
  limit: number
}

type MemberRow = Tables['members']

async function readMoves(db: Database, roomId: number, { below, limit }: MarkerPage): Promise<MarkerMove[]> {
  const query = membersOf(db).selectAll('members').where('members.room_id', '=', roomId).where('moved_number', '<', below)
  const rows = await query.orderBy('moved_number', 'desc').limit(limit).execute()
  return rows.map((row) => ({ number: row.moved_number ?? 0, fact: toMove(row) }))
}

/** The marker as it stood with each member's last read of his own; posts since may have moved it on. */
async function readReads(db: Database, roomId: number, { below, limit }: MarkerPage): Promise<MarkerMove[]> {
  const query = membersOf(db).selectAll('members').where('members.room_id', '=', roomId).where('read_number', '<', below)
  const rows = await query.orderBy('read_number', 'desc').limit(limit).execute()
  return rows.map((row) => ({ number: row.read_number ?? 0, fact: toRead(row) }))
}

function toMove(row: MemberRow): ReadAdvanced {
  return {
    ...factOf(row),
    stamp: { journal: row.moved_journal, position: row.moved_position },
    at: row.moved_at,
    explicit: row.moved_explicit,
    markerSeq: row.marker_seq,
    messageId: row.marker_message_id,
  }
}

function toRead(row: MemberRow): ReadAdvanced {
  return {
    ...factOf(row),
    stamp: { journal: row.read_journal, position: row.read_position },
    at: row.read_at ?? 0,
    explicit: true,
    markerSeq: row.read_seq,
    messageId: row.read_message_id,
  }
}

function factOf({ room_id: roomId, user_id: userId }: MemberRow) {
  return { type: 'read.advanced' as const, roomId, userId, actorId: userId }
}
