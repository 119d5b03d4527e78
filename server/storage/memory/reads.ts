/** Read markers. */
import type { ReadAdvanced } from '../../core/events.ts'
import type { Message, MessageId, RoomId } from '../../core/model.ts'
import type { LogStore, MarkerMove, Outcome, ReadEntry } from '../storage.ts'
import { done, keepMove, refused, takePlace, type Draft } from './draft.ts'
import { copyFact, findLiveRoom, findPresent, listPresent, type MemberState, type MemoryState, type RoomState } from './state.ts'

export function doRead(draft: Draft, entry: ReadEntry): Outcome {
  const room = findLiveRoom(draft.state, entry.roomId)
  if (room === undefined) return refused('room_not_found')
  const reader = findPresent(room, entry.userId)
  if (reader === undefined) return refused('not_a_member')
  const target = findNewestUpTo(room, entry.messageId ?? Infinity)
  return done([advance(draft, room, reader, { target, explicit: true })])
}

/** Moves a marker where `target` lies ahead of it; makes the fact of it in any case. */
export function advance(
  draft: Draft,
  room: RoomState,
  reader: MemberState,
  { target, explicit }: { target: Message | undefined; explicit: boolean },
): ReadAdvanced {
  const place = takePlace(draft, room)
  const { marker, userId } = reader.member
  const isMove = target !== undefined && target.seq > marker.seq
  const passed = isMove && (explicit || target.ordinal > marker.ordinal + 1)
  if (isMove) Object.assign(marker, { seq: target.seq, ordinal: target.ordinal })
  if (explicit) marker.readAt = place.at
  const messageId = room.messages[marker.ordinal - 1]?.id ?? null
  const about = { userId, actorId: userId, explicit, passed, markerSeq: marker.seq, messageId }
  const fact = keepMove(draft, { type: 'read.advanced', ...place, ...about })
  room.moves += 1
  if (isMove) reader.lastMove = { number: room.moves, fact }
  if (explicit) reader.lastRead = { number: room.moves, fact }
  return fact
}

/** From the end, as readers are seldom far behind. */
function findNewestUpTo(room: RoomState, messageId: MessageId): Message | undefined {
  return room.messages.findLast((message) => message.id <= messageId)
}

export function readMarkers(state: MemoryState, roomId: RoomId, options: Parameters<LogStore['readMarkers']>[1]): MarkerMove[] {
  const room = findLiveRoom(state, roomId)
  if (room === undefined) return []
  const moves = listPresent(room).flatMap((member) => (options.explicit ? member.lastRead : member.lastMove) ?? [])
  return moves
    .filter((move) => move.number < options.below)
    .toSorted((a, b) => b.number - a.number)
    .slice(0, options.limit)
    .map(({ number, fact }) => ({ number, fact: { ...copyFact(fact), passed: true } }))
}
