/** One room: 100 who send, on `guild` WebSockets, and 1,000 who only listen, at one door after the other. */
import type { Context, OpenSubject } from './context.ts'
import { measureLoad, type LoadResult } from './load.ts'
import { openMadang } from './madang.ts'
import { mergeFigures } from './medians.ts'

export interface FanOut {
  messagesPerS: number
  deliveriesPerS: number
  cpuUsPerDelivery: number
  p99Ms: number
  /** Bytes, on average over all who receive. */
  frameBytes: number
  faults: number
}

/** By how they listen. */
export type FanOuts = Record<Transport, FanOut>

const transports = {
  feed: { listenersAt: '/ws/chat/1?token=%t' },
  sse: { listenersAt: '/api/chats/stream?token=%t', areStreams: true },
  chatroom: { listenersAt: '/chat?token=%t' },
}

type Transport = keyof typeof transports

const listeners = 1_000
const senders = 100
const frameBytes = 512
/** Long enough to see how long the frames are. */
const lookSeconds = 0.5

export async function measureFanOut(context: Context): Promise<FanOuts> {
  const engine = context.postgres === undefined ? 'embedded' : 'postgres'
  const subject = await openMadang(context, { engine, members: senders + listeners })
  const runs: Record<Transport, FanOut[]> = { feed: [], sse: [], chatroom: [] }
  try {
    for (let turn = 0; turn < context.options.repeat; turn++)
      for (const name of ['feed', 'sse', 'chatroom'] as const) runs[name].push(await measureTransport(context, subject, name))
  } finally {
    await subject.close()
  }
  return { feed: mergeFigures(runs.feed), sse: mergeFigures(runs.sse), chatroom: mergeFigures(runs.chatroom) }
}

/** A door's own words around the text are made up for by the text, so that all deliver frames of one length. */
async function measureTransport(context: Context, subject: OpenSubject, transport: Transport): Promise<FanOut> {
  if (transport === 'chatroom') await subject.bind?.()
  const look = await load(context, { ...subject, ...transports[transport] }, { seconds: lookSeconds, frameBytes })
  const { seconds } = context.options
  const wanted = { seconds, frameBytes: Math.round(2 * frameBytes - look.frameBytes) }
  const result = await load(context, { ...subject, ...transports[transport] }, wanted)
  return {
    messagesPerS: result.messagesPerS,
    deliveriesPerS: result.deliveriesPerS,
    cpuUsPerDelivery: (result.serverCpuS * 1e6) / Math.max(1, result.deliveries),
    p99Ms: result.p99Ms,
    frameBytes: result.frameBytes,
    faults: result.lost + result.doubled + result.reordered + result.disagree + result.dead,
  }
}

function load(context: Context, subject: OpenSubject, how: { seconds: number; frameBytes: number }): Promise<LoadResult> {
  const client = { program: context.programs.load, cores: context.cores.load }
  const { warmUpSeconds } = context.options
  return measureLoad(client, subject, { members: senders + listeners, senders, inFlight: 6, warmUpSeconds, ...how })
}
