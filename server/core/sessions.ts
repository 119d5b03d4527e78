/** The live sessions of this process: who is connected, which rooms each receives, and how each comes to an end. */
import type { Directory } from '../storage/storage.ts'
import type { Binding } from './binding-record.ts'
import { every, type Clock } from './clock.ts'
import { findSeen, readArrival, type Arrival, type Seen, type Since } from './arrival.ts'
import { formatCursor, formatRoomCursor, parseCursor, parseRoomCursor, type Cursor } from './cursor.ts'
import { ChatError } from './errors.ts'
import { Followers, roomsAt } from './followers.ts'
import type { Hub, RoomEntry, RoomExit } from './hub.ts'
import type { Member, RoomId, User, UserId } from './model.ts'
import type { Presence } from './presence.ts'
import { replayAll, replayRoom, type EnteredAll, type ReplaySources } from './replay.ts'
import { enterRooms, joinRoom, leaveRoom, type EnteredRooms, type Tour } from './several-rooms.ts'
import { createSession, type Ending, type Session, type SessionOptions } from './session.ts'
import type { Tail } from './tail.ts'

/** A revoked token's sessions end within 30 s (A15), whichever node revoked it. */
const revocationCheckMs = 10_000

/** The same for a door with one room, whose cursors name it. */
export interface Entered extends EnteredAll {
  /** For a client that resumes: who was online in the room as it entered; changes since come live (F7). */
  onlineIds: UserId[]
  /** Its own coming online is about to be announced to the whole room, itself included (F4). */
  isOnlineAnnounced: boolean
}

export interface Sessions {
  /** From now on what ends sessions is noticed, whichever node did it. Throws StorageUnavailable. */
  start(): Promise<void>
  /** One that is to enter and to `connect`, in whichever order; `close` ends it also where it never came to that. */
  open(options: Omit<SessionOptions, 'heldBytesMax'>): Session
  /**
   * Puts a session into a room, held. `since` is null for a client that asks for no cursors, '' for one that wants them from now
   * on, else the last cursor it saw. Throws ChatError not_a_member where the user is not, or not any more.
   */
  enterRoom(session: Session, roomId: RoomId, since: string | null): Promise<Entered>
  /**
   * Puts a session into all rooms of its user, held; from then on it gets those that he enters and loses those that he leaves.
   * `since` is '' for a client that does not resume, else the last cursor it saw, which names no room. Once for a session.
   */
  enterAll(session: Session, since: string): Promise<EnteredAll>
  /**
   * Puts a session into those of these rooms to which its user is bound, as `isBound` says right before, held; again for further rooms,
   * while nothing of it is held. It loses a room with its user, and may leave it by itself.
   */
  enterRooms(session: Session, tour: Tour, isBound: (binding: Binding) => boolean): Promise<EnteredRooms>
  leaveRoom(session: Session, roomId: RoomId): void
  /**
   * Puts a guest's session into his project's room, held (W8, W9): he needs no membership, and nobody sees him come or go. Throws
   * ChatError room_not_found.
   */
  enterAsGuest(session: Session, roomId: RoomId, since: Since): Promise<Arrival>
  /** The connection has closed. */
  close(session: Session): void
  /** The hub's word before it hands out that somebody enters a room. */
  onEntry(event: RoomEntry): void
  /** The hub's word after it handed out that somebody is out of a room. */
  onExit(event: RoomExit): void
  /** Calls from now on for each who is out of a room, and for each room that is gone, right after it was handed out. */
  hearExits(call: (event: RoomExit) => void): void
  /** The hub's word that a session lost a room. */
  onRoomLost(session: Session, roomId: RoomId): void
  endByToken(tokenHash: string): void
  endByUser(userId: UserId): void
  endAll(ending: Ending): void
  listOnline(roomId: RoomId): Promise<User[]>
  /** The cursor of who is live: what has been handed out to him. */
  cursor(): string
  /** The room cursor of who is live in the room now: what has been handed out to him. */
  cursorIn(roomId: RoomId): string
  /** Open sessions by dialect. */
  count(): Map<string, number>
  /** Bytes that wait for readers, of all sessions. */
  queuedBytes(): number
  stop(): void
}

/** Hears who comes and goes. */
export interface SessionObserver {
  /** It is in the room; null: in all of its user's. */
  onEnter(session: Session, roomId: RoomId | null): void
  /** It is closed, wherever it was. */
  onLeave(session: Session): void
}

export interface SessionsOptions extends ReplaySources {
  observer: Partial<SessionObserver>
  directory: Directory
  clock: Clock
  hub: Hub
  presence: Presence
  tail: Tail
  heldBytesMax: number
}

export function createSessions(options: SessionsOptions): Sessions {
  return new LiveSessions(options)
}

