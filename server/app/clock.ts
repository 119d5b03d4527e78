import type { Clock } from '../core/clock.ts'

/** The machine's time; its timers do not keep the process alive. */
export const systemClock: Clock = {
  now: () => Date.now(),
  after(ms, call) {
    const timer = setTimeout(call, ms).unref()
    return () => clearTimeout(timer)
  },
  soon: (call) => void setImmediate(call),
}
