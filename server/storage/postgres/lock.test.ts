import { once } from 'node:events'
import { readdir, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { DirectoryInUse, lockDirectory } from './lock.ts'
import { makeDataDir } from './testing.ts'

async function freshDir(): Promise<string> {
  const { dataDir, remove } = await makeDataDir()
  onTestFinished(remove)
  return dataDir
}

it('lets one of many starters at once have the directory, however they meet', async () => {
  const directory = await freshDir()
  for (let round = 0; round < 20; round++) {
    const results = await Promise.allSettled(Array.from({ length: 8 }, () => lockDirectory(directory)))
    const unlocks = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
    for (const result of results) if (result.status === 'rejected') expect(result.reason).toBeInstanceOf(DirectoryInUse)
    expect(unlocks).toHaveLength(1)
    await unlocks[0]?.()
  }
  expect(await readdir(directory)).toEqual([])
})

it('removes the lock of a process that was killed', async () => {
  const directory = await freshDir()
  await writeFile(join(directory, 'lock-5.sock'), '')
  const unlock = await lockDirectory(directory)
  expect(await readdir(directory)).not.toContain('lock-5.sock')
  await unlock()
})

it('takes a holder that hangs for a holder', { timeout: 10_000 }, async () => {
  const directory = await freshDir()
  const hung = createServer(() => undefined)
  await new Promise<void>((resolve) => hung.listen(join(directory, 'lock-5.sock'), resolve))
  await expect(lockDirectory(directory)).rejects.toBeInstanceOf(DirectoryInUse)
  hung.close()
})

it('gives the directory back also while one who knocked hangs', async () => {
  const directory = await freshDir()
  const unlock = await lockDirectory(directory)
  const [name = ''] = await readdir(directory)
  const hung = connect({ path: join(directory, name), allowHalfOpen: true })
  onTestFinished(() => void hung.destroy())
  await once(hung, 'connect')
  await unlock()
  expect(await readdir(directory)).toEqual([])
})
