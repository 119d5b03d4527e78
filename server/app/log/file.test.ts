import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { until } from '../../../test/chat.ts'
import { createManualClock } from '../../../test/manual-clock.ts'
import { systemClock } from '../clock.ts'
import { makeEntry } from './entry.ts'
import { openLogFile, type LogFileOptions } from './file.ts'

const entry = makeEntry(0, 'info', '')

async function open(options: Partial<LogFileOptions> = {}) {
  const directory = await mkdtemp(join(tmpdir(), 'madang-log-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  const path = join(directory, 'logs', 'madang.log')
  const troubles: string[] = []
  const file = openLogFile({ path, clock: systemClock, onTrouble: (text) => void troubles.push(text), ...options })
  const read = (name = 'madang.log') => readFile(join(dirname(path), name), 'utf8')
  return { path, file, troubles, read, list: async () => (await readdir(dirname(path))).toSorted() }
}

it('[C11] keeps the lines in their order, also those of before, in a directory that others cannot read', async () => {
  const { path, file, read } = await open()
  await mkdir(dirname(path), { mode: 0o700 })
  await writeFile(path, 'before\n')
  const lines = Array.from({ length: 500 }, (_, nth) => `line ${nth}\n`)
  for (const line of lines) file.write(line, entry)
  await file.close()
  expect(await read()).toBe(`before\n${lines.join('')}`)
})

it('[C11] makes its directory, for its owner alone', async () => {
  const { path, file } = await open()
  file.write('a\n', entry)
  await file.close()
  expect([(await stat(dirname(path))).mode & 0o777, (await stat(path)).mode & 0o777]).toEqual([0o700, 0o600])
})

it('[C11] rotates by size: whole lines, none lost, and the oldest files go', async () => {
  const { file, read, list } = await open({ sizeBytes: 100, kept: 2 })
  const write = async (nth: number) => {
    const line = `${String(nth).padStart(49, '.')}\n`
    file.write(line, entry)
    // While files are being renamed, one that was listed may not be there.
    const readAll = async () => (await Promise.all((await list()).map(read))).join('')
    await until(`line ${nth}`, async () => (await readAll().catch(() => '')).includes(line))
  }
  for (let nth = 1; nth <= 7; nth++) await write(nth)
  await file.close()
  expect(await list()).toEqual(['madang.log', 'madang.log.1', 'madang.log.2'])
  const numbers = async (name: string) => [...(await read(name)).matchAll(/(\d)\n/g)].map(([, nth]) => Number(nth))
  expect([await numbers('madang.log.2'), await numbers('madang.log.1'), await numbers('madang.log')]).toEqual([
    [3, 4],
    [5, 6],
    [7],
  ])
})

it('[C11] a file that cannot be written costs a word on the terminal, and gets its lines when it can be', async () => {
  const clock = createManualClock()
  const { path, file, troubles, read } = await open({ clock })
  await writeFile(dirname(path), 'no directory')
  file.write('first\n', entry)
  await until('trouble', () => troubles.length > 0)
  expect(troubles).toEqual([expect.stringMatching(/^LOG_FILE cannot be written \(E[A-Z]+\); it is tried again each 10 s$/)])
  file.write('second\n', entry)
  for (let nth = 0; nth < 3; nth++) await clock.advance(10_000)
  await rm(dirname(path))
  await until('a try that succeeds', async () => {
    await clock.advance(10_000)
    return troubles.length > 1
  })
  expect(troubles.slice(1)).toEqual(['LOG_FILE can be written again'])
  expect(await read()).toBe('first\nsecond\n')
  await file.close()
})

it('[C11] what may wait for the disk is counted in bytes, and what is under way is part of it', async () => {
  const { file, read } = await open()
  const line = `${'가'.repeat(1024 * 1024)}\n`
  for (let nth = 0; nth < 4; nth++) file.write(line, entry)
  expect(file.takeDropped()).toBe(2)
  await file.close()
  expect(await read()).toBe(line.repeat(2))
})

it('[C11] lines beyond what may wait for the disk are dropped and counted', async () => {
  const clock = createManualClock()
  const { path, file, troubles } = await open({ clock })
  await writeFile(dirname(path), 'no directory')
  file.write('first\n', entry)
  await until('trouble', () => troubles.length > 0)
  const megabyte = 'x'.repeat(1024 * 1024)
  for (let nth = 0; nth < 10; nth++) file.write(megabyte, entry)
  expect([file.takeDropped(), file.takeDropped()]).toEqual([3, 0])
  await file.close()
})
