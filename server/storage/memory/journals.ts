/** Journals and the commits they keep. */
import type { Commit, JournalRecord } from '../storage.ts'
import { copyCommit, type MemoryState } from './state.ts'

export function openJournal(state: MemoryState): JournalRecord {
  const record = { number: state.journals.length + 1, tag: makeTag(state.options.random), lastPosition: 0, isClosed: false }
  state.journals.push({ record, heardAt: state.options.now(), commits: new Map() })
  return { ...record }
}

function makeTag(random: () => number): string {
  return Array.from({ length: 8 }, () => Math.floor(random() * 36).toString(36)).join('')
}

export function closeJournal(state: MemoryState, journal: number): void {
  const found = state.journals[journal - 1]
  if (found !== undefined) found.record.isClosed = true
}

export function touchJournal(state: MemoryState, journal: number): void {
  const found = state.journals[journal - 1]
  if (found !== undefined) found.heardAt = state.options.now()
}

export function closeSilentJournals(state: MemoryState, silentMs: number): void {
  const heardBefore = state.options.now() - silentMs
  for (const { record, heardAt } of state.journals) {
    if (heardAt < heardBefore) record.isClosed = true
  }
}

export function listJournals(state: MemoryState, from: number): JournalRecord[] {
  return state.journals.map(({ record }) => ({ ...record })).filter((record) => record.number >= from)
}

/** A journal's commits stand in the order in which they were made, so in order of position. */
export function readCommits(state: MemoryState, journal: number, page: { afterPosition: number; limit: number }): Commit[] {
  const commits = [...(state.journals[journal - 1]?.commits.values() ?? [])]
  return commits
    .filter((commit) => commit.lastPosition > page.afterPosition)
    .slice(0, page.limit)
    .map(copyCommit)
}
