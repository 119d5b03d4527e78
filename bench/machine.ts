/** What this machine is, and what Linux tells about a process. */
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, statfsSync } from 'node:fs'
import { cpus, release, tmpdir, totalmem } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'

/** As taskset takes them. On a machine with one core both are the same. */
export interface Cores {
  load: string
  server: string
}

export interface Machine {
  cpu: string
  cores: number
  memoryMb: number
  kernel: string
  node: string
  /** Of the directory that holds the databases: on a tmpfs an fsync costs nothing. */
  filesystem: string
  postgres: string
}

const tmpfsMagic = 0x01021994

export function describeMachine(postgres: string): Machine {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: allowedCores().length,
    memoryMb: Math.round(totalmem() / 2 ** 20),
    kernel: release(),
    node: process.version,
    filesystem: statfsSync(tmpdir()).type === tmpfsMagic ? `${tmpdir()} (tmpfs: fsync is free here)` : tmpdir(),
    postgres,
  }
}

/** The first core that this process may use is the load's and the database's, the last one the server's. */
export function chooseCores(): Cores {
  const allowed = allowedCores()
  return { load: String(allowed[0] ?? 0), server: String(allowed.at(-1) ?? 0) }
}

function allowedCores(): number[] {
  const list = statusField('self', 'Cpus_allowed_list')
  return list.split(',').flatMap((range) => {
    const [first = 0, last = first] = range.split('-').map(Number)
    return Array.from({ length: last - first + 1 }, (_, i) => first + i)
  })
}

/** How much of all cores is busy, 0 to 1: before the run, with something else than the run. */
export async function measureBusyShare(ms: number): Promise<number> {
  const before = readTicks()
  await delay(ms)
  const after = readTicks()
  return 1 - (after.idle - before.idle) / (after.all - before.all)
}

function readTicks(): { idle: number; all: number } {
  const [line = ''] = readFileSync('/proc/stat', 'utf8').split('\n')
  const ticks = line.split(/\s+/).slice(1).map(Number)
  const [, , , idle = 0, ioWait = 0] = ticks
  return { idle: idle + ioWait, all: ticks.reduce((sum, n) => sum + n, 0) }
}

/** Resident memory. */
export function readRssBytes(pid: number): number {
  return Number.parseInt(statusField(pid, 'VmRSS'), 10) * 1024
}

/** How many files a process may open once it has raised its own limit, as Node does. */
export function readFileLimit(): number {
  const line = readFileSync('/proc/self/limits', 'utf8').match(/Max open files\s+\S+\s+(\S+)/)
  return line?.[1] === 'unlimited' ? Infinity : Number(line?.[1] ?? 1024)
}

/** For who asks by himself, not by the load client. */
export function pinMyself(core: string): void {
  spawnSync('taskset', ['-pac', core, String(process.pid)])
}

/**
 * Puts the thread that has worked most, beside the main one, on the load's core and the rest on the server's: after its start
 * the embedded database's thread is that one, and its place is where PostgreSQL would be.
 */
export function pinThreads(pid: number, cores: Cores): void {
  const others = readdirSync(`/proc/${pid}/task`)
    .map(Number)
    .filter((thread) => thread !== pid)
  const busiest = others.toSorted((a, b) => threadTicks(pid, b) - threadTicks(pid, a))[0]
  for (const thread of [pid, ...others]) {
    spawnSync('taskset', ['-pc', thread === busiest ? cores.load : cores.server, String(thread)])
  }
}

function threadTicks(pid: number, thread: number): number {
  const stat = readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return Number(fields[11]) + Number(fields[12])
}

function statusField(pid: number | 'self', name: string): string {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return status.match(new RegExp(`^${name}:\\s*(.*)$`, 'm'))?.[1] ?? ''
}
