/** The processes that a run starts. All of them end with it, however it ends. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { createServer, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

export interface ChildOptions {
  /** Names its log file in the run's directory. */
  name: string
  env?: Record<string, string>
  /** What taskset takes, for example `0` or `0,1`; absent: anywhere. */
  cores?: string | undefined
  /** Run as this user: PostgreSQL refuses to be root. */
  user?: { uid: number; gid: number } | undefined
  /** How long it may take to end by itself before it is killed. */
  stopMs?: number
  stopSignal?: NodeJS.Signals
  /** When the run is broken off. PostgreSQL cleans its shared memory up on a SIGQUIT, and cannot on a SIGKILL. */
  killSignal?: NodeJS.Signals
}

export interface Child {
  pid: number
  hasEnded(): boolean
  log(): string
  stop(): Promise<void>
}

/** With the signal that ends each at once. */
const children = new Map<ChildProcess, NodeJS.Signals>()
const directories = new Set<string>()
const hasTaskset = spawnSync('taskset', ['--version']).status === 0

/** Before anything is started. */
export function endChildrenWithThisProcess(): void {
  process.once('exit', () => {
    for (const [child, signal] of children) child.kill(signal)
    for (const directory of directories) rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
  })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(130))
}

/** Removed when the run ends. */
export function makeDirectory(name: string): string {
  const directory = mkdtempSync(join(tmpdir(), `madang-bench-${name}-`))
  directories.add(directory)
  return directory
}

let logs: string | undefined

export function startChild(command: readonly string[], options: ChildOptions): Child {
  logs ??= makeDirectory('logs')
  const logFile = join(logs, `${options.name}.log`)
  const output = openSync(logFile, 'a')
  const [file = '', ...args] = pinned(command, options.cores)
  const child = spawn(file, args, { stdio: ['ignore', output, output], env: cleanEnv(options.env), ...options.user })
  closeSync(output)
  track(child, options.killSignal)
  return {
    pid: child.pid ?? 0,
    hasEnded: () => hasEnded(child),
    log: () => readFileSync(logFile, 'utf8').slice(-2000),
    stop: () => stopChild(child, options.stopSignal ?? 'SIGTERM', options.stopMs ?? 10_000),
  }
}

export function pinned(command: readonly string[], cores: string | undefined): string[] {
  return cores === undefined || !hasTaskset ? [...command] : ['taskset', '-c', cores, ...command]
}

export function track(child: ChildProcess, killSignal: NodeJS.Signals = 'SIGKILL'): void {
  children.set(child, killSignal)
  child.once('exit', () => children.delete(child))
  child.once('error', () => children.delete(child))
}

/** What a subject is set to is the run's alone: nothing of the caller's own settings reaches it. */
function cleanEnv(env: Record<string, string> = {}): Record<string, string> {
  const { PATH = '', HOME = '/', LANG = 'C.UTF-8' } = process.env
  return { PATH, HOME, LANG, ...env }
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null || child.pid === undefined
}

async function stopChild(child: ChildProcess, signal: NodeJS.Signals, limitMs: number): Promise<void> {
  if (hasEnded(child)) return
  const ended = new Promise((resolve) => child.once('exit', resolve))
  const killer = setTimeout(() => child.kill('SIGKILL'), limitMs)
  child.kill(signal)
  await ended
  clearTimeout(killer)
}

export async function findFreePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no free port')
  return address.port
}

/** Asks until it is so. Throws with the child's last words when it ended or took too long. */
export async function waitFor(child: Child, isSo: () => Promise<boolean>, limitMs: number): Promise<void> {
  const until = performance.now() + limitMs
  while (!(await isSo())) {
    if (child.hasEnded()) throw new Error(`it ended at once:\n${child.log()}`)
    if (performance.now() > until) throw new Error(`not up after ${limitMs} ms:\n${child.log()}`)
    await delay(10)
  }
}

export function acceptsConnections(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => resolve(true))
    socket.once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}

export async function answersOk(url: string): Promise<boolean> {
  try {
    const answer = await fetch(url)
    await answer.arrayBuffer()
    return answer.ok
  } catch {
    return false
  }
}
