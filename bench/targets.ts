/** What Madang must reach, each as a figure of this run against a bound. */
import type { SubjectName } from './context.ts'
import type { EventLoop } from './event-loop.ts'
import type { FanOuts } from './fan-out.ts'
import type { QueryRow } from './groupware.ts'
import type { Handshake } from './handshake.ts'
import type { IdleRow } from './idle.ts'
import type { Nodes } from './nodes.ts'
import { nameOf, type Figures, type Row } from './rooms.ts'
import type { Startup } from './startup.ts'

export interface Results {
  rows: Row[]
  idle: IdleRow[]
  startup: Startup | undefined
  eventLoop: EventLoop | undefined
  groupware: QueryRow[] | undefined
  fanOut: FanOuts | undefined
  nodes: Nodes | undefined
  handshake: Handshake | undefined
}

export interface Target {
  name: string
  relation: '>=' | '<='
  bound: number
  unit: string
  /** NaN where this run did not measure it. */
  value: number
}

export function isReached({ relation, bound, value }: Target): boolean {
  return relation === '>=' ? value >= bound : value <= bound
}

export function targetsOf(results: Results): Target[] {
  return [
    ...saturatedTargets(results.rows),
    ...singleTargets(results.rows),
    ...cpuTargets(results.rows),
    ...embeddedTargets(results),
    ...otherTargets(results),
    ...groupwareTargets(results.groupware),
    ...fanOutTargets(results.fanOut),
    ...widgetTargets(results),
    ...nodesTargets(results),
  ]
}

function saturatedTargets(rows: Row[]): Target[] {
  const ratio = (members: number, figure: keyof Figures) =>
    pick(rows, `postgres/${members}/saturated/madang`, figure) / pick(rows, `postgres/${members}/saturated/baseline`, figure)
  return [
    atLeast('room of 100, saturated: durable messages/s, madang : baseline', 20, ratio(100, 'messagesPerS')),
    atMost('room of 100, saturated: p99, madang : baseline', 0.1, ratio(100, 'p99Ms')),
    atLeast('room of 1,000, saturated: deliveries/s, madang : baseline', 60, ratio(1000, 'deliveriesPerS')),
  ]
}

function singleTargets(rows: Row[]): Target[] {
  const ratio = (members: number) =>
    pick(rows, `postgres/${members}/single/madang`, 'deliveriesPerS') /
    pick(rows, `postgres/${members}/single/baseline`, 'deliveriesPerS')
  return [
    atLeast('room of 10, one at a time: messages/s, madang : baseline', 1, ratio(10)),
    atLeast('room of 1,000, one at a time: deliveries/s, madang : baseline', 2, ratio(1000)),
  ]
}

function cpuTargets(rows: Row[]): Target[] {
  const ratio = (members: number) =>
    pick(rows, `postgres/${members}/saturated/madang`, 'cpuUsPerDelivery') /
    pick(rows, `postgres/${members}/saturated/relay`, 'cpuUsPerDelivery')
  return [
    atMost('room of 1,000, saturated: server CPU per delivery, madang : relay', 2, ratio(1000)),
    atMost('room of 100, saturated: server CPU per delivery, madang : relay', 4, ratio(100)),
  ]
}

function embeddedTargets({ rows, eventLoop }: Results): Target[] {
  const shares = [10, 100, 1000].flatMap((members) =>
    (['single', 'saturated'] as const).map((traffic) => ({
      name: `${members} ${traffic}`,
      value:
        pick(rows, `embedded/${members}/${traffic}/madang`, 'messagesPerS') /
        pick(rows, `postgres/${members}/${traffic}/madang`, 'messagesPerS'),
    })),
  )
  const measured = shares.filter((share) => !Number.isNaN(share.value)).toSorted((a, b) => a.value - b.value)
  const [least] = measured
  return [
    atLeast(
      `embedded : PostgreSQL, messages/s, the least of ${measured.length} (${least?.name ?? 'none'})`,
      1 / 3,
      least?.value ?? NaN,
    ),
    atMost('embedded, 1,000 messages/s: event-loop delay p99', 20, eventLoop?.delayP99Ms ?? NaN, 'ms'),
  ]
}

