/**
 * Where this door's people are: whose sockets are bound to which rooms (C1), and the Rooms that they are in (C10). A socket receives a
 * room's events while it is in its Room, which is active then; so what happens in another state reaches nobody here.
 */
import { randomUUID } from 'node:crypto'
import { unite, type Binding, type Ended } from '../../core/binding-record.ts'
import { unknownCursor } from '../../core/cursor.ts'
import { ChatError, toChatError } from '../../core/errors.ts'
import type { RoomExit } from '../../core/hub.ts'
import type { Member, RoomId, User, UserId } from '../../core/model.ts'
import type { RecentStores } from '../../core/recent-messages.ts'
import { createRegistered, type Registered } from '../../core/registered.ts'
import type { RoomState } from '../../core/room-lifecycle.ts'
import type { Tour } from '../../core/several-rooms.ts'
import type { UserNames } from '../../core/user-names.ts'
import type { Door } from '../door.ts'
import { Arrivals } from './arrivals.ts'
import { encodeError } from './encode.ts'
import type { Seat } from './seat.ts'

/** What the HTTP side asks of the live side. */
export interface Place {
  /** Default names (C7). */
  names: UserNames
  /**
   * Binds his sockets to a room of which he is a member, those open now and those opened later (C1); those open at this node have its
   * history when this resolves, with the state of the Room that he enters (C10). Throws ChatError room_closing, unavailable, and
   * not_a_member where he is removed meanwhile.
   */
  connect(user: User, member: Member): Promise<RoomState>
  /** Of the Room that all nodes share (C10). Throws ChatError unavailable. */
  stateOf(roomId: RoomId): Promise<RoomState>
}

export interface PlaceParts {
  stores: RecentStores
  names: UserNames
  /** How long a Room is idle before it closes (`ROOM_IDLE_MINUTES`). */
  idleMs: number
}

/** Closing lasts 5 s at most, and as a rule a moment (C10): so often who is bound tries the new Room. */
const closingRetryMs = 200
/** What could not be done while the registry or the database was away is tried again. */
const retryMs = 2_000
/** At a stop the registry may take so long to hear who has left; what it does not hear ends with this node's lease. */
const farewellMs = 2_000

const roomFailed = { error: 'room_failed', message: 'The Room ended by an error; connect again' }

export class LivePlace implements Place {
  readonly names: UserNames
  private readonly door: Door
  private readonly registered: Registered<Seat>
  private readonly arrivals: Arrivals
  private readonly seats = new Map<UserId, Set<Seat>>()
  /** What the registry is being told of who left. */
  private readonly farewells = new Set<Promise<void>>()

  constructor(door: Door, { stores, names, idleMs }: PlaceParts) {
    this.door = door
    this.names = names
    this.registered = createRegistered<Seat>({
      registry: stores.registry,
      logins: door.logins,
      clock: door.clock,
      log: door.log,
      node: randomUUID(),
      idleMs,
      carry: async (roomId, seats) => seats.forEach((seat) => this.carry(roomId, seat)),
      drop: (roomId, seats) => seats.forEach((seat) => this.drop(roomId, seat)),
      onBound: (userId, bindings) => this.onBound(userId, bindings),
      cursor: () => door.chat.sessions.cursor(),
    })
    this.arrivals = new Arrivals(door, stores, this.registered.rooms)
    door.chat.sessions.hearExits((event) => this.onExit(event))
  }

  start(): void {
    this.registered.start()
  }

  async stop(): Promise<void> {
    await Promise.race([Promise.all(this.farewells), this.pause(farewellMs)])
    await this.registered.stop()
  }

  stateOf(roomId: RoomId): Promise<RoomState> {
    return this.registered.rooms.stateOf(roomId)
  }

  async connect(user: User, member: Member): Promise<RoomState> {
    if ((await this.stateOf(member.roomId)) === 'closing') throw new ChatError('room_closing')
    await this.bind(user, member)
    await Promise.all([...this.seatsOf(user.id)].map((seat) => seat.settled()))
    const state = await this.stateOf(member.roomId)
    // The end of a Room before his: one is made for him with the first socket.
    return state === 'closed' || state === 'closing' ? 'creating' : state
  }

  /** Who was removed before the binding stood is a member no more, or by a later event. */
  private async bind(user: User, member: Member): Promise<void> {
    const { roomId, joinedSeq } = member
    const { bindings } = this.registered
    await bindings.bind(user.id, member)
    const latest = await this.door.chat.queries.getMember(roomId, user.id).catch(async (error: unknown) => {
      if (toChatError(error)?.code === 'not_a_member') await bindings.unbind(user.id, { roomId, joinedSeq, stamp: null })
      throw error
    })
    if (latest.joinedSeq !== joinedSeq) await this.bind(user, latest)
  }

