/** Entering several given rooms at once, for a client with one cursor for all of them (C12), and leaving a room. */
import type { Membership } from '../storage/storage.ts'
import type { Binding, Ended, Exit } from './binding-record.ts'
import { formatCursor, isCovered, parseCursor, type Cursor } from './cursor.ts'
import { ChatError } from './errors.ts'
import type { Hub } from './hub.ts'
import type { RoomId } from './model.ts'
import type { Presence } from './presence.ts'
import { replayRooms, type EnteredAll, type ReplaySources } from './replay.ts'
import { findLeftStamp, type Stay } from './resume.ts'
import type { Session } from './session.ts'
import type { Tail } from './tail.ts'

/** Which rooms a client enters. */
export interface Tour {
  /** By which memberships: it is not let in by a later one. */
  bindings: Binding[]
  /** Of these it gets what it missed, the removal at last. */
  lost: Ended[]
  /** The last cursor that it saw; null or '' for one that does not resume. */
  since: string | null
}

export interface EnteredRooms extends EnteredAll {
  /** Those of them that he is in. */
  roomIds: RoomId[]
  /** The others, of which he is out. */
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
type Memberships = Map<RoomId, Membership>

/**
 * The session is held from here on, where it was not; nothing that was handed out before is among what it holds. `isBound` is asked in
 * the moment in which it enters: what has ended a binding by then has been handed out, what ends it later comes live.
 */
export async function enterRooms(
  yard: Yard,
  session: Session,
  tour: Tour,
  isBound: (binding: Binding) => boolean,
): Promise<EnteredRooms> {
  const { bindings, lost, since } = tour
  const wanted = since === null || since === '' ? null : parseCursor(since)
  const isKnown = wanted !== null && (await yard.tail.hearUpTo(wanted))
  const before = await readMemberships(yard, session, bindings)
  await hearHowHeCame(yard, [...before.values()])
  if (isKnown) for (const { stamp } of lost) await yard.tail.hearEvent(stamp)
  // Who has gone meanwhile must not be entered: nobody would take him out again.
  if (!session.isOpen) throw new ChatError('unavailable')
  const upTo = yard.tail.position()
  session.held ??= []
  const entering = bindings.filter((binding) => isBound(binding) && isStill(before, binding))
  for (const [roomId] of entering) joinRoom(yard, session, roomId)
  try {
    // Asked again now that he is subscribed: a removal before that shows here, a later one comes live.
    const memberships = await readMemberships(yard, session, bindings)
    const entered = new Set(entering.filter(([roomId]) => isInAt(upTo, memberships.get(roomId))))
    for (const binding of entering) if (!entered.has(binding)) forgetRoom(yard, session, binding[0])
    const exits = new Map<Binding, Exit | null>()
    for (const binding of bindings)
      if (!entered.has(binding)) exits.set(binding, await findExit(yard, session, binding, memberships))
    const stays = isKnown ? staysOn(tour, memberships, exits) : null
    const missed = stays && (await replayRooms(yard, session, stays, { from: wanted!, upTo }))
    const cursorAfter = formatCursor(upTo)
    return {
      roomIds: [...entered].map(([roomId]) => roomId),
      lost: [...exits.values()].filter((exit) => exit !== null),
      upTo,
      cursor: missed === null ? cursorAfter : formatCursor(wanted!),
      cursorAfter,
      isReload: since !== null && since !== '' && missed === null,
      missed: missed ?? [],
    }
  } catch (error) {
    for (const [roomId] of entering) leaveRoom(yard, session, roomId)
    throw error
  }
}

/** He may be in thousands of others. */
async function readMemberships({ log }: Yard, session: Session, bindings: Binding[]): Promise<Memberships> {
  if (bindings.length === 0) return new Map()
  const roomIds = bindings.map(([roomId]) => roomId)
  const memberships = await log.listMembershipsOf(session.user.id, roomIds)
  return new Map(memberships.map((membership) => [membership.member.roomId, membership]))
}

/**
 * Storage may be ahead of the tail: of one who was removed and added again, the removal may be still to come, and would take out
 * the session that he opens now. With the event that let him in, all that went before it in the room has been handed out; of a room
 * that he lost, with his removal.
 */
async function hearHowHeCame({ tail }: Yard, memberships: Membership[]): Promise<void> {
  for (const { joinedStamp, leftStamp } of memberships) await tail.hearEvent(leftStamp ?? joinedStamp)
}

/** Whether his latest membership of the room is the one by which he is bound; he may be out by now. */
function isStill(memberships: Memberships, [roomId, joinedSeq]: Binding): boolean {
  return memberships.get(roomId)?.member.joinedSeq === joinedSeq
}

/** One whose removal is still to come live is in until then, also where he is in again by now. */
function isInAt(upTo: Cursor, membership: Membership | undefined): boolean {
  return membership !== undefined && (membership.leftStamp === null || !isCovered(upTo, membership.leftStamp))
}

/** How he came out of the room that he is bound to by this. Null where he is in by that membership, and only not bound any more. */
async function findExit(yard: Yard, session: Session, binding: Binding, memberships: Memberships): Promise<Exit | null> {
  const [roomId, joinedSeq] = binding
  const membership = memberships.get(roomId)
  if (membership === undefined) return { roomId, beforeSeq: Infinity, stamp: null }
  const { member, leftStamp } = membership
  if (isStill(memberships, binding)) return leftStamp && { roomId, beforeSeq: joinedSeq + 1, stamp: leftStamp }
  const stamp = await findLeftStamp(yard.log, { ...member, joinedSeq }, { below: member.joinedSeq, limit: yard.replayMax })
  return { roomId, beforeSeq: member.joinedSeq, stamp }
}

/** Null where it is not known up to where he was in one of them. */
function staysOn({ bindings, lost }: Tour, memberships: Memberships, exits: Map<Binding, Exit | null>): Stay[] | null {
  const stays: Stay[] = lost.map(({ roomId, joinedSeq, stamp }) => ({ roomId, joinedSeq, leftStamp: stamp, lastStamp: null }))
  for (const binding of bindings) {
    const [roomId, joinedSeq] = binding
    const membership = memberships.get(roomId)
    // Of a room that is gone nothing is left.
    if (membership === undefined) continue
    const exit = exits.get(binding)
    if (exit !== undefined && !exit?.stamp) return null
    const leftStamp = exit?.stamp ?? (isStill(memberships, binding) ? membership.leftStamp : null)
    stays.push({ roomId, joinedSeq, leftStamp, lastStamp: membership.lastStamp })
  }
  return stays
}

function forgetRoom(yard: Yard, session: Session, roomId: RoomId): void {
  leaveRoom(yard, session, roomId)
  yard.presence.forget(roomId, session.user.id)
}
