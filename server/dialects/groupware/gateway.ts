/** The live side: `GET /api/chats/stream`, server-sent events of all chats that its user is in (P3, P4). */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { toChatError } from '../../core/errors.ts'
import type { User } from '../../core/model.ts'
import type { Session } from '../../core/session.ts'
import { addressKey } from '../../http/limits.ts'
import type { Outlet } from '../../http/pipe.ts'
import { pathOf } from '../../http/problems.ts'
import { formatRetry, type StreamEvents } from '../../http/sse.ts'
import { takeTurn, type Door } from '../door.ts'
import { getCaller, userOf } from './auth.ts'
import { encodeFrame, groupwareFormat } from './encode.ts'

/** What a stream is opened for. */
interface Visit {
  user: User
  /** The last cursor that the client saw; '' for one that has none. */
  since: string
  tokenHash: string | null
}

export function registerGateway(door: Door): void {
  door.http.app.get('/api/chats/stream', { schema: { hide: true } }, (request, reply) => answer(door, request, reply))
}

/** Throws ChatErrors for who may not; who is to come later is told when. */
async function answer(door: Door, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const visit = await admit(door, request).catch((error: unknown) => retryMsOf(error) ?? Promise.reject(error))
  if (typeof visit === 'number') door.streams.turnAway(reply, visit)
  else door.streams.open(reply, (stream) => open(door, stream, visit))
}

async function admit(door: Door, request: FastifyRequest): Promise<Visit> {
  const { headers, raw, url } = request
  const query = new URLSearchParams(url.slice(pathOf(url).length + 1))
  const approach = { headers, host: door.http.proxies.hostOf(raw), queryToken: query.get('token') }
  const caller = await getCaller(door, approach)
  const user = userOf(caller)
  for (const key of [addressKey(door.http.proxies.clientAddress(raw)), `user:${user.id}`])
    takeTurn(door.limits.connects, caller, key)
  return { user, since: sinceOf(headers['last-event-id'], query), tokenHash: caller.tokenHash }
}

/** The header is what an EventSource sends by itself, so it is newer than what stands in its address. */
function sinceOf(header: string | string[] | undefined, query: URLSearchParams): string {
  return String(header ?? '') || (query.get('lastEventId') ?? '')
}

/** Null for what no waiting mends. */
function retryMsOf(error: unknown): number | null {
  const { kind, retryAfterS = 1 } = toChatError(error) ?? {}
  return kind === 'too_many' || kind === 'unavailable' ? retryAfterS * 1000 : null
}

function open(door: Door, stream: Outlet, { user, since, tokenHash }: Visit): StreamEvents {
  const { sessions } = door.chat
  const session = sessions.open({ user, format: groupwareFormat, tokenHash, hasOneRoom: false })
  session.connect(stream)
  let isIn = false
  enter(door, session, since).then(
    () => (isIn = true),
    (error: unknown) => endUnentered(stream, error),
  )
  return {
    // P3: `connected` is the first frame, whatever the time.
    ping: () => Buffer.from(isIn ? encodeFrame({ type: 'ping', t: door.clock.now() }) : ''),
    onClose: () => sessions.close(session),
  }
}

/**
 * The first frame of a client without a cursor has one, so that it misses nothing from there on. One with a cursor keeps its own until
 * the replay has gone on from it, and is told at the end what became of it (P3).
 */
async function enter(door: Door, session: Session, since: string): Promise<void> {
  const isResuming = since !== ''
  if (isResuming) session.send([encodeFrame({ type: 'connected' })])
  const { missed, isReload, cursorAfter } = await door.chat.sessions.enterAll(session, since)
  if (!isResuming) session.send([encodeFrame({ type: 'connected' }, cursorAfter)])
  await session.sendMany(missed)
  if (!session.isOpen) return
  const action = isReload ? 'reload' : 'resumed'
  if (isResuming) session.send([encodeFrame({ type: 'conversation', data: { action } }, cursorAfter)])
  session.release()
}

/** After the head there is only an end. */
function endUnentered(stream: Outlet, error: unknown): void {
  stream.write(Buffer.from(formatRetry(retryMsOf(error) ?? 1_000)))
  stream.close(1013, 'try again later')
}
