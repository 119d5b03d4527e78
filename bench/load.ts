/** The load client, started for one measurement or to hold idle sockets. */
import { spawn, type ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { pinned, track } from './processes.ts'
import type { OpenSubject } from './context.ts'

export interface LoadClient {
  program: string
  cores: string | undefined
}

/** What the client prints (load.c). */
export interface LoadResult {
  seconds: number
  messagesPerS: number
  deliveries: number
  deliveriesPerS: number
  frameBytes: number
  p50Ms: number
  p99Ms: number
  serverCpuS: number
  serverMainCpuS: number
  /** Its share of its own core: near 1, the client is what is full. */
  loadCpu: number
  dead: number
  lost: number
  doubled: number
  reordered: number
  disagree: number
}

export interface Traffic {
  members: number
  senders: number
  /** Per sender; with a rate, none. */
  inFlight: number
  /** Messages a second in all. */
  rate?: number
  seconds: number
  warmUpSeconds: number
  frameBytes: number
}

/** Called at the ends of the counted window. */
export interface Window {
  onBegin(): void
  onEnd(): void
}

/** Throws when the client could not do its work, with what it said. */
export async function measureLoad(
  client: LoadClient,
  subject: OpenSubject,
  traffic: Traffic,
  window?: Window,
): Promise<LoadResult> {
  const pace = traffic.rate === undefined ? ['-w', traffic.inFlight] : ['-R', traffic.rate]
  const times = ['-d', traffic.seconds, '-W', traffic.warmUpSeconds]
  const child = start(client, subject, [
    '-n',
    traffic.members,
    '-k',
    traffic.senders,
    ...pace,
    ...times,
    '-L',
    traffic.frameBytes,
  ])
  const said: string[] = []
  onLine(child.stderr, (line) => {
    said.push(line)
    if (line === 'counting') window?.onBegin()
    if (line === 'counted') window?.onEnd()
  })
  let output = ''
  onLine(child.stdout, (line) => (output += line))
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  if (code !== 0) throw new Error(`the load client ended with ${code}: ${said.join('\n')}`)
  return JSON.parse(output) as LoadResult
}

export interface Holder {
  release(): Promise<void>
}

/** Opens idle sockets and holds them; numbers them from `offset`. */
export async function holdSockets(
  client: LoadClient,
  subject: OpenSubject,
  connections: number,
  offset: number,
): Promise<Holder> {
  const child = start(client, subject, ['-I', '-n', connections, '-o', offset, '-g', subject.membersPerRoom])
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()))
  await new Promise<void>((resolve, reject) => {
    onLine(child.stderr, (line) => (line === 'ready' ? resolve() : reject(new Error(line))))
    void closed.then(() => reject(new Error('the load client ended')))
  })
  return {
    release() {
      child.kill()
      return closed
    },
  }
}

function listenersOf({ listenersAt, listenersPort, areStreams = false }: OpenSubject): (string | number)[] {
  if (listenersAt === undefined) return []
  return ['-r', listenersAt, ...(listenersPort === undefined ? [] : ['-q', listenersPort]), ...(areStreams ? ['-e'] : [])]
}

interface LoadProcess extends ChildProcess {
  stdout: Readable
  stderr: Readable
}

function start(client: LoadClient, subject: OpenSubject, args: (string | number)[]): LoadProcess {
  const tokens = subject.tokensFile === undefined ? [] : ['-t', subject.tokensFile]
  const dialect = subject.isSocketIo ? ['-S', '-a', subject.auth ?? ''] : []
  const listeners = listenersOf(subject)
  const all = [
    '-p',
    subject.port,
    '-u',
    subject.path,
    '-m',
    subject.format,
    '-P',
    subject.pid,
    ...tokens,
    ...dialect,
    ...listeners,
    ...args,
  ]
  const [file = '', ...rest] = pinned([client.program, ...all.map(String)], client.cores)
  const child = spawn(file, rest, { stdio: ['ignore', 'pipe', 'pipe'] })
  track(child)
  return child
}

function onLine(stream: Readable, handle: (line: string) => void): void {
  createInterface({ input: stream }).on('line', handle)
}
