/** `npm run bench`: measures Madang from outside, beside a baseline and a bound in the same run. See README.md here. */
import type { Context } from './context.ts'
import { measureEventLoop } from './event-loop.ts'
import { measureFanOut } from './fan-out.ts'
import { measureGroupware } from './groupware.ts'
import { measureHandshake } from './handshake.ts'
import { measureIdle } from './idle.ts'
import { buildMadang, hasMadang } from './madang.ts'
import { chooseCores, describeMachine, measureBusyShare } from './machine.ts'
import { mergeRows } from './medians.ts'
import { parseOptions, usage, type Options } from './options.ts'
import { measureNodes } from './nodes.ts'
import { openPostgres } from './postgres.ts'
import { endChildrenWithThisProcess } from './processes.ts'
import { buildPrograms } from './programs.ts'
import { cellsOf, faultyRows, formatReport, formatTable, writeReport, type Report } from './report.ts'
import { measureRooms, nameOf, type Row } from './rooms.ts'
import { measureStartup } from './startup.ts'

function say(text: string): void {
  process.stderr.write(`${text}\n`)
}

function readOptions(): Options {
  try {
    return parseOptions(process.argv.slice(2))
  } catch (error) {
    say(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`)
    process.exit(2)
  }
}

/** What was measured, and what was left out or went wrong. */
class Run {
  readonly skipped: string[] = []
  readonly failures: string[] = []
  readonly rows: Row[] = []

  skip(text: string): void {
    this.skipped.push(text)
    say(`skipped: ${text}`)
  }

  onRow(row: Row): void {
    this.rows.push(row)
    say(formatTable([cellsOf(row)]).join('\n'))
  }

  onFailure(name: string, reason: string): void {
    this.failures.push(`${name}: ${reason}`)
    say(`FAILED: ${name}: ${reason}`)
  }

  /** undefined where it is not asked for, where there is no server, or where it failed. */
  async attempt<T>(name: string, isWanted: boolean, measure: () => Promise<T>): Promise<T | undefined> {
    if (!isWanted) return undefined
    try {
      say(name)
      return await measure()
    } catch (error) {
      this.onFailure(name, error instanceof Error ? error.message : String(error))
      return undefined
    }
  }
}

async function openContext(options: Options, run: Run): Promise<Context> {
  const cores = chooseCores()
  const programs = buildPrograms()
  const postgres = await openPostgres(cores.load)
  if (programs === undefined) run.skip('everything under load: there is no C compiler for the load client')
  if (postgres === undefined)
    run.skip('PostgreSQL: it is not installed (or no user to run it as); baseline and ratios are left out')
  if (hasMadang()) buildMadang()
  else run.skip('madang: server/app/main.ts is not there')
  if (cores.load === cores.server) run.skip('pinning: this machine has one core, so load and server share it')
  return { options, cores, postgres, programs: programs ?? { load: '', relay: '' } }
}

type Measured = Omit<Report, 'busyBefore' | 'busyAfter'>

async function measure(context: Context, run: Run): Promise<Measured> {
  const startedAt = new Date().toISOString()
  const machine = describeMachine(context.postgres?.version ?? 'absent')
  const { only, seconds, repeat } = context.options
  const canLoad = context.programs.load !== ''
  const attempt = <T>(name: string, measureIt: (context: Context) => Promise<T>) =>
    run.attempt(name, (canLoad || name === 'startup') && hasMadang() && only.test(name), () => measureIt(context))
  await run.attempt('rooms', canLoad, () => measureRooms(context, run))
  const idle = await run.attempt('idle', canLoad, () => measureIdle(context, (text) => run.skip(text)))
  return {
    startedAt,
    seconds,
    repeat,
    rows: mergeRows(run.rows),
    idle: idle ?? [],
    eventLoop: await attempt('event-loop', measureEventLoop),
    startup: await attempt('startup', measureStartup),
    groupware: await attempt('groupware', measureGroupware),
    fanOut: await attempt('fan-out', measureFanOut),
    nodes: await attempt('nodes', measureNodes),
    handshake: await attempt('handshake', measureHandshake),
    machine,
    skipped: run.skipped,
    failures: run.failures,
  }
}

endChildrenWithThisProcess()
const options = readOptions()
const run = new Run()
const busyBefore = await measureBusyShare(1000)
const context = await openContext(options, run)
const measured = await measure(context, run)
await context.postgres?.close()
const report = { ...measured, busyBefore, busyAfter: await measureBusyShare(1000) }
for (const row of faultyRows(report.rows)) run.onFailure(nameOf(row), 'deliveries were lost, doubled or reordered')
process.stdout.write(`\n${formatReport(report)}\n`)
say(`written to ${writeReport(report)}`)
process.exit(run.failures.length > 0 ? 1 : 0)
