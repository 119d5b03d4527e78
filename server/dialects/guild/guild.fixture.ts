/** For tests: stock clients of this door. Every answer is held against /openapi.json, as a client that was generated from it would. */
import { WebSocket } from 'ws'
import { until } from '../../../test/chat.ts'
import { checkAgainstDocument } from '../../../test/conformance.ts'
import { startServer, testSecret, type ServerOptions, type TestServer } from '../../../test/harness.ts'
import { createTokens } from '../../http/tokens.ts'

const tokens = createTokens({ secret: testSecret, now: () => Date.now() })

export interface Reply {
  status: number
  headers: Headers
  text: string
  // oxlint-disable-next-line typescript/no-explicit-any -- answers are what is being tested
  body: any
}

export interface Sending {
  token?: string
  /** An object is sent as JSON, a string and bytes as they are. */
  body?: unknown
  headers?: Record<string, string>
}

export interface Guild {
  server: TestServer
  /** `route`: `GET /servers/`. Rejects where the answer is not as documented. */
  call(route: string, sending?: Sending): Promise<Reply>
  /** A token for an account that a host's token makes on first touch (A9): no password is hashed. */
  tokenFor(username: string): Promise<string>
  /** A server with a channel, of a new owner; and a member who has joined. */
  makeChannel(): Promise<Channel>
  /** A socket that is open. */
  connect(channelId: number, token: string, query?: string, headers?: Record<string, string>): Promise<Client>
  /** What an upgrade that must not succeed is answered. */
  refusal(path: string, headers?: Record<string, string>): Promise<Reply>
}

export interface Channel {
  serverId: number
  channelId: number
  owner: string
  member: string
}

let lastName = 0
/** A name that no other test has. */
export function newName(): string {
  return `person${++lastName}`
}

export async function openGuild(options: ServerOptions = {}): Promise<Guild> {
  const server = await startServer(options)

  async function call(route: string, { token, body, headers = {} }: Sending = {}): Promise<Reply> {
    const [method = '', path = ''] = route.split(' ')
    const isRaw = typeof body === 'string' || body instanceof Uint8Array
    const sent: Record<string, string> = { ...(token !== undefined && { authorization: `Bearer ${token}` }), ...headers }
    if (body !== undefined && sent['content-type'] === undefined) sent['content-type'] = 'application/json'
    const init: RequestInit = { method, headers: sent }
    if (body !== undefined) init.body = isRaw ? (body as NonNullable<RequestInit['body']>) : JSON.stringify(body)
    const answer = await fetch(server.url + path, init)
    const text = await answer.text()
    await checkAgainstDocument(server.url, { method, path, status: answer.status, body: text })
    return { status: answer.status, headers: answer.headers, text, body: parse(text) }
  }

  function tokenFor(username: string): Promise<string> {
    return tokens.sign({ username }, 600)
  }

  async function makeChannel(): Promise<Channel> {
    const [owner, member] = [await tokenFor(newName()), await tokenFor(newName())]
    const serverId = (await call('POST /servers/', { token: owner, body: { name: 'My Server' } })).body.id as number
    await call(`POST /servers/${serverId}/join`, { token: member })
    const channelId = (await call('POST /channels/', { token: owner, body: { name: 'general', server_id: serverId } })).body
      .id as number
    return { serverId, channelId, owner, member }
  }

  async function connect(channelId: number, token: string, query = '', headers: Record<string, string> = {}): Promise<Client> {
    const client = openClient(new WebSocket(`${server.wsUrl}/ws/${channelId}?token=${token}${query}`, { headers }))
    await until('the socket opens', () => client.socket.readyState === WebSocket.OPEN || client.closedWith !== null)
    return client
  }

  return { server, call, tokenFor, makeChannel, connect, refusal: (path, headers) => refusal(server, path, headers) }
}

export interface Frame {
  id?: number
  content?: string
  cursor?: string
  reload?: true
  [key: string]: unknown
}

export interface Client {
  socket: WebSocket
  frames: Frame[]
  closedWith: { code: number; reason: string } | null
  send(content: string, key?: string): void
  /** Waits until this many frames have come, and gives them. */
  have(count: number): Promise<Frame[]>
  contents(): (string | undefined)[]
  /** Resolves once what the server had sent to this client has come: it pings, and what is before the pong is here. */
  settled(): Promise<void>
  close(): Promise<void>
}

function openClient(socket: WebSocket): Client {
  const frames: Frame[] = []
  const client: Client = {
    socket,
    frames,
    closedWith: null,
    send: (content, key) => socket.send(JSON.stringify({ content, ...(key !== undefined && { key }) })),
    async have(count) {
      await until(`${count} frames (there are ${JSON.stringify(frames)})`, () => frames.length >= count)
      return frames
    },
    contents: () => frames.map((frame) => frame.content),
    settled() {
      socket.ping()
      return new Promise((resolve) => socket.once('pong', () => resolve()))
    },
    async close() {
      socket.close()
      await until('the close', () => client.closedWith !== null)
    },
  }
  socket.on('message', (data) => frames.push(JSON.parse((data as Buffer).toString('utf8')) as Frame))
  socket.on('close', (code, reason) => (client.closedWith = { code, reason: String(reason) }))
  socket.on('error', () => {})
  return client
}

function refusal(server: TestServer, path: string, headers: Record<string, string> = {}): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(server.wsUrl + path, { headers })
    socket.on('error', reject)
    socket.on('open', () => reject(new Error(`${path} was let in`)))
    socket.on('unexpected-response', (_request, answer) => {
      let text = ''
      answer.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')))
      answer.on('end', () => {
        resolve({
          status: answer.statusCode ?? 0,
          headers: new Headers(answer.headers as Record<string, string>),
          text,
          body: parse(text),
        })
      })
    })
  })
}

function parse(text: string): unknown {
  try {
    return text === '' ? null : JSON.parse(text)
  } catch {
    return text
  }
}
