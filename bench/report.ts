/** The run as text. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Machine } from './machine.ts'
import type { Row } from './rooms.ts'
import { isReached, targetsOf, type Results, type Target } from './targets.ts'

export interface Report extends Results {
  startedAt: string
  seconds: number
  repeat: number
  machine: Machine
  /** Of all cores, before and after the run; see measureBusyShare. */
  busyBefore: number
  busyAfter: number
  skipped: string[]
  failures: string[]
}

/** Subjects whose deliveries must be whole and in order. The baseline's pool mixes up what one sender sends quickly. */
const mustBeFaultless = new Set(['madang', 'widget', 'relay'])

/** Busier than this with other things, a machine of two cores gives other figures. */
const quiet = 0.1

export function faultyRows(rows: Row[]): Row[] {
  return rows.filter(
    ({ subject, figures: f }) => mustBeFaultless.has(subject) && f.lost + f.doubled + f.reordered + f.disagree + f.dead > 0,
  )
}

export function formatReport(report: Report): string {
  const { machine: m } = report
  return [
    `${m.cpu}, ${m.cores} cores, ${m.memoryMb} MB, Linux ${m.kernel}, Node ${m.node}, PostgreSQL ${m.postgres}, data in ${m.filesystem}`,
    `windows of ${report.seconds} s, medians of ${report.repeat}; busy with something else: ${percent(report.busyBefore)} before, ${percent(report.busyAfter)} after`,
    ...(Math.max(report.busyBefore, report.busyAfter) > quiet
      ? ['NOT A QUIET MACHINE: rates and latencies are worse than they would be; CPU per delivery says more']
      : []),
    '',
    ...formatRows(report.rows),
    ...formatIdle(report),
    ...formatOthers(report),
    ...formatGroupware(report),
    ...formatFanOut(report),
    ...formatNodes(report),
    ...formatTargets(targetsOf(report)),
    ...report.skipped.map((text) => `skipped: ${text}`),
    ...report.failures.map((text) => `FAILED: ${text}`),
  ].join('\n')
}

/** The file's path. */
export function writeReport(report: Report): string {
  const directory = join(import.meta.dirname, '..', 'results')
  mkdirSync(directory, { recursive: true })
  const file = join(directory, `${report.startedAt.replaceAll(':', '-')}.json`)
  writeFileSync(file, `${JSON.stringify({ ...report, targets: targetsOf(report) }, null, 2)}\n`)
  return file
}

const head = [
  'members',
  'traffic',
  'in flight',
  'subject',
  'database',
  'messages/s',
  'deliveries/s',
  'CPU µs/dlv',
  '(main)',
  'p50 ms',
  'p99 ms',
  'frame B',
  'RSS MB',
  'server',
  'load',
  'lost',
  'dbl',
  'reord',
  'disagree',
]

function formatRows(rows: Row[]): string[] {
  const order = ['single', 'paced', 'saturated']
  const sorted = rows.toSorted((a, b) => a.members - b.members || order.indexOf(a.traffic) - order.indexOf(b.traffic))
  return rows.length === 0 ? [] : [...formatTable([head, ...sorted.map(cellsOf)]), '']
}

export function cellsOf({ figures: f, ...row }: Row): string[] {
  return [
    whole(row.members),
    row.traffic,
    row.inFlight,
    row.subject,
    row.subject === 'relay' ? '-' : row.engine,
    whole(f.messagesPerS),
    whole(f.deliveriesPerS),
    short(f.cpuUsPerDelivery),
    short(f.mainCpuUsPerDelivery),
    short(f.p50Ms),
    short(f.p99Ms),
    whole(f.frameBytes),
    whole(f.rssMb),
    percent(f.serverCpu),
    percent(f.loadCpu),
    ...[f.lost, f.doubled, f.reordered, f.disagree].map(whole),
  ]
}

