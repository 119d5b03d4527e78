/** For tests: callers and listeners of this door, as stock clients are, that hold every answer and frame against the schemas. */
import { expect } from 'vitest'
import { WebSocket } from 'ws'
import { until } from '../../../test/chat.ts'
import * as clients from '../../../test/clients.ts'
import { asHost, rooms, settle, signToken, type Reply } from '../../../test/clients.ts'
import { checkAgainstDocument } from '../../../test/conformance.ts'
import type { TestServer } from '../../../test/harness.ts'
import { envelope, failure, type Envelope } from './wire.ts'

export { asHost, rooms } from '../../../test/clients.ts'

/** A bearer header with an account token. */
export async function bearerOf(claims: Record<string, unknown>, lifetimeS?: number): Promise<{ authorization: string }> {
  return { authorization: `Bearer ${await signToken(claims, lifetimeS)}` }
}

/** As any client calls; a failure is of this door's shape. */
export async function call(
  server: TestServer,
  route: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Reply> {
  const reply = await clients.call(server, route, body, headers)
  if (reply.status >= 400 && !route.startsWith('HEAD '))
    expect(failure.strict().safeParse(reply.body).success, `${route}: ${reply.text}`).toBe(true)
  return reply
}

/** A user in a room. */
export type Seat = [roomId: number, userId: number]

export function send(
  server: TestServer,
  [roomId, userId]: Seat,
  text: string,
  headers: Record<string, string> = {},
): Promise<Reply> {
  return call(server, `POST ${rooms}/${roomId}/messages`, { user_id: userId, message: text }, headers)
}

export interface Listener {
  socket: WebSocket
  frames: Envelope[]
  /** As they came. */
  texts: string[]
  closedWith: { code: number; reason: string } | null
  /** Waits until a frame of this type, and like this, has come. */
  find<Type extends Envelope['type']>(
    type: Type,
    isIt?: (frame: Extract<Envelope, { type: Type }>) => boolean,
  ): Promise<Extract<Envelope, { type: Type }>>
  /** Resolves once what was sent to this client so far has come: it pings, and what is before the pong is here. */
  settled(): Promise<void>
  close(): Promise<void>
}

/** A socket that has opened and got its own `member_online`. */
export async function listen(
  server: TestServer,
  [roomId, userId]: Seat,
  query = '',
  headers: Record<string, string> = {},
): Promise<Listener> {
  const listener = openListener(new WebSocket(`${server.wsUrl}/ws/chat/${roomId}?user_id=${userId}${query}`, { headers }))
  await listener.find('member_online', (frame) => frame.user_id === userId)
  return listener
}

function openListener(socket: WebSocket): Listener {
  const frames: Envelope[] = []
  const texts: string[] = []
  const listener: Listener = {
    socket,
    frames,
    texts,
    closedWith: null,
    async find(type, isIt = () => true) {
      const found = () => frames.find((frame) => frame.type === type && isIt(frame as never))
      await until(`a frame ${type}`, () => found() !== undefined || (listener.closedWith !== null && fail(listener)))
      return found() as never
    },
    settled: () => settle(socket),
    async close() {
      socket.close()
      await until('the close', () => listener.closedWith !== null)
    },
  }
  socket.on('message', (data) => {
    const text = (data as Buffer).toString('utf8')
    texts.push(text)
    frames.push(envelope.parse(JSON.parse(text)))
  })
  socket.on('close', (code, reason) => (listener.closedWith = { code, reason: reason.toString('utf8') }))
  socket.on('error', () => {})
  return listener
}

function fail({ closedWith }: Listener): never {
  throw new Error(`closed with ${closedWith?.code} ${closedWith?.reason}`)
}

/** What an upgrade that must not succeed is answered: as documented, and in this door's shape. */
export async function refusal(
  { url, wsUrl }: TestServer,
  path: string,
  headers?: Record<string, string>,
  localAddress?: string,
): Promise<Reply> {
  const reply = await clients.refusal(wsUrl + path, headers, localAddress)
  await checkAgainstDocument(url, { method: 'GET', path, status: reply.status, body: reply.text })
  failure.strict().parse(reply.body)
  return reply
}

/** An account made by the host, and its bearer header. */
export async function makeUser(
  server: TestServer,
  name: string,
): Promise<{ id: number; name: string; bearer: Record<string, string> }> {
  const { body } = await call(server, 'POST /api/v1/users', { email: `${name}@example.com`, name }, asHost)
  return { id: body.data.id, name, bearer: await bearerOf({ username: name, id: body.data.id }) }
}

/** A group made by its first member, who is its admin. */
export async function makeGroup(
  server: TestServer,
  admin: { bearer: Record<string, string> },
  memberIds: number[],
): Promise<number> {
  const { body } = await call(server, `POST ${rooms}`, { name: '팀', member_ids: memberIds }, admin.bearer)
  return body.data.id
}
