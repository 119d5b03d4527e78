/**
 * One socket.io client's way out and in. What goes out passes through engine.io's own queue, so that it keeps its order with acks, pings
 * and the upgrade: over a WebSocket as frames that are shared by all who get them, before that packet by packet.
 */
import type { Socket } from 'socket.io'
import type { WebSocket } from 'ws'
import { splitTexts } from './frames.ts'
import type { Keeper, Kept } from './keeper.ts'
import type { Fault, Outlet } from './pipe.ts'
import type { Log } from './problems.ts'

/** A socket.io client's pipe. A close sends no DISCONNECT, so stock clients come back (W2). */
export interface SocketIoConnection extends Outlet {
  /** A12: stops reading; what had been read still comes. */
  pause(): void
  resume(): void
}

/** What a client tells, one at a time, and never before the acceptance's `open` has returned. */
export interface SocketIoEvents {
  /** `args` is whatever JSON can hold, and bytes; `ack` is null where the client asked for none. What is thrown closes the connection. */
  onEvent(name: string, args: unknown[], ack: Ack | null): void
  /** Once, at last. */
  onClose(): void
}

export type Ack = (answer: object) => void

/** One of the two is called. */
export interface SocketIoAcceptance {
  /** Right after the client was told that it is connected; it says who listens. */
  open(connection: SocketIoConnection): SocketIoEvents
  /** It comes to no connection: the client has gone meanwhile. */
  abandon(): void
}

/** Shared by all connections. */
export interface EngineContext {
  keeper: Keeper
  log: Log
  /** Bytes that may wait for a slow reader. */
  budgetBytes: number
  /** How long what was written may take to leave once the connection is closed. */
  closeTimeoutMs: number
}

type Engine = Socket['conn']
/** Typed only in part: a frame may come built, as parts to be written as they are. */
type SendOptions = { compress: boolean; wsPreEncodedFrame?: Uint8Array[] }
type Packet = { data?: unknown; options?: SendOptions }
/** What is used of engine.io beyond its types; socketio.test.ts holds it. */
interface EngineInside {
  onClose(reason: string): void
  transport: { socket: WebSocket }
}

const kConnection = Symbol('connection')
/** An engine.io socket that knows its connection, so that all share the same listeners. */
type OwnedEngine = Engine & { [kConnection]?: EngineConnection | undefined }

const empty = Buffer.alloc(0)

/** From when a client asks to join; undefined before, and once it was refused. */
export function findConnection(engine: Engine): EngineConnection | undefined {
  return (engine as OwnedEngine)[kConnection]
}

export function forgetConnection(engine: Engine): void {
  ;(engine as OwnedEngine)[kConnection] = undefined
}

/** A class, as there are tens of thousands: methods are shared. */
export class EngineConnection implements SocketIoConnection, Kept {
  isPaused = false
  unanswered = 0
  waitingSinceMs = 0
  slice = -1
  place = -1
  fault: Fault | null = null
  private readonly engine: Engine
  private readonly context: EngineContext
  /** Until it opens. */
  private acceptance: SocketIoAcceptance | null = null
  private events: SocketIoEvents | null = null
  /** In engine.io's queue. */
  private bufferedBytes = 0
  private whenResumed: (() => void)[] = []

  constructor(engine: Engine, context: EngineContext) {
    this.engine = engine
    this.context = context
    ;(engine as OwnedEngine)[kConnection] = this
  }

  /** socket.io is about to tell the client. */
  accept(acceptance: SocketIoAcceptance): void {
    if (!this.isOpen) return acceptance.abandon()
    this.acceptance = acceptance
    this.engine.once('close', onClose)
  }

  /** It has told the client. */
  open(socket: Socket): void {
    const { acceptance, engine, context } = this
    if (acceptance === null) return
    this.acceptance = null
    engine.on('packetCreate', onPacketCreate).on('flush', onFlush).on('upgrade', onUpgrade)
    socket.onAny(onAny).once('disconnect', onDisconnect)
    forgetHandshake(socket)
    context.keeper.add(this)
    try {
      this.events = acceptance.open(this)
    } catch (error) {
      acceptance.abandon()
      throw error
    }
    // Closed before anybody listened, as where its token ends just now.
    if (engine.readyState === 'closed') this.ended()
  }

  /** Whether somebody listens, so that the keeper knows of it. */
  get isLive(): boolean {
    return this.events !== null
  }

  get isOpen(): boolean {
    return this.engine.readyState === 'open'
  }

  get queuedBytes(): number {
    return this.bufferedBytes + (this.findWebSocket()?.bufferedAmount ?? 0)
  }

  /** Null while it polls: a probing WebSocket carries nothing yet. */
  private findWebSocket(): WebSocket | null {
    const { transport } = this.engine
    return transport.name === 'websocket' ? (transport as unknown as EngineInside['transport']).socket : null
  }

