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

export interface PipeOptions {
  keeper: Keeper
  /** Bytes that may wait for a slow reader: 1 MiB by default. */
  budgetBytes?: number
}

const budgetBytesDefault = 1024 * 1024
const empty = Buffer.alloc(0)

/** What Node's plain TCP sockets have; not in its types. */
type Handled = Socket & { _handle?: { fd?: number } | null }

/**
 * As much as the kernel takes at once of a socket with nothing queued, past the stream's bookkeeping, which is a third of a
 * fan-out's time. Whatever stands in the way, the stream is asked next and tells it.
 */
function writeNow(socket: Handled, bytes: Uint8Array): number {
  // A TLS socket shows the descriptor below it: what went there would leave unencrypted.
  if ('encrypted' in socket) return 0
  // oxlint-disable-next-line no-underscore-dangle -- Node's own name
  const fd = socket._handle?.fd ?? -1
  if (fd < 0) return 0
  try {
    return writeSync(fd, bytes)
  } catch {
    return 0
  }
}

/** A class, as there are tens of thousands: methods are shared. */
export abstract class Pipe<Options extends PipeOptions> implements Outlet, Kept {
  isPaused = false
  unanswered = 0
  waitingSinceMs = 0
  slice = -1
  place = -1
  fault: Fault | null = null
  protected readonly socket: Socket
  protected readonly options: Options

  constructor(socket: Socket, options: Options) {
    this.socket = socket
    this.options = options
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
    if (!this.isOpen) return
    const { socket } = this
    const { keeper, budgetBytes = budgetBytesDefault } = this.options
    const before = socket.writableLength
    if (before > 0 && before + bytes.length > budgetBytes) return this.endSlow()
    const sent = before === 0 ? writeNow(socket, bytes) : 0
    if (sent < bytes.length) socket.write(sent === 0 ? bytes : bytes.subarray(sent))
    // What had emptied and waits again begins a new wait: a reader that keeps up is never taken for a slow one.
    if (before === 0 && socket.writableLength > 0) keeper.watch(this)
  }

  /** An empty write is done when those before it are. */
  drained(): Promise<void> {
    const { socket } = this
    if (!this.isOpen || socket.writableLength === 0) return Promise.resolve()
    return new Promise((resolve) => socket.write(empty, () => resolve()))
  }
}
