/**
 * One socket.io client's way out and in. What goes out passes through engine.io's own queue, so that it keeps its order with acks, pings
 * and the upgrade: over a WebSocket as frames that are shared by all who get them, before that packet by packet.
 */
import type { Socket } from 'socket.io'
import type { WebSocket } from 'ws'
import { built, judged, packetsOf, sizeOf, type Packet } from './engine-packets.ts'
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
  /** Bytes that may wait for a slow reader who has joined. */
  budgetBytes: number
  /** How long what was written may take to leave once the connection is closed. */
  closeTimeoutMs: number
  /** A WebSocket's listener for pings. Those of who has not joined are not answered: what waits for him is bounded by what he asks. */
  answerPing: (this: WebSocket, data: Buffer) => void
}

export type Engine = Socket['conn']
/** What is used of engine.io beyond its types; socketio*.test.ts hold it. */
interface EngineInside {
  onClose(reason: string): void
  transport: { socket: WebSocket }
  /** Null while no ping waits for its answer. */
  pingTimeoutTimer: object | null
}

/** What answers who has not joined is short, but the name of a namespace comes back as it came. */
const unjoinedBudgetBytes = 64 * 1024
/** Of who may say something else of himself on the same connection: each refusal may cost a check of a token and a line in the log. */
const refusalsMax = 5

const kConnection = Symbol('connection')
/** An engine.io socket that knows its connection, so that all share the same listeners. */
type OwnedEngine = Engine & { [kConnection]?: EngineConnection | undefined }

const empty = Buffer.alloc(0)

/** From the handshake on. */
export function findConnection(engine: Engine): EngineConnection | undefined {
  return (engine as OwnedEngine)[kConnection]
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
  private stage: 'unjoined' | 'joining' | 'joined' = 'unjoined'
  private refusals = 0
  /** Until it opens. */
  private acceptance: SocketIoAcceptance | null = null
  private events: SocketIoEvents | null = null
  /** In engine.io's queue. */
  private bufferedBytes = 0
  private whenResumed: (() => void)[] | null = null

  constructor(engine: Engine, context: EngineContext) {
    this.engine = engine
    this.context = context
    ;(engine as OwnedEngine)[kConnection] = this
    engine.on('packetCreate', onPacketCreate).on('close', onClose)
    if (engine.transport.name !== 'websocket') engine.on('upgrade', onUpgrade)
  }

  /** The client asks to join. False where it has asked before. */
  startJoining(): boolean {
    if (this.stage !== 'unjoined') return false
    this.stage = 'joining'
    return true
  }

  /** Refused, it may say something else of itself on the same connection. */
  stopJoining(): void {
    this.stage = 'unjoined'
  }

  /** One too many closes it, untold. */
  countRefusal(): void {
    this.refusals += 1
    if (this.refusals > refusalsMax) this.close()
  }

  /** socket.io is about to tell the client. */
  accept(acceptance: SocketIoAcceptance): void {
    if (!this.isOpen) return acceptance.abandon()
    this.acceptance = acceptance
  }

  /** It has told the client. */
  open(socket: Socket): void {
    const { acceptance, engine, context } = this
    if (acceptance === null) return
    this.acceptance = null
    this.stage = 'joined'
    this.findWebSocket()?.on('ping', context.answerPing)
    socket.onAny(onAny).on('disconnect', onDisconnect)
    forgetHandshake(socket)
    context.keeper.add(this)
    try {
      this.events = acceptance.open(this)
    } catch (error) {
      acceptance.abandon()
      throw error
    }
    // Closed before anybody listened, as where its token ends just now.
    if (engine.readyState === 'closed') this.ended('')
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
    else this.writePackets(bytes)
  }

  /** Judged as a whole: where the queue is empty the packets behind the first pass as well. */
  private writePackets(bytes: Uint8Array): void {
    if (this.isPast(this.queuedBytes, bytes.length)) return this.endSlow()
    for (const packet of packetsOf(bytes)) this.engine.write(packet, judged)
  }

  /** Whether so much more is too much to wait. An empty queue takes any size, and what is empty fits behind anything. */
  private isPast(before: number, bytes: number): boolean {
    const budgetBytes = this.stage === 'joined' ? this.context.budgetBytes : unjoinedBudgetBytes
    return before > 0 && bytes > 0 && before + bytes > budgetBytes
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
    if (this.isPaused) return
    this.isPaused = true
    this.findWebSocket()?.pause()
    if ((this.engine as unknown as EngineInside).pingTimeoutTimer !== null) this.passPing()
  }

  /**
   * The client's answer to a ping stands behind what waits unread (A12), so while nobody reads engine.io is told that it has come; or it
   * would end the connection and, before that, send no further pings, by which the client knows that we are there.
   */
  private passPing(): void {
    this.engine.transport.emit('packet', { type: 'pong' })
  }

  resume(): void {
    if (!this.isPaused) return
    this.isPaused = false
    this.findWebSocket()?.resume()
    const waiting = this.whenResumed ?? []
    this.whenResumed = null
    for (const resolve of waiting) resolve()
  }

  /** For what a polling client sends: reading it waits until then. */
  reading(): Promise<void> | null {
    return this.isPaused ? new Promise((resolve) => (this.whenResumed ??= []).push(resolve)) : null
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

  /** Whatever is about to be queued, acks and refusals too: a client may ask and never read the answers. */
  count(packet: Packet): void {
    const before = this.queuedBytes
    const bytes = sizeOf(packet)
    if (packet.options !== judged && this.isPast(before, bytes)) return this.endSlow()
    this.bufferedBytes += bytes
    // What had emptied and waits again begins a new wait: a reader that keeps up is never taken for a slow one.
    if (before === 0) this.context.keeper.watch(this)
    // Only behind this packet engine.io begins to wait for the answer.
    if (packet.type === 'ping' && this.isPaused) queueMicrotask(() => this.passPing())
  }

  flushed(): void {
    this.bufferedBytes = 0
  }

  upgraded(): void {
    if (this.isPaused) this.findWebSocket()?.pause()
    if (this.isLive) this.findWebSocket()?.on('ping', this.context.answerPing)
  }

  /** `reason` is engine.io's. */
  ended(reason: string): void {
    if (reason === 'ping timeout') this.fault = 'silent'
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

function onPacketCreate(this: Engine, packet: Packet): void {
  findConnection(this)?.count(packet)
}

function onUpgrade(this: Engine): void {
  findConnection(this)?.upgraded()
}

function onClose(this: Engine, reason: string): void {
  findConnection(this)?.ended(reason)
}

function onAny(this: Socket, name: string, ...args: unknown[]): void {
  findConnection(this.conn)?.receive(name, args)
}

/** Who leaves has nothing else to do here; and who only said so must not stay. */
function onDisconnect(this: Socket): void {
  findConnection(this.conn)?.close()
}
