/**
 * socket.io beside the other transports, on the one port: it does the handshake, polling, the upgrade and acks. Who may not come at all
 * is answered before it, who may not join by its `connect_error`.
 */
import { createServer, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import type { Socket as TcpSocket } from 'node:net'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { Server, type ServerOptions, type Socket } from 'socket.io'
import { WebSocketServer, type ServerOptions as WebSocketOptions } from 'ws'
import { problemOf } from './answering.ts'
import { EngineConnection, findConnection } from './engine-connection.ts'
import type { Engine, EngineContext, SocketIoAcceptance } from './engine-connection.ts'
import { frameTexts } from './frames.ts'
import { refuse } from './handshake.ts'
import { ProblemError, pathOf } from './problems.ts'
import type { HttpServer } from './server.ts'
import type { Upgrades } from './upgrades.ts'

export type { Ack, SocketIoAcceptance, SocketIoConnection, SocketIoEvents } from './engine-connection.ts'

export interface SocketIoOptions extends Partial<Pick<EngineContext, 'budgetBytes' | 'closeTimeoutMs'>> {
  http: HttpServer
  upgrades: Upgrades
  keeper: EngineContext['keeper']
  log: EngineContext['log']
  /** A17: 64 KiB by default, for a WebSocket's message (1009) and for a polling client's POST (413). */
  messageBytesMax?: number
  /** 10 s by default: who has not joined by then is closed. Long enough for a slow line and for what a join itself waits for (5 s). */
  joinTimeoutMs?: number
}

export interface Handshake {
  headers: IncomingHttpHeaders
  /** The client's, behind trusted proxies too (A12). */
  remoteAddress: string
  /** As the client named it; compare it with the Origin's (A5). */
  host: string
}

/** For good: the client gets a `connect_error` with these words, and stock clients do not try again. */
export interface SocketIoRefusal {
  refused: string
}

export interface SocketIoHost {
  /** Before each handshake. What it throws is answered as an error of the path's dialect, and may pass (429, 503). */
  admit(handshake: Handshake): Promise<void>
  /** `auth` is what the client says of itself. What it throws may pass: the transport is closed, and stock clients come back. */
  join(auth: unknown, remoteAddress: string): Promise<SocketIoAcceptance | SocketIoRefusal>
  /** Whether what `join` threw is nobody's fault here, and needs no line in the log. */
  isPassing(error: unknown): boolean
}

export interface SocketIo {
  /** Serves `/socket.io/`, and socket.io's client there. Once, before the server listens. */
  serve(host: SocketIoHost): void
  /** From now on every handshake is a 503, and who has not joined is closed: stopping. Who has is the keeper's to close. */
  stop(): void
}

/** The text of an event that the server sends to many, to be joined by `joinEvents`. Pure. */
export function encodeSocketIoEvent(name: string, ...args: unknown[]): string {
  return `42${JSON.stringify([name, ...args])}`
}

/** A whole number of events for `SocketIoConnection.write`. Pure. */
export const joinEvents = frameTexts

export const socketIoPath = '/socket.io/'
const clientFile = /^socket\.io(\.msgpack|\.esm)?(\.min)?\.js(\.map)?$/
const budgetBytesDefault = 1024 * 1024

export function createSocketIo(options: SocketIoOptions): SocketIo {
  const { http, upgrades, keeper, log, budgetBytes = budgetBytesDefault, closeTimeoutMs = 2_000 } = options
  const { messageBytesMax = 64 * 1024, joinTimeoutMs = 10_000 } = options
  let isStopping = false
  let closeUnjoined = () => {}

  function serve(host: SocketIoHost): void {
    // Never listens: it is how socket.io is handed requests of servers that are not its own.
    const inner = createServer()
    const io = attach(inner, { messageBytesMax, closeTimeoutMs, joinTimeoutMs })
    const context = { keeper, log, budgetBytes, closeTimeoutMs, answerPing: createAnswerPing(budgetBytes) }
    io.engine.on('connection', (engine: Engine) => void new EngineConnection(engine, context))
    io.engine.on('flush', (engine: Engine) => findConnection(engine)?.flushed())
    io.use((socket, next) => void join(socket, next, { host, log, isStopping: () => isStopping }))
    io.on('connection', (socket) => openJoined(log, socket))
    const gate = { io, inner, check: createCheck(options, host, () => isStopping) }
    routeRequests(http, gate)
    closeUnjoined = () => {
      for (const engine of Object.values(clientsOf(io))) if (!findConnection(engine)?.isLive) engine.close()
    }
    upgrades.routeRaw(socketIoPath, (request, socket, head) => void takeUpgrade(http, gate, { request, socket, head }))
  }

  function stop(): void {
    isStopping = true
    closeUnjoined()
  }

  return { serve, stop }
}

type InnerServer = ReturnType<typeof createServer>

type Bounds = Required<Pick<SocketIoOptions, 'messageBytesMax' | 'closeTimeoutMs' | 'joinTimeoutMs'>>

function attach(inner: InnerServer, options: Bounds): Server {
  const io = new Server(inner, {
    path: socketIoPath,
    connectTimeout: options.joinTimeoutMs,
    destroyUpgrade: false,
    maxHttpBufferSize: options.messageBytesMax,
    perMessageDeflate: false,
    wsEngine: boundedServer(options.closeTimeoutMs) as ServerOptions['wsEngine'],
  })
  // Each client would be put into a room of its own, but nothing is sent by rooms: the hub has its own.
  io.of('/').adapter.addAll = () => {}
  return io
}

/** As websocket.ts bounds them: what a message in tiny pieces can hold, how long a close may take, and pongs that nobody reads. */
function boundedServer(closeTimeoutMs: number): unknown {
  return class extends WebSocketServer {
    constructor(given: WebSocketOptions) {
      const bounds = { autoPong: false, closeTimeout: closeTimeoutMs, maxFragments: 1024, maxBufferedChunks: 1024 }
      super({ ...given, ...bounds })
    }

    override handleUpgrade(...[request, socket, head, done]: Parameters<WebSocketServer['handleUpgrade']>): void {
      releaseRequest(socket as TcpSocket)
      super.handleUpgrade(request, socket, head, done)
    }
  }
}

/**
 * By its listener engine.io would keep the request for as long as the socket lives, for middleware that waits for a response's end; there is
 * none. It is the newest: ws has not got the socket yet.
 */
function releaseRequest(socket: TcpSocket): void {
  const newest = socket.rawListeners('close').at(-1)
  if (newest !== undefined) socket.off('close', newest as () => void)
}

function createAnswerPing(budgetBytes: number): EngineContext['answerPing'] {
  return function (data) {
    if (this.bufferedAmount < budgetBytes) this.pong(data)
  }
}

// ----------------------------------------------------------------------------------------------------------- who may come

const kAddress = Symbol('address')
/** The first request of a client, which socket.io keeps. */
type FirstRequest = IncomingMessage & { [kAddress]?: string }

type Check = (request: FirstRequest) => Promise<void>

function createCheck({ http: { proxies } }: SocketIoOptions, host: SocketIoHost, isStopping: () => boolean): Check {
  return async (request) => {
    if (isStopping()) throw new ProblemError({ kind: 'unavailable', retryAfterS: 1 })
    const remoteAddress = proxies.clientAddress(request)
    request[kAddress] = remoteAddress
    await host.admit({ headers: request.headers, remoteAddress, host: proxies.hostOf(request) })
  }
}

interface Gate {
  io: Server
  inner: InnerServer
  check: Check
}

/** Read as engine.io does it, or a handshake could pass for a client that is known. Undefined and empty: a handshake. */
function sidOf({ url = '' }: IncomingMessage): string | undefined {
  return Object.fromEntries(new URL(url, 'https://socket.io').searchParams)['sid']
}

/** In a hook, so that no body is read before socket.io does. */
function routeRequests({ app }: HttpServer, gate: Gate): void {
  // engine.io answers a HEAD with a 500.
  const route = { schema: { hide: true }, exposeHeadRoute: false, handler: async () => {} }
  const onRequest = async (request: FastifyRequest, reply: FastifyReply) => serveEngine(gate, request, reply)
  app.route({ ...route, method: ['GET', 'POST'], url: socketIoPath, onRequest })
  app.route<{ Params: { file: string } }>({
    ...route,
    method: 'GET',
    url: `${socketIoPath}:file`,
    onRequest: async (request, reply) => {
      if (!clientFile.test(request.params.file)) throw new ProblemError({ kind: 'not_found' })
      handOver(gate, request, reply)
    },
  })
}

/** A poll is handed over at once: unheard, its end would be missed. */
async function serveEngine(gate: Gate, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const sid = sidOf(request.raw)
  if (!sid) await gate.check(request.raw)
  else if (request.method === 'POST') await readingOf(gate, sid)
  if (request.raw.destroyed) reply.hijack()
  else handOver(gate, request, reply)
}

/** What is used of engine.io beyond its types. */
interface EngineInside {
  clients: Record<string, Engine>
}

function clientsOf({ engine }: Server): EngineInside['clients'] {
  return (engine as unknown as EngineInside).clients
}

/** A12: what a client over its limit posts waits unread. */
function readingOf({ io }: Gate, sid: string): Promise<void> | null {
  const clients = clientsOf(io)
  const engine = Object.hasOwn(clients, sid) ? clients[sid] : undefined
  return (engine && findConnection(engine)?.reading()) ?? null
}

function handOver({ inner }: Gate, { raw }: FastifyRequest, reply: FastifyReply): void {
  // The router takes percent-encoding that socket.io does not.
  if (!raw.url?.startsWith(socketIoPath)) throw new ProblemError({ kind: 'not_found' })
  reply.hijack()
  for (const [name, value] of Object.entries(reply.getHeaders())) if (value !== undefined) reply.raw.setHeader(name, value)
  inner.emit('request', raw, reply.raw)
}

interface Upgrade {
  request: IncomingMessage
  socket: TcpSocket
  head: Buffer
}

async function takeUpgrade({ problems }: HttpServer, { inner, check }: Gate, { request, socket, head }: Upgrade): Promise<void> {
  const path = pathOf(request.url ?? '')
  try {
    if (path !== socketIoPath) throw new ProblemError({ kind: 'not_found' })
    if (!sidOf(request)) await check(request)
  } catch (error) {
    if (!socket.destroyed) refuse(socket, problems.toAnswer(problemOf(error), { method: 'GET', path }))
    return
  }
  if (!socket.destroyed) inner.emit('upgrade', request, socket, head)
}

// ----------------------------------------------------------------------------------------------------------- who may join

type Next = (error?: Error) => void

interface Entrance {
  host: SocketIoHost
  log: EngineContext['log']
  isStopping: () => boolean
}

/** socket.io looks by itself whether the client is still there once `next` is called. */
async function join(socket: Socket, next: Next, { host, log, isStopping }: Entrance): Promise<void> {
  const connection = findConnection(socket.conn)!
  const refuse = (words: string) => {
    connection.countRefusal()
    next(new Error(words))
  }
  if (!connection.startJoining()) return refuse('already connected')
  try {
    const outcome = await host.join(socket.handshake.auth, (socket.request as FirstRequest)[kAddress] ?? '')
    if ('refused' in outcome) {
      connection.stopJoining()
      return refuse(outcome.refused)
    }
    if (isStopping()) connection.close()
    connection.accept(outcome)
  } catch (error) {
    if (!host.isPassing(error)) log.error('a client could not join', error)
    connection.close()
  }
  next()
}

function openJoined(log: EngineContext['log'], socket: Socket): void {
  const connection = findConnection(socket.conn)!
  try {
    connection.open(socket)
  } catch (error) {
    log.error('opening a connection failed', error)
    connection.close()
  }
}
