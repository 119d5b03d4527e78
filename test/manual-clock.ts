/** A clock that stands still until a test moves it. */
import type { Clock } from '../server/core/clock.ts'

export interface ManualClock extends Clock {
  /** Moves on by `ms`: makes the calls that fall due in their order, and lets what each began come to rest before the next. */
  advance(ms: number): Promise<void>
  /** How many calls are still to be made. */
  pending(): number
}

export function createManualClock(nowMs = 1_700_000_000_000): ManualClock {
  const timers = new Set<{ atMs: number; call: () => void }>()
  let now = nowMs
  const nextUpTo = (untilMs: number) => [...timers].filter(({ atMs }) => atMs <= untilMs).toSorted((a, b) => a.atMs - b.atMs)[0]
  return {
    now: () => now,
    after(ms, call) {
      const timer = { atMs: now + ms, call }
      timers.add(timer)
      return () => void timers.delete(timer)
    },
    soon: (call) => void setImmediate(call),
    pending: () => timers.size,
    async advance(ms) {
      const untilMs = now + ms
      await settle()
      for (let due = nextUpTo(untilMs); due !== undefined; due = nextUpTo(untilMs)) {
        timers.delete(due)
        now = due.atMs
        due.call()
        await settle()
      }
      now = untilMs
    },
  }
}

/** Over memory storage everything that can go on without the clock has gone on when the event loop has turned. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
