/** The live side: socket.io (W1 to W4, W8, W10). Who may not come is answered before it, and everything is asked before a client is connected. */
import type { Arrival, Since } from '../../core/arrival.ts'
import { ChatError, toChatError } from '../../core/errors.ts'
import type { RoomId, User } from '../../core/model.ts'
import type { Session } from '../../core/session.ts'
import { addressKey } from '../../http/limits.ts'
import type { Ack, Handshake, SocketIoAcceptance, SocketIoConnection, SocketIoEvents } from '../../http/socketio.ts'
import { takeTurn, type Door } from '../door.ts'
import { readToken, type Credential } from './auth.ts'
import { cursorFormat, encodeArrival, encodeMessage, plainFormat } from './encode.ts'
import { SendLine } from './send-line.ts'
import { parseAuth, parseOlder, parseSend, type Send } from './wire.ts'

/** What a client that may connect is for. */
interface Visit {
  guest: User
  roomId: RoomId
  since: Since
  /** Milliseconds since 1970; null for a token that does not end. */
  endsAt: number | null
  /** Under which his sends count (A12). */
  limitKeys: string[]
  /** What waits of each guest over it. */
  costs: Map<string, number>
}

/** Where a client comes from, and what the clients of this server share. */
interface Origin {
  remoteAddress: string
  costs: Visit['costs']
}

export function registerGateway(door: Door): void {
  const ping = shareCalls(() => door.chat.ping())
  const costs = new Map<string, number>()
  door.socketIo.serve({
    admit: (handshake) => admit(door, handshake, ping),
    join: (auth, remoteAddress) => join(door, auth, { remoteAddress, costs }),
    isPassing: (error) => toChatError(error) !== null,
  })
}

/** Many who come at once ask once. */
function shareCalls(call: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | null = null
  return () => (running ??= call().finally(() => (running = null)))
}

/** W2: what may pass is said here, as a stock client does not come back from a `connect_error`. */
async function admit(door: Door, { headers, host, remoteAddress }: Handshake, ping: () => Promise<void>): Promise<void> {
  if (!mayConnect(door, headers.origin, host)) throw new ChatError('forbidden')
  takeTurn(door.limits.connects, null, addressKey(remoteAddress))
  await ping()
}

/** A5: CORS stops no WebSocket. The panel's own origin is ours. */
function mayConnect({ allowedOrigins }: Door, origin: string | undefined, host: string): boolean {
  if (origin === undefined || allowedOrigins === null || allowedOrigins.includes(origin)) return true
  return URL.canParse(origin) && new URL(origin).host === host.toLowerCase()
}

async function join(door: Door, auth: unknown, origin: Origin): Promise<SocketIoAcceptance | { refused: string }> {
  const { token, since } = parseAuth(auth)
  const credential = await readToken(door.projectTokens, token, door.clock.now())
  if ('refused' in credential) {
    if (token !== '') door.log.error('Authentication failed.')
    return credential
  }
  try {
    return await enter(door, credential, { since, ...origin })
  } catch (error) {
    if (toChatError(error)?.code !== 'bad_credentials') throw error
    door.log.error('Authentication failed.', { userId: credential.username, error })
    return { refused: 'token revoked' }
  }
}

async function enter(
  door: Door,
  { projectId, username, avatar, exp, tokenHash }: Credential,
  { since, remoteAddress, costs }: Origin & { since: Since },
): Promise<SocketIoAcceptance> {
  const { sessions, projects } = door.chat
  const { guest, roomId } = await projects.admit({ projectId, name: username, avatarUrl: avatar }, tokenHash)
  const guestKey = `user:${guest.id}`
  takeTurn(door.limits.connects, null, guestKey)
  const session = sessions.open({ user: guest, format: since === null ? plainFormat : cursorFormat, tokenHash, hasOneRoom: true })
  const abandon = () => sessions.close(session)
  try {
    const arrival = await sessions.enterAsGuest(session, roomId, since)
    const limitKeys = [addressKey(remoteAddress), guestKey]
    const visit = { guest, roomId, since, endsAt: exp === null ? null : exp * 1000, limitKeys, costs }
    return { open: (connection) => new Live(door, connection, { ...visit, session, arrival }), abandon }
  } catch (error) {
    abandon()
    throw error
  }
}

