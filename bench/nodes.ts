/** What a second node costs: half of a room's members on each, beside all of them on one. */
import type { Context, OpenSubject } from './context.ts'
import { measureLoad, type LoadResult, type Traffic } from './load.ts'
import { openMadang, startMadang } from './madang.ts'
import { median } from './medians.ts'
import { openRedis } from './redis.ts'

export interface Nodes {
  /** A quarter of what one node does saturated. */
  messagesPerS: number
  oneP99Ms: number
  twoP99Ms: number
  faults: number
}

const half = 50

/** PostgreSQL and Redis on the load's core, both nodes on the server's. Throws where there is none. */
export async function measureNodes(context: Context): Promise<Nodes> {
  if (context.postgres === undefined) throw new Error('there is no PostgreSQL')
  const redis = await openRedis(context.cores.load)
  try {
    const one = await openMadang(context, { engine: 'postgres', members: 2 * half, redisUrl: redis.url })
    try {
      return await compare(context, one, redis.url)
    } finally {
      await one.close()
    }
  } finally {
    await redis.close()
  }
}

async function compare(context: Context, one: OpenSubject, redisUrl: string): Promise<Nodes> {
  const listening = { ...one, listenersAt: one.path }
  const saturated = await load(context, listening, { inFlight: 12 })
  const rate = Math.round(saturated.messagesPerS / 4)
  const other = await startMadang(context, { engine: 'postgres', place: one.database ?? '', redisUrl })
  const alone: LoadResult[] = []
  const together: LoadResult[] = []
  try {
    for (let turn = 0; turn < context.options.repeat; turn++) {
      alone.push(await load(context, listening, { inFlight: 0, rate }))
      together.push(await load(context, { ...listening, listenersPort: other.port }, { inFlight: 0, rate }))
    }
  } finally {
    await other.child.stop()
  }
  const p99Of = (results: LoadResult[]) => median(results.map(({ p99Ms }) => p99Ms))
  const faults = Math.max(...[...alone, ...together].map((r) => r.lost + r.doubled + r.reordered + r.disagree + r.dead))
  return { messagesPerS: rate, oneP99Ms: p99Of(alone), twoP99Ms: p99Of(together), faults }
}

function load(context: Context, subject: OpenSubject, pace: Pick<Traffic, 'inFlight' | 'rate'>): Promise<LoadResult> {
  const { seconds, warmUpSeconds } = context.options
  const client = { program: context.programs.load, cores: context.cores.load }
  const traffic = { members: 2 * half, senders: half, seconds, warmUpSeconds, frameBytes: 256, ...pace }
  return measureLoad(client, subject, traffic)
}
