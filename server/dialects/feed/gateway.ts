/** The live side: a WebSocket that only receives. Everything is checked before 101 (F1). */
import { z } from 'zod'
import type { RoomId, User } from '../../core/model.ts'
import type { Format, Session } from '../../core/session.ts'
import type { Entered } from '../../core/sessions.ts'
import { answerPlainGet } from '../../http/answering.ts'
import { frameTexts } from '../../http/frames.ts'
import { addressKey } from '../../http/limits.ts'
import type { Acceptance, UpgradeRequest } from '../../http/upgrades.ts'
import type { Connection, ConnectionEvents } from '../../http/websocket.ts'
import { actAs, takeTurn, type Door } from '../door.ts'
import { refusals, route } from './answers.ts'
import { getCaller, touch } from './auth.ts'
import { encodeEvent, encodeOnline, encodeReload } from './encode.ts'
import * as wire from './wire.ts'

const path = '/ws/chat/:roomId'

/** One object each for the whole process: sessions with the same one share the encoded bytes. */
const plain: Format = { dialect: 'feed', withCursor: false, encode: encodeEvent, join: frameTexts }
const withCursors: Format = { ...plain, withCursor: true }

/** What a WebSocket that may open is for. */
interface Visit {
  user: User
  roomId: RoomId
  since: string | null
  tokenHash: string | null
}

export function registerGateway(door: Door): void {
  door.upgrades.route(path, (request) => admit(door, request))
  door.http.app.get(path, { schema: socketSchema }, answerPlainGet)
}

const socketSchema = {
  ...route,
  summary: 'A WebSocket that receives what happens in a room',
  description: 'What it refuses, it refuses before the upgrade.',
  params: wire.roomParams,
  querystring: wire.socketQuery,
  response: { 101: z.null().meta({ description: 'The WebSocket opens' }), ...refusals(400, 403, 404, 426, 429) },
}

/** Throws ChatErrors, which are answered before 101. */
async function admit(door: Door, request: UpgradeRequest): Promise<Acceptance> {
  const { headers, host, query, params } = request
  const caller = await getCaller(door, { headers, host, queryToken: query.get('token') })
  takeTurn(door.limits.connects, caller, addressKey(request.remoteAddress))
  const roomId = wire.parseRoomId(params.roomId)
  const user = await actAs(door, caller, wire.parseQueryUserId(query))
  takeTurn(door.limits.connects, caller, `user:${user.id}`)
  await touch(door, roomId, user)
  await door.chat.queries.getRoom({ kind: 'user', user }, roomId)
  return enter(door, { user, roomId, since: wire.parseSince(query), tokenHash: caller?.tokenHash ?? null })
}

/** Before 101: what is posted once a client knows that it is connected, it gets. */
async function enter(door: Door, { user, roomId, since, tokenHash }: Visit): Promise<Acceptance> {
  const { sessions } = door.chat
  const format = since === null ? plain : withCursors
  const session = sessions.open({ user, format, tokenHash, hasOneRoom: true })
  const abandon = () => sessions.close(session)
  try {
    const entered = await sessions.enterRoom(session, roomId, since)
    return { open: (connection) => open(door, session, { roomId, entered, connection }), abandon }
  } catch (error) {
    abandon()
    throw error
  }
}

interface Opening {
  roomId: RoomId
  entered: Entered
  connection: Connection
}

function open(door: Door, session: Session, opening: Opening): ConnectionEvents {
  session.connect(opening.connection)
  void start(session, opening)
  // F3: what the client sends is read and ignored.
  return { onText: () => {}, onClose: () => door.chat.sessions.close(session) }
}

async function start(session: Session, { roomId, entered }: Opening): Promise<void> {
  await session.sendMany(entered.missed)
  if (!session.isOpen) return
  session.send(greet(session, roomId, entered))
  session.release()
}

/** F4, F7: a reload, who is online for a client that resumes, and himself last, unless the room's announcement is under way. */
function greet(session: Session, roomId: RoomId, entered: Entered): string[] {
  const ownId = session.user.id
  const cursor = session.format.withCursor ? entered.cursorAfter : null
  const others = entered.onlineIds.filter((userId) => userId !== ownId)
  const shown = entered.isOnlineAnnounced ? others : [...others, ownId]
  const texts = shown.map((userId) => encodeOnline({ roomId, userId }, cursor))
  return entered.isReload ? [encodeReload({ roomId, userId: ownId }, entered.cursorAfter), ...texts] : texts
}
