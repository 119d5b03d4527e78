/** Stock clients of the doors, for tests that cross them and for each door's own: `fetch` and `ws`, with tokens that a host signed. */
import { WebSocket } from 'ws'
import { createTokens } from '../server/http/tokens.ts'
import { until } from './chat.ts'
import { testSecret, testServiceKey } from './harness.ts'

/** A server that runs, in this process or in another. */
export interface Place {
  url: string
  wsUrl: string
}

export interface Reply {
  status: number
  headers: Headers
  text: string
  // oxlint-disable-next-line typescript/no-explicit-any -- answers are what is being tested
  body: any
}

/** `body`: an object is sent as JSON, a string, bytes and a form as they are. Rejects where the answer is not as documented (setup.ts). */
export async function call(place: Place, route: string, body?: unknown, headers: Record<string, string> = {}): Promise<Reply> {
  const [method = '', path = ''] = route.split(' ')
  const isRaw = typeof body === 'string' || body instanceof Uint8Array || body instanceof FormData
  const type: Record<string, string> = isRaw || body === undefined ? {} : { 'content-type': 'application/json' }
  const init: RequestInit = { method, headers: { ...type, ...headers } }
  if (body !== undefined) init.body = isRaw ? (body as NonNullable<RequestInit['body']>) : JSON.stringify(body)
  const answer = await fetch(place.url + path, init)
  return replyOf(answer.status, answer.headers, await answer.text())
}

/** What calls itself JSON is. */
function replyOf(status: number, headers: Headers, text: string): Reply {
  const isJson = headers.get('content-type')?.startsWith('application/json') && text !== ''
  return { status, headers, text, body: isJson ? JSON.parse(text) : text || null }
}

