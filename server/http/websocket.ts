/**
 * WebSocket connections over `ws`: it does the handshake and reads frames; what goes out is written to the socket directly, as bytes that
 * are shared by all who get them.
 */
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { WebSocketServer } from 'ws'
import type { WebSocket } from 'ws'
import { Pipe } from './pipe.ts'
import type { Outlet, PipeOptions } from './pipe.ts'
import { silentLog } from './problems.ts'
import type { Log } from './problems.ts'

/** A live client's pipe. Ends itself with 1013 past its budget; `close` sends a close frame with a `reason` of at most 123 bytes. */
export interface Connection extends Outlet {
  /** We ended it: what it still holds is not wanted any more. A peer that has left has sent what it sent. */
  readonly isEnded: boolean
  /** A12: stops reading. What had been read is kept and comes after `resume`, in order; so does the end, if it comes meanwhile. */
  pause(): void
  resume(): void
}

/** What a connection tells. Called one at a time, and never before the acceptance's `open` has returned. */
export interface ConnectionEvents {
  /** An error thrown here closes this connection with 1011. Valid UTF-8; may hold U+0000 (see `isSafeText`). */
  onText(text: string): void
  /** Its own from then on. Binary frames are ignored without it. */
  onBinary?(bytes: Buffer): void
  /** Once, at last: the socket is gone, whoever ended it. */
  onClose(): void
}

/** A17: a longer message ends the connection with 1009. */
const messageBytesMax = 64 * 1024

export interface WebSocketsOptions extends PipeOptions {
  /** Silent by default. */
  log?: Log
  /** How long a close handshake may take: 2 s by default. */
  closeTimeoutMs?: number
}

export interface WebSockets {
  /** Completes a checked handshake. `open` gets the connection before anything is read from it and says who listens. */
  accept(request: IncomingMessage, socket: Socket, head: Buffer, open: (connection: Connection) => ConnectionEvents): void
}

export function createWebSockets(options: WebSocketsOptions): WebSockets {
  const { keeper, log = silentLog, closeTimeoutMs = 2_000 } = options
  const context: Context = { ...options, keeper, log }
  // Newer than the types: closeTimeout, maxFragments, maxBufferedChunks. The last two bound what a message in tiny pieces can hold.
  const wsOptions = {
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    skipUTF8Validation: false,
    autoPong: false,
    maxPayload: messageBytesMax,
    closeTimeout: closeTimeoutMs,
    maxFragments: 1024,
    maxBufferedChunks: 1024,
  }
  const server = new WebSocketServer(wsOptions)

  return {
    accept(request, socket, head, open) {
      server.handleUpgrade(request, socket, head, (ws) => {
        const connection = new WebSocketConnection(ws, socket, context)
        connection.listen(open(connection))
      })
    },
  }
}

/** Shared by all connections. */
interface Context extends PipeOptions {
  log: Log
}

const pingFrame = Buffer.from([0x89, 0])
/** `ws`'s readyState OPEN. */
const openState = 1
const failed = { code: 1011, reason: 'internal error' }
const tooSlow = { code: 1013, reason: 'reader too slow' }

const kConnection = Symbol('connection')
/** A `ws` socket that knows its connection, so that all share the same listeners. */
type OwnedSocket = WebSocket & { [kConnection]: WebSocketConnection }

/** A class, as there are tens of thousands: methods are shared. */
class WebSocketConnection extends Pipe<Context> implements Connection {
  /** What was read in the same gulp as the frame at which reading paused. */
  private held: (string | Buffer)[] | null = null
  private isGone = false
  /** We ended it: what still comes in is not looked at. */
  private isDeaf = false
  private events: ConnectionEvents | null = null
  private readonly ws: OwnedSocket

  constructor(ws: WebSocket, socket: Socket, context: Context) {
    super(socket, context)
    this.ws = ws as OwnedSocket
  }

  listen(events: ConnectionEvents): void {
    this.events = events
    this.ws[kConnection] = this
    this.ws.on('message', onMessage).on('ping', onPing).on('pong', onPong).on('close', onClose).on('error', onError)
    if (this.isOpen) this.options.keeper.add(this)
  }

  get isOpen(): boolean {
    return this.ws.readyState === openState
  }

  get isEnded(): boolean {
    return this.isDeaf
  }

  close(code: number, reason: string): void {
    this.isDeaf = true
    this.held = null
    if (this.isOpen) this.ws.close(code, reason)
    // A paused socket would not see the peer's answer.
    this.ws.resume()
    if (this.isGone) this.tellClosed()
  }

  endSlow(): void {
    this.fault = 'too_slow'
    this.close(tooSlow.code, tooSlow.reason)
  }

  terminate(): void {
    this.fault = 'silent'
    this.isDeaf = true
    this.held = null
    this.ws.terminate()
  }

  ping(): void {
    this.write(pingFrame)
  }

  /** Through `write`, so that pongs a client does not read count as what they are. */
  pong(data: Buffer): void {
    this.write(Buffer.concat([Buffer.from([0x8a, data.length]), data]))
  }

  pause(): void {
    if (this.isPaused) return
    this.isPaused = true
    this.ws.pause()
  }

  resume(): void {
    if (!this.isPaused) return
    this.isPaused = false
    this.unanswered = 0
    this.releaseHeld()
    if (!this.isPaused) this.ws.resume()
  }

  receive(message: string | Buffer): void {
    this.unanswered = 0
    if (this.isDeaf) return
    if (this.isPaused) (this.held ??= []).push(message)
    else this.hand(message)
  }

  /** The peer's last word may come while its frames wait: they come first. */
  ended(): void {
    this.isGone = true
    this.options.keeper.remove(this)
    if (this.held === null) this.tellClosed()
  }

  /** One listener's mistake must not end the process for all. */
  private hand(message: string | Buffer): void {
    try {
      if (typeof message === 'string') this.events?.onText(message)
      else this.events?.onBinary?.(message)
    } catch (error) {
      this.options.log.error('a frame could not be taken', error)
      this.close(failed.code, failed.reason)
    }
  }

  private releaseHeld(): void {
    // Taken out one by one: whoever gets one may pause, resume or close before the next.
    while (this.held !== null && !this.isPaused) {
      const message = this.held.shift()
      if (message === undefined) this.held = null
      else this.hand(message)
    }
    if (this.isGone && this.held === null) this.tellClosed()
  }

  private tellClosed(): void {
    const { events } = this
    this.events = null
    events?.onClose()
  }
}

function onMessage(this: WebSocket, data: unknown, isBinary: boolean): void {
  // `ws` hands over one Buffer (its binaryType `nodebuffer`), a view of what the socket read.
  const bytes = data as Buffer
  ;(this as OwnedSocket)[kConnection].receive(isBinary ? Buffer.from(bytes) : bytes.toString('utf8'))
}

function onPing(this: WebSocket, data: Buffer): void {
  ;(this as OwnedSocket)[kConnection].pong(data)
}

function onPong(this: WebSocket): void {
  ;(this as OwnedSocket)[kConnection].unanswered = 0
}

function onClose(this: WebSocket): void {
  ;(this as OwnedSocket)[kConnection].ended()
}

/** Broken frames: `ws` closes with the right code by itself, and a reset socket needs no one. Only unhandled it would end the process. */
function onError(): void {}