function otherTargets({ idle, startup }: Results): Target[] {
  const socket = idle.find((row) => row.subject === 'feed' && row.sockets === 15_000)
  return [
    atMost('idle feed socket at 15,000, RSS of the server', 10, socket?.kbPerSocket ?? NaN, 'KB'),
    atMost('new start, embedded, to the first answer', 8000, startup?.newMs ?? NaN, 'ms'),
    atMost('restart, embedded, to the first answer', 2000, startup?.restartMs ?? NaN, 'ms'),
  ]
}

function groupwareTargets(queries: QueryRow[] | undefined): Target[] {
  const query = (name: string) => queries?.find((row) => row.name === name)
  const quicker = (name: string) => (query(name)?.baselineP99Ms ?? NaN) / (query(name)?.p99Ms ?? NaN)
  const frequent = query('search, a frequent word')
  return [
    atLeast('groupware, search for a rare word: p99, LIKE : madang', 20, quicker('search, a rare word')),
    atMost(
      'groupware, search for a frequent word: p99',
      Math.max(5, 2 * (frequent?.baselineP99Ms ?? 0)),
      frequent?.p99Ms ?? NaN,
      'ms',
    ),
    atLeast('groupware, list of the chats: p99, one query per chat : madang', 10, quicker('list of the chats')),
  ]
}

function fanOutTargets(fanOut: FanOuts | undefined): Target[] {
  const perFeed = (transport: keyof FanOuts) => (fanOut?.[transport].deliveriesPerS ?? NaN) / (fanOut?.feed.deliveriesPerS ?? NaN)
  return [
    atLeast('groupware, 1,000 listeners: deliveries/s, SSE : feed', 0.5, perFeed('sse')),
    atLeast('chatroom, 1,000 listeners: deliveries/s, chatroom : feed', 0.85, perFeed('chatroom')),
  ]
}

function nodesTargets({ nodes, handshake }: Results): Target[] {
  return [
    atMost(
      "a quarter of one node's saturated rate: p99, two nodes : one",
      3,
      (nodes?.twoP99Ms ?? NaN) / (nodes?.oneP99Ms ?? NaN),
    ),
    atMost('handshake of /chat: the token check in Redis, p50', 1, handshake?.checkP50Ms ?? NaN, 'ms'),
  ]
}

function widgetTargets({ rows, idle }: Results): Target[] {
  const ratio = (members: number, figure: keyof Figures) =>
    pick(rows, `postgres/${members}/saturated/widget`, figure) / pick(rows, `postgres/${members}/saturated/baseline`, figure)
  const kbOf = (subject: SubjectName) => idle.find((row) => row.subject === subject && row.sockets === 15_000)?.kbPerSocket ?? NaN
  const rooms = [100, 1000].flatMap((members) => {
    const room = `widget, room of ${members.toLocaleString('en-US')}, saturated`
    return [
      atLeast(`${room}: deliveries/s, madang : baseline`, 10, ratio(members, 'deliveriesPerS')),
      atMost(`${room}: server CPU per delivery, madang : baseline`, 0.1, ratio(members, 'cpuUsPerDelivery')),
    ]
  })
  return [...rooms, atMost('widget, idle socket at 15,000, RSS, madang : socket.io', 1.2, kbOf('widget') / kbOf('socket.io'))]
}

function atLeast(name: string, bound: number, value: number): Target {
  return { name, relation: '>=', bound, unit: '', value }
}

function atMost(name: string, bound: number, value: number, unit = ''): Target {
  return { name, relation: '<=', bound, unit, value }
}

/** NaN where the row was not measured. */
function pick(rows: Row[], name: string, figure: keyof Figures): number {
  return rows.find((row) => nameOf(row) === name)?.figures[figure] ?? NaN
}
