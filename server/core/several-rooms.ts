/** Entering several given rooms at once, for a client with one cursor for all of them (C12), and leaving a room. */
import type { Membership } from '../storage/storage.ts'
import type { Exit } from './binding-record.ts'
import { formatCursor, isCovered, parseCursor, type Cursor } from './cursor.ts'
import { ChatError } from './errors.ts'
import type { Hub } from './hub.ts'
import type { RoomId } from './model.ts'
import type { Presence } from './presence.ts'
import { replayRooms, type EnteredAll, type ReplaySources } from './replay.ts'
import type { Session } from './session.ts'
import type { Tail } from './tail.ts'

/** Which rooms a client enters. */
export interface Tour {
  roomIds: RoomId[]
  /** Rooms that he has lost since he was in them: of these he gets what he missed, his removal at last. */
  lostIds?: RoomId[]
  /** The last cursor that it saw; null or '' for one that does not resume. */
  since: string | null
}

export interface EnteredRooms extends EnteredAll {
  /** Those of them that he is in. */
  roomIds: RoomId[]
  /** The others: he is out of them. */
  lost: Exit[]
  /** What this process had handed out; all later comes live. */
  upTo: Cursor
}

/** What being in a room takes. */
export interface Attendance {
  hub: Hub
  presence: Presence
}

/** Whether his coming online is about to be announced. */
export function joinRoom({ hub, presence }: Attendance, session: Session, roomId: RoomId): boolean {
  hub.subscribe(roomId, session)
  return presence.enter(roomId, session.user.id)
}

/** No matter if it is not in it. */
export function leaveRoom({ hub, presence }: Attendance, session: Session, roomId: RoomId): void {
  if (!session.rooms.has(roomId)) return
  hub.unsubscribe(roomId, session)
  presence.leave([roomId], session.user.id)
}

type Yard = ReplaySources & Attendance & { tail: Tail }

/** The session is held from here on, where it was not; nothing that was handed out before is among what it holds. */
export async function enterRooms(yard: Yard, session: Session, tour: Tour): Promise<EnteredRooms> {
  const { roomIds, lostIds = [], since } = tour
  // He may be in thousands of others.
  const askedIds = [...roomIds, ...lostIds]
  const listMemberships = async () => (askedIds.length === 0 ? [] : yard.log.listMembershipsOf(session.user.id, askedIds))
  const wanted = since === null || since === '' ? null : parseCursor(since)
  const isKnown = wanted !== null && (await yard.tail.hearUpTo(wanted))
  await hearHowHeCame(yard, await listMemberships())
  // Who has gone meanwhile must not be entered: nobody would take him out again.
  if (!session.isOpen) throw new ChatError('unavailable')
  const upTo = yard.tail.position()
  session.held ??= []
  for (const roomId of roomIds) joinRoom(yard, session, roomId)
  try {
    // Asked again now that he is subscribed: a removal before that shows here, a later one comes live.
    const memberships = await listMemberships()
    const isIn = membersAt(upTo, memberships)
    const lost = roomIds.filter((roomId) => !isIn.has(roomId))
    for (const roomId of lost) forgetRoom(yard, session, roomId)
    const stays = staysOn(tour, memberships)
    const missed = isKnown ? await replayRooms(yard, session, stays, { from: wanted, upTo }) : null
    const cursorAfter = formatCursor(upTo)
    return {
      roomIds: roomIds.filter((roomId) => isIn.has(roomId)),
      lost: exitsFrom(lost, memberships),
      upTo,
      cursor: missed === null ? cursorAfter : formatCursor(wanted!),
      cursorAfter,
      isReload: since !== null && since !== '' && missed === null,
      missed: missed ?? [],
    }
  } catch (error) {
    for (const roomId of roomIds) leaveRoom(yard, session, roomId)
    throw error
  }
}

/**
 * Storage may be ahead of the tail: of one who was removed and added again, the removal may be still to come, and would take out
 * the session that he opens now. With the event that let him in, all that went before it in the room has been handed out; of a room
 * that he lost, with his removal.
 */
async function hearHowHeCame({ tail }: Yard, memberships: Membership[]): Promise<void> {
  for (const { joinedStamp, leftStamp } of memberships) await tail.hearEvent(leftStamp ?? joinedStamp)
}

/** Of a lost room that he is in again nothing is missed: he has still to enter it. */
function staysOn({ roomIds }: Tour, memberships: Membership[]): Membership[] {
  const entered = new Set(roomIds)
  return memberships.filter(({ member: { roomId }, leftStamp }) => entered.has(roomId) || leftStamp !== null)
}

/** One whose removal is still to come live is in until then. */
function membersAt(upTo: Cursor, memberships: Membership[]): Set<RoomId> {
  const present = memberships.filter(({ leftStamp }) => leftStamp === null || !isCovered(upTo, leftStamp))
  return new Set(present.map(({ member }) => member.roomId))
}

/** What is not among his memberships is a room that is gone. */
function exitsFrom(roomIds: RoomId[], memberships: Membership[]): Exit[] {
  const joined = new Map(memberships.map(({ member: { roomId, joinedSeq } }) => [roomId, joinedSeq]))
  return roomIds.map((roomId) => ({ roomId, beforeSeq: (joined.get(roomId) ?? Infinity) + 1 }))
}

function forgetRoom(yard: Yard, session: Session, roomId: RoomId): void {
  leaveRoom(yard, session, roomId)
  yard.presence.forget(roomId, session.user.id)
}
