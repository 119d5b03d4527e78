/** The log's port: whom it hands each question to, and what is read of markers. */
import type { ReadAdvanced } from '../../core/events.ts'
import type { LogStore, MarkerMove } from '../storage.ts'
import { appendBatch } from './append.ts'
import type { Database } from './database.ts'
import { createJournalStore, prune } from './journals.ts'
import type { Lane } from './pool.ts'
import { createMessageReads } from './message-reads.ts'
import { createRoomReads, membersOf } from './room-reads.ts'
import { createSearch } from './search.ts'
import type { Tables } from './tables.ts'

export interface LogOptions {
  db: Database
  /** Below `db`. */
  reads: Lane
  /** For appends alone. */
  writes: Lane
  messageIdMax: number
  hasAutovacuum: boolean
}

export function createLogStore({ db, reads, writes, messageIdMax, hasAutovacuum }: LogOptions): LogStore {
  return {
    ...createJournalStore(db),
    prune: () => prune(db, hasAutovacuum),
    ...createRoomReads(db, reads),
    ...createMessageReads(db),
    ...createSearch(db),
    append: (journal, firstPosition, entries) => appendBatch(writes, { journal, firstPosition, entries, messageIdMax }),
    readMarkers: (roomId, options) => (options.explicit ? readReads(db, roomId, options) : readMoves(db, roomId, options)),
  }
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

/** Which of the moves before it went past others' messages is not kept, so that each counts as one that did. */
function factOf({ room_id: roomId, user_id: userId }: MemberRow) {
  return { type: 'read.advanced' as const, roomId, userId, actorId: userId, passed: true }
}
