/** What a socket costs that is only held. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Context, SubjectName } from './context.ts'
import { holdSockets, type Holder } from './load.ts'
import { hasMadang } from './madang.ts'
import { readFileLimit, readRssBytes } from './machine.ts'
import { idleSubjects } from './subjects.ts'

export interface IdleRow {
  subject: SubjectName
  sockets: number
  kbPerSocket: number
  rssMb: number
}

type IdleSubject = keyof typeof idleSubjects

const doors = new Set<IdleSubject>(['feed', 'widget'])

/** Opened and closed first, so that code and pools that the first sockets bring are not counted. */
const warmUpSockets = 500
/** Until the sweep after the handshakes, and a last presence change, are over. */
const settleMs = 3000
/** Files that a server has open beside its sockets. */
const otherFiles = 200

/** `onSkip` hears why something was left out. */
export async function measureIdle(context: Context, onSkip: (text: string) => void): Promise<IdleRow[]> {
  const rows: IdleRow[] = []
  const subjects = (Object.keys(idleSubjects) as IdleSubject[]).filter((name) => context.options.only.test(`idle/${name}`))
  for (const subject of subjects) {
    if (doors.has(subject) && !hasMadang()) continue
    rows.push(...(await measureSubject(context, subject, reachable(socketCounts(context), onSkip))))
  }
  return rows
}

function socketCounts({ options }: Context): number[] {
  return options.isQuick ? [5000] : [5000, 15_000]
}

function reachable(counts: number[], onSkip: (text: string) => void): number[] {
  const limit = readFileLimit() - otherFiles
  const tooMany = counts.filter((count) => count > limit)
  if (tooMany.length > 0) onSkip(`idle sockets: ${tooMany.join(', ')} are more than the file limit (ulimit -Hn) allows`)
  return counts.filter((count) => count <= limit)
}

async function measureSubject(context: Context, name: IdleSubject, counts: number[]): Promise<IdleRow[]> {
  const client = { program: context.programs.load, cores: context.cores.load }
  const engine = context.postgres === undefined ? 'embedded' : 'postgres'
  const subject = await idleSubjects[name](context, { engine, members: 0 })
  const holders: Holder[] = []
  const rows: IdleRow[] = []
  try {
    await (await holdSockets(client, subject, warmUpSockets, 0)).release()
    await delay(settleMs)
    const before = readRssBytes(subject.pid)
    let held = 0
    for (const sockets of counts) {
      holders.push(await holdSockets(client, subject, sockets - held, held))
      held = sockets
      await delay(settleMs)
      const rss = readRssBytes(subject.pid)
      rows.push({ subject: name, sockets, kbPerSocket: (rss - before) / 1024 / sockets, rssMb: rss / 2 ** 20 })
    }
  } finally {
    await subject.close()
    await Promise.all(holders.map((holder) => holder.release()))
  }
  return rows
}