/** As `call`, for what is only a preparation: throws where it does not succeed. */
export async function done(
  place: Place,
  route: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Reply['body']> {
  const reply = await call(place, route, body, headers)
  if (reply.status >= 400) throw new Error(`${route}: ${reply.status} ${JSON.stringify(reply.body)}`)
  return reply.body
}

// -------------------------------------------------------------------------------------------------------------- people

const tokens = createTokens({ secret: testSecret, now: () => Date.now() })

export function signToken(claims: Record<string, unknown>, lifetimeS = 3600): Promise<string> {
  return tokens.sign(claims, lifetimeS)
}

export interface Person {
  id: number
  username: string
  token: string
  bearer: Record<string, string>
}

/** An account that a host's token makes on first touch. */
export async function enroll(place: Place, username: string): Promise<Person> {
  const token = await signToken({ username })
  const bearer = { authorization: `Bearer ${token}` }
  const { id } = await done(place, 'GET /users/me', undefined, bearer)
  return { id, username, token, bearer }
}

export async function enrollAll(place: Place, prefix: string, count: number): Promise<Person[]> {
  return Promise.all(Array.from({ length: count }, (_, index) => enroll(place, `${prefix}${index + 1}`)))
}

export const asHost = { authorization: `Bearer ${testServiceKey}` }

// --------------------------------------------------------------------------------------------------------------- rooms

export const rooms = '/api/v1/chat/rooms'

/** A group made at `feed`; the first person is its admin. */
export async function makeGroup(place: Place, [admin, ...others]: Person[]): Promise<number> {
  const body = { name: '마당', member_ids: others.map(({ id }) => id) }
  return (await done(place, `POST ${rooms}`, body, admin!.bearer)).data.id
}

/** A server and its channel made at `guild`; the first person owns it, the others join. */
export async function makeChannel(place: Place, [owner, ...others]: Person[]): Promise<{ serverId: number; roomId: number }> {
  const { id: serverId } = await done(place, 'POST /servers/', { name: 'yard' }, owner!.bearer)
  const { id: roomId } = await done(place, 'POST /channels/', { name: 'general', server_id: serverId }, owner!.bearer)
  for (const other of others) await done(place, `POST /servers/${serverId}/join`, undefined, other.bearer)
  return { serverId, roomId }
}

/** By `feed`, whichever door made the room. */
export function post(
  place: Place,
  roomId: number,
  author: Person,
  message: string | { text: string; key: string },
): Promise<Reply> {
  const { text, key } = typeof message === 'string' ? { text: message, key: null } : message
  const headers = key === null ? author.bearer : { ...author.bearer, 'idempotency-key': key }
  return call(place, `POST ${rooms}/${roomId}/messages`, { user_id: author.id, message: text }, headers)
}

// ------------------------------------------------------------------------------------------------------------- messages

/** A message as any door shows it. */
export interface Seen {
  id: number
  text: string
  authorId: number
}

/** All messages of a room by `feed`, oldest first. */
export function feedHistory(place: Place, roomId: number, reader: Person): Promise<Seen[]> {
  return readPages(async (query) => {
    const { data } = await done(place, `GET ${rooms}/${roomId}/messages?${query}`, undefined, reader.bearer)
    return data.messages.map(seenAtFeed)
  })
}

/** The same by `guild`. */
export function guildHistory(place: Place, roomId: number, reader: Person): Promise<Seen[]> {
  return readPages(async (query) => {
    const messages: GuildMessage[] = await done(place, `GET /channels/${roomId}/messages?${query}`, undefined, reader.bearer)
    return messages.map(seenAtGuild)
  })
}

async function readPages(readPage: (query: string) => Promise<Seen[]>): Promise<Seen[]> {
  const all: Seen[] = []
  for (;;) {
    const page = await readPage(`limit=100&offset=${all.length}`)
    all.push(...page)
    if (page.length < 100) return all.toReversed()
  }
}

interface FeedMessage {
  id: number
  message: string
  user_id: number
}
interface GuildMessage {
  id: number
  content: string
  author_id: number
}

function seenAtFeed({ id, message, user_id }: FeedMessage): Seen {
  return { id, text: message, authorId: user_id }
}

function seenAtGuild({ id, content, author_id }: GuildMessage): Seen {
  return { id, text: content, authorId: author_id }
}

// -------------------------------------------------------------------------------------------------------------- sockets

export interface Frame {
  type?: string
  data?: unknown
  cursor?: string
  reload?: boolean
  [key: string]: unknown
}

export interface Client {
  socket: WebSocket
  frames: Frame[]
  /** The messages among them. */
  seen: Seen[]
  /** The last cursor that came; null before. */
  cursor: string | null
  /** Null while it is open. */
  closedWith: number | null
  /** Calls for each message as it comes. */
  onMessage(message: Seen): void
  /** The doors' frames of this type (feed), waited for. */
  find(type: string, isIt?: (frame: Frame) => boolean): Promise<Frame>
  /** Resolves once what was sent to this client so far has come: it pings, and what is before the pong is here. */
  settled(): Promise<void>
  close(): Promise<void>
}

export type Door = 'feed' | 'guild'
export type Seat = readonly [door: Door, roomId: number]

/** `since`: null asks for no cursors. Resolves when the room's messages come here; rejects where it is not let in. */
export async function open(place: Place, [door, roomId]: Seat, person: Person, since: string | null = null): Promise<Client> {
  const query = since === null ? '' : `&since=${since}`
  const client = openClient(new WebSocket(addressOf(place, door, roomId, person) + query), door)
  await new Promise((resolve, reject) => client.socket.once('open', resolve).once('error', reject))
  const isIn = (frame: Frame) => (door === 'feed' ? isOwnOnline(frame, person) : since === null || frame.cursor !== undefined)
  const isWaiting = door === 'feed' || since !== null
  if (isWaiting)
    await until(`being in the room by ${door}`, () => client.frames.some(isIn) || (client.closedWith !== null && fail(client)))
  return client
}

export function addressOf({ wsUrl }: Place, door: Door, roomId: number, { id, token }: Person): string {
  return door === 'feed' ? `${wsUrl}/ws/chat/${roomId}?user_id=${id}&token=${token}` : `${wsUrl}/ws/${roomId}?token=${token}`
}

function isOwnOnline({ type, user_id }: Frame, { id }: Person): boolean {
  return type === 'member_online' && user_id === id
}

function fail({ closedWith }: Client): never {
  throw new Error(`closed with ${closedWith}`)
}

function openClient(socket: WebSocket, door: Door): Client {
  const client: Client = {
    socket,
    frames: [],
    seen: [],
    cursor: null,
    closedWith: null,
    onMessage: () => {},
    async find(type, isIt = () => true) {
      const found = () => client.frames.find((frame) => frame.type === type && isIt(frame))
      await until(`a frame ${type}`, () => found() !== undefined)
      return found()!
    },
    settled: () => settle(socket),
    async close() {
      socket.close()
      await until('the close', () => client.closedWith !== null)
    },
  }
  socket.on('message', (data) => take(client, door, JSON.parse(String(data)) as Frame))
  socket.on('close', (code) => (client.closedWith = code))
  socket.on('error', () => {})
  return client
}

function take(client: Client, door: Door, frame: Frame): void {
  client.frames.push(frame)
  if (frame.cursor !== undefined) client.cursor = frame.cursor
  const message = seenIn(door, frame)
  if (message === null) return
  client.seen.push(message)
  client.onMessage(message)
}

function seenIn(door: Door, frame: Frame): Seen | null {
  if (door === 'feed') return frame.type === 'message' ? seenAtFeed(frame.data as FeedMessage) : null
  return typeof frame.content === 'string' ? seenAtGuild(frame as unknown as GuildMessage) : null
}

/** Resolves once what was sent to this socket so far has come: it pings, and what is before the pong is here. */
export function settle(socket: WebSocket): Promise<void> {
  socket.ping()
  return new Promise((resolve) => socket.once('pong', () => resolve()))
}

/** What an upgrade that must not succeed is answered. `localAddress` is where the client calls from. */
export function refusal(address: string, headers: Record<string, string> = {}, localAddress = '127.0.0.1'): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(address, { headers, localAddress })
    socket.on('error', reject)
    socket.on('open', () => {
      socket.close()
      reject(new Error('was let in'))
    })
    socket.on('unexpected-response', (_request, answer) => {
      let text = ''
      answer.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')))
      answer.on('end', () => {
        const plain = Object.entries(answer.headers).map(([name, value]) => [name, String(value)] as [string, string])
        resolve(replyOf(answer.statusCode ?? 0, new Headers(plain), text))
      })
    })
  })
}
