/**
 * Sessions that receive all rooms of their user, whichever he enters and loses. One that is coming is told here what is handed out
 * about him meanwhile, so that with what storage says it can be known in which rooms he is at one moment.
 */
import type { Membership } from '../storage/storage.ts'
import { isCovered, type Cursor } from './cursor.ts'
import type { RoomEntry, RoomExit } from './hub.ts'
import type { RoomId, UserId } from './model.ts'
import type { Session } from './session.ts'

/** A session on its way in, before it is subscribed to anything. */
export interface Arrival {
  session: Session
  /** By room: what was handed out last about his membership. */
  changes: Map<RoomId, { seq: number; isIn: boolean }>
}

export class Followers {
  private readonly sessions = new Map<UserId, Set<Session>>()
  private readonly arrivals = new Set<Arrival>()

  /** Until `settle` or `remove`. */
  expect(session: Session): Arrival {
    const arrival: Arrival = { session, changes: new Map() }
    this.arrivals.add(arrival)
    return arrival
  }

  /** It follows from now on. */
  settle(arrival: Arrival): void {
    const { user } = arrival.session
    this.arrivals.delete(arrival)
    const sessions = this.sessions.get(user.id) ?? new Set()
    this.sessions.set(user.id, sessions.add(arrival.session))
  }

  /** No matter if it is not there. */
  remove(session: Session): void {
    for (const arrival of this.arrivals) if (arrival.session === session) this.arrivals.delete(arrival)
    const sessions = this.sessions.get(session.user.id)
    sessions?.delete(session)
    if (sessions?.size === 0) this.sessions.delete(session.user.id)
  }

  /** The sessions that are to get the room with this event. */
  noteEntry(event: RoomEntry): Session[] {
    const userIds = event.type === 'room.created' ? event.memberIds : event.together
    for (const { session, changes } of this.arrivals) {
      if (userIds.includes(session.user.id)) changes.set(event.roomId, { seq: event.seq, isIn: true })
    }
    return userIds.flatMap((userId) => [...(this.sessions.get(userId) ?? [])])
  }

  noteExit(event: RoomExit): void {
    for (const { session, changes } of this.arrivals) {
      const isOut = event.type === 'room.deleted' || event.userId === session.user.id
      if (isOut) changes.set(event.roomId, { seq: event.seq, isIn: false })
    }
  }
}

/**
 * The rooms that he is in for this process, by what it has handed out: `memberships` were read since the arrival is expected, and
 * may know less than was handed out, which `changes` has, or more, which is still to come live.
 */
export function roomsAt(position: Cursor, memberships: Membership[], { changes }: Arrival): Set<RoomId> {
  const rooms = new Set<RoomId>()
  for (const { member, joinedStamp, leftStamp } of memberships) {
    const hasLeft = leftStamp !== null && isCovered(position, leftStamp)
    if (isCovered(position, joinedStamp) && !hasLeft) rooms.add(member.roomId)
  }
  const joinedSeqs = new Map(memberships.map(({ member }) => [member.roomId, member.joinedSeq]))
  for (const [roomId, { seq, isIn }] of changes) {
    if (seq <= (joinedSeqs.get(roomId) ?? 0)) continue
    if (isIn) rooms.add(roomId)
    else rooms.delete(roomId)
  }
  return rooms
}
