/** One append: which journal, in which order, what each entry did. Nothing here awaits, so nothing else happens meanwhile. */
import { JournalClosed, type AppendResult, type Entry, type Outcome } from '../storage.ts'
import type { Draft } from './draft.ts'
import { doMemberAdd, doMemberRemove, doNameChange, doRoleChange } from './members.ts'
import { doDelete, doEdit, doPost } from './messages.ts'
import { doReaction } from './reactions.ts'
import { doRead } from './reads.ts'
import { doRoomCreate, doRoomDelete, doRoomUpdate } from './rooms.ts'
import { doSpaceDelete, doSpaceJoin, doSpaceLeave } from './spaces.ts'
import { copyCommit, copyFact, type JournalState, type MemoryState, type StoredCommit } from './state.ts'

export function append(state: MemoryState, journal: number, firstPosition: number, entries: Entry[]): AppendResult {
  const found = state.journals[journal - 1]
  if (found === undefined) throw new JournalClosed(`there is no journal ${journal}`)
  const stored = found.commits.get(firstPosition)
  if (stored !== undefined) return copyResult(stored)
  checkJournal(found, firstPosition)
  found.heardAt = state.options.now()
  const commit = makeCommit(state, { journal, firstPosition, entries })
  if (commit.facts.length > 0) {
    found.commits.set(firstPosition, commit)
    found.record.lastPosition = commit.lastPosition
  }
  return copyResult(commit)
}

function checkJournal({ record }: JournalState, firstPosition: number): void {
  if (record.isClosed) throw new JournalClosed(`journal ${record.number} is closed`)
  if (record.lastPosition + 1 === firstPosition) return
  throw new JournalClosed(`journal ${record.number} is at ${record.lastPosition}, which ${firstPosition} does not follow`)
}

interface Batch {
  journal: number
  firstPosition: number
  entries: Entry[]
}

function makeCommit(state: MemoryState, { journal, firstPosition, entries }: Batch): StoredCommit {
  const now = state.options.now()
  const draft: Draft = { state, journal, lastPosition: firstPosition - 1, now, facts: [], after: [] }
  const outcomes: Outcome[] = []
  for (const [index, entry] of inOrder(entries)) outcomes[index] = apply(draft, entry)
  return {
    journal,
    firstPosition,
    lastPosition: draft.lastPosition,
    facts: draft.facts,
    after: draft.after,
    outcomes,
    at: now,
  }
}

/** Structural entries as given, then posts by room, then reads as given; each with its index. */
function inOrder(entries: Entry[]): [number, Entry][] {
  return [...entries.entries()].toSorted(([, a], [, b]) => phaseOf(a) - phaseOf(b) || roomOfPost(a) - roomOfPost(b))
}

function phaseOf({ kind }: Entry): number {
  if (kind === 'read') return 2
  return kind === 'post' ? 1 : 0
}

/** 0 for all that keep the order in which they were given. */
function roomOfPost(entry: Entry): number {
  return entry.kind === 'post' ? entry.roomId : 0
}

function apply(draft: Draft, entry: Entry): Outcome {
  switch (entry.kind) {
    case 'post':
      return doPost(draft, entry)
    case 'edit':
      return doEdit(draft, entry)
    case 'delete':
      return doDelete(draft, entry)
    case 'reaction.add':
    case 'reaction.remove':
      return doReaction(draft, entry)
    case 'read':
      return doRead(draft, entry)
    case 'room.create':
      return doRoomCreate(draft, entry)
    case 'room.update':
      return doRoomUpdate(draft, entry)
    case 'room.delete':
      return doRoomDelete(draft, entry)
    case 'member.add':
      return doMemberAdd(draft, entry)
    case 'member.remove':
      return doMemberRemove(draft, entry)
    case 'role.change':
      return doRoleChange(draft, entry)
    case 'name.change':
      return doNameChange(draft, entry)
    case 'space.join':
      return doSpaceJoin(draft, entry)
    case 'space.leave':
      return doSpaceLeave(draft, entry)
    case 'space.delete':
      return doSpaceDelete(draft, entry)
  }
}

function copyResult(commit: StoredCommit): AppendResult {
  return { ...copyCommit(commit), outcomes: commit.outcomes.map(copyOutcome) }
}

function copyOutcome(outcome: Outcome): Outcome {
  return outcome.status === 'done' ? { status: 'done', facts: outcome.facts.map(copyFact) } : { ...outcome }
}
