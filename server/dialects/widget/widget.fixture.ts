/** For tests: stock clients of this door. */
import jwt from 'jsonwebtoken'
import { io, type Socket } from 'socket.io-client'
import { until } from '../../../test/chat.ts'
import { testSecret, type TestServer } from '../../../test/harness.ts'
import type { MessageObject } from './wire.ts'

/** As a host's back end does it. */
export function signGuest(username: string, projectId: string, more: object = {}, secret = testSecret): string {
  return jwt.sign({ username, projectId, ...more }, secret)
}

/** An event as it came. */
export interface Heard {
  name: string
  // oxlint-disable-next-line typescript/no-explicit-any -- what came is what is being tested
  data: any
  cursor: string | undefined
}

export interface Guest {
  socket: Socket
  heard: Heard[]
  /** How often it connected. */
  connects: number
  /** Texts of `connect_error`. */
  refusals: string[]
  /** Waits until this many events have come. */
  have(count: number): Promise<Heard[]>
  /** The messages of all that came, in their order. */
  messages(): MessageObject[]
  contents(): string[]
  cursor(): string | undefined
  /** With an acknowledgement. */
  send(content: unknown, ...options: unknown[]): Promise<{ id?: number; error?: string }>
  ask(name: string, ...args: unknown[]): Promise<{ messages?: MessageObject[]; error?: string }>
  /** What the server had sent to this client has come. */
  settled(): Promise<unknown>
  close(): void
}

export type Transports = 'usual' | 'polling' | 'websocket'

const transportsOf = { usual: ['polling', 'websocket'], polling: ['polling'], websocket: ['websocket'] }

export interface GuestOptions {
  /** By polling first and the upgrade where nothing else is said, as clients do. */
  by?: Transports
  /** W8: at first; from then on the last cursor that came. */
  since?: unknown
  auth?: Record<string, unknown>
  headers?: Record<string, string>
  path?: string
}

const opened = new Set<Guest>()

/** Not awaited: it may be refused. */
export function openGuest({ url }: Pick<TestServer, 'url'>, token: string, options: GuestOptions = {}): Guest {
  const { by = 'usual', since, auth, headers = {}, path = '' } = options
  const says = () => auth ?? (since === undefined ? { token } : { token, since: guest.cursor() ?? since })
  const socket = io(url + path, {
    forceNew: true,
    transports: transportsOf[by],
    auth: (give) => give(says()),
    extraHeaders: headers,
    reconnectionDelay: 20,
    reconnectionDelayMax: 100,
  })
  const heard: Heard[] = []
  const guest: Guest = {
    socket,
    heard,
    connects: 0,
    refusals: [],
    async have(count) {
      await until(
        () => `${count} events (there are ${JSON.stringify(heard)})`,
        () => heard.length >= count,
      )
      return heard
    },
    messages: () => heard.flatMap(({ name, data }) => (name === 'history' ? data : name === 'chat message' ? [data] : [])),
    contents: () => guest.messages().map(({ content }) => content),
    cursor: () => heard.at(-1)?.cursor,
    send: (content, ...more) => socket.timeout(10_000).emitWithAck('chat message', content, ...more),
    ask: (name, ...args) => socket.timeout(10_000).emitWithAck(name, ...args),
    settled: () => guest.ask('older', {}),
    close: () => void socket.disconnect(),
  }
  socket.on('connect', () => (guest.connects += 1))
  socket.on('connect_error', ({ message }) => guest.refusals.push(message))
  socket.onAny((name: string, data: unknown, cursor?: string) => heard.push({ name, data, cursor }))
  opened.add(guest)
  return guest
}

/** Connected, and its history has come. */
export async function enterGuest(server: Pick<TestServer, 'url'>, token: string, options: GuestOptions = {}): Promise<Guest> {
  const guest = openGuest(server, token, options)
  await until('the history', () => guest.heard.some(({ name }) => name === 'history'))
  return guest
}

/** For afterEach. */
export function closeGuests(): void {
  for (const guest of opened) guest.close()
  opened.clear()
}