  write(bytes: Uint8Array): void {
    if (!this.isOpen) return
    // Once there is a WebSocket it stays, so what is queued as frames leaves as frames.
    if (this.engine.transport.name === 'websocket') this.writeFrames(bytes)
    else for (const text of textsOf(bytes)) this.engine.write(text.slice(1))
  }

  private writeFrames(bytes: Uint8Array, onSent?: () => void): void {
    this.engine.write('', built(bytes), onSent)
  }

  /** A poll's answer that is under way is no longer counted: the next one comes when it was read. */
  drained(): Promise<void> {
    if (!this.isOpen || this.queuedBytes === 0) return Promise.resolve()
    const { engine } = this
    return new Promise((resolve) => {
      const finish = () => {
        engine.off('close', finish).off('drain', finish)
        resolve()
      }
      engine.once('close', finish)
      if (engine.transport.name === 'websocket') this.writeFrames(empty, finish)
      else engine.once('drain', finish)
    })
  }

  close(): void {
    if (!this.isOpen) return
    this.resume()
    this.engine.close()
    setTimeout(() => this.terminate(), this.context.closeTimeoutMs).unref()
  }

  endSlow(): void {
    this.fault = 'too_slow'
    this.terminate()
  }

  terminate(): void {
    this.findWebSocket()?.terminate()
    this.engine.transport.discard()
    ;(this.engine as unknown as EngineInside).onClose('forced close')
    this.resume()
  }

  /** engine.io pings by itself. */
  ping(): void {
    this.unanswered = 0
  }

  pause(): void {
    this.isPaused = true
    this.findWebSocket()?.pause()
  }

  resume(): void {
    if (!this.isPaused) return
    this.isPaused = false
    this.findWebSocket()?.resume()
    for (const resolve of this.whenResumed.splice(0)) resolve()
  }

  /** For what a polling client sends: reading it waits until then. */
  reading(): Promise<void> | null {
    return this.isPaused ? new Promise((resolve) => this.whenResumed.push(resolve)) : null
  }

  /** One listener's mistake must not end the process for all. */
  receive(name: string, args: unknown[]): void {
    const ack = typeof args.at(-1) === 'function' ? (args.pop() as Ack) : null
    try {
      if (this.isOpen) this.events?.onEvent(name, args, ack)
    } catch (error) {
      this.context.log.error('an event could not be taken', error)
      this.close()
    }
  }

  /**
   * Whatever is about to be queued, acks too: a client may ask and never read the answers. An empty queue takes one packet of any size,
   * and what is empty, as the mark that `drained` waits for, fits behind it.
   */
  count(packet: Packet): void {
    const before = this.queuedBytes
    const bytes = sizeOf(packet)
    if (before > 0 && bytes > 0 && before + bytes > this.context.budgetBytes) return this.endSlow()
    this.bufferedBytes += bytes
    // What had emptied and waits again begins a new wait: a reader that keeps up is never taken for a slow one.
    if (before === 0) this.context.keeper.watch(this)
  }

  flushed(): void {
    this.bufferedBytes = 0
  }

  upgraded(): void {
    if (this.isPaused) this.findWebSocket()?.pause()
  }

  ended(): void {
    this.context.keeper.remove(this)
    this.resume()
    const { events, acceptance } = this
    this.events = this.acceptance = null
    acceptance?.abandon()
    events?.onClose()
  }
}

/** socket.io keeps a client's first request for whoever asks for it, which is nobody here. Idle, a connection takes 12.7 KB without and 17.8 with it. */
function forgetHandshake(socket: Socket): void {
  Object.assign(socket.conn, { request: undefined })
  Object.assign(socket, { handshake: undefined })
}

function sizeOf({ data, options }: Packet): number {
  const frames = options?.wsPreEncodedFrame
  if (frames) return frames[0]!.length
  return typeof data === 'string' ? Buffer.byteLength(data) : 0
}

function built(bytes: Uint8Array): SendOptions {
  return { compress: false, wsPreEncodedFrame: [bytes] }
}

/** The hub hands the same bytes to one session after the other. */
let lastSplit: { bytes: Uint8Array; texts: string[] } = { bytes: empty, texts: [] }

function textsOf(bytes: Uint8Array): string[] {
  if (lastSplit.bytes !== bytes) lastSplit = { bytes, texts: splitTexts(bytes) }
  return lastSplit.texts
}

function onPacketCreate(this: Engine, packet: Packet): void {
  findConnection(this)?.count(packet)
}

function onFlush(this: Engine): void {
  findConnection(this)?.flushed()
}

function onUpgrade(this: Engine): void {
  findConnection(this)?.upgraded()
}

function onClose(this: Engine): void {
  findConnection(this)?.ended()
}

function onAny(this: Socket, name: string, ...args: unknown[]): void {
  findConnection(this.conn)?.receive(name, args)
}

/** Who leaves has nothing else to do here; and who only said so must not stay. */
function onDisconnect(this: Socket): void {
  findConnection(this.conn)?.close()
}
