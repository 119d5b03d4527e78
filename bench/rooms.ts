/** Rooms of three sizes under three kinds of traffic, each subject in turn. */
import type { Context, Engine, OpenSubject, SubjectName } from './context.ts'
import { measureLoad, type LoadResult, type Traffic } from './load.ts'
import { hasMadang } from './madang.ts'
import { readRssBytes } from './machine.ts'
import { roomSubjects } from './subjects.ts'

export type TrafficName = 'single' | 'paced' | 'saturated'
type RoomSubject = keyof typeof roomSubjects

export interface Figures {
  messagesPerS: number
  deliveriesPerS: number
  /** Of the server's process, all threads. */
  cpuUsPerDelivery: number
  mainCpuUsPerDelivery: number
  p50Ms: number
  p99Ms: number
  frameBytes: number
  rssMb: number
  /** The server's share of a core; the embedded database's thread has another one. Well below 1 in a saturated row, something else was full. */
  serverCpu: number
  /** The load client's share of its core. */
  loadCpu: number
  lost: number
  doubled: number
  reordered: number
  /** Connections that saw the room in another order than the first one. */
  disagree: number
  /** Connections that the server closed. */
  dead: number
}

export interface Row {
  engine: Engine
  members: number
  traffic: TrafficName
  subject: SubjectName
  inFlight: string
  figures: Figures
}

/** Room for the longest frame of the three, so that padding can make all of them this long. */
const frameBytes = 256
/** As many as keep every subject busy: more would only stand in queues. */
const inFlightInAll = 600
const pacedPerS = 100
/** One at a time, V8 still compiles after the first 1,000 messages, on the server's only core (README). */
const singleWarmUpTimes = 5
const sizes = [10, 100, 1000]

export function nameOf(row: Omit<Row, 'inFlight' | 'figures'>): string {
  return `${row.engine}/${row.members}/${row.traffic}/${row.subject}`
}

/** Tells `onRow` of each measurement and `onFailure` of each that could not be made. */
export interface RoomListener {
  onRow(row: Row): void
  onFailure(name: string, reason: string): void
}

export async function measureRooms(context: Context, listener: RoomListener): Promise<void> {
  const engines: Engine[] = context.postgres === undefined ? ['embedded'] : ['postgres', 'embedded']
  for (const engine of engines) {
    for (const members of sizes.filter((size) => !context.options.isQuick || size < 1000)) {
      const subjects = subjectsOf(engine, engine === engines[0])
      const turns = Array.from({ length: context.options.repeat }, () => subjects).flat()
      for (const subject of turns) await measureSubject(context, { engine, members, subject }, listener)
    }
  }
}

/** The baseline needs PostgreSQL, and so has the door that is measured beside it; the relay needs no database and stands beside the first engine. */
function subjectsOf(engine: Engine, isFirst: boolean): RoomSubject[] {
  const subjects: RoomSubject[] = hasMadang() ? ['madang'] : []
  if (engine === 'postgres' && hasMadang()) subjects.push('widget')
  if (engine === 'postgres') subjects.push('baseline')
  if (isFirst) subjects.push('relay')
  return subjects
}

interface Place {
  engine: Engine
  members: number
  subject: RoomSubject
}

async function measureSubject(context: Context, place: Place, listener: RoomListener): Promise<void> {
  const traffics = trafficsOf(place.subject).filter((traffic) => context.options.only.test(nameOf({ ...place, traffic })))
  if (traffics.length === 0) return
  let subject: OpenSubject | undefined
  try {
    subject = await roomSubjects[place.subject](context, place)
    for (const traffic of traffics) listener.onRow(await measureRow(context, subject, place, traffic))
  } catch (error) {
    listener.onFailure(
      `${place.engine}/${place.members}/${place.subject}`,
      error instanceof Error ? error.message : String(error),
    )
  } finally {
    await subject?.close()
  }
}

/** Paced, a relay has nothing to tell; of `widget` its fan-out is what differs. */
function trafficsOf(subject: RoomSubject): TrafficName[] {
  if (subject === 'widget') return ['saturated']
  return subject === 'relay' ? ['single', 'saturated'] : ['single', 'paced', 'saturated']
}

async function measureRow(context: Context, subject: OpenSubject, place: Place, traffic: TrafficName): Promise<Row> {
  const shape = shapeOf(traffic, place.members)
  const { seconds } = context.options
  const warmUpSeconds = context.options.warmUpSeconds * (traffic === 'single' ? singleWarmUpTimes : 1)
  const client = { program: context.programs.load, cores: context.cores.load }
  const result = await measureLoad(client, subject, { ...shape, members: place.members, seconds, warmUpSeconds, frameBytes })
  const inFlight = traffic === 'paced' ? `${pacedPerS}/s` : String(shape.senders * shape.inFlight)
  return { ...place, traffic, inFlight, figures: figuresOf(result, readRssBytes(subject.pid)) }
}

function shapeOf(traffic: TrafficName, members: number): Pick<Traffic, 'senders' | 'inFlight' | 'rate'> {
  const senders = Math.min(members, 100)
  if (traffic === 'single') return { senders: 1, inFlight: 1 }
  if (traffic === 'paced') return { senders, inFlight: 0, rate: pacedPerS }
  return { senders, inFlight: inFlightInAll / senders }
}

function figuresOf(result: LoadResult, rssBytes: number): Figures {
  const { messagesPerS, deliveriesPerS, p50Ms, p99Ms, loadCpu, lost, doubled, reordered, disagree, dead } = result
  const perDelivery = (cpuS: number) => (cpuS * 1e6) / Math.max(1, result.deliveries)
  return {
    messagesPerS,
    deliveriesPerS,
    cpuUsPerDelivery: perDelivery(result.serverCpuS),
    mainCpuUsPerDelivery: perDelivery(result.serverMainCpuS),
    p50Ms,
    p99Ms,
    frameBytes: result.frameBytes,
    rssMb: rssBytes / 2 ** 20,
    serverCpu: result.serverCpuS / result.seconds,
    loadCpu,
    lost,
    doubled,
    reordered,
    disagree,
    dead,
  }
}
