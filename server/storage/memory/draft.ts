/** A commit in the making: gives each event its seq, its stamp and its time. */
import type { Fact, LogRow, ReadAdvanced } from '../../core/events.ts'
import type { RoomId, Stamp } from '../../core/model.ts'
import type { Outcome, Refusal } from '../storage.ts'
import type { MemoryState, RoomState } from './state.ts'

export interface Draft {
  state: MemoryState
  journal: number
  /** That of the newest event. */
  lastPosition: number
  now: number
  facts: Fact[]
  /** What other journals left last in the rooms that it touches. */
  after: Stamp[]
}

interface Place {
  roomId: RoomId
  stamp: Stamp
  at: number
}

/** A place in the journal; `at` never goes back within a room, whatever the clock does. */
export function takePlace(draft: Draft, room: RoomState): Place {
  draft.lastPosition += 1
  room.lastAt = Math.max(draft.now, room.lastAt)
  if (room.lastStamp !== null && room.lastStamp.journal !== draft.journal) draft.after.push(room.lastStamp)
  room.lastStamp = { journal: draft.journal, position: draft.lastPosition }
  return { roomId: room.room.id, stamp: { ...room.lastStamp }, at: room.lastAt }
}

/** A place in the journal and in the room's log. */
export function takeRowPlace(draft: Draft, room: RoomState): Place & { seq: number } {
  room.room.head += 1
  return { ...takePlace(draft, room), seq: room.room.head }
}

export function keepRow<T extends LogRow>(draft: Draft, room: RoomState, row: T): T {
  room.rows.push(row)
  draft.facts.push(row)
  return row
}

export function keepMove(draft: Draft, fact: ReadAdvanced): ReadAdvanced {
  draft.facts.push(fact)
  return fact
}

export function done(facts: Fact[]): Outcome {
  return { status: 'done', facts }
}

export function refused(reason: Refusal): Outcome {
  return { status: 'refused', reason }
}