  /** Before 101: puts a socket into the rooms that it is bound to. Resolves with its first frames. Throws ChatError unavailable. */
  async admit(seat: Seat): Promise<string[]> {
    const { user } = seat.session
    this.seats.set(user.id, this.seatsOf(user.id).add(seat))
    const bound = await this.registered.bindings.open(user.id, seat.withCursor)
    seat.isCounted = true
    for (const { roomId } of bound.lost) seat.left.add(roomId)
    const bindings = unite(bound.rooms, [...seat.rooms])
    // It may have been told of an earlier membership.
    for (const [roomId, joinedSeq] of bindings) seat.rooms.set(roomId, joinedSeq)
    return this.enter(seat, { bindings, lost: bound.lost, since: seat.since, from: bound.from })
  }

  /** The socket is gone, or was not let in. */
  leave(seat: Seat): void {
    const { user } = seat.session
    const seats = this.seatsOf(user.id)
    seats.delete(seat)
    if (seats.size === 0) this.seats.delete(user.id)
    for (const [roomId] of [...seat.rooms]) this.vacate(seat, roomId)
    if (seat.isCounted) this.tell(this.registered.bindings.close(user.id))
    seat.begin()
  }

  private seatsOf(userId: UserId): Set<Seat> {
    return this.seats.get(userId) ?? new Set()
  }

  private onBound(userId: UserId, bindings: Binding[]): void {
    for (const seat of this.seatsOf(userId)) {
      for (const [roomId, joinedSeq] of bindings) {
        if (seat.rooms.has(roomId)) continue
        seat.rooms.set(roomId, joinedSeq)
        // One that has still to be let in enters it then, with what it missed.
        if (seat.isCounted) seat.inTurn(() => this.enterLate(seat, roomId))
      }
    }
  }

  /** A room that it was bound to while it was open. */
  private async enterLate(seat: Seat, roomId: RoomId): Promise<void> {
    const joinedSeq = seat.rooms.get(roomId)
    // One that is to be told all of its rooms anew enters this one with them.
    if (!seat.session.isOpen || joinedSeq === undefined || seat.isStale) return
    await this.enterAndGoOn(seat, { bindings: [[roomId, joinedSeq]], lost: [], since: null, from: null }, () =>
      this.enterLate(seat, roomId),
    )
  }

  private async enterAndGoOn(seat: Seat, tour: Tour, again: () => Promise<void>): Promise<void> {
    try {
      const frames = await this.enter(seat, tour)
      if (!seat.isStale) await seat.session.sendMany(frames)
    } catch (error) {
      if (toChatError(error) === null) this.door.log.error('A socket could not enter its rooms.', { error })
      // What it was to be told anew it was not.
      seat.isStale ||= tour.since === unknownCursor
      this.door.clock.after(retryMs, () => seat.inTurn(again))
    }
    if (!seat.isStale) seat.release()
  }

  /** The frames with which it goes on in these rooms; it is held from then on. */
  private async enter(seat: Seat, tour: Tour): Promise<string[]> {
    await Promise.all(tour.bindings.map(([roomId]) => this.takeSeat(seat, roomId)))
    // He may have been removed and bound again before this turn came: an earlier one has entered it then.
    const bindings = tour.bindings.filter(([roomId]) => !seat.session.rooms.has(roomId))
    const { entered, frames, failed } = await this.arrivals.enter(seat, { ...tour, bindings })
    if (!entered.isFromHeard) this.tell(this.registered.bindings.dateAnew(seat.session.user.id, tour.from!, entered.cursorAfter))
    for (const ended of entered.lost) this.lose(seat, ended)
    for (const roomId of failed) this.takeOut(seat, roomId)
    return frames
  }

  /** Unless it is not to be in any more. */
  private async takeSeat(seat: Seat, roomId: RoomId): Promise<void> {
    while (seat.rooms.has(roomId)) {
      const hasEntered = await this.registered.rooms.enter(roomId, seat)
      if (hasEntered && seat.rooms.has(roomId)) {
        this.door.log.info('User entered the Room.', { userId: seat.session.user.username, roomId })
        return
      }
      if (!hasEntered) await this.pause(closingRetryMs)
    }
  }

