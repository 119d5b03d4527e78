/** For tests: stock clients of this door. Every answer is held against the schemas of wire.ts, failures too. */
import { expect } from 'vitest'
import { until } from '../../../test/chat.ts'
import { call as callServer, signToken, type Reply } from '../../../test/clients.ts'
import { startServer, type ServerOptions, type TestServer } from '../../../test/harness.ts'
import * as wire from './wire.ts'

export { asHost, signToken, type Reply } from '../../../test/clients.ts'

/** A header set that says who calls. */
export type Credential = Record<string, string>

export interface Person {
  id: number
  username: string
  /** As it is shown. */
  name: string
  token: string
  bearer: Credential
}

/** A live stream, as a client without cursors sees it. */
export interface Listener {
  frames: wire.FrameObject[]
  /** Waits until this many frames that are no `connected` have come, and gives them. */
  have(count: number): Promise<wire.FrameObject[]>
  close(): void
}

export interface Groupware {
  server: TestServer
  /** `route`: `POST /api/chats/start`; an object is sent as JSON, a string, bytes and a form as they are. Every success must be a 200. */
  call(route: string, as?: Credential, body?: unknown, headers?: Record<string, string>): Promise<Reply>
  /** As `call`, of what must succeed: its body. */
  done(route: string, as?: Credential, body?: unknown, headers?: Record<string, string>): Promise<Reply['body']>
  /** Accounts that a host's tokens make on first touch; named `<name> 이름`. */
  people(...names: string[]): Promise<Person[]>
  /** A stream that has opened. */
  listen(person: Person): Promise<Listener>
  /** A group that the first of them made. */
  group(members: Person[], title?: string): Promise<number>
  /** The message as it was answered. */
  send(roomId: number, author: Person, content: string, headers?: Record<string, string>): Promise<Reply['body']>
  stop(): Promise<void>
}

export async function openGroupware(options: ServerOptions = {}): Promise<Groupware> {
  const server = await startServer(options)

  async function call(route: string, as: Credential = {}, body?: unknown, headers: Record<string, string> = {}): Promise<Reply> {
    const [method = '', path = ''] = route.split(' ')
    const reply = await callServer(server, route, body, { ...as, ...headers })
    if (method !== 'HEAD' && method !== 'OPTIONS') checkReply(route, path, reply)
    return reply
  }

  async function done(...given: Parameters<typeof call>): Promise<Reply['body']> {
    const reply = await call(...given)
    if (reply.status !== 200) throw new Error(`${given[0]}: ${reply.status} ${reply.text}`)
    return reply.body
  }

  async function person(username: string): Promise<Person> {
    const fullName = `${username} 이름`
    const token = await signToken({ username, full_name: fullName })
    const bearer = { authorization: `Bearer ${token}` }
    const { user } = await done('GET /api/auth/me', bearer)
    return { id: user.id, username, name: fullName, token, bearer }
  }

  async function group(members: Person[], title?: string): Promise<number> {
    const [maker, ...others] = members
    const body = { ...(title !== undefined && { title }), memberUserIds: others.map(({ id }) => id) }
    return (await done('POST /api/chats/start-group', maker!.bearer, body)).chatId
  }

  return {
    server,
    call,
    done,
    people: async (...names) => {
      const made: Person[] = []
      for (const name of names) made.push(await person(name))
      return made
    },
    listen: ({ bearer }) => openListener(`${server.url}/api/chats/stream`, bearer),
    group,
    async send(roomId, author, content, headers) {
      return (await done(`POST /api/chats/${roomId}/message`, author.bearer, { content }, headers)).data.message
    },
    stop: () => server.stop(),
  }
}

async function openListener(address: string, headers: Credential): Promise<Listener> {
  const closing = new AbortController()
  const answer = await fetch(address, { headers, signal: closing.signal })
  const frames: wire.FrameObject[] = []
  const listener: Listener = {
    frames,
    async have(count) {
      await until(
        () => `${count} frames (there are ${JSON.stringify(frames)})`,
        () => frames.length > count,
      )
      return frames.slice(1)
    },
    close: () => closing.abort(),
  }
  void readFrames(answer, frames).catch(() => {})
  await until('connected', () => frames.length > 0)
  return listener
}

async function readFrames({ body }: Response, frames: wire.FrameObject[]): Promise<void> {
  let text = ''
  for await (const piece of body!.pipeThrough(new TextDecoderStream())) {
    const blocks = (text + piece).split('\n\n')
    text = blocks.pop()!
    const parsed = blocks.map((block) => wire.frame.parse(JSON.parse(/^data: (.*)$/m.exec(block)![1]!)))
    // A ping may come at any time.
    frames.push(...parsed.filter(({ type }) => type !== 'ping'))
  }
}

/** P2: a success is a 200, and a failure says which, of what. */
function checkReply(route: string, path: string, { status, headers, text, body }: Reply): void {
  const where = `${route}: ${status} ${text.slice(0, 300)}`
  expect(headers.get('content-type'), where).toBe('application/json; charset=utf-8')
  if (status === 200) return checkData(path, body)
  const parsed = wire.failure.safeParse(body)
  expect(parsed.error?.issues, where).toBeUndefined()
  expect(status, where).toBeGreaterThanOrEqual(400)
  expect([body.statusCode, body.url], where).toEqual([status, path.split('?')[0]])
  expect(Object.keys(body), where).toEqual(['error', 'url', 'statusCode', 'statusMessage', 'message'])
}

/** What the contract types is of its type, key for key. */
function checkData(path: string, body: Reply['body']): void {
  const bare = path.split('?')[0]!
  const found = shapes.find(([pattern]) => pattern.test(bare))
  if (!found) return
  const [, schema, find] = found
  for (const one of [find(body)].flat()) {
    const parsed = schema.safeParse(one)
    expect(parsed.error?.issues, `${path}: ${JSON.stringify(one)}`).toBeUndefined()
    expect(JSON.stringify(one)).toBe(JSON.stringify(parsed.data))
  }
}

interface Schema {
  safeParse(value: unknown): { data?: unknown; error?: { issues: unknown[] } | undefined }
}
type Find = (body: Reply['body']) => unknown

const data: Find = (body) => body.data
const message: Find = (body) => body.data.message
const user: Find = (body) => body.user
const shapes: [path: RegExp, schema: Schema, find: Find][] = [
  [/^\/api\/chats$/, wire.conversation, data],
  [/^\/api\/chats\/\d+\/(messages|around|search)$/, wire.listedMessage, data],
  [/^\/api\/chats\/\d+\/(message|attach)$/, wire.message, message],
  [/^\/api\/chats\/\d+\/members$/, wire.person, data],
  [/^\/api\/auth\/(me|login)$/, wire.account, user],
  [/^\/api\/departments$/, wire.department, data],
  [/^\/api\/org\/tree$/, wire.treeNode, data],
]