/** A visit that has entered. */
interface Entry extends Visit {
  session: Session
  arrival: Arrival
}

/** setTimeout's longest: a later end is looked at again then. */
const timerMaxMs = 2 ** 31 - 1
/** Requests for older messages of one client that may wait; they are answered one by one. */
const olderWaitingMax = 10

/** One client. A class, as there are thousands: methods are shared. */
class Live implements SocketIoEvents {
  private readonly door: Door
  private readonly connection: SocketIoConnection
  private readonly visit: Visit
  private readonly session: Session
  private readonly sends: SendLine<Send & { ack: Ack | null }>
  /** Behind a message that could not be stored, none is (A15). */
  private readonly line = { isBroken: false }
  private cancelEnd = () => {}
  private olders = Promise.resolve()
  private oldersWaiting = 0

  constructor(door: Door, connection: SocketIoConnection, { session, arrival, ...visit }: Entry) {
    this.door = door
    this.connection = connection
    this.visit = visit
    this.session = session
    this.sends = new SendLine({ door, connection, keys: visit.limitKeys, costs: visit.costs, take: (send) => this.post(send) })
    session.connect(connection)
    this.endInTime()
    void this.start(arrival)
  }

  /** The history may be larger than the connection's budget: it goes into an empty queue. */
  private async start(arrival: Arrival): Promise<void> {
    await this.connection.drained()
    this.session.send(encodeArrival(arrival, this.visit.since))
    if (arrival.changes.length > 0) {
      await this.connection.drained()
      await this.session.sendMany(arrival.changes)
    }
    if (this.session.isOpen) this.session.release()
  }

  /** W2: who has another token by then comes back with it. */
  private endInTime(): void {
    const { endsAt } = this.visit
    if (endsAt === null) return
    const leftMs = endsAt - this.door.clock.now()
    if (leftMs <= 0) return this.connection.close(4001, 'token expired')
    this.cancelEnd = this.door.clock.after(Math.min(leftMs, timerMaxMs), () => this.endInTime())
  }

  onEvent(name: string, args: unknown[], ack: Ack | null): void {
    if (name === 'chat message') this.takeSend(args, ack)
    else if (name === 'older' && ack !== null) this.takeOlder(args, ack)
  }

  private takeSend(args: unknown[], ack: Ack | null): void {
    const send = parseSend(args)
    if ('error' in send) ack?.(send)
    else this.sends.add({ ...send, ack }, send.content.length)
  }

  /** Not awaited: what one client sends goes into the journal as it comes, and so keeps its order. */
  private post({ content, clientKey, ack }: Send & { ack: Ack | null }): void {
    const { guest, roomId } = this.visit
    const posting = this.door.chat.messages.post(guest, roomId, { content, clientKey, line: this.line })
    posting.then(
      ({ event }) => ack?.({ id: event.message.id }),
      (error: unknown) => this.fail(error, ack),
    )
  }

  /** What could not be stored just now ends the connection, as no later one may be stored before it (A15). */
  private fail(error: unknown, ack: Ack | null): void {
    const known = toChatError(error)
    ack?.({ error: known?.message ?? 'The message was not stored' })
    if (known !== null && known.kind !== 'unavailable') return
    this.line.isBroken = true
    this.session.end('not_stored')
  }

  private takeOlder(args: unknown[], ack: Ack): void {
    const asked = parseOlder(args)
    if ('error' in asked) return ack(asked)
    if (this.oldersWaiting >= olderWaitingMax) return ack({ error: 'too many requests at once' })
    this.oldersWaiting++
    this.olders = this.olders.then(() => this.answerOlder(asked.before, ack)).finally(() => this.oldersWaiting--)
  }

  private async answerOlder(before: number, ack: Ack): Promise<void> {
    try {
      const found = await this.door.chat.queries.listBefore(this.visit.roomId, before, 50)
      ack({ messages: found.map(({ message, author }) => encodeMessage(message, author)) })
    } catch (error) {
      ack({ error: toChatError(error)?.message ?? 'The messages could not be read' })
    }
  }

  /** What waits for its turn is stored all the same: its sender has sent it. */
  onClose(): void {
    this.cancelEnd()
    this.door.chat.sessions.close(this.session)
  }
}