  /** He is not in by it, as the bindings do not know yet. */
  private lose(seat: Seat, ended: Ended): void {
    this.vacate(seat, ended.roomId)
    this.unbind(seat.session.user.id, ended)
  }

  private unbind(userId: UserId, ended: Ended): void {
    // Where the registry is away, his next socket finds that he is no member.
    this.tell(this.registered.bindings.unbind(userId, ended))
  }

  /** Where he is bound by a later membership, the bindings tell of it anew. */
  private vacate(seat: Seat, roomId: RoomId): void {
    if (!seat.rooms.delete(roomId)) return
    if (seat.session.held !== null) seat.left.add(roomId)
    this.door.chat.sessions.leaveRoom(seat.session, roomId)
    this.tell(this.registered.rooms.leave(roomId, seat))
    this.door.log.info('User left the Room.', { userId: seat.session.user.username, roomId })
    // The Room that is made anew for what it was not handed does not carry it any more.
    if (seat.isStale) seat.inTurn(() => this.reenter(seat, roomId))
  }

  private onExit(event: RoomExit): void {
    const { roomId, stamp } = event
    const isRemoval = event.type === 'member.removed'
    const seats = isRemoval ? [...this.seatsOf(event.userId)] : this.registered.rooms.seatsIn(roomId)
    const userIds = new Set(isRemoval ? [event.userId] : seats.map(({ session }) => session.user.id))
    const joinedSeq = isRemoval ? event.joinedSeq : Infinity
    // One that is to enter by a later membership is not in by this one.
    for (const seat of seats) if ((seat.rooms.get(roomId) ?? 0) <= joinedSeq) this.vacate(seat, roomId)
    for (const userId of userIds) this.unbind(userId, { roomId, joinedSeq, stamp })
  }

  private tell(told: Promise<void>): void {
    const settled = told.catch(() => {}).finally(() => this.farewells.delete(settled))
    this.farewells.add(settled)
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => this.door.clock.after(ms, resolve))
  }

  // ------------------------------------------------------------------------------------------------------------ supervision

  /** Of whatever must end the Room and nothing else: what it throws is told by the log, and who is in is carried into a new Room. */
  run(roomId: RoomId, work: () => Promise<void> | void): Promise<void> {
    return this.registered.rooms.run(roomId, work)
  }

  /** An event of the room could not be shown: nobody in it may get what comes behind it before he was told anew. */
  onFault(roomId: RoomId, error: unknown): void {
    for (const seat of this.registered.rooms.seatsIn(roomId)) this.takeOut(seat, roomId)
    void this.run(roomId, () => Promise.reject(error))
  }

  /** With cursors all of it must wait: each frame says that all before it, also of this room, was handed out. */
  private takeOut(seat: Seat, roomId: RoomId): void {
    this.door.chat.sessions.leaveRoom(seat.session, roomId)
    if (!seat.withCursor) return
    seat.isStale = true
    seat.session.held ??= []
  }

  private carry(roomId: RoomId, seat: Seat): void {
    this.takeOut(seat, roomId)
    seat.inTurn(() => this.reenter(seat, roomId))
  }

  /** Without cursors it gets the room's history again; with them all of its rooms are told anew, as one cursor stands for all. */
  private async reenter(seat: Seat, roomId: RoomId): Promise<void> {
    const { sessions } = this.door.chat
    const { session } = seat
    if (!seat.withCursor) {
      sessions.leaveRoom(session, roomId)
      return this.enterLate(seat, roomId)
    }
    // Where several Rooms ended, the first turn has told it all of them.
    if (!session.isOpen || !seat.isStale) return
    for (const one of [...session.rooms]) sessions.leaveRoom(session, one)
    // What is on its way to it goes with what it holds, which is forgotten.
    sessions.cursor()
    session.holdAnew()
    seat.isStale = false
    const again = () => this.reenter(seat, roomId)
    await this.enterAndGoOn(seat, { bindings: [...seat.rooms], lost: [], since: unknownCursor, from: null }, again)
  }

  /** A Room that fails again and again: he is bound to it no more. */
  private drop(roomId: RoomId, seat: Seat): void {
    this.takeOut(seat, roomId)
    const joinedSeq = seat.rooms.get(roomId)
    if (joinedSeq !== undefined) this.lose(seat, { roomId, joinedSeq, stamp: null })
    seat.inTurn(async () => {
      await this.reenter(seat, roomId)
      seat.answer((cursor) => encodeError(roomFailed, roomId, cursor))
    })
  }
}
