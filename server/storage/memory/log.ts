/** The log's port over the state: what it answers, and whom it hands the rest to. */
import type { LogRow } from '../../core/events.ts'
import type { Message, RoomId } from '../../core/model.ts'
import type { LogStore } from '../storage.ts'
import { append } from './append.ts'
import { closeJournal, closeSilentJournals, listJournals, openJournal, readCommits, touchJournal } from './journals.ts'
import { readMarkers } from './reads.ts'
import { roomsIn } from './spaces.ts'
import { copyFact, copyMember, filterRooms, findLiveRoom, findPresent, listPresent, type MemoryState } from './state.ts'

const HOUR_MS = 3_600_000

export function openLog(state: MemoryState): LogStore {
  return {
    openJournal: async () => openJournal(state),
    closeJournal: async (journal) => closeJournal(state, journal),
    touchJournal: async (journal) => touchJournal(state, journal),
    closeSilentJournals: async (silentMs) => closeSilentJournals(state, silentMs),
    listJournals: async (from) => listJournals(state, from),

    append: async (journal, firstPosition, entries) => append(state, journal, firstPosition, entries),
    readCommits: async (journal, afterPosition, limit) => readCommits(state, journal, { afterPosition, limit }),

    findRoom: async (roomId) => copyOrNull(findLiveRoom(state, roomId)?.room),
    listRoomsIn: async (spaceId) => roomsIn(state, spaceId).map(({ room }) => ({ ...room })),
    listRoomsOf: async (userId) =>
      filterRooms(state, (room) => findPresent(room, userId) !== undefined).map(({ room }) => ({ ...room })),
    findMember: async (roomId, userId) => {
      const room = findLiveRoom(state, roomId)
      const found = room && findPresent(room, userId)
      return found === undefined ? null : copyMember(found.member)
    },
    listMembers: async (roomId) => {
      const room = findLiveRoom(state, roomId)
      return room === undefined ? [] : listPresent(room).map(({ member }) => copyMember(member))
    },

    findMessage: async (roomId, messageId) => {
      const found = findLiveRoom(state, roomId)?.messagesById.get(messageId)
      return copyOrNull(found?.deletedAt === null ? found : undefined)
    },
    findMessageAt: async (roomId, seq) => {
      const row = findLiveRoom(state, roomId)?.rows[seq - 1]
      return copyOrNull(row?.type === 'message.posted' ? row.message : undefined)
    },
    listMessages: async (roomId, { offset, limit }) => listMessages(state, roomId, offset, limit),
    countDeletedAfter: async (roomId, seqs) => countDeletedAfter(state, roomId, seqs),

    readLog: async (roomId, below, limit) => readLog(state, roomId, below, limit),
    readMarkers: async (roomId, options) => readMarkers(state, roomId, options),

    prune: async () => prune(state),
  }
}

function copyOrNull<T extends object>(found: T | undefined): T | null {
  return found === undefined ? null : { ...found }
}

/** Walks from the newest, so a first page costs what it holds. */
function listMessages(state: MemoryState, roomId: RoomId, offset: number, limit: number): Message[] {
  const messages = findLiveRoom(state, roomId)?.messages ?? []
  const found: Message[] = []
  let skipped = 0
  for (let i = messages.length - 1; i >= 0 && found.length < limit; i--) {
    const message = messages[i]
    if (message === undefined || message.deletedAt !== null) continue
    if (skipped < offset) skipped += 1
    else found.push({ ...message })
  }
  return found
}

function countDeletedAfter(state: MemoryState, roomId: RoomId, seqs: number[]): number[] {
  const deleted = (findLiveRoom(state, roomId)?.messages ?? []).filter((message) => message.deletedAt !== null)
  return seqs.map((seq) => deleted.filter((message) => message.seq > seq).length)
}

function readLog(state: MemoryState, roomId: RoomId, below: number, limit: number): LogRow[] {
  const rows = findLiveRoom(state, roomId)?.rows ?? []
  const end = Math.min(Math.max(below - 1, 0), rows.length)
  return rows
    .slice(Math.max(end - limit, 0), end)
    .toReversed()
    .map(copyFact)
}

function prune(state: MemoryState): void {
  const now = state.options.now()
  for (const { keys } of state.rooms.values()) deleteWhere(keys, (key) => key.at < now - 24 * HOUR_MS)
  for (const { commits } of state.journals) deleteWhere(commits, (commit) => commit.at < now - HOUR_MS)
  deleteWhere(state.revokedTokens, (expiresAt) => expiresAt <= now)
}

function deleteWhere<K, V>(map: Map<K, V>, test: (value: V) => boolean): void {
  for (const [key, value] of map) if (test(value)) map.delete(key)
}
