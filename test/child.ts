/** Madang as a process of its own, for tests that end it. */
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import { until } from './chat.ts'
import { testSecret, testServiceKey } from './harness.ts'
import type { Place } from './clients.ts'

const main = fileURLToPath(new URL('../server/app/main.ts', import.meta.url))
const startWithinMs = 60_000

export interface Exit {
  code: number | null
  signal: NodeJS.Signals | null
}

export interface Child extends Place {
  /** What it has written to stdout and stderr. */
  output(): string
  exited: Promise<Exit>
  kill(signal: NodeJS.Signals): void
}

export interface ChildOptions {
  isProduction?: boolean
  /** Beside the secret, a service key and the port. */
  env: Record<string, string>
  /** Is told how to kill it; the end of the test does by default. */
  atEnd?(kill: () => Promise<void>): void
}

/** Starts it; it is killed at the end of the test. */
export function spawnChild({
  isProduction = false,
  env,
  atEnd = onTestFinished,
}: ChildOptions): Child & { process: ChildProcess } {
  const words = ['--import', 'tsx', main, ...(isProduction ? [] : ['--development'])]
  const port = env['PORT'] ?? '0'
  const child = spawn(process.execPath, words, {
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    env: {
      PATH: process.env['PATH'],
      HOST: '127.0.0.1',
      JWT_SECRET: testSecret,
      SERVICE_KEYS: testServiceKey,
      ...placeFiles(env),
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (output += text))
  const exited = new Promise<Exit>((resolve) => child.once('close', (code, signal) => resolve({ code, signal })))
  atEnd(async () => {
    child.kill('SIGKILL')
    await exited
  })
  return {
    process: child,
    url: `http://127.0.0.1:${port}`,
    wsUrl: `ws://127.0.0.1:${port}`,
    output: () => output,
    exited,
    kill: (signal) => void child.kill(signal),
  }
}

/** So that no test writes into the working directory's `data`. */
function placeFiles(env: Record<string, string>): Record<string, string> {
  if (env['DATA_DIR'] !== undefined) return {}
  const directory = mkdtempSync(join(tmpdir(), 'madang-files-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return { FILES_DIR: directory, LOG_FILE: join(directory, 'madang.log') }
}

/** As `spawnChild`, on a free port, and waits until it serves. */
export async function startChild(options: ChildOptions): Promise<Child> {
  const port = options.env['PORT'] ?? String(await findPort())
  const child = spawnChild({ ...options, env: { ...options.env, PORT: port } })
  let ended: Exit | null = null
  void child.exited.then((exit) => (ended = exit))
  const isReady = async () => {
    if (ended !== null) throw new Error(`it ended: ${JSON.stringify(ended)}\n${child.output()}`)
    return fetch(`${child.url}/readyz`).then(
      (answer) => answer.status === 200,
      () => false,
    )
  }
  await until('a server that is ready', isReady, startWithinMs)
  return child
}

/**
 * Below the ports that the kernel gives out for port 0, or a server of another test file could have it before the child does; above
 * 10080, the last that fetch and browsers refuse to call. As many again above them are their locks.
 */
const ownPorts = { first: 11_000, count: 4_000 }

/** A free port, which no process gets here again while this one lives: it holds the port's lock until then. */
export async function findPort(): Promise<number> {
  for (;;) {
    const port = ownPorts.first + Math.floor(Math.random() * ownPorts.count)
    const lock = await listenAt(port + ownPorts.count)
    if (!lock) continue
    lock.unref()
    const server = await listenAt(port)
    if (!server) {
      lock.close()
      continue
    }
    await new Promise((resolve) => server.close(resolve))
    return port
  }
}

/** Null where another does. */
function listenAt(port: number): Promise<Server | null> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(null))
    server.listen(port, '127.0.0.1', () => resolve(server))
  })
}
