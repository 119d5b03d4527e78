/** Whether the embedded database holds the server's event loop up. */
import type { Context } from './context.ts'
import { measureLoad } from './load.ts'
import { openMadang } from './madang.ts'

export interface EventLoop {
  messagesPerS: number
  deliveriesPerS: number
  delayP99Ms: number
  p99Ms: number
}

const members = 100
const rate = 1000
const secondsAtLeast = 5
/** prom-client's name, or one of Madang's own. */
const metric = /^(?:nodejs_eventloop_lag_p99_seconds|madang_[a-z_]*loop[a-z_]*p99[a-z_]*)(?:\{[^}]*\})? (\S+)$/m

/** 1,000 messages a second into a room of 100, embedded. */
export async function measureEventLoop(context: Context): Promise<EventLoop> {
  const subject = await openMadang(context, { engine: 'embedded', members })
  try {
    const metrics = `http://127.0.0.1:${subject.port}/metrics`
    let delay = Promise.resolve(NaN)
    const window = {
      // The figure is of the time since it was last asked for.
      onBegin: () => void readDelayMs(metrics),
      onEnd: () => (delay = readDelayMs(metrics)),
    }
    const { options, programs, cores } = context
    const seconds = Math.max(options.seconds, secondsAtLeast)
    const traffic = { members, senders: members, inFlight: 0, rate, seconds, warmUpSeconds: 1, frameBytes: 256 }
    const result = await measureLoad({ program: programs.load, cores: cores.load }, subject, traffic, window)
    const { messagesPerS, deliveriesPerS, p99Ms } = result
    return { messagesPerS, deliveriesPerS, p99Ms, delayP99Ms: await delay }
  } finally {
    await subject.close()
  }
}

/** NaN where the server does not tell. */
async function readDelayMs(url: string): Promise<number> {
  try {
    const text = await (await fetch(url)).text()
    return Number(metric.exec(text)?.[1] ?? NaN) * 1000
  } catch {
    return NaN
  }
}
