/** The live side: `/ws/{channel_id}?token=`, a WebSocket that sends and receives (G7). Everything is checked before 101. */
import { ChatError, toChatError } from '../../core/errors.ts'
import type { Posted } from '../../core/actions/messages.ts'
import type { RoomId, User } from '../../core/model.ts'
import type { Session } from '../../core/session.ts'
import type { Entered } from '../../core/sessions.ts'
import { FrameLimit } from '../../http/frame-limit.ts'
import { addressKey } from '../../http/limits.ts'
import type { Acceptance, UpgradeRequest } from '../../http/upgrades.ts'
import type { Connection, ConnectionEvents } from '../../http/websocket.ts'
import { getUser, takeTurn, type Door } from '../door.ts'
import { getCaller } from './auth.ts'
import { cursorFormat, encodeFrame, encodeStart, plainFormat } from './encode.ts'
import { parseFrame, parseId, type Send } from './wire.ts'

/** What a WebSocket that may open is for. */
interface Visit {
  user: User
  channelId: RoomId
  /** G7: null without cursors. */
  since: string | null
  tokenHash: string | null
  /** Under which his sends count (A12); none with a service key. */
  limitKeys: string[]
}

export function registerGateway(door: Door): void {
  door.upgrades.route('/ws/:channel_id', (request) => admit(door, request))
}

/** What it throws is a 403, or a 429 or 503 (problems.ts). */
async function admit(door: Door, request: UpgradeRequest): Promise<Acceptance> {
  const { headers, host, query } = request
  const caller = await getCaller(door, { headers, host, queryToken: query.get('token') })
  const { principal, tokenHash } = caller
  const user = getUser(principal)
  const limitKeys = principal.kind === 'user' ? [addressKey(request.remoteAddress), `user:${user.id}`] : []
  for (const key of limitKeys) takeTurn(door.limits.connects, caller, key)
  const channelId = parseId(request.params['channel_id'] ?? '') ?? 0
  await door.chat.queries.getRoom({ kind: 'user', user }, channelId)
  return enter(door, { user, channelId, since: query.get('since'), tokenHash, limitKeys })
}

/** Before 101: what is posted once a client knows that it is connected, it gets. */
async function enter(door: Door, visit: Visit): Promise<Acceptance> {
  const { sessions } = door.chat
  const { user, tokenHash, since, channelId } = visit
  const format = since === null ? plainFormat : cursorFormat
  const session = sessions.open({ user, format, tokenHash, hasOneRoom: true })
  const abandon = () => sessions.close(session)
  try {
    const entered = await sessions.enterRoom(session, channelId, since)
    return { open: (connection) => new Live(door, connection, { ...visit, session, entered }), abandon }
  } catch (error) {
    abandon()
    throw error
  }
}

/** A visit that has entered. */
interface Entry extends Visit {
  session: Session
  entered: Entered
}

/** One socket. A class, as there are thousands: methods are shared. */
class Live implements ConnectionEvents {
  private readonly door: Door
  private readonly connection: Connection
  private readonly visit: Visit
  private readonly session: Session
  /** Behind a frame that could not be stored, none is (A15). */
  private readonly line = { isBroken: false }
  private readonly limit: FrameLimit

  constructor(door: Door, connection: Connection, { session, entered, ...visit }: Entry) {
    this.door = door
    this.connection = connection
    this.visit = visit
    this.session = session
    const { limits, clock } = door
    this.limit = new FrameLimit({ connection, limit: limits.sends, keys: visit.limitKeys, clock })
    session.connect(connection)
    // What the client has sent already is read behind what it missed.
    connection.pause()
    void this.start(entered)
  }

  private async start(entered: Entered): Promise<void> {
    if (this.visit.since !== null) this.session.send([encodeStart(entered)])
    await this.session.sendMany(entered.missed)
    if (!this.session.isOpen) return
    this.session.release()
    this.connection.resume()
  }

  onText(text: string): void {
    const send = parseFrame(text)
    if (send) this.limit.take(() => this.post(send))
  }

  /** Not awaited: the frames of one socket go into the journal as they come, and so keep their order. */
  private post({ content, clientKey }: Send): void {
    const { user, channelId } = this.visit
    const posting = this.door.chat.messages.post(user, channelId, { content, clientKey, line: this.line })
    posting.then(
      (posted) => this.answer(posted),
      (error: unknown) => this.endUnstored(error),
    )
  }

  /** The message itself comes with everybody's; on a retry (A8) this socket alone gets it again. */
  private answer({ event, isRepeated }: Posted): void {
    if (!isRepeated || !this.session.isOpen) return
    const { user, channelId, since } = this.visit
    const cursor = since === null ? null : this.door.chat.sessions.cursorIn(channelId)
    this.session.send([encodeFrame(event.message, user, cursor)])
  }

  /** A key used for another text drops the frame; who lost the room hears so from the hub; anything else is a frame not stored (A15). */
  private endUnstored(error: unknown): void {
    const isSettled =
      isChatError(error, 'key_conflict') || isChatError(error, 'not_a_member') || isChatError(error, 'room_not_found')
    if (isSettled) return
    this.line.isBroken = true
    this.session.end('not_stored')
  }

  /** A frame that waits for its turn is stored all the same: its sender has sent it. */
  onClose(): void {
    this.door.chat.sessions.close(this.session)
  }
}

function isChatError(error: unknown, code: ChatError['code']): boolean {
  return toChatError(error)?.code === code
}
