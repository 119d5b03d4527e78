/** Uploads against a process of its own: its memory, and what it leaves when it is killed (P10). */
import { readdir, readFile } from 'node:fs/promises'
import { request } from 'node:http'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { isStoredName } from '../server/files/file-store.ts'
import { openRaw } from '../server/http/raw-client.fixture.ts'
import { makeStartedDir } from '../server/storage/postgres/testing.ts'
import { until } from './chat.ts'
import { spawnChild, startChild, findPort } from './child.ts'

const mebibyte = 1024 * 1024
const attach = '/api/chats/123/attach'
const part = '--b\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n\r\n'
const type = 'multipart/form-data; boundary=b'

async function freshDir(): Promise<string> {
  const { dataDir, remove } = await makeStartedDir()
  onTestFinished(remove)
  return dataDir
}

async function residentMiB(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)![1]) / 1024
}

/** Uploads files of so many MiB in one request, calling `meanwhile` after each MiB; resolves with the status. */
async function upload(url: string, sizesMiB: number[], meanwhile: () => Promise<void>): Promise<number> {
  const sending = request(url + attach, { method: 'POST', headers: { 'content-type': type } })
  const answered = new Promise<number>((resolve, reject) => {
    sending.on('response', (answer) => answer.resume().on('end', () => resolve(answer.statusCode ?? 0)))
    sending.on('error', reject)
  })
  const chunk = Buffer.alloc(mebibyte, 7)
  const write = (bytes: Buffer | string) =>
    new Promise<void>((resolve) => (sending.write(bytes) ? resolve() : sending.once('drain', resolve)))
  for (const size of sizesMiB) {
    await write(part)
    for (let at = 0; at < size; at++) {
      await write(chunk)
      await meanwhile()
    }
    await write('\r\n')
  }
  sending.end('--b--\r\n')
  return answered
}

/** `UPLOAD_TEST_MB=400` for the whole of what is promised. */
const totalMiB = Number(process.env['UPLOAD_TEST_MB'] ?? 140)
/** The largest file may have 150. */
const filesNeeded = Math.ceil(totalMiB / 140)

it.runIf(process.platform === 'linux')('[P10] memory stays flat while one request uploads its files', async () => {
  const port = await findPort()
  const child = spawnChild({ env: { DATA_DIR: await freshDir(), PORT: String(port) } })
  await until(
    'a server',
    () =>
      fetch(`${child.url}/readyz`).then(
        ({ ok }) => ok,
        () => false,
      ),
    60_000,
  )
  const pid = child.process.pid!
  // What the first upload brings in, of code and buffers, stays.
  expect(await upload(child.url, [20], async () => undefined)).toBe(200)
  const before = await residentMiB(pid)
  let peak = 0
  const sizes = Array.from({ length: filesNeeded }, () => totalMiB / filesNeeded)
  expect(await upload(child.url, sizes, async () => void (peak = Math.max(peak, await residentMiB(pid))))).toBe(200)
  if (process.env['UPLOAD_TEST_MB'] !== undefined)
    console.log(`${totalMiB} MiB: ${before.toFixed(0)} MiB before, ${peak.toFixed(0)} at most`)
  // Far less than one of its files; buffers wait for the collector.
  expect(peak - before).toBeLessThan(60)
})

it('[P10] what a killed server was receiving is gone after the next start, what was sent is there', async () => {
  const DATA_DIR = await freshDir()
  const files = join(DATA_DIR, 'files')
  const stored = async () => (await readdir(files)).filter(isStoredName)
  const unfinished = () => readdir(join(files, 'unfinished'))
  const first = await startChild({ env: { DATA_DIR } })
  expect(await upload(first.url, [1], async () => undefined)).toBe(200)
  const client = await openRaw(Number(new URL(first.url).port))
  client.send(`POST ${attach} HTTP/1.1\r\nHost: x\r\nContent-Type: ${type}\r\nContent-Length: 900000\r\n\r\n`)
  client.send(`${part}whole\r\n${part}${'x'.repeat(300_000)}`)
  await until('the second file', async () => (await stored()).length === 2 && (await unfinished()).length === 1)
  first.kill('SIGKILL')
  await first.exited
  expect([(await stored()).length, (await unfinished()).length]).toEqual([2, 1])
  const second = await startChild({ env: { DATA_DIR } })
  await until('the sweep', async () => (await stored()).length === 1 && (await unfinished()).length === 0)
  const answer = await fetch(`${second.url}/uploads/${(await stored())[0]}`)
  expect([answer.status, (await answer.arrayBuffer()).byteLength]).toEqual([200, mebibyte])
})
