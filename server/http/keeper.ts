/** Looks after all live connections at once: one timer, however many they are. */

/** Time, injected. */
export interface Clock {
  /** Milliseconds. */
  now(): number
  /** Calls once after `ms`; the answer cancels it. Does not keep a process alive. */
  after(ms: number, call: () => void): () => void
}

/** What the keeper needs of a connection, and what it notes on it (plain fields: a map of 15,000 would cost more). */
export interface Kept {
  /** Bytes that the kernel has not taken. */
  readonly queuedBytes: number
  /** Whether silence means nothing now, as nobody reads the socket. */
  readonly isPaused: boolean
  /** Pings sent since the peer was last heard. */
  unanswered: number
  /** Since when the queue has not been empty, in the clock's milliseconds; 0 when it is. */
  waitingSinceMs: number
  /** The keeper's own: where it stands in its slice. */
  slice: number
  place: number
  ping(): void
  /** The peer is gone: end without ceremony. */
  terminate(): void
  /** Its queue did not empty in time: 1013. */
  endSlow(): void
  close(code: number, reason: string): void
}

export interface KeeperOptions {
  clock: Clock
}

export interface Keeper {
  readonly count: number
  add(connection: Kept): void
  /** No matter if it is not there. */
  remove(connection: Kept): void
  /** The queue of a connection has begun to wait. */
  watch(connection: Kept): void
  /**
   * Closes all that are there now with a code (1012 at a stop), a part every 50 ms, spread over `overMs`, so that they do not all come back at
   * once. Resolves when none is left; those that do not answer the close are cut by the transport.
   */
  closeAll(code: number, reason: string, overMs: number): Promise<void>
  /** Stops its timer. */
  stop(): void
}

/** A ping for each connection this often. */
const pingEveryS = 25
/** A queue that does not empty for this long ends its connection. */
export const drainDeadlineMs = 15_000
const tickMs = 1_000
const paceMs = 50
/** A peer is given up after this many pings without a sign of life. */
const unansweredMax = 2

export function createKeeper({ clock }: KeeperOptions): Keeper {
  const slices = createSlices(pingEveryS)
  const waiting = new Set<Kept>()
  let whenEmpty: (() => void)[] = []
  let ticks = 0
  let cancel = clock.after(tickMs, tick)

  function tick(): void {
    cancel = clock.after(tickMs, tick)
    const slice = slices.at(ticks++)
    // Backwards: a connection that ends leaves its place to the last one, which has had its turn.
    for (let at = slice.length - 1; at >= 0; at--) beat(slice[at]!)
    for (const connection of waiting) checkWaiting(connection)
  }

  function checkWaiting(connection: Kept): void {
    if (connection.queuedBytes > 0 && clock.now() - connection.waitingSinceMs < drainDeadlineMs) return
    waiting.delete(connection)
    if (connection.queuedBytes > 0) connection.endSlow()
    else connection.waitingSinceMs = 0
  }

  function remove(connection: Kept): void {
    waiting.delete(connection)
    slices.remove(connection)
    if (slices.count > 0) return
    for (const resolve of whenEmpty) resolve()
    whenEmpty = []
  }

  function closeAll(code: number, reason: string, overMs: number): Promise<void> {
    const all = slices.all()
    const perStep = Math.max(1, Math.ceil(all.length / Math.max(1, overMs / paceMs)))
    const step = () => {
      for (const connection of all.splice(0, perStep)) connection.close(code, reason)
      if (all.length > 0) clock.after(paceMs, step)
    }
    step()
    return slices.count === 0 ? Promise.resolve() : new Promise((resolve) => whenEmpty.push(resolve))
  }

  return {
    get count() {
      return slices.count
    },
    add: (connection) => slices.add(connection),
    remove,
    watch(connection) {
      connection.waitingSinceMs = clock.now()
      waiting.add(connection)
    },
    closeAll,
    stop: () => cancel(),
  }
}

/**
 * A slice is pinged per tick, so that the pings are spread over the whole period. A connection stays in its slice, or it would be
 * pinged twice in a row and lose its time to answer.
 */
function createSlices(sliceCount: number) {
  const slices: Kept[][] = Array.from({ length: sliceCount }, () => [])
  let count = 0
  let next = 0

  return {
    get count() {
      return count
    },
    /** Of a counter that runs on. */
    at: (turn: number) => slices[turn % sliceCount]!,
    all: () => slices.flat(),
    add(connection: Kept): void {
      connection.slice = next
      connection.place = slices[next]!.push(connection) - 1
      next = (next + 1) % sliceCount
      count++
    },
    remove(connection: Kept): void {
      const slice = slices[connection.slice]
      if (slice?.[connection.place] !== connection) return
      const last = slice.pop()!
      if (last !== connection) {
        slice[connection.place] = last
        last.place = connection.place
      }
      count--
    },
  }
}

/** One connection's turn: given up if it has been silent for too long, else pinged. */
function beat(connection: Kept): void {
  if (connection.isPaused) return
  if (connection.unanswered >= unansweredMax) return connection.terminate()
  connection.unanswered++
  connection.ping()
}
