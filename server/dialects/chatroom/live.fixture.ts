/** For tests: stock WebSocket clients of `/chat`. */
import { WebSocket } from 'ws'
import { until } from '../../../test/chat.ts'
import { enroll, refusal, settle, type Person, type Place, type Reply } from '../../../test/clients.ts'
import { chatrooms, openChatroom, asHost, type ChatroomServer } from './chatroom.fixture.ts'
import type { ServerOptions } from '../../../test/harness.ts'

export interface Frame {
  type: string
  roomId: string | null
  messageId?: string
  content?: string
  messages?: { messageId: string; userId: string; content: string; timestamp: string }[]
  cursor?: string
  [key: string]: unknown
}

export interface Client {
  socket: WebSocket
  frames: Frame[]
  closedWith: { code: number; reason: string } | null
  /** An object goes as JSON. */
  send(frame: object | string | Buffer): void
  /** Waits until this many frames of a type have come, and gives them. */
  have(type: string, count?: number): Promise<Frame[]>
  /** What this socket has shown of a room, in order: texts of its histories and messages. */
  textsIn(roomId: string): string[]
  /** The last cursor that came. */
  cursor(): string
  /** Resolves once what the server had sent to this client has come. */
  settled(): Promise<void>
  /** Resolves with how it was closed. */
  closed(): Promise<{ code: number; reason: string }>
  close(): Promise<void>
}

export interface Live extends ChatroomServer {
  /** Accounts whose tokens the registry knows. */
  signedIn(...names: string[]): Promise<Person[]>
  /** By the cookie; `query` with its question mark. */
  open(person: Person, query?: string): Promise<Client>
  refuse(path: string, headers?: Record<string, string>): Promise<Reply>
  connect(roomId: string, person: Person): Promise<Reply>
}

export async function openLive(options: ServerOptions = {}): Promise<Live> {
  const chatroom = await openChatroom(options)
  return { ...chatroom, ...clientsOf(chatroom) }
}

export function clientsOf({ server, done, call }: ChatroomServer): Omit<Live, keyof ChatroomServer> {
  return {
    async signedIn(...names) {
      const people: Person[] = []
      for (const name of names) people.push(await enroll(server, name))
      for (const { token } of people) await done('POST /api/auth/tokens', asHost, { token })
      return people
    },
    open: (person, query = '') => openClient(server, person.token, query),
    refuse: (path, headers) => refusal(server.wsUrl + path, headers),
    connect: (roomId, person) => call(`POST ${chatrooms}/${roomId}/connect`, person.bearer, { userId: person.username }),
  }
}

export async function openClient({ wsUrl }: Place, token: string, query = ''): Promise<Client> {
  const socket = new WebSocket(`${wsUrl}/chat${query}`, { headers: { cookie: `theme=dark; jwt_token=${token}; lang=ko` } })
  const client = listen(socket)
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))
  return client
}

function listen(socket: WebSocket): Client {
  const frames: Frame[] = []
  const client: Client = {
    socket,
    frames,
    closedWith: null,
    send: (frame) => socket.send(typeof frame === 'string' || Buffer.isBuffer(frame) ? frame : JSON.stringify(frame)),
    async have(type, count = 1) {
      const found = () => frames.filter((frame) => frame.type === type)
      await until(
        () => `${count} of ${type} (there are ${JSON.stringify(frames)})`,
        () => found().length >= count,
      )
      return found()
    },
    textsIn: (roomId) =>
      frames
        .filter((frame) => frame.roomId === roomId)
        .flatMap(({ type, content, messages = [] }) => (type === 'message' ? [content!] : messages.map((one) => one.content))),
    cursor: () => frames.findLast(({ cursor }) => cursor !== undefined)!.cursor!,
    settled: () => settle(socket),
    async closed() {
      await until('the close', () => client.closedWith !== null)
      return client.closedWith!
    },
    async close() {
      socket.close()
      await client.closed()
    },
  }
  socket.on('message', (data) => frames.push(JSON.parse((data as Buffer).toString('utf8')) as Frame))
  socket.on('close', (code, reason) => (client.closedWith = { code, reason: String(reason) }))
  socket.on('error', () => {})
  return client
}
