/** What only the embedded database has: one process at a time in a directory, a worker that may end, one backend for all. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { sql } from 'kysely'
import { expect, it, onTestFinished, vi } from 'vitest'
import { makeRoom, post, say } from '../contract/entries.ts'
import { openWriter } from '../contract/harness.ts'
import { StorageUnavailable, type Storage } from '../storage.ts'
import { assembleStorage } from './assemble.ts'
import { databaseOver } from './database.ts'
import { lanesTo } from './embedded.ts'
import { openEmbeddedStorage } from './index.ts'
import { WorkerKeeper } from './keeper.ts'
import { Lane } from './pool.ts'
import { makeDataDir, makeStartedDir } from './testing.ts'

const PAGE = { offset: 0, limit: 1000 }

async function freshDir(make = makeStartedDir): Promise<string> {
  const { dataDir, remove } = await make()
  onTestFinished(remove)
  return dataDir
}

/** A storage whose worker the test holds. */
async function openKept(dataDir: string): Promise<{ storage: Storage; keeper: WorkerKeeper; notices: string[] }> {
  const notices: string[] = []
  const keeper = new WorkerKeeper(dataDir, (text) => notices.push(text))
  await keeper.start()
  const onClose = () => keeper.stop()
  const lanes = lanesTo(dataDir, { dataDir, statementTimeoutMs: 2_000 })
  const storage = await assembleStorage({ ...lanes, messageIdMax: 1000, hasAutovacuum: false, onClose })
  onTestFinished(() => storage.close())
  return { storage, keeper, notices }
}

it('[M1] refuses a second opener of a directory with a clear text, and lets it in once the first has closed', async () => {
  const dataDir = join(await freshDir(makeDataDir), 'data')
  const onMake = vi.fn()
  const first = await openEmbeddedStorage({ dataDir, onMake })
  await expect(openEmbeddedStorage({ dataDir })).rejects.toThrow(`${dataDir} is in use by another Madang`)
  await first.ping()
  expect((await stat(dataDir)).mode & 0o777).toBe(0o700)
  await first.close()
  const second = await openEmbeddedStorage({ dataDir, onMake })
  await second.close()
  expect(onMake).toHaveBeenCalledOnce()
})

it('opens the directory of a process that was killed, and all that was answered is there', async () => {
  const dataDir = await freshDir()
  const holder = spawn(
    process.execPath,
    ['--import', 'tsx', fileURLToPath(new URL('./holder.fixture.ts', import.meta.url)), dataDir],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  await once(holder.stdout, 'data')
  await expect(openEmbeddedStorage({ dataDir })).rejects.toThrow('in use')
  holder.kill('SIGKILL')
  await once(holder, 'exit')
  const storage = await openEmbeddedStorage({ dataDir })
  onTestFinished(() => storage.close())
  expect(await storage.log.listMessages(1, PAGE)).toMatchObject([{ content: 'kept' }])
  expect(await storage.log.openJournal()).toMatchObject({ number: 2 })
})

it('refuses a directory whose path is too long for a socket, and says so', async () => {
  const dataDir = join(await freshDir(makeDataDir), 'a'.repeat(100))
  await expect(openEmbeddedStorage({ dataDir })).rejects.toThrow('too long for a socket')
})

it('answers many reads and appends at once, each with its own answer', async () => {
  const { storage } = await openKept(await freshDir())
  const writer = await openWriter(storage)
  const roomId = await makeRoom(writer, [1])
  const space = await storage.directory.createSpace({ name: 's', description: null, iconUrl: null, ownerId: 7 })
  for (let round = 0; round < 20; round++) {
    const [written, ...answers] = await Promise.all([
      writer.write(post(roomId, 1, `${round}`)),
      ...Array.from({ length: 10 }, () => [storage.log.findRoom(roomId), storage.directory.findSpace(space.id)]).flat(),
    ])
    expect(written.outcomes).toMatchObject([{ status: 'done' }])
    for (const [nth, answer] of answers.entries()) expect(answer).toMatchObject({ name: nth % 2 === 0 ? 'a room' : 's' })
  }
  expect(await storage.log.listMessages(roomId, PAGE)).toHaveLength(20)
})

it('is unavailable when its worker ends, starts it again and has all that was answered', async () => {
  const { storage, keeper, notices } = await openKept(await freshDir())
  const writer = await openWriter(storage)
  const roomId = await makeRoom(writer, [1])
  await say(writer, roomId, 1, 'kept')
  const broken = expect(writer.write(post(roomId, 1, 'lost'), post(roomId, 1, 'or not'))).rejects.toBeInstanceOf(
    StorageUnavailable,
  )
  await keeper.crash()
  await broken
  await expect(storage.ping()).rejects.toBeInstanceOf(StorageUnavailable)
  await vi.waitFor(() => storage.ping(), { timeout: 20_000 })
  const listed = await storage.log.listMessages(roomId, PAGE)
  expect(listed.at(-1)).toMatchObject({ content: 'kept' })
  expect([1, 3]).toContain(listed.length)
  expect(notices).toEqual([expect.stringContaining('started again')])
})

it('gives up on a query that takes too long, and goes on when the database has done it', async () => {
  const dataDir = await freshDir()
  const { storage } = await openKept(dataDir)
  const writer = await openWriter(storage)
  const roomId = await makeRoom(writer, [1])
  const { reads, writes } = lanesTo(dataDir, { dataDir, statementTimeoutMs: 300 })
  const [impatient, hurried] = [new Lane(reads), new Lane(writes)]
  onTestFinished(async () => {
    await Promise.all([impatient.end(), hurried.end()])
  })
  const slow = sql`select count(*) from generate_series(1, ${4_000_000}::int)`.execute(databaseOver(impatient))
  await expect(slow).rejects.toBeInstanceOf(StorageUnavailable)
  // PGlite goes on with it: who comes meanwhile waits, or gives up as well.
  await vi.waitFor(() => storage.ping(), { timeout: 20_000 })
  expect(await writer.ask(post(roomId, 1, 'after'))).toBe('done')
})

it('prunes without leaving what was deleted in its files', async () => {
  const { storage } = await openKept(await freshDir())
  await expect(storage.log.prune()).resolves.toBeUndefined()
})
