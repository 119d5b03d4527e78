/** The live side: `/chat`, one WebSocket for all rooms that a user is bound to (C1 to C3, C12). Everything is checked before 101. */
import { ChatError, toChatError, type ErrorCode } from '../../core/errors.ts'
import type { Login, RoomId, User } from '../../core/model.ts'
import type { Format } from '../../core/session.ts'
import { answerPlainGet } from '../../http/answering.ts'
import { FrameLimit } from '../../http/frame-limit.ts'
import { addressKey } from '../../http/limits.ts'
import type { Acceptance, UpgradeRequest } from '../../http/upgrades.ts'
import type { Connection, ConnectionEvents } from '../../http/websocket.ts'
import { findCaller, getUser, takeTurn, type Door } from '../door.ts'
import { cookieNames } from './auth.ts'
import { cursorFormat, encodeError, encodeSent, plainFormat } from './encode.ts'
import { parseBytes, parseFrame, type ClientFrame } from './frames.ts'
import type { LivePlace } from './place.ts'
import { Seat } from './seat.ts'

/** What a WebSocket that may open is for. */
interface Visit {
  user: User
  login: Login
  /** C12: null without cursors. */
  since: string | null
  /** Under which his frames count (A12). */
  limitKeys: string[]
}

interface Gate {
  door: Door
  place: LivePlace
  formats: { plain: Format; cursor: Format }
}

export function registerGateway(door: Door, place: LivePlace): void {
  const onFault = place.onFault.bind(place)
  const gate = { door, place, formats: { plain: { ...plainFormat, onFault }, cursor: { ...cursorFormat, onFault } } }
  door.http.app.get('/chat', { schema: { hide: true } }, answerPlainGet)
  door.upgrades.route('/chat', (request) => admit(gate, request))
}

/** A token and nothing else lets in (C2): it is good, and stands in the registry. */
async function admit(gate: Gate, { headers, host, query, remoteAddress }: UpgradeRequest): Promise<Acceptance> {
  const { door } = gate
  const caller = await findCaller(door, { headers, host, queryToken: query.get('token') }, cookieNames)
  if (!caller?.login) throw new ChatError('unauthenticated')
  const user = getUser(caller.principal)
  const limitKeys = [addressKey(remoteAddress), `user:${user.id}`]
  for (const key of limitKeys) takeTurn(door.limits.connects, caller, key)
  if (!(await door.logins.isIn(caller.login))) throw new ChatError('bad_credentials')
  return enter(gate, { user, login: caller.login, since: query.get('since'), limitKeys })
}

/** Before 101: what is posted once a client knows that it is connected, it gets. */
async function enter({ door, place, formats }: Gate, { user, login, since, limitKeys }: Visit): Promise<Acceptance> {
  const { sessions } = door.chat
  const format = since === null ? formats.plain : formats.cursor
  const session = sessions.open({ user, format, tokenHash: login.sha256, hasOneRoom: false })
  const seat = new Seat(session, since, () => sessions.cursor())
  const unwatch = door.logins.watch(login, {
    onEnded: () => session.end('revoked'),
    onAway: () => session.end('registry_away'),
  })
  const leave = () => {
    unwatch()
    sessions.close(session)
    place.leave(seat)
  }
  try {
    const frames = await place.admit(seat)
    return { open: (connection) => new Live({ door, place, seat, connection, limitKeys, frames, leave }), abandon: leave }
  } catch (error) {
    leave()
    throw error
  }
}

interface LiveParts {
  door: Door
  place: LivePlace
  seat: Seat
  connection: Connection
  limitKeys: string[]
  /** What it is to get first. */
  frames: string[]
  leave(): void
}

type Send = Extract<ClientFrame, { type: 'message' }>
type Read = Extract<ClientFrame, { type: 'read' }>

/** C3: in these words of its own this door refuses a frame. */
const invalidFrame = { error: 'invalid_frame', message: 'The frame is not as it should be' }
const roomRequired = { error: 'room_required', message: 'A text alone needs a socket that is bound to one room' }

