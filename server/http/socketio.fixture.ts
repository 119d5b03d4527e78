/** For tests: socket.io on a port of ours, with stock clients and raw ones. */
import { io, type Socket } from 'socket.io-client'
import { expect } from 'vitest'
import { WebSocket } from 'ws'
import { until } from '../../test/chat.ts'
import { createKeeper, type Keeper } from './keeper.ts'
import { ProblemError } from './problems.ts'
import { createProxies } from './proxies.ts'
import { createHttpServer, type HttpServer } from './server.ts'
import { createSocketIo, encodeSocketIoEvent, joinEvents } from './socketio.ts'
import type { Ack, SocketIo, SocketIoConnection, SocketIoEvents, SocketIoHost } from './socketio.ts'
import { createTestClock, type TestClock } from './test-clock.fixture.ts'
import { createUpgrades } from './upgrades.ts'
import { createWebSockets } from './websocket.ts'

export const budgetBytes = 256 * 1024
export const transportsEach = [[['polling']], [['websocket']], [['polling', 'websocket']]]
export const finalTransports = [[['polling']], [['websocket']]]

/** One that joined, with what it told. */
export interface Opened {
  connection: SocketIoConnection
  told: unknown[][]
  closed: number
}

export interface Scene {
  server: HttpServer
  clock: TestClock
  keeper: Keeper
  socketIo: SocketIo
  url: string
  opened: Opened[]
  abandoned: number
  /** Lines of the log. */
  lines: string[]
  onEvent(name: string, args: unknown[], ack: Ack | null): void
  onOpen(connection: SocketIoConnection): void
  /** Each request for an upgrade. */
  onUpgrade(request: object): void
  /** What the next who joins waits for. */
  gate: Promise<unknown>
  /** A stock client, not awaited; it goes with the scene. */
  start(options?: object): Socket
  connect(transports?: string[], auth?: object): Promise<Client>
  /** A WebSocket that engine.io knows, and which has not joined. */
  openRaw(): Promise<Raw>
  /** The same by polling: its address. */
  greet(): Promise<string>
  close(): Promise<void>
}

export interface Client {
  socket: Socket
  heard: unknown[]
  connection: SocketIoConnection
  told: unknown[][]
  closedCount(): number
  reasons: string[]
}

export interface Raw {
  ws: WebSocket
  heard: string[]
  isKnown(): Promise<boolean>
}

export async function openScene(options: { joinTimeoutMs?: number; closeTimeoutMs?: number } = {}): Promise<Scene> {
  const clock = createTestClock()
  const keeper = createKeeper({ clock })
  const server = createHttpServer()
  const lines: string[] = []
  const log = { warn: () => {}, error: (text: string) => void lines.push(text) }
  const upgrades = createUpgrades({
    problems: server.problems,
    proxies: createProxies([]),
    websockets: createWebSockets({ keeper }),
    log,
  })
  const socketIo = createSocketIo({ http: server, upgrades, keeper, log, budgetBytes, closeTimeoutMs: 100, ...options })
  const clients: { close(): unknown }[] = []
  const scene: Scene = {
    ...{ server, clock, keeper, socketIo, lines, url: '', opened: [], abandoned: 0, gate: Promise.resolve() },
    onEvent: () => {},
    onOpen: () => {},
    onUpgrade: () => {},
    start(options = {}) {
      const socket = io(scene.url, { forceNew: true, ...options })
      clients.push(socket)
      return socket
    },
    connect: (transports = ['polling', 'websocket'], auth = {}) => connect(scene, transports, auth),
    async openRaw() {
      const raw = await openRaw(scene.url)
      clients.push({ close: () => raw.ws.terminate() })
      return raw
    },
    async greet() {
      const text = await (await fetch(`${scene.url}${polling}`)).text()
      return `${scene.url}${polling}&sid=${JSON.parse(text.slice(1)).sid}`
    },
    async close() {
      for (const client of clients) client.close()
      socketIo.stop()
      await keeper.closeAll(1012, 'over', 0)
      await server.close({ graceMs: 0 })
      keeper.stop()
    },
  }
  server.onUpgrade((request, socket, head) => {
    scene.onUpgrade(request)
    upgrades.handle(request, socket, head)
  })
  socketIo.serve(hostOf(scene))
  scene.url = `http://127.0.0.1:${(await server.listen([{ host: '127.0.0.1', port: 0 }]))[0]!}`
  return scene
}

