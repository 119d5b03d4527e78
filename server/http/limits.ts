/** Limits on rates and on work at once (A12), inside one process. */
import { isIPv6 } from 'node:net'
import { ProblemError } from './problems.ts'

export type Taken = { ok: true } | { ok: false; retryAfterS: number }

export interface Limit {
  /** Counts one for this key, at once or not at all. `retryAfterS`: whole seconds, at least 1, after which one is free. */
  take(key: string): Taken
}

/** Keys beyond this many push out those not seen for longest: an attacker's addresses must not fill the memory. */
const keysMax = 100_000

/**
 * `<n>/<seconds>` or `off`. n may come at once, then one every seconds / n: whoever keeps to the rate never waits, and a socket over its
 * limit goes on at the rate instead of standing still for a whole window. Throws a TypeError for another text.
 *
 * Not rate-limiter-flexible: it answers by promises alone, and between a frame and its check no other frame may come; it also
 * sets a timer per key.
 */
export function createLimit(text: string, now: () => number): Limit {
  if (text === 'off') return { take: () => free }
  const [, count, seconds] = /^([1-9]\d{0,8})\/([1-9]\d{0,8})$/.exec(text) ?? []
  if (count === undefined) throw new TypeError(`not a limit: ${text} (use <n>/<seconds> or off)`)
  return createRate(Number(count), Number(seconds) * 1000, now)
}

const free: Taken = { ok: true }

/** The generic cell rate algorithm: per key one time, until which its takings are spread at the rate. */
function createRate(count: number, windowMs: number, now: () => number): Limit {
  const stepMs = windowMs / count
  const spentUntil = new Map<string, number>()
  return {
    take(key) {
      const nowMs = now()
      const until = Math.max(nowMs, spentUntil.get(key) ?? 0) + stepMs
      // Sums of fractions stray in the last digits; a microsecond is nobody's limit.
      const waitMs = until - nowMs - windowMs
      if (waitMs > 0.001) return { ok: false, retryAfterS: Math.max(1, Math.ceil(waitMs / 1000)) }
      spentUntil.delete(key)
      spentUntil.set(key, until)
      forgetOldest(spentUntil, nowMs)
      return free
    },
  }
}

/** In order of last use: two a call keep up with any number of new keys. */
function forgetOldest(spentUntil: Map<string, number>, nowMs: number): void {
  for (let turn = 0; turn < 2; turn++) {
    const oldest = spentUntil.entries().next().value
    if (oldest === undefined || (oldest[1] > nowMs && spentUntil.size <= keysMax)) return
    spentUntil.delete(oldest[0])
  }
}

/** What a limit per address counts: an IPv6 network of 64 bits is one customer's. */
export function addressKey(address: string): string {
  if (!isIPv6(address)) return address
  const [head = '', tail] = address.split('%', 1)[0]!.split('::')
  const before = head === '' ? [] : head.split(':')
  const after = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = tail === undefined ? [] : Array<string>(Math.max(0, 8 - before.length - after.length)).fill('0')
  return [...before, ...zeros, ...after]
    .slice(0, 4)
    .map((part) => Number.parseInt(part, 16).toString(16))
    .join(':')
}

export interface Gate {
  /**
   * Runs the work when its turn comes, in order. Throws a ProblemError `too_many` with `retryAfterS` 1, without having begun, where the queue
   * is full.
   */
  run<T>(work: () => Promise<T>): Promise<T>
}

/** A12: so many at once (password hashes), so many waiting. */
export function createGate({ atOnce, waiting }: { atOnce: number; waiting: number }): Gate {
  const queue: (() => void)[] = []
  let running = 0

  async function run<T>(work: () => Promise<T>): Promise<T> {
    if (running < atOnce) running++
    else if (queue.length < waiting) await new Promise<void>((resolve) => queue.push(resolve))
    else throw new ProblemError({ kind: 'too_many', retryAfterS: 1 })
    try {
      return await work()
    } finally {
      // The place goes straight to the next in line, so nobody can slip in between.
      const next = queue.shift()
      if (next === undefined) running--
      else next()
    }
  }

  return { run }
}
