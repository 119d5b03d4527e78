/** The live side: socket.io (W1 to W4, W8, W10). Who may not come is answered before it, and everything is asked before a client is connected. */
import type { Arrival, Since } from '../../core/arrival.ts'
import { ChatError, toChatError } from '../../core/errors.ts'
import type { RoomId, UserId } from '../../core/model.ts'
import type { Session } from '../../core/session.ts'
import { guestUsername } from '../../core/texts.ts'
import { addressKey } from '../../http/limits.ts'
import type { Ack, Handshake, SocketIoAcceptance, SocketIoConnection, SocketIoEvents } from '../../http/socketio.ts'
import { takeTurn, type Door } from '../door.ts'
import { readToken, type Credential } from './auth.ts'
import { cursorFormat, encodeArrival, encodeMessage, plainFormat } from './encode.ts'
import { Expiry, type Expiring } from './expiry.ts'
import { SendLine } from './send-line.ts'
import { parseAuth, parseOlder, parseSend, type Send } from './wire.ts'

/** What the clients of this server share. */
interface Shared {
  door: Door
  /** What waits of each guest over it. */
  costs: Map<string, number>
  expiry: Expiry
}

/** What a client says of itself, and where it comes from. */
interface Approach {
  auth: unknown
  remoteAddress: string
}