class LiveSessions implements Sessions {
  private readonly options: SessionsOptions
  private readonly sessions = new Set<Session>()
  private readonly followers = new Followers()
  private readonly exitHearers: ((event: RoomExit) => void)[] = []
  /** Up to where endings had been read at the last check, and at the one before it. */
  private endingsUpTo: [number | null, number | null] = [null, null]
  stop = () => {}

  constructor(options: SessionsOptions) {
    this.options = options
  }

  async start(): Promise<void> {
    await this.endRevoked()
    this.stop = every(this.options.clock, revocationCheckMs, () => this.endRevoked().catch(() => {}))
  }

  open(sessionOptions: Omit<SessionOptions, 'heldBytesMax'>): Session {
    const session = createSession({ ...sessionOptions, heldBytesMax: this.options.heldBytesMax })
    this.sessions.add(session)
    return session
  }

  async enterRoom(session: Session, roomId: RoomId, since: string | null): Promise<Entered> {
    const wanted = since === null || since === '' ? null : parseRoomCursor(roomId, since)
    const isKnown = wanted !== null && (await this.options.tail.hearUpTo(wanted))
    await this.hearHowHeJoined(session, roomId)
    // Who has gone meanwhile must not be entered: nobody would take him out again.
    if (!session.isOpen) throw new ChatError('unavailable')
    session.held ??= []
    const upTo = this.options.tail.position()
    const isOnlineAnnounced = joinRoom(this.options, session, roomId)
    const isResuming = since !== null && since !== ''
    const onlineIds = isResuming ? this.options.presence.listOnline(roomId) : []
    try {
      // Asked again now that he is subscribed: a removal before that shows here, a later one comes live.
      const member = await this.getMember(session, roomId)
      const missed = isKnown ? await replayRoom(this.options, session, member, { from: wanted, upTo }) : null
      const isReload = isResuming && missed === null
      const cursorAfter = formatRoomCursor(roomId, formatCursor(upTo))
      const cursor = missed === null ? cursorAfter : formatRoomCursor(roomId, formatCursor(wanted!))
      this.noteEntered(session, roomId)
      return { cursor, isReload, missed: missed ?? [], cursorAfter, onlineIds, isOnlineAnnounced }
    } catch (error) {
      this.leaveRoom(session, roomId)
      if (error instanceof ChatError && error.code === 'not_a_member') this.options.presence.forget(roomId, session.user.id)
      throw error
    }
  }

  /**
   * Storage may be ahead of the tail: of one who was removed and added again, the removal may be still to come, and would take out
   * the session that he opens now. With the event that let him in, all that went before it in the room has been handed out.
   */
  private async hearHowHeJoined(session: Session, roomId: RoomId): Promise<void> {
    const { joinedSeq } = await this.getMember(session, roomId)
    const [row] = await this.options.log.readLog(roomId, joinedSeq + 1, 1)
    if (row) await this.options.tail.hearEvent(row.stamp)
  }

  private async getMember(session: Session, roomId: RoomId): Promise<Member> {
    const member = await this.options.log.findMember(roomId, session.user.id)
    if (!member) throw new ChatError('not_a_member')
    return member
  }

  async enterAll(session: Session, since: string): Promise<EnteredAll> {
    const wanted = since === '' ? null : parseCursor(since)
    const isKnown = wanted !== null && (await this.options.tail.hearUpTo(wanted))
    try {
      const upTo = await this.followAll(session)
      const missed = isKnown ? await replayAll(this.options, session, { from: wanted, upTo }) : null
      const cursorAfter = formatCursor(upTo)
      const cursor = missed === null ? cursorAfter : formatCursor(wanted!)
      this.noteEntered(session, null)
      return { cursor, isReload: since !== '' && missed === null, missed: missed ?? [], cursorAfter }
    } catch (error) {
      this.leaveAll(session)
      throw error
    }
  }

  async enterRooms(session: Session, tour: Tour, isBound: (binding: Binding) => boolean): Promise<EnteredRooms> {
    const entered = await enterRooms(this.options, session, tour, isBound)
    this.noteEntered(session, null)
    return entered
  }

  async enterAsGuest(session: Session, roomId: RoomId, since: Since): Promise<Arrival> {
    const { log, hub, tail } = this.options
    const seen = await findSeen(log, roomId, since)
    const isKnown = seen !== null && (await this.hearWhatHeSaw(roomId, seen))
    // Who has gone meanwhile must not be entered: nobody would take him out again.
    if (!session.isOpen) throw new ChatError('unavailable')
    session.held ??= []
    const upTo = tail.position()
    hub.subscribe(roomId, session)
    try {
      // Asked now that he is subscribed: a deletion before that shows here, a later one comes live.
      if (!(await log.findRoom(roomId))) throw new ChatError('room_not_found')
      const how = { roomId, format: session.format, since, seen: isKnown ? seen : null, upTo }
      const arrival = await readArrival(this.options, how)
      this.noteEntered(session, roomId)
      return arrival
    } catch (error) {
      hub.unsubscribe(roomId, session)
      throw error
    }
  }

