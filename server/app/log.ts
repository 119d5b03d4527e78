/** The log: lines in the contract's format (C11), to the terminal, to a file that rotates, and to outlets beyond this machine. */
import { every, type Clock } from '../core/clock.ts'
import { logLevels, type Log, type LogLevel, type LogSubject } from '../core/log.ts'
import { makeEntry, type Entry } from './log/entry.ts'
import { openLogFile } from './log/file.ts'
import { createJsonFormat } from './log/json.ts'
import { formatLine } from './log/line.ts'
import { createElasticsearch } from './log/outlets/elasticsearch.ts'
import { createLoki } from './log/outlets/loki.ts'
import { createMail, type MailOptions } from './log/outlets/mail.ts'
import { createNotices } from './log/outlets/notices.ts'
import type { Outlet } from './log/outlets/outlet.ts'
import { createOutletQueue, type OutletQueue } from './log/outlets/queue.ts'
import { createSlack } from './log/outlets/slack.ts'
import type { Sink } from './log/sink.ts'
import { openTerminal } from './log/terminal.ts'

/** Null: not wanted. */
export interface LogSettings {
  level: LogLevel
  format: 'text' | 'json'
  file: string | null
  /** Addresses, with credentials where there are any: never to be told. */
  lokiUrl: string | null
  elasticsearchUrl: string | null
  slackUrl: string | null
  mail: MailOptions | null
}

/** How often lines that were lost are counted in a line of their own. */
const countDroppedMs = 60_000

export type OpenLog = Log & {
  /** Gives outlets one more try, 4 s at most, then writes what waits here, 2 s at most. */
  close(): Promise<void>
}

/** `terminal`: standard output where none is given. */
export function openLog(settings: LogSettings, clock: Clock, terminal: Sink = openTerminal(process.env, clock)): OpenLog {
  const format = settings.format === 'json' ? createJsonFormat() : (entry: Entry) => formatLine(entry, process.pid)
  const tell = (sinks: Sink[], entry: Entry) => {
    const line = format(entry)
    for (const sink of sinks) sink.write(line, entry)
  }
  const warn = (sinks: Sink[]) => (text: string) => tell(sinks, makeEntry(clock.now(), 'warn', text))
  const file = settings.file === null ? [] : [openLogFile({ path: settings.file, clock, onTrouble: warn([terminal]) })]
  const sinks = [terminal, ...file]
  // An outlet hears nothing of outlets' troubles, or there would be no end to it.
  const warnHere = warn(sinks)
  const { queues, takers } = openOutlets(settings, clock, warnHere)

  function write(level: LogLevel, text: string, about?: LogSubject): void {
    const entry = makeEntry(clock.now(), level, text, about)
    tell(sinks, entry)
    for (const take of takers) take(entry)
  }

  function countDropped(): void {
    for (const place of [...sinks, ...queues]) {
      const count = place.takeDropped()
      if (count > 0) warnHere(`${count} log lines did not get to ${place.name} and are lost there`)
    }
  }

  const stopCounting = every(clock, countDroppedMs, async () => countDropped())

  async function close(): Promise<void> {
    stopCounting()
    await Promise.all(queues.map((queue) => queue.close()))
    countDropped()
    await Promise.all(sinks.map((sink) => sink.close()))
  }

  return { ...createLog(settings.level, write), close }
}

/** A level below `least` costs a call and nothing else. */
export function createLog(least: LogLevel, write: (level: LogLevel, text: string, about?: LogSubject) => void): Log {
  const isOn = (level: LogLevel) => logLevels.indexOf(level) >= logLevels.indexOf(least)
  const at = (level: LogLevel) => (isOn(level) ? (text: string, about?: LogSubject) => write(level, text, about) : ignore)
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error'), isOn }
}

function ignore(): void {}

/** Loki and Elasticsearch get every line; Slack and e-mail go to people and get notices of errors. */
function openOutlets(
  { lokiUrl, elasticsearchUrl, slackUrl, mail }: LogSettings,
  clock: Clock,
  onTrouble: (text: string) => void,
) {
  const queueTo = (outlet: Outlet) => createOutletQueue({ outlet, clock, onTrouble })
  const collectors: OutletQueue[] = []
  if (lokiUrl !== null) collectors.push(queueTo(createLoki(lokiUrl)))
  if (elasticsearchUrl !== null) collectors.push(queueTo(createElasticsearch(elasticsearchUrl)))
  const people: OutletQueue[] = []
  if (slackUrl !== null) people.push(queueTo(createSlack(slackUrl)))
  if (mail !== null) people.push(queueTo(createMail(mail)))
  const takers = [
    ...collectors.map((queue) => (entry: Entry) => queue.take(entry)),
    ...people.map((queue) => createNotices(clock, (entry) => queue.take(entry))),
  ]
  return { queues: [...collectors, ...people], takers }
}
