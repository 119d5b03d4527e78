/** For tests: callers and listeners of this door, as stock clients are, that hold every answer and frame against the schemas. */
import { expect } from 'vitest'
import { WebSocket } from 'ws'
import { until } from '../../../test/chat.ts'
import { checkAgainstDocument } from '../../../test/conformance.ts'
import { testSecret, testServiceKey, type TestServer } from '../../../test/harness.ts'
import { createTokens } from '../../http/tokens.ts'
import { envelope, failure, type Envelope } from './wire.ts'

const tokens = createTokens({ secret: testSecret, now: () => Date.now() })

/** A bearer header with an account token. */
export async function bearerOf(claims: Record<string, unknown>, lifetimeS = 600): Promise<{ authorization: string }> {
  return { authorization: `Bearer ${await tokens.sign(claims, lifetimeS)}` }
}

export const asHost = { authorization: `Bearer ${testServiceKey}` }

export interface Reply {
  status: number
  headers: Headers
  // oxlint-disable-next-line typescript/no-explicit-any -- answers are what is being tested
  body: any
}

/** `body`: an object is sent as JSON, a string and bytes as they are. */
export async function call(
  server: TestServer,
  route: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Reply> {
  const [method = '', path = ''] = route.split(' ')
  const isRaw = typeof body === 'string' || body instanceof Uint8Array
  const init: RequestInit = {
    method,
    headers: isRaw || body === undefined ? headers : { 'content-type': 'application/json', ...headers },
  }
  if (body !== undefined) init.body = isRaw ? (body as NonNullable<RequestInit['body']>) : JSON.stringify(body)
  const answer = await fetch(server.url + path, init)
  const text = await answer.text()
  const reply = { status: answer.status, headers: answer.headers, body: text === '' ? null : JSON.parse(text) }
  await checkAgainstDocument(server.url, { method, path, status: reply.status, body: text })
  if (reply.status >= 400 && method !== 'HEAD')
    expect(failure.strict().safeParse(reply.body).success, `${route}: ${text}`).toBe(true)
  return reply
}

export const rooms = '/api/v1/chat/rooms'

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
    settled() {
      socket.ping()
      return new Promise((resolve) => socket.once('pong', () => resolve()))
    },
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

/** What an upgrade that must not succeed is answered. */
export function refusal(
  server: TestServer,
  path: string,
  headers: Record<string, string> = {},
  localAddress = '127.0.0.1',
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(server.wsUrl + path, { headers, localAddress })
    socket.on('error', reject)
    socket.on('open', () => reject(new Error(`${path} was let in`)))
    socket.on('unexpected-response', (_request, answer) => {
      let text = ''
      answer.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')))
      answer.on('end', () => {
        checkAgainstDocument(server.url, { method: 'GET', path, status: answer.statusCode ?? 0, body: text }).catch(reject)
        const body = failure.strict().parse(JSON.parse(text))
        resolve({ status: answer.statusCode ?? 0, headers: new Headers(answer.headers as Record<string, string>), body })
      })
    })
  })
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
