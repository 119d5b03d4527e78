/** The log's port over the state: whom it hands each question to. */
import { leaseKeptMs, type LogStore } from '../storage.ts'
import { append } from './append.ts'
import { closeJournal, closeSilentJournals, listJournals, openJournal, readCommits, touchJournal } from './journals.ts'
import { openMessageReads } from './message-reads.ts'
import { openRoomReads } from './room-reads.ts'
import { openSearch } from './search.ts'
import type { MemoryState } from './state.ts'

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

    ...openRoomReads(state),
    ...openMessageReads(state),
    ...openSearch(state),

    prune: async () => prune(state),
  }
}

function prune(state: MemoryState): void {
  const now = state.options.now()
  for (const { keys } of state.rooms.values()) deleteWhere(keys, (key) => key.at < now - 24 * HOUR_MS)
  for (const { commits } of state.journals) deleteWhere(commits, (commit) => commit.at < now - HOUR_MS)
  deleteWhere(state.revokedTokens, (expiresAt) => expiresAt <= now)
  deleteWhere(state.logins, ({ expiresAt }) => expiresAt !== null && expiresAt <= now)
  deleteWhere(state.records, ({ keptUntil }) => keptUntil <= now)
  deleteWhere(state.leases, (until) => until < now - leaseKeptMs)
}

function deleteWhere<K, V>(map: Map<K, V>, test: (value: V) => boolean): void {
  for (const [key, value] of map) if (test(value)) map.delete(key)
}
