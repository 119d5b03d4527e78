/** Standard output where nothing gets through: of a process of its own, as only that one's is meant. */
import { execFileSync, spawn } from 'node:child_process'
import { constants } from 'node:fs'
import { mkdtemp, open, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'rolldown'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { until } from '../../../test/chat.ts'

let built: string

/** Without tsx, which ends a process in a way of its own. */
beforeAll(async () => {
  built = await mkdtemp(join(tmpdir(), 'madang-terminal-'))
  const input = fileURLToPath(new URL('./terminal.fixture.ts', import.meta.url))
  await build({ input, platform: 'node', logLevel: 'silent', output: { file: join(built, 'terminal.mjs') } })
})
afterAll(() => rm(built, { recursive: true }))

/** `limit`: of the shell, before it begins. */
async function start(makePlace: (path: string) => unknown, limit = ':') {
  const directory = await mkdtemp(join(tmpdir(), 'madang-terminal-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  const path = join(directory, 'out')
  await makePlace(path)
  const words = ['-c', `${limit}; exec "$0" "$1" >>"$2"`, process.execPath, join(built, 'terminal.mjs'), path]
  const child = spawn('sh', words, { stdio: ['pipe', 'ignore', 'pipe'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text))
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  let written = 0
  const write = async (line: string) => {
    child.stdin.write(`${line}\n`)
    written += 1
    await until('the line', () => said.length === written)
  }
  const end = () => {
    child.stdin.end()
    return ended
  }
  return { path, write, end }
}

const megabyte = 1024 * 1024

it('[C11] a full disk under standard output costs nothing, and gets its lines when there is room again', async () => {
  const { path, write, end } = await start((out) => writeFile(out, Buffer.alloc(megabyte)), `ulimit -f ${megabyte / 512}`)
  for (const line of ['one', 'two', 'three']) await write(line)
  expect((await readFile(path)).length).toBe(megabyte)
  await truncate(path)
  await write('four')
  expect(await end()).toBe(0)
  expect(await readFile(path, 'utf8')).toBe('one\ntwo\nthree\nfour\n')
})

it('[C11] a disk that stays full does not keep the process from its end', async () => {
  const { write, end } = await start((out) => writeFile(out, Buffer.alloc(megabyte)), `ulimit -f ${megabyte / 512}`)
  await write('one')
  expect(await end()).toBe(0)
})

it('[C11] a pipe that nobody reads does not keep the process from its end', async () => {
  const { write, end } = await start(async (out) => {
    execFileSync('mkfifo', [out])
    const reader = await open(out, constants.O_RDWR)
    onTestFinished(() => reader.close())
  })
  for (let nth = 0; nth < 10; nth++) await write('x'.repeat(20_000))
  expect(await end()).toBe(0)
})
