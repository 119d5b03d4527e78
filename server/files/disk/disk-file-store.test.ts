import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { fileStoreContract } from '../file-store.contract.ts'
import { FilesUnavailable } from '../file-store.ts'
import { openDiskFileStore } from './disk-file-store.ts'

async function makeDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'madang-disk-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  return directory
}

fileStoreContract('disk', async () => {
  const directory = join(await makeDirectory(), 'made', 'by it')
  return {
    files: await openDiskFileStore(directory),
    leaveUnfinished: () => writeFile(join(directory, 'unfinished', 'left'), 'half'),
    countUnfinished: async () => (await readdir(join(directory, 'unfinished'))).length,
    close: async () => undefined,
  }
})

async function* some(): AsyncGenerator<Buffer, void> {
  yield Buffer.from('some')
}

it('[P10] the directory and its files are for their owner alone', async () => {
  const directory = join(await makeDirectory(), 'files')
  const files = await openDiskFileStore(directory)
  const { name } = await files.put(some(), 100)
  expect((await stat(directory)).mode & 0o777).toBe(0o700)
  expect((await stat(join(directory, name))).mode & 0o777).toBe(0o600)
})

it('[P10] a directory that has gone is no fault of the request', async () => {
  const directory = await makeDirectory()
  const files = await openDiskFileStore(directory)
  await rm(directory, { recursive: true })
  await expect(files.put(some(), 100)).rejects.toThrow(FilesUnavailable)
})

it('[M1] a directory that cannot be made is told with its path', async () => {
  const directory = await makeDirectory()
  await writeFile(join(directory, 'file'), '')
  await expect(openDiskFileStore(join(directory, 'file'))).rejects.toThrow(join(directory, 'file'))
})
