/** A Redis of a test's own, which it may kill, pause and empty. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from 'redis'
import { findPort } from '../../../test/child.ts'
import { describeWith } from '../../../test/programs.ts'

const program = 'redis-server'

export function describeRedis(name: string, tests: () => void): void {
  describeWith(program, spawnSync(program, ['--version']).status === 0, name, tests)
}

export interface TestRedis {
  port: number
  /** With its password. */
  url: string
  /** Ends it without a word, as a crash does. */
  kill(): Promise<void>
  /** Starts it again, on the same port, empty. */
  start(): Promise<void>
  /** SIGSTOP: its links stand and nothing moves. */
  pause(): void
  resume(): void
  /** One command, by a client of its own. */
  command(...words: (string | Buffer)[]): Promise<unknown>
  stop(): Promise<void>
}

/** `settings` as `--name value`. It keeps nothing on disk. */
export async function startRedis(settings: string[] = []): Promise<TestRedis> {
  const directory = await mkdtemp(join(tmpdir(), 'madang-redis-'))
  const port = await findPort()
  const password = 'only-for-tests'
  const url = `redis://:${password}@127.0.0.1:${port}`
  const own = ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', directory, '--save', '', '--requirepass', password]
  let child = await spawnRedis([...own, ...settings])

  const redis: TestRedis = {
    port,
    url,
    async start() {
      child = await spawnRedis([...own, ...settings])
    },
    async kill() {
      const exited = new Promise((resolve) => child.once('exit', resolve))
      if (child.exitCode !== null || child.signalCode !== null || !child.kill('SIGKILL')) return
      await exited
    },
    pause: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
    async command(...words) {
      const client = await createClient({ url }).connect()
      const answer = await client.sendCommand(words)
      client.destroy()
      return answer
    },
    async stop() {
      await redis.kill()
      await rm(directory, { recursive: true, force: true })
    },
  }
  return redis
}

/** Resolves when it takes connections. */
async function spawnRedis(words: string[]): Promise<ChildProcess> {
  const child = spawn(program, words, { stdio: ['ignore', 'pipe', 'inherit'] })
  await new Promise<void>((resolve, reject) => {
    let said = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text
      if (said.includes('Ready to accept connections')) resolve()
    })
    child.once('exit', () => reject(new Error(`redis-server did not start:\n${said}`)))
  })
  return child
}