export function registerGateway(door: Door): void {
  const ping = shareCalls(() => door.chat.ping())
  const shared = { door, costs: new Map<string, number>(), expiry: new Expiry(door.clock) }
  door.socketIo.serve({
    admit: (handshake) => admit(door, handshake, ping),
    join: (auth, remoteAddress) => join(shared, { auth, remoteAddress }),
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

async function join(shared: Shared, { auth, remoteAddress }: Approach): Promise<SocketIoAcceptance | { refused: string }> {
  const { door } = shared
  const { token, since } = parseAuth(auth)
  const credential = await readToken(door.projectTokens, token, door.clock.now())
  if ('refused' in credential) {
    if (token !== '') door.log.error('Authentication failed.')
    return credential
  }
  try {
    return await enter(shared, credential, { since, remoteAddress })
  } catch (error) {
    if (toChatError(error)?.code !== 'bad_credentials') throw error
    const { projectId, username: name } = credential
    door.log.error('Authentication failed.', { userId: guestUsername({ projectId, name }), error })
    return { refused: 'token revoked' }
  }
}

async function enter(
  shared: Shared,
  { projectId, username, avatar, exp, tokenHash }: Credential,
  { since, remoteAddress }: { since: Since; remoteAddress: string },
): Promise<SocketIoAcceptance> {
  const { door } = shared
  const { sessions, projects } = door.chat
  const { guest, roomId } = await projects.admit({ projectId, name: username, avatarUrl: avatar }, tokenHash)
  takeTurn(door.limits.connects, null, guestKey(guest.id))
  const session = sessions.open({ user: guest, format: since === null ? plainFormat : cursorFormat, tokenHash, hasOneRoom: true })
  const abandon = () => sessions.close(session)
  try {
    const arrival = await sessions.enterAsGuest(session, roomId, since)
    const visit = { session, roomId, remoteAddress, since, arrival, endsAt: exp === null ? null : exp * 1000 }
    return { open: (connection) => new Live(shared, connection, visit), abandon }
  } catch (error) {
    abandon()
    throw error
  }
}

function guestKey(guestId: UserId): string {
  return `user:${guestId}`
}

/** A client that has entered. */
interface Visit {
  session: Session
  roomId: RoomId
  remoteAddress: string
  since: Since
  arrival: Arrival
  /** Milliseconds since 1970; null for a token that does not end. */
  endsAt: number | null
}

/** Requests for older messages of one client that may wait; they are answered one by one. */
const olderWaitingMax = 10

/** One client. A class, as there are thousands: methods are shared, and what an idle one does not need is made when it does. */
class Live implements SocketIoEvents, Expiring {
  private readonly shared: Shared
  private readonly connection: SocketIoConnection
  private readonly session: Session
  private readonly roomId: RoomId
  private readonly remoteAddress: string
  readonly endsAt: number | null
  /** The line of its messages: behind one that could not be stored, none is (A15). */
  isBroken = false
  private sends: SendLine<Send & { ack: Ack | null }> | null = null
  private olders: Promise<void> | null = null
  private oldersWaiting = 0

  constructor(shared: Shared, connection: SocketIoConnection, visit: Visit) {
    this.shared = shared
    this.connection = connection
    this.session = visit.session
    this.roomId = visit.roomId
    this.remoteAddress = visit.remoteAddress
    this.endsAt = visit.endsAt
    this.session.connect(connection)
    shared.expiry.add(this)
    void this.start(visit)
  }

  /** The history may be larger than the connection's budget: it goes into an empty queue, and what follows as well. */
  private async start({ arrival, since }: Visit): Promise<void> {
    await this.connection.drained()
    this.session.send(encodeArrival(arrival, since))
    if (arrival.changes.length > 0) {
      await this.connection.drained()
      await this.session.sendMany(arrival.changes)
    }
    await this.connection.drained()
    if (this.session.isOpen) this.session.release()
  }

  /** W2: who has another token by then comes back with it. */
  expire(): void {
    this.connection.close(4001, 'token expired')
  }

  onEvent(name: string, args: unknown[], ack: Ack | null): void {
    if (name === 'chat message') this.takeSend(args, ack)
    else if (name === 'older' && ack !== null) this.takeOlder(args, ack)
  }

  private takeSend(args: unknown[], ack: Ack | null): void {
    const send = parseSend(args)
    if ('error' in send) ack?.(send)
    else (this.sends ??= this.openLine()).add({ ...send, ack }, send.content.length)
  }

  private openLine(): SendLine<Send & { ack: Ack | null }> {
    const { connection, session, remoteAddress } = this
    const { door, costs } = this.shared
    const keys = [addressKey(remoteAddress), guestKey(session.user.id)]
    return new SendLine({ door, connection, keys, costs, take: (send) => this.post(send) })
  }

  /** Not awaited: what one client sends goes into the journal as it comes, and so keeps its order. */
  private post({ content, clientKey, ack }: Send & { ack: Ack | null }): void {
    const { session, roomId, shared } = this
    const posting = shared.door.chat.messages.post(session.user, roomId, { content, clientKey, line: this })
    posting.then(
      ({ event }) => ack?.({ id: event.message.id }),
      (error: unknown) => this.fail(error, ack),
    )
  }

  /** What could not be stored just now ends the connection, as no later one may be stored before it (A15). */
  private fail(error: unknown, ack: Ack | null): void {
    const known = toChatError(error)
    ack?.({ error: known?.message ?? 'The message was not stored' })
    if (known === null) this.tellFault('A message could not be stored.', error)
    else if (known.kind !== 'unavailable') return
    this.isBroken = true
    this.session.end('not_stored')
  }

  private takeOlder(args: unknown[], ack: Ack): void {
    const asked = parseOlder(args)
    if ('error' in asked) return ack(asked)
    if (this.oldersWaiting >= olderWaitingMax) return ack({ error: 'too many requests at once' })
    this.oldersWaiting++
    this.olders = (this.olders ?? Promise.resolve())
      .then(() => this.answerOlder(asked.before, ack))
      .finally(() => this.oldersWaiting--)
  }

  private async answerOlder(before: number, ack: Ack): Promise<void> {
    try {
      const found = await this.shared.door.chat.queries.listBefore(this.roomId, before, 50)
      // Ten large answers at once would be more than the connection's budget.
      await this.connection.drained()
      ack({ messages: found.map(({ message, author }) => encodeMessage(message, author)) })
    } catch (error) {
      const known = toChatError(error)
      if (known === null) this.tellFault('Older messages could not be read.', error)
      ack({ error: known?.message ?? 'The messages could not be read' })
    }
  }

  private tellFault(text: string, error: unknown): void {
    this.shared.door.log.error(text, { userId: this.session.user.username, roomId: this.roomId, error })
  }

  /** What waits for its turn is stored all the same: its sender has sent it. */
  onClose(): void {
    this.shared.expiry.remove(this)
    this.shared.door.chat.sessions.close(this.session)
  }
}
