import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { until } from '../../test/chat.ts'
import { createManualClock, type ManualClock } from '../../test/manual-clock.ts'
import { openDiskFileStore } from '../files/disk/disk-file-store.ts'
import { isStoredName, type FileStore } from '../files/file-store.ts'
import { makeRoom } from '../storage/contract/entries.ts'
import { openWriter, type Writer } from '../storage/contract/harness.ts'
import { createMemoryDatabase } from '../storage/memory/memory.ts'
import type { Storage } from '../storage/storage.ts'
import { createFileKeeping, type FileKeeping } from './file-keeping.ts'

const minuteMs = 60_000

let directory: string
let files: FileStore
let clock: ManualClock
let warned: string[]

beforeEach(async () => {
  directory = await makeDirectory()
  files = await openDiskFileStore(directory)
  clock = createManualClock(Date.now() + minuteMs)
  warned = []
})

async function makeDirectory(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'madang-keeping-'))
  onTestFinished(() => rm(made, { recursive: true, force: true }))
  return made
}

/** A database, and the writer of its first journal. */
async function openDatabase(): Promise<{ storage: Storage; writer: Writer }> {
  const storage = createMemoryDatabase().openStorage()
  return { storage, writer: await openWriter(storage) }
}

async function startNode(storage: Storage, options: { isAlone?: boolean; files?: FileStore } = {}): Promise<FileKeeping> {
  const keeping = createFileKeeping({
    files: options.files ?? files,
    log: storage.log,
    clock,
    isAlone: options.isAlone ?? false,
    warn: (text) => void warned.push(text),
  })
  keeping.adopt(await storage.log.openJournal())
  keeping.start()
  onTestFinished(() => keeping.stop())
  await keeping.swept()
  return keeping
}

async function* some(): AsyncGenerator<Buffer, void> {
  yield Buffer.from('some')
}

async function put(): Promise<string> {
  return (await files.put(some(), 100)).name
}

/** Sends a message with this file. */
async function attach(storage: Storage, writer: Writer, name: string): Promise<void> {
  const roomId = await makeRoom(writer, [1])
  const attachments = [{ fileName: 'a.txt', url: `/uploads/${name}`, mimeType: null, sizeBytes: 4 }]
  await writer.run({
    kind: 'post',
    roomId,
    authorId: 1,
    isGuest: false,
    messageKind: 'text',
    content: '',
    fileUrl: null,
    attachments,
    clientKey: null,
    bodyHash: null,
  })
}

async function age(name: string, ms: number): Promise<void> {
  const at = (Date.now() - ms) / 1000
  await utimes(join(directory, name), at, at)
}

async function listStored(): Promise<string[]> {
  return (await readdir(directory)).filter(isStoredName).toSorted()
}

