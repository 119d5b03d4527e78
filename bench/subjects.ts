/** What is measured: each subject is opened for one room, and driven from outside only. */
import { join } from 'node:path'
import type { Context, Open, OpenSubject, Room, SubjectName } from './context.ts'
import { openMadang, openMadangFeed, openMadangWidget } from './madang.ts'
import { acceptsConnections, findFreePort, startChild, waitFor, type Child } from './processes.ts'

/** For the rooms that messages go through. */
export const roomSubjects = {
  madang: openMadang,
  widget: openMadangWidget,
  baseline: openBaseline,
  relay: openRelay,
} satisfies Partial<Record<SubjectName, Open>>

/** For the sockets that are only held. */
export const idleSubjects = {
  feed: openMadangFeed,
  ws: openBareWs,
  widget: openMadangWidget,
  'socket.io': openBaseline,
} satisfies Partial<Record<SubjectName, Open>>

const node = [process.execPath, '--import', 'tsx']

async function openBaseline({ cores, postgres }: Context, room: Room): Promise<OpenSubject> {
  const database = room.members > 0 ? { DATABASE_URL: (await postgres?.createDatabase()) ?? '' } : {}
  const command = [...node, join(import.meta.dirname, 'baseline.ts')]
  const { child, port } = await startServer('baseline', command, cores.server, database)
  return {
    ...plain(child, port),
    path: '/socket.io/?EIO=4&transport=websocket&room=1&user=%d&username=bench%d',
    format: '42["message",{"content":"%s"}]',
    isSocketIo: true,
  }
}

async function openRelay({ cores, programs }: Context): Promise<OpenSubject> {
  const port = await findFreePort()
  const child = startChild([programs.relay, String(port)], { name: 'relay', cores: cores.server })
  await waitFor(child, () => acceptsConnections(port), 5000)
  return plain(child, port)
}

async function openBareWs({ cores }: Context): Promise<OpenSubject> {
  const { child, port } = await startServer('ws', [...node, join(import.meta.dirname, 'bare.ts')], cores.server, {})
  return plain(child, port)
}

async function startServer(
  name: string,
  command: string[],
  cores: string,
  env: Record<string, string>,
): Promise<{ child: Child; port: number }> {
  const port = await findFreePort()
  const child = startChild(command, { name, cores, env: { ...env, PORT: String(port), NODE_ENV: 'production' } })
  await waitFor(child, () => acceptsConnections(port), 20_000)
  return { child, port }
}

function plain(child: Child, port: number): OpenSubject {
  return { pid: child.pid, port, path: '/1', format: '%s', isSocketIo: false, membersPerRoom: 1, close: () => child.stop() }
}