function formatIdle({ idle }: Report): string[] {
  if (idle.length === 0) return []
  const rows = idle.map((row) => [row.subject, whole(row.sockets), short(row.kbPerSocket), whole(row.rssMb)])
  return [...formatTable([['idle', 'sockets', 'KB each', 'RSS MB'], ...rows]), '']
}

function formatOthers({ startup, eventLoop }: Report): string[] {
  const lines: string[] = []
  if (startup)
    lines.push(
      `start, embedded: new ${whole(startup.newMs)} ms, again ${whole(startup.restartMs)} ms, RSS without clients ${whole(startup.rssMb)} MB`,
    )
  if (eventLoop)
    lines.push(
      `embedded at ${whole(eventLoop.messagesPerS)} messages/s: event-loop delay p99 ${short(eventLoop.delayP99Ms)} ms, delivery p99 ${short(eventLoop.p99Ms)} ms`,
    )
  return lines.length === 0 ? [] : [...lines, '']
}

function formatGroupware({ groupware }: Report): string[] {
  if (!groupware) return []
  const queries = groupware.map(({ name, ...row }) => [
    name,
    ...[row.p50Ms, row.p99Ms, row.baselineP50Ms, row.baselineP99Ms].map(short),
  ])
  return [...formatTable([['groupware', 'p50 ms', 'p99 ms', 'plain SQL p50', 'p99'], ...queries]), '']
}

function formatFanOut({ fanOut }: Report): string[] {
  if (!fanOut) return []
  const rows = Object.entries(fanOut).map(([transport, row]) => [
    transport,
    ...[row.messagesPerS, row.deliveriesPerS].map(whole),
    ...[row.cpuUsPerDelivery, row.p99Ms].map(short),
    ...[row.frameBytes, row.faults].map(whole),
  ])
  const titles = ['1,000 listeners', 'messages/s', 'deliveries/s', 'CPU µs/dlv', 'p99 ms', 'frame B', 'faults']
  return [...formatTable([titles, ...rows]), '']
}

function formatNodes({ nodes, handshake }: Report): string[] {
  const lines: string[] = []
  if (nodes)
    lines.push(
      `a quarter of one node's saturated rate, ${whole(nodes.messagesPerS)} messages/s: p99 ${short(nodes.oneP99Ms)} ms on one node, ${short(nodes.twoP99Ms)} ms on two; faults ${whole(nodes.faults)}`,
    )
  if (handshake)
    lines.push(
      `handshake p50 with Redis: /chat ${short(handshake.chatP50Ms)} ms, of these the token check ${short(handshake.checkP50Ms)} ms; guild ${short(handshake.guildP50Ms)} ms`,
    )
  return lines.length === 0 ? [] : [...lines, '']
}

function formatTargets(targets: Target[]): string[] {
  const rows = targets.map((target) => {
    const { name, relation, bound, unit, value } = target
    const isMeasured = !Number.isNaN(value)
    return [
      name,
      isMeasured ? `${short(value)} ${unit}` : '-',
      `${relation} ${short(bound)} ${unit}`,
      isMeasured ? (isReached(target) ? 'yes' : 'NO') : 'not measured',
    ]
  })
  return [...formatTable([['must reach', 'is', 'bound', ''], ...rows]), '']
}

/** Words to the left, numbers to the right. */
export function formatTable(rows: string[][]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)))
  const isWord = widths.map((_, column) => rows.slice(1).some((row) => /^[a-z]/i.test(row[column] ?? '')))
  return rows.map((row) =>
    row
      .map((cell, i) => (isWord[i] ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
      .join('  ')
      .trimEnd(),
  )
}

function whole(value: number): string {
  return Number.isNaN(value) ? '-' : Math.round(value).toLocaleString('en-US')
}

function percent(share: number): string {
  return `${whole(share * 100)}%`
}

function short(value: number): string {
  if (Number.isNaN(value)) return '-'
  return value >= 100 ? whole(value) : value.toPrecision(3)
}
