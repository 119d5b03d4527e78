/** The live sessions of this process: who is connected, which rooms each receives, and how each comes to an end. */
import type { Directory, LogStore } from '../storage/storage.ts'
import { every, type Clock } from './clock.ts'
import { formatCursor, formatRoomCursor, parseRoomCursor, type Cursor } from './cursor.ts'
import { ChatError } from './errors.ts'
import type { ChatEvent } from './events.ts'
import type { Hub } from './hub.ts'
import type { Member, RoomId, User, UserId } from './model.ts'
import type { Presence } from './presence.ts'
import { collectMissed, type Missed } from './resume.ts'
import { createSession, type Ending, type Session, type SessionOptions } from './session.ts'
import type { Tail } from './tail.ts'
import type { UserCache } from './user-cache.ts'

/** A revoked token's sessions end within 30 s (A15), whichever node revoked it. */
const revocationCheckMs = 10_000

/** How a client that entered a room goes on. Its session is held until `release`. */
export interface Entered {
  /** What it had been handed when it entered, as a room cursor: its own, or the present end for one that did not resume. */
  cursor: string
  /** What it missed cannot be replayed: it must load anew (A7). */
  isReload: boolean
  /** Texts of the missed events, in its format. */
  missed: string[]
  /** The cursor of who has received `missed` as well. */
  cursorAfter: string
  /** For a client that resumes: who was online in the room as it entered; changes since come live (F7). */
  onlineIds: UserId[]
  /** Its own coming online is about to be announced to the whole room, itself included (F4). */
  isOnlineAnnounced: boolean
}

export interface Sessions {
  /** From now on what ends sessions is noticed, whichever node did it. Throws StorageUnavailable. */
  start(): Promise<void>
  open(options: Omit<SessionOptions, 'heldBytesMax'>): Session
  /**
   * Puts a session into a room, held. `since` is null for a client that asks for no cursors, '' for one that wants them from now
   * on, else the last cursor it saw. Throws ChatError not_a_member where the user is not, or not any more.
   */
  enterRoom(session: Session, roomId: RoomId, since: string | null): Promise<Entered>
  /** The connection has closed. */
  close(session: Session): void
  /** The hub's word that a session lost a room. */
  onRoomLost(session: Session, roomId: RoomId): void
  endByToken(tokenHash: string): void
  endByUser(userId: UserId): void
  endAll(ending: Ending): void
  listOnline(roomId: RoomId): Promise<User[]>
  /** The room cursor of who is live in the room now: what has been handed out to him. */
  cursorIn(roomId: RoomId): string
  /** Open sessions by dialect. */
  count(): Map<string, number>
  /** Bytes that wait for readers, of all sessions. */
  queuedBytes(): number
  stop(): void
}

export interface SessionsOptions {
  log: LogStore
  directory: Directory
  clock: Clock
  hub: Hub
  presence: Presence
  tail: Tail
  users: UserCache
  /** More missed events than this are a reload. */
  replayMax: number
  heldBytesMax: number
}

export function createSessions(options: SessionsOptions): Sessions {
  return new LiveSessions(options)
}

class LiveSessions implements Sessions {
  private readonly options: SessionsOptions
  private readonly sessions = new Set<Session>()
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
    // Who has gone meanwhile must not be entered: nobody would take him out again.
    if (!session.isOpen) throw new ChatError('unavailable')
    session.held ??= []
    this.options.hub.subscribe(roomId, session)
    const upTo = this.options.tail.position()
    const isOnlineAnnounced = this.options.presence.enter(roomId, session.user.id)
    const isResuming = since !== null && since !== ''
    const onlineIds = isResuming ? this.options.presence.listOnline(roomId) : []
    try {
      const member = await this.getMember(session, roomId)
      const missed = isKnown ? await this.replay(session, member, { from: wanted, upTo }) : null
      const isReload = isResuming && missed === null
      const cursorAfter = formatRoomCursor(roomId, formatCursor(upTo))
      const cursor = missed === null ? cursorAfter : formatRoomCursor(roomId, formatCursor(wanted!))
      return { cursor, isReload, missed: missed ?? [], cursorAfter, onlineIds, isOnlineAnnounced }
    } catch (error) {
      this.leaveRoom(session, roomId)
      if (error instanceof ChatError && error.code === 'not_a_member') this.options.presence.forget(roomId, session.user.id)
      throw error
    }
  }

  /** Asked again after subscribing: a removal before that shows here, a later one comes live. */
  private async getMember(session: Session, roomId: RoomId): Promise<Member> {
    const member = await this.options.log.findMember(roomId, session.user.id)
    if (!member) throw new ChatError('not_a_member')
    return member
  }

  private async replay(session: Session, member: Member, span: { from: Cursor; upTo: Cursor }): Promise<string[] | null> {
    const { roomId, joinedSeq } = member
    const missed = await collectMissed(this.options.log, {
      roomId,
      ...span,
      joinedSeq,
      explicitReads: true,
      limit: this.options.replayMax,
    })
    return missed && this.encodeMissed(session, missed)
  }

  private async encodeMissed(session: Session, missed: Missed[]): Promise<string[]> {
    const events: ChatEvent[] = await this.options.users.complete(missed.map(({ fact }) => fact))
    const texts = events.map((event, index) => session.format.encode(event, formatCursor(missed[index]!.cursor)))
    return texts.filter((text) => text !== null)
  }

  private leaveRoom(session: Session, roomId: RoomId): void {
    if (!session.rooms.has(roomId)) return
    this.options.hub.unsubscribe(roomId, session)
    this.options.presence.leave(roomId, session.user.id)
  }

  close(session: Session): void {
    session.isOpen = false
    this.sessions.delete(session)
    for (const roomId of session.rooms) this.leaveRoom(session, roomId)
  }

  onRoomLost(session: Session, roomId: RoomId): void {
    this.leaveRoom(session, roomId)
    this.options.presence.forget(roomId, session.user.id)
    if (session.hasOneRoom) session.end('removed')
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

  cursorIn(roomId: RoomId): string {
    return formatRoomCursor(roomId, formatCursor(this.options.tail.position()))
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
    this.endWhere(ending, () => true)
  }
}