  /** Who has gone since he was subscribed has left already, and his going has been told. */
  private noteEntered(session: Session, roomId: RoomId | null): void {
    if (!session.isOpen) throw new ChatError('unavailable')
    this.options.observer.onEnter?.(session, roomId)
  }

  /** What another node showed him must not come live here. False where his cursor is not this database's. */
  private async hearWhatHeSaw(roomId: RoomId, { seq, cursor }: Seen): Promise<boolean> {
    if (cursor !== null && !(await this.options.tail.hearUpTo(cursor))) return false
    const [row] = await this.options.log.readLog(roomId, seq + 1, 1)
    if (row) await this.options.tail.hearEvent(row.stamp)
    return true
  }

  /** Up to the answer everything was handed out before the session was there; from then on everything comes live, and is held. */
  private async followAll(session: Session): Promise<Cursor> {
    const { followers, options } = this
    const arrival = followers.expect(session)
    const memberships = await options.log.listMembershipsOf(session.user.id)
    // Who has gone meanwhile must not be entered: nobody would take him out again.
    if (!session.isOpen) throw new ChatError('unavailable')
    const upTo = options.tail.position()
    session.held ??= []
    for (const roomId of roomsAt(upTo, memberships, arrival)) joinRoom(this.options, session, roomId)
    followers.settle(arrival)
    return upTo
  }

  leaveRoom(session: Session, roomId: RoomId): void {
    leaveRoom(this.options, session, roomId)
  }

  private leaveAll(session: Session): void {
    this.followers.remove(session)
    const roomIds = [...session.rooms]
    for (const roomId of roomIds) this.options.hub.unsubscribe(roomId, session)
    this.options.presence.leave(roomIds, session.user.id)
  }

  close(session: Session): void {
    session.isOpen = false
    if (this.sessions.delete(session)) this.options.observer.onLeave?.(session)
    this.leaveAll(session)
  }

  onEntry(event: RoomEntry): void {
    for (const session of this.followers.noteEntry(event)) joinRoom(this.options, session, event.roomId)
  }

  onExit(event: RoomExit): void {
    this.followers.noteExit(event)
    // Also of one without a live session, who is online for a while yet.
    if (event.type === 'member.removed') this.options.presence.forget(event.roomId, event.userId)
    for (const hear of this.exitHearers) hear(event)
  }

  hearExits(call: (event: RoomExit) => void): void {
    this.exitHearers.push(call)
  }

  onRoomLost(session: Session, roomId: RoomId): void {
    this.leaveRoom(session, roomId)
    this.options.presence.forget(roomId, session.user.id)
    if (session.hasOneRoom) session.endBehindHeld('removed')
  }

  /** Each ending counts at two checks: its token may have been let in just before the first and open its session behind it. */
  private async endRevoked(): Promise<void> {
    const [last, before] = this.endingsUpTo
    const found = await this.options.directory.readEndings(before ?? last)
    this.endingsUpTo = [found.upTo, last]
    for (const tokenHash of found.tokenHashes) this.endByToken(tokenHash)
    for (const userId of found.userIds) this.endByUser(userId)
  }

  private endWhere(ending: Ending, isMeant: (session: Session) => boolean): void {
    for (const session of this.sessions) if (isMeant(session)) session.end(ending)
  }

  async listOnline(roomId: RoomId): Promise<User[]> {
    return [...(await this.options.users.findAll(this.options.presence.listOnline(roomId))).values()]
  }

  cursor(): string {
    return formatCursor(this.options.tail.position())
  }

  cursorIn(roomId: RoomId): string {
    return formatRoomCursor(roomId, this.cursor())
  }

  count(): Map<string, number> {
    const counts = new Map<string, number>()
    for (const { format } of this.sessions) counts.set(format.dialect, (counts.get(format.dialect) ?? 0) + 1)
    return counts
  }

  queuedBytes(): number {
    let bytes = 0
    for (const session of this.sessions) bytes += session.queuedBytes
    return bytes
  }

  endByToken(tokenHash: string): void {
    this.endWhere('revoked', (session) => session.tokenHash === tokenHash)
  }

  endByUser(userId: UserId): void {
    this.endWhere('revoked', (session) => session.user.id === userId)
  }

  endAll(ending: Ending): void {
    this.options.hub.finish()
    this.endWhere(ending, () => true)
  }
}
