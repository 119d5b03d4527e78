/** Time, injected: the core has no timers of its own. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number
  /** Calls once after `ms`; the answer cancels it. Does not keep a process alive. */
  after(ms: number, call: () => void): () => void
  /** Calls once, behind what has come in meanwhile. */
  soon(call: () => void): void
}

/** Calls again and again, `ms` after the last call has ended; the answer stops it. A call that fails is the caller's to catch. */
export function every(clock: Clock, ms: number, call: () => Promise<void>): () => void {
  let stopped = false
  let cancel = () => {}
  const wait = () => {
    if (!stopped) cancel = clock.after(ms, () => void call().finally(wait))
  }
  wait()
  return () => {
    stopped = true
    cancel()
  }
}
