/** How long a start takes, on nothing and on what the first one left. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Context } from './context.ts'
import { startMadang } from './madang.ts'
import { readRssBytes } from './machine.ts'
import { median } from './medians.ts'
import { makeDirectory } from './processes.ts'

export interface Startup {
  newMs: number
  restartMs: number
  /** Of the whole process, the embedded database's thread in it, two seconds after the restart. */
  rssMb: number
}

const settleMs = 2000

/** Embedded, as `npm run dev` starts it. Medians of as many starts as rows are repeated. */
export async function measureStartup(context: Context): Promise<Startup> {
  const runs: Startup[] = []
  for (let turn = 0; turn < context.options.repeat; turn++) runs.push(await startTwice(context))
  return {
    newMs: median(runs.map((run) => run.newMs)),
    restartMs: median(runs.map((run) => run.restartMs)),
    rssMb: median(runs.map((run) => run.rssMb)),
  }
}

async function startTwice(context: Context): Promise<Startup> {
  const directory = makeDirectory('data')
  const first = await startMadang(context, { engine: 'embedded', place: directory, from: 'source' })
  await first.child.stop()
  const second = await startMadang(context, { engine: 'embedded', place: directory, from: 'source' })
  await delay(settleMs)
  const rssMb = readRssBytes(second.child.pid) / 2 ** 20
  await second.child.stop()
  return { newMs: first.startMs, restartMs: second.startMs, rssMb }
}
