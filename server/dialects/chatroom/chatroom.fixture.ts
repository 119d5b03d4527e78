/** For tests: callers of this door by HTTP. Every answer is held against the schemas of wire.ts, failures too. */
import { expect } from 'vitest'
import { call as callServer, enroll, type Person, type Reply } from '../../../test/clients.ts'
import { startServer, type ServerOptions, type TestServer } from '../../../test/harness.ts'
import * as wire from './wire.ts'

export { asHost, signToken, type Person, type Reply } from '../../../test/clients.ts'

/** A header set that says who calls. */
export type Credential = Record<string, string>

export interface ChatroomServer {
  server: TestServer
  /** `route`: `POST /api/chatrooms`; an object is sent as JSON, a string and bytes as they are. */
  call: (route: string, as?: Credential, body?: unknown, headers?: Record<string, string>) => Promise<Reply>
  /** As `call`, of what must succeed: its body. */
  done: (route: string, as?: Credential, body?: unknown, headers?: Record<string, string>) => Promise<Reply['body']>
  /** Accounts that a host's tokens make on first touch. */
  people<Names extends string[]>(...names: Names): Promise<{ [Nth in keyof Names]: Person }>
  /** A room that the first of them made; its id. */
  room(members: Person[], name?: string): Promise<string>
  /** The message as it was answered. */
  send(roomId: string, author: Person, content: string, headers?: Record<string, string>): Promise<wire.MessageObject>
  stop(): Promise<void>
}

export const chatrooms = '/api/chatrooms'

export async function openChatroom(options: ServerOptions = {}): Promise<ChatroomServer> {
  const server = await startServer(options)

  async function call(route: string, as: Credential = {}, body?: unknown, headers: Record<string, string> = {}): Promise<Reply> {
    const reply = await callServer(server, route, body, { ...as, ...headers })
    if (!/^(HEAD|OPTIONS) /.test(route)) checkReply(route, reply)
    return reply
  }

  async function done(...given: Parameters<typeof call>): Promise<Reply['body']> {
    const reply = await call(...given)
    if (reply.status >= 300) throw new Error(`${given[0]}: ${reply.status} ${reply.text}`)
    return reply.body
  }

  return {
    server,
    call,
    done,
    async people(...names) {
      const made: Person[] = []
      for (const name of names) made.push(await enroll(server, name))
      return made as never
    },
    async room([creator, ...others], name = '마당') {
      const targetUserIds = others.map(({ username }) => username)
      return (await done(`POST ${chatrooms}`, creator!.bearer, { creatorId: creator!.username, targetUserIds, name })).roomId
    },
    send(roomId, author, content, headers) {
      return done(`POST ${chatrooms}/${roomId}/messages`, author.bearer, { userId: author.username, content }, headers)
    },
    stop: () => server.stop(),
  }
}

/** C4: a success has the status and the shape of its route, key for key, and a failure says why. */
function checkReply(route: string, { status, headers, text, body }: Reply): void {
  const where = `${route}: ${status} ${text.slice(0, 300)}`
  expect(headers.get('content-type'), where).toBe('application/json; charset=utf-8')
  const [expected, schema] = status >= 400 ? [status, wire.failure] : shapeOf(route)
  const parsed = schema.safeParse(body)
  expect(parsed.error?.issues, where).toBeUndefined()
  expect(JSON.stringify(body), where).toBe(JSON.stringify(parsed.data))
  expect(status, where).toBe(expected)
}

function shapeOf(route: string): [status: number, schema: Schema] {
  const bare = route.split('?')[0]!.replaceAll(chatrooms, '')
  const found = shapes.find(([pattern]) => pattern.test(bare))
  if (!found) throw new Error(`no shape for ${route}`)
  return [found[1], found[2]]
}

interface Schema {
  safeParse(value: unknown): { data?: unknown; error?: { issues: unknown[] } | undefined }
}

const shapes: [route: RegExp, status: number, schema: Schema][] = [
  [/^POST $/, 201, wire.room],
  [/^GET $/, 200, wire.roomList],
  [/^GET \/\d+$/, 200, wire.roomWithState],
  [/^DELETE \/\d+$/, 200, wire.removedRoom],
  [/^PATCH \/\d+\/name$/, 200, wire.room],
  [/^POST \/\d+\/connect$/, 200, wire.connected],
  [/^(POST \/\d+\/participants|PATCH \/\d+\/participants\/[^/]+\/(role|name))$/, 200, wire.changedParticipant],
  [/^DELETE \/\d+\/participants\/[^/]+$/, 200, wire.removedParticipant],
  [/^POST \/\d+\/messages$/, 201, wire.message],
  [/^GET \/\d+\/messages$/, 200, wire.messageList],
  [/^PATCH \/\d+\/messages\/\d+$/, 200, wire.message],
  [/^DELETE \/\d+\/messages\/\d+$/, 200, wire.removedMessage],
  [/^POST \/\d+\/messages\/\d+\/read$/, 200, wire.readMarker],
  [/^(POST|DELETE) \/\d+\/messages\/\d+\/reactions(\/[^/]+)?$/, 200, wire.reaction],
  [/^POST \/api\/auth\/tokens$/, 200, wire.login],
  [/^DELETE \/api\/auth\/tokens$/, 200, wire.endedLogin],
]
