/** Entering several given rooms at once, for a client with one cursor for all of them (C12), and leaving a room. */
import type { Membership } from '../storage/storage.ts'
import type { Binding, Ended } from './binding-record.ts'
import { formatCursor, isAllCovered, isCovered, parseCursor, type Cursor } from './cursor.ts'
import { ChatError } from './errors.ts'
import type { Hub } from './hub.ts'
import type { RoomId } from './model.ts'
import type { Presence } from './presence.ts'
import { replayRooms, type EnteredAll, type ReplaySources } from './replay.ts'
import { findLeftStamp, type Stay, type Stays } from './resume.ts'
import type { Session } from './session.ts'
import type { Tail } from './tail.ts'

/** Which rooms a client enters. */
export interface Tour {
  /** By which memberships: it is not let in by a later one. */
  bindings: Binding[]
  /** Of these it gets what it missed, the removal at last. */
  lost: Ended[]
  /** The last cursor that it saw; null without cursors, '' for one that does not resume. */
  since: string | null
  /** A cursor since which it is known what it lost; null where nothing of that is to be told. */
  from: string | null
}

export interface EnteredRooms extends EnteredAll {
  /** Those of them that he is in. */
  roomIds: RoomId[]
  /** The others, of which he is out. */
  lost: Ended[]
  /** What this process had handed out; all later comes live. */
  upTo: Cursor
  /** Where this database does not hold what `from` names, nobody can resume by that. */
  isFromHeard: boolean
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
  const isFromHeard = await hearFrom(yard, tour)
  const wanted = isFromHeard ? await findStart(yard, tour) : null
  const gone = wanted === null ? [] : lost
  const roomIds = [...bindings.map(([roomId]) => roomId), ...gone.map(({ roomId }) => roomId)]
  const before = await readMemberships(yard, session, roomIds)
  await hearHowHeCame(yard, [...before.values()])
  // Who has gone meanwhile must not be entered: nobody would take him out again.
  if (!session.isOpen) throw new ChatError('unavailable')
  const upTo = yard.tail.position()
  session.held ??= []
  const entering = bindings.filter((binding) => isBound(binding) && isInBy(binding, upTo, before))
  for (const [roomId] of entering) joinRoom(yard, session, roomId)
  try {
    // Asked again now that he is subscribed: a removal before that shows here, a later one comes live.
    const memberships = await readMemberships(yard, session, roomIds)
    const entered = new Set(entering.filter(([roomId]) => isInAt(upTo, memberships.get(roomId))))
    for (const binding of entering) if (!entered.has(binding)) forgetRoom(yard, session, binding[0])
    const refused = bindings.filter((binding) => !entered.has(binding))
    const ends = await findEnds(yard, session, refused.map(untold), memberships)
    const goneEnds = await findEnds(yard, session, gone, memberships)
    const stays = wanted && staysOn([...entered], [...ends, ...goneEnds], memberships)
    const missed = stays && (await replayRooms(yard, session, stays, { from: wanted, upTo }))
    const cursorAfter = formatCursor(upTo)
    return {
      roomIds: [...entered].map(([roomId]) => roomId),
      lost: ends.filter((ended) => ended !== null),
      upTo,
      cursor: missed === null ? cursorAfter : formatCursor(wanted!),
      cursorAfter,
      isReload: since !== null && since !== '' && missed === null,
      missed: missed ?? [],
      isFromHeard,
    }
  } catch (error) {
    for (const [roomId] of entering) leaveRoom(yard, session, roomId)
    throw error
  }
}

/** Whatever cursor it gets from now on covers `from`, as this process may be behind the one that wrote that. */
async function hearFrom({ tail }: Yard, { since, from }: Tour): Promise<boolean> {
  if (since === null || from === null) return true
  const whole = parseCursor(from)
  return whole !== null && (await tail.hearUpTo(whole))
}

/** From where it resumes; null where it cannot be told all that it missed. */
async function findStart({ tail }: Yard, { since, from }: Tour): Promise<Cursor | null> {
  const [wanted, whole] = [parseCursor(since ?? ''), parseCursor(from ?? '')]
  return wanted && whole && isAllCovered(wanted, whole) && (await tail.hearUpTo(wanted)) ? wanted : null
}

/** He may be in thousands of others. */
async function readMemberships({ log }: Yard, session: Session, roomIds: RoomId[]): Promise<Memberships> {
  if (roomIds.length === 0) return new Map()
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

/** Whether his latest membership of the room is the one by which he is bound, and he is in. */
function isInBy([roomId, joinedSeq]: Binding, upTo: Cursor, memberships: Memberships): boolean {
  const membership = memberships.get(roomId)
  return membership?.member.joinedSeq === joinedSeq && isInAt(upTo, membership)
}

/** One whose removal is still to come live is in until then, also where he is in again by now. */
function isInAt(upTo: Cursor, membership: Membership | undefined): boolean {
  return membership !== undefined && (membership.leftStamp === null || !isCovered(upTo, membership.leftStamp))
}

function untold([roomId, joinedSeq]: Binding): Ended {
  return { roomId, joinedSeq, stamp: null }
}

/** How these memberships ended, each with its stamp where that is found; null for one by which he is in. */
async function findEnds(yard: Yard, session: Session, past: Ended[], memberships: Memberships): Promise<(Ended | null)[]> {
  const ends: (Ended | null)[] = []
  for (const ended of past) ends.push(await findEnd(yard, session, ended, memberships.get(ended.roomId)))
  return ends
}

async function findEnd(
  { log, replayMax }: Yard,
  { user }: Session,
  { roomId, joinedSeq, stamp }: Ended,
  latest: Membership | undefined,
): Promise<Ended | null> {
  // The room is gone, or storage went back behind that membership.
  if (latest === undefined || latest.member.joinedSeq < joinedSeq) return { roomId, joinedSeq: Infinity, stamp: null }
  if (latest.member.joinedSeq === joinedSeq) return latest.leftStamp && { roomId, joinedSeq, stamp: latest.leftStamp }
  const bounds = { below: latest.member.joinedSeq, limit: replayMax }
  return { roomId, joinedSeq, stamp: stamp ?? (await findLeftStamp(log, { roomId, userId: user.id, joinedSeq }, bounds)) }
}

/** Null where it is not known up to where he was in one of them. */
function staysOn(entered: Binding[], ends: (Ended | null)[], memberships: Memberships): Stays[] | null {
  const rooms = new Map<RoomId, Map<number, Stay>>()
  const add = (roomId: RoomId, stay: Stay) => rooms.set(roomId, (rooms.get(roomId) ?? new Map()).set(stay.joinedSeq, stay))
  for (const ended of ends) {
    // Of a room that is gone nothing is left.
    if (ended?.joinedSeq === Infinity) continue
    if (!ended?.stamp) return null
    add(ended.roomId, { joinedSeq: ended.joinedSeq, leftStamp: ended.stamp })
  }
  for (const [roomId, joinedSeq] of entered) {
    const { member, leftStamp } = memberships.get(roomId)!
    add(roomId, { joinedSeq, leftStamp: member.joinedSeq === joinedSeq ? leftStamp : null })
  }
  return [...rooms].map(([roomId, stays]) => ({
    roomId,
    stays: [...stays.values()].toSorted((a, b) => b.joinedSeq - a.joinedSeq),
    lastStamp: memberships.get(roomId)!.lastStamp,
  }))
}

function forgetRoom(yard: Yard, session: Session, roomId: RoomId): void {
  leaveRoom(yard, session, roomId)
  yard.presence.forget(roomId, session.user.id)
}