describe('the sweep at a start', () => {
  it('[P10] removes what no message has, and keeps what one has', async () => {
    const { storage, writer } = await openDatabase()
    await (await startNode(storage, { isAlone: true })).stop()
    const [kept] = [await put(), await put()]
    await attach(storage, writer, kept)
    await startNode(storage, { isAlone: true })
    expect(await listStored()).toEqual([kept])
    expect(warned).toEqual([])
  })

  it('[P10] leaves what other nodes may be receiving: it is less than an hour old', async () => {
    const { storage } = await openDatabase()
    await startNode(storage)
    const [fresh, old] = [await put(), await put()]
    await age(old, 61 * minuteMs)
    await age(fresh, 58 * minuteMs)
    await startNode(storage)
    expect(await listStored()).toEqual([fresh])
  })

  it('[P10] goes through many files', async () => {
    const { storage, writer } = await openDatabase()
    await (await startNode(storage, { isAlone: true })).stop()
    const names: string[] = []
    for (let at = 0; at < 600; at++) names.push(await put())
    await attach(storage, writer, names[300]!)
    await startNode(storage, { isAlone: true })
    expect(await listStored()).toEqual([names[300]])
  })

  it('[P10] removes nothing beside another database’s files, and says so', async () => {
    const [mine, other] = [await openDatabase(), await openDatabase()]
    await (await startNode(mine.storage, { isAlone: true })).stop()
    const name = await put()
    await startNode(other.storage, { isAlone: true })
    expect(await listStored()).toEqual([name])
    expect(warned.join()).toContain("FILES_DIR is not this database's alone")
    expect(warned.join()).toMatch(/madang-database-\w+\).* Set FILES_DIR/)
  })

  it.each([true, false])(
    '[P10] removes nothing of another database that came when there were no files (alone: %s)',
    async (isAlone) => {
      const [mine, other] = [await openDatabase(), await openDatabase()]
      await (await startNode(mine.storage, { isAlone })).stop()
      await startNode(other.storage, { isAlone })
      const name = await put()
      await age(name, 61 * minuteMs)
      await attach(other.storage, other.writer, name)
      for (const { storage } of [mine, other, mine]) await startNode(storage, { isAlone })
      expect(await listStored()).toEqual([name])
      expect(warned).toHaveLength(4)
      expect((await files.listMarks()).filter((mark) => mark.startsWith('database-'))).toHaveLength(1)
    },
  )

  it('[P10] removes nothing where two databases have their marks, not even what was begun', async () => {
    const { storage } = await openDatabase()
    await startNode(storage, { isAlone: true })
    await files.mark('database-other')
    const name = await put()
    await writeFile(join(directory, 'unfinished', 'begun'), '')
    await startNode(storage, { isAlone: true })
    expect([await listStored(), await readdir(join(directory, 'unfinished'))]).toEqual([[name], ['begun']])
  })

  it('[P10] never takes files without a mark for its own, nor lets the next database do so', async () => {
    const name = await put()
    const [mine, other] = [await openDatabase(), await openDatabase()]
    for (const { storage } of [mine, mine, other]) await startNode(storage, { isAlone: true })
    expect(await listStored()).toEqual([name])
    await files.remove(name)
    await startNode(other.storage, { isAlone: true })
    expect((await files.listMarks()).filter((mark) => mark.startsWith('database-'))).toEqual([])
    expect(warned).toHaveLength(4)
  })

  it('[P10] a directory that has gone is told and ends nothing', async () => {
    const { storage } = await openDatabase()
    await rm(directory, { recursive: true })
    await startNode(storage, { isAlone: true })
    expect(warned.join()).toContain('left-over files were not removed')
  })
})

describe('a deleted message', () => {
  it('[P10] has its files removed, but none that a message has', async () => {
    const { storage, writer } = await openDatabase()
    const keeping = await startNode(storage, { isAlone: true })
    const [kept, gone] = [await put(), await put()]
    await attach(storage, writer, kept)
    keeping.forget([kept, gone, 'not-a-stored-name'].map((name) => `/uploads/${name}`))
    await keeping.swept()
    expect(await listStored()).toEqual([kept])
    expect(warned).toEqual([])
  })
})

describe('nodes that share a database', () => {
  const isSeen = async (node: string) => (await files.listMarks()).some((mark) => mark.startsWith(node))

  it('[M1] are content with the same directory', async () => {
    const { storage, writer } = await openDatabase()
    await storage.log.closeJournal(writer.journal)
    await startNode(storage)
    await startNode(storage)
    await until('both marks', async () => (await isSeen('node-2-')) && (await isSeen('node-3-')))
    await look(10, 2)
    expect(warned).toEqual([])
  })

  it('[M1] one that does not see another’s mark says so, once', async () => {
    const { storage, writer } = await openDatabase()
    await storage.log.closeJournal(writer.journal)
    await startNode(storage)
    await startNode(storage, { files: await openDiskFileStore(await makeDirectory()) })
    await look(10, 2)
    expect(warned).toHaveLength(2)
    expect(warned.join()).toContain('FILES_DIR is not the one of other nodes')
  })

  it('[M1] the mark of one that has ended is taken away, and not missed', async () => {
    const { storage, writer } = await openDatabase()
    await storage.log.closeJournal(writer.journal)
    await files.mark('node-1-killed')
    const [, second] = [await startNode(storage), await startNode(storage)]
    await until('both marks', async () => (await isSeen('node-2-')) && (await isSeen('node-3-')))
    await second.stop()
    await storage.log.closeJournal(3)
    await look(10, 1)
    expect(await isSeen('node-3-')).toBe(false)
    expect(await isSeen('node-1-')).toBe(false)
    expect(warned).toEqual([])
  })

  /** So many looks of each node, each to its end, which takes the disk: a node then waits for its next. */
  async function look(times: number, nodes: number): Promise<void> {
    for (let at = 0; at < times; at++) {
      await clock.advance(30_000)
      await until('each node to wait', () => clock.pending() === nodes)
    }
  }
})
