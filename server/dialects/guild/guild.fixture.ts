/** For tests: stock clients of this door. */
import { WebSocket } from 'ws'
import { until } from '../../../test/chat.ts'
import { call as callServer, refusal, settle, signToken, type Reply } from '../../../test/clients.ts'
import { startServer, type ServerOptions, type TestServer } from '../../../test/harness.ts'

export interface Sending {
  token?: string
  /** An object is sent as JSON, a string and bytes as they are, as JSON too where `headers` say nothing else. */
  body?: unknown
  headers?: Record<string, string>
}

export interface Guild {
  server: TestServer
  /** `route`: `GET /servers/`. */
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

  function call(route: string, { token, body, headers = {} }: Sending = {}): Promise<Reply> {
    const bearer = token !== undefined && { authorization: `Bearer ${token}` }
    const type = body !== undefined && { 'content-type': 'application/json' }
    return callServer(server, route, body, { ...bearer, ...type, ...headers })
  }

  function tokenFor(username: string): Promise<string> {
    return signToken({ username })
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

  return { server, call, tokenFor, makeChannel, connect, refusal: (path, headers) => refusal(server.wsUrl + path, headers) }
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
      await until(
        () => `${count} frames (there are ${JSON.stringify(frames)})`,
        () => frames.length >= count,
      )
      return frames
    },
    contents: () => frames.map((frame) => frame.content),
    settled: () => settle(socket),
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
