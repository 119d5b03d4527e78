/** For tests: a clock that stands still until it is told. */
import type { Clock } from './keeper.ts'

export interface TestClock extends Clock {
  /** Makes all calls that fall due meanwhile, in order. */
  pass(ms: number): void
}

export function createTestClock(): TestClock {
  let nowMs = 1_700_000_000_000
  const calls = new Set<{ atMs: number; call: () => void }>()

  function nextDue(untilMs: number) {
    const due = [...calls].filter((one) => one.atMs <= untilMs)
    return due.sort((one, other) => one.atMs - other.atMs)[0]
  }

  return {
    now: () => nowMs,
    after(ms, call) {
      const one = { atMs: nowMs + ms, call }
      calls.add(one)
      return () => void calls.delete(one)
    },
    pass(ms) {
      const untilMs = nowMs + ms
      for (let due = nextDue(untilMs); due !== undefined; due = nextDue(untilMs)) {
        calls.delete(due)
        nowMs = due.atMs
        due.call()
      }
      nowMs = untilMs
    },
  }
}
