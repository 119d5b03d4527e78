/** What asking Redis for a token adds to the handshake of `/chat`, and that handshake beside `guild`'s, which asks no registry. */
import { WebSocket } from 'ws'
import { firstUserId, openMadang, signToken } from './madang.ts'
import type { Context } from './context.ts'
import { pinMyself } from './machine.ts'
import { median } from './medians.ts'
import { openRedis } from './redis.ts'

export interface Handshake {
  /** As the server's own histogram has it, between the ends of a bucket. */
  checkP50Ms: number
  chatP50Ms: number
  guildP50Ms: number
}

const handshakes = 300
const warmUps = 50

/** Throws where there is no PostgreSQL or Redis. */
export async function measureHandshake(context: Context): Promise<Handshake> {
  const redis = await openRedis(context.cores.load)
  const subject = await openMadang(context, { engine: 'postgres', members: 1, redisUrl: redis.url })
  pinMyself(context.cores.load)
  try {
    await subject.bind?.()
    const token = await signToken(firstUserId)
    const origin = `ws://127.0.0.1:${subject.port}`
    const chat: number[] = []
    const guild: number[] = []
    // In turns, so that both see the same machine.
    for (let turn = -warmUps; turn < handshakes; turn++) {
      const [chatMs, guildMs] = [await time(`${origin}/chat?token=${token}`), await time(`${origin}/ws/1?token=${token}`)]
      if (turn < 0) continue
      chat.push(chatMs)
      guild.push(guildMs)
    }
    const checkP50Ms = await readCheckP50Ms(`http://127.0.0.1:${subject.port}/metrics`)
    return { checkP50Ms, chatP50Ms: median(chat), guildP50Ms: median(guild) }
  } finally {
    await subject.close()
    await redis.close()
  }
}

/** From the connection's beginning to its 101, ms. */
function time(url: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const beganAt = performance.now()
    const socket = new WebSocket(url)
    socket.once('error', reject)
    socket.once('open', () => {
      const tookMs = performance.now() - beganAt
      socket.once('close', () => resolve(tookMs))
      socket.close()
    })
  })
}

const bucket = /^madang_token_check_seconds_bucket\{le="([\d.e-]+)"\} (\d+)$/gm

/** Throws where the server does not tell. */
async function readCheckP50Ms(url: string): Promise<number> {
  const text = await (await fetch(url)).text()
  const buckets = [...text.matchAll(bucket)].map(([, upToS, count]) => ({ upToMs: Number(upToS) * 1000, count: Number(count) }))
  const half = (buckets.at(-1)?.count ?? 0) / 2
  const nth = buckets.findIndex(({ count }) => count >= half && count > 0)
  const { upToMs, count } = buckets[nth] ?? { upToMs: NaN, count: NaN }
  const below = buckets[nth - 1] ?? { upToMs: 0, count: 0 }
  return below.upToMs + ((upToMs - below.upToMs) * (half - below.count)) / (count - below.count)
}
