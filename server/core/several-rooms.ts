/** Entering several given rooms at once, for a client with one cursor for all of them (C12), and leaving a room. */
import type { Membership } from '../storage/storage.ts'
import { formatCursor, isCovered, parseCursor, type Cursor } from './cursor.ts'
import { ChatError } from './errors.ts'
import type { Hub } from './hub.ts'
import type { RoomId, UserId } from './model.ts'
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
  const { roomIds, since } = tour
  const wanted = since === null || since === '' ? null : parseCursor(since)
  const isKnown = wanted !== null && (await yard.tail.hearUpTo(wanted))
  await hearHowHeCame(yard, session.user.id, tour)
  // Who has gone meanwhile must not be entered: nobody would take him out again.
  if (!session.isOpen) throw new ChatError('unavailable')
  const upTo = yard.tail.position()
  session.held ??= []
  for (const roomId of roomIds) joinRoom(yard, session, roomId)
  try {
    // Asked again now that he is subscribed: a removal before that shows here, a later one comes live.
    const memberships = await yard.log.listMembershipsOf(session.user.id)
    const isIn = membersAt(upTo, memberships)
    for (const roomId of roomIds) if (!isIn.has(roomId)) forgetRoom(yard, session, roomId)
    const stays = staysOn(tour, memberships)
    const missed = isKnown ? await replayRooms(yard, session, stays, { from: wanted, upTo }) : null
    const cursorAfter = formatCursor(upTo)
    return {
      roomIds: roomIds.filter((roomId) => isIn.has(roomId)),
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
async function hearHowHeCame({ log, tail }: Yard, userId: UserId, { roomIds, lostIds = [] }: Tour): Promise<void> {
  const wanted = new Set([...roomIds, ...lostIds])
  if (wanted.size === 0) return
  for (const { member, joinedStamp, leftStamp } of await log.listMembershipsOf(userId)) {
    if (wanted.has(member.roomId)) await tail.hearEvent(leftStamp ?? joinedStamp)
  }
}

/** Of a lost room that he is in again nothing is missed: he has still to enter it. */
function staysOn({ roomIds, lostIds = [] }: Tour, memberships: Membership[]): Membership[] {
  const [entered, lost] = [new Set(roomIds), new Set(lostIds)]
  return memberships.filter(
    ({ member: { roomId }, leftStamp }) => entered.has(roomId) || (leftStamp !== null && lost.has(roomId)),
  )
}

/** One whose removal is still to come live is in until then. */
function membersAt(upTo: Cursor, memberships: Membership[]): Set<RoomId> {
  const present = memberships.filter(({ leftStamp }) => leftStamp === null || !isCovered(upTo, leftStamp))
  return new Set(present.map(({ member }) => member.roomId))
}

function forgetRoom(yard: Yard, session: Session, roomId: RoomId): void {
  leaveRoom(yard, session, roomId)
  yard.presence.forget(roomId, session.user.id)
}