const polling = '/socket.io/?EIO=4&transport=polling'

function hostOf(scene: Scene): SocketIoHost {
  return {
    async admit({ headers, remoteAddress }) {
      expect(remoteAddress).toBe('127.0.0.1')
      if (headers['x-away']) throw new ProblemError({ kind: 'unavailable', retryAfterS: 7 })
    },
    async join(auth, remoteAddress) {
      expect(remoteAddress).toBe('127.0.0.1')
      await scene.gate
      const { name } = auth as { name?: string }
      if (name === 'nobody') return { refused: 'not you' }
      if (name === 'later') throw new ProblemError({ kind: 'too_many' })
      if (name === 'fault') throw new Error('a fault')
      return { open: (connection) => open(scene, connection), abandon: () => void scene.abandoned++ }
    },
    isPassing: (error) => error instanceof ProblemError,
  }
}

function open(scene: Scene, connection: SocketIoConnection): SocketIoEvents {
  const one: Opened = { connection, told: [], closed: 0 }
  scene.opened.push(one)
  scene.onOpen(connection)
  return {
    onEvent(name, args, ack) {
      one.told.push([name, ...args])
      scene.onEvent(name, args, ack)
    },
    onClose: () => void one.closed++,
  }
}

async function connect(scene: Scene, transports: string[], auth: object): Promise<Client> {
  const before = scene.opened.length
  const socket = scene.start({ transports, auth, reconnectionDelay: 20 })
  const heard: unknown[] = []
  const reasons: string[] = []
  socket.onAny((name, data) => heard.push(name === 'n' ? data : name))
  socket.on('disconnect', (reason) => reasons.push(reason))
  await until('the connection', () => socket.connected && scene.opened.length > before)
  const one = scene.opened.at(-1)!
  return { socket, heard, connection: one.connection, told: one.told, reasons, closedCount: () => one.closed }
}

async function openRaw(url: string): Promise<Raw> {
  const ws = new WebSocket(`${url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`)
  const heard: string[] = []
  ws.on('message', (data: Buffer) => heard.push(data.toString()))
  ws.on('error', () => {})
  await until('the greeting', () => heard.length > 0)
  const { sid } = JSON.parse(heard[0]!.slice(1)) as { sid: string }
  /** engine.io's code 1: "Session ID unknown". */
  const isKnown = async () => ((await (await fetch(`${url}${polling}&sid=${sid}`)).json()) as { code: number }).code !== 1
  return { ws, heard, isKnown }
}

interface Tcp {
  write(...chunk: unknown[]): boolean
  pause(): void
  resume(): void
}

/** The socket below a WebSocket of `ws`, which hides it. */
export function tcpOf(ws: object): Tcp {
  // oxlint-disable-next-line no-underscore-dangle -- its own name
  return (ws as { _socket: Tcp })._socket
}

/** The socket below a stock client that has a WebSocket. */
export function tcpBelow(socket: Socket): Tcp {
  return tcpOf((socket.io.engine.transport as unknown as { ws: object }).ws)
}

/** What the connection hides, and of it what is hidden. */
export interface TestEngine {
  server: { opts: { pingInterval: number; pingTimeout: number } }
  transport: { name: string; socket: object }
  on(name: 'packetCreate', listener: (packet: { type: string }) => void): void
}

export function engineOf(connection: SocketIoConnection): TestEngine {
  return (connection as unknown as { engine: TestEngine }).engine
}

export const events = (...numbers: unknown[]) => joinEvents(numbers.map((number) => encodeSocketIoEvent('n', number)))
