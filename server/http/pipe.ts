/** What live connections of every transport have in common: their way out to the socket, bounded, and the keeper's look at it. */
import { writeSync } from 'node:fs'
import type { Socket } from 'node:net'
import type { Keeper, Kept } from './keeper.ts'

export type Fault = 'too_slow' | 'silent'

/** A live client's way out; it knows no user. */
export interface Outlet {
  /**
   * Hands bytes (whole frames, already built, perhaps shared with other connections: never changed) to the socket, in order. Past
   * the byte budget the connection ends itself and writes nothing more; an empty queue takes one write of any size.
   */
  write(bytes: Uint8Array): void
  /** Null where something waits ahead of what would be written, it is closed, or `write` is its only way. */
  findReady?(): ReadyOutlet | null
  /** Bytes that the kernel has not taken yet. */
  readonly queuedBytes: number
  /** Resolves when what was written has left to the kernel, or the connection has closed. */
  drained(): Promise<void>
  /** Ends it behind what was written, and makes sure that the socket is gone soon (2 s). `code` is for transports that have codes. */
  close(code: number, reason: string): void
  /** Why it ended itself, where it did: past its budget or drain deadline, or after pings that nobody answered. */
  readonly fault?: Fault | null
  /** Until the first of: `close` called, peer closed, socket gone. */
  readonly isOpen: boolean
}

/** Only until anything else is done with any outlet: the descriptor may be another's then. */
export interface ReadyOutlet {
  /** As `write`, once. Throws nothing and ends nothing. */
  writeNow(bytes: Uint8Array): void
}

export interface PipeOptions {
  keeper: Keeper
  /** Bytes that may wait for a slow reader: 1 MiB by default. */
  budgetBytes?: number
}

const budgetBytesDefault = 1024 * 1024
const empty = Buffer.alloc(0)

/** What Node's plain TCP sockets have; not in its types. */
type Handle = { readonly fd?: number }
type Handled = Socket & { _handle?: Handle | null }

/** Undefined over TLS, which shows the descriptor below it: what went there would leave unencrypted. */
function findHandle(socket: Handled): Handle | undefined {
  // oxlint-disable-next-line no-underscore-dangle -- Node's own name
  return 'encrypted' in socket ? undefined : (socket._handle ?? undefined)
}

/**
 * As much as the kernel takes at once of a socket with nothing queued, past the stream's bookkeeping, which is a third of a
 * fan-out's time. Whatever stands in the way, the stream is asked next and tells it.
 */
function writePart(descriptor: number, bytes: Uint8Array): number {
  try {
    return writeSync(descriptor, bytes)
  } catch {
    return 0
  }
}

/** A class, as there are tens of thousands: methods are shared. */
export abstract class Pipe<Options extends PipeOptions> implements Outlet, ReadyOutlet, Kept {
  isPaused = false
  unanswered = 0
  waitingSinceMs = 0
  slice = -1
  place = -1
  fault: Fault | null = null
  protected readonly socket: Socket
  protected readonly options: Options
  private readonly handle: Handle | undefined
  /** The handle's, which is asked once: asking is a call into native code. */
  private readonly descriptor: number

  constructor(socket: Socket, options: Options) {
    this.socket = socket
    this.options = options
    this.handle = findHandle(socket)
    this.descriptor = this.handle?.fd ?? -1
  }

  abstract get isOpen(): boolean
  abstract ping(): void
  abstract close(code: number, reason: string): void
  /** Past its budget or its drain deadline. */
  abstract endSlow(): void
  abstract terminate(): void

  get queuedBytes(): number {
    return this.socket.writableLength
  }

  write(bytes: Uint8Array): void {
    const ready = this.findReady()
    if (ready !== null) ready.writeNow(bytes)
    else if (this.isOpen) this.queue(bytes)
  }

  findReady(): this | null {
    return this.isOpen && this.socket.writableLength === 0 && this.hasDescriptor ? this : null
  }

  writeNow(bytes: Uint8Array): void {
    const sent = writePart(this.descriptor, bytes)
    if (sent < bytes.length) this.queue(sent === 0 ? bytes : bytes.subarray(sent))
  }

  /**
   * Whether the descriptor is still this socket's: a number goes to the next socket as soon as it is closed, and a socket gives its
   * handle away in the same step in which it closes it.
   */
  private get hasDescriptor(): boolean {
    // oxlint-disable-next-line no-underscore-dangle -- Node's own name
    return this.descriptor >= 0 && (this.socket as Handled)._handle === this.handle
  }

  /** Through the stream, behind what it holds. */
  private queue(bytes: Uint8Array): void {
    const { socket } = this
    const queued = socket.writableLength
    const { keeper, budgetBytes = budgetBytesDefault } = this.options
    if (queued > 0 && queued + bytes.length > budgetBytes) return this.endSlow()
    socket.write(bytes)
    // What had emptied and waits again begins a new wait: a reader that keeps up is never taken for a slow one.
    if (queued === 0 && socket.writableLength > 0) keeper.watch(this)
  }

  /** An empty write is done when those before it are. */
  drained(): Promise<void> {
    const { socket } = this
    if (!this.isOpen || socket.writableLength === 0) return Promise.resolve()
    return new Promise((resolve) => socket.write(empty, () => resolve()))
  }
}