/** The frame could not be stored, and that is not for what it says (A15). */
const unstored: ErrorCode[] = ['unavailable', 'ids_exhausted']

/** One socket. A class, as there are thousands: methods are shared. */
class Live implements ConnectionEvents {
  private readonly parts: LiveParts
  private readonly limit: FrameLimit
  /** Behind a frame that could not be stored, none is (A15). */
  private readonly line = { isBroken: false }

  constructor(parts: LiveParts) {
    const { door, seat, connection, limitKeys } = parts
    this.parts = parts
    this.limit = new FrameLimit({ connection, limit: door.limits.sends, keys: limitKeys, clock: door.clock })
    seat.session.connect(connection)
    // What the client has sent already is read behind what it is told first.
    connection.pause()
    void this.start()
  }

  private async start(): Promise<void> {
    const { seat, frames, connection } = this.parts
    if (!seat.isStale) await seat.session.sendMany(frames)
    if (!seat.session.isOpen) return
    if (!seat.isStale) seat.release()
    seat.begin()
    connection.resume()
  }

  onText(text: string): void {
    this.receive(parseFrame(text))
  }

  onBinary(bytes: Buffer): void {
    this.receive(parseBytes(bytes))
  }

  private receive(frame: ClientFrame): void {
    if (frame.type !== 'blank') this.limit.take(() => this.take(frame))
  }

  private take(frame: ClientFrame): void {
    const { seat } = this.parts
    const { rooms } = seat
    if (frame.type === 'blank') return
    if (frame.type === 'invalid') return seat.answer(() => encodeError(invalidFrame, null, null))
    const [only = null] = rooms.size === 1 ? rooms.keys() : []
    const roomId = frame.roomId ?? only
    if (roomId === null) return seat.answer(() => encodeError(roomRequired, null, null))
    if (!rooms.has(roomId)) return this.refuse(roomId, new ChatError('forbidden'))
    void this.store(frame, roomId)
  }

  /** Nothing is awaited before a message is in the journal's queue, so the frames of one socket keep their order. */
  private async store(frame: Send | Read, roomId: RoomId): Promise<void> {
    let isDone = false
    try {
      await this.parts.place.run(roomId, async () => {
        await (frame.type === 'message' ? this.post(frame, roomId) : this.read(frame))
        isDone = true
      })
      if (!isDone) this.endUnstored()
    } catch (error) {
      this.onRefused(roomId, toChatError(error)!)
    }
  }

  /** The message itself comes with everybody's. */
  private async post({ content, clientKey }: Send, roomId: RoomId): Promise<void> {
    const { door, seat } = this.parts
    const { event } = await door.chat.messages.post(seat.session.user, roomId, { content, clientKey, line: this.line })
    if (clientKey === null) return
    const sent = { roomId, key: clientKey, messageId: event.message.id }
    seat.answer((cursor) => encodeSent(sent, cursor))
  }

  private async read({ roomId, messageId }: Read): Promise<void> {
    const { door, seat } = this.parts
    const { user } = seat.session
    await door.chat.queries.getMessage({ kind: 'user', user }, roomId, messageId)
    if (this.line.isBroken) throw new ChatError('unavailable')
    await door.chat.reads.advance(user, roomId, messageId)
  }

  private onRefused(roomId: RoomId, error: ChatError): void {
    if (unstored.includes(error.code)) this.endUnstored()
    else this.refuse(roomId, error)
  }

  private endUnstored(): void {
    this.line.isBroken = true
    this.parts.seat.session.end('not_stored')
  }

  private refuse(roomId: RoomId, error: ChatError): void {
    this.parts.seat.answer((cursor) => encodeError(error, roomId, cursor))
  }

  /** A frame that waits for its turn is stored all the same: its sender has sent it. */
  onClose(): void {
    this.parts.leave()
  }
}
