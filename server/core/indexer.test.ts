import { describe, expect, it, onTestFinished } from 'vitest'
import { openTestChat } from '../../test/chat.ts'
import { createManualClock } from '../../test/manual-clock.ts'
import { makeRoom, post, read } from '../storage/contract/entries.ts'
import { openWriter } from '../storage/contract/harness.ts'
import { withFaults } from '../storage/faulty.ts'
import { createMemoryDatabase, openMemoryStorage } from '../storage/memory/memory.ts'
import type { LogStore } from '../storage/storage.ts'
import { createIndexer } from './indexer.ts'

/** The indexer of a process that hears what one writer commits; `calls` are its batches, as room ids, with when they began. */
async function open({ batchMs = 0 } = {}) {
  const database = createMemoryDatabase()
  const storage = database.openStorage()
  const faulty = withFaults(database.openStorage())
  const clock = createManualClock()
  const writer = await openWriter(storage)
  const calls: { roomId: number; atMs: number }[] = []
  const sweeps: number[] = []
  const troubles: string[] = []
  const startMs = clock.now()
  const log: LogStore = {
    ...faulty.storage.log,
    indexNext: async (roomId, limit) => {
      calls.push({ roomId, atMs: clock.now() - startMs })
      if (batchMs > 0) await new Promise<void>((resolve) => clock.after(batchMs, resolve))
      return faulty.storage.log.indexNext(roomId, limit)
    },
    listUnindexed: async (limit) => {
      sweeps.push(clock.now() - startMs)
      return faulty.storage.log.listUnindexed(limit)
    },
  }
  const indexer = createIndexer({ log, clock, onTrouble: (text) => void troubles.push(text) })
  onTestFinished(() => indexer.stop())
  const say = async (roomId: number, times = 1) =>
    indexer.hear(await writer.write(...Array.from({ length: times }, (_, index) => post(roomId, 1, `text ${index}`))))
  const unindexed = () => storage.log.listUnindexed(10_000)
  return { storage, faulty, clock, writer, indexer, calls, sweeps, troubles, say, unindexed, startMs }
}

describe('the indexer', () => {
  it('takes what comes within a second into the index together', async () => {
    const { writer, indexer, clock, calls, say, unindexed } = await open()
    const roomId = await makeRoom(writer, [1])
    indexer.start()
    await clock.advance(2_000)
    calls.length = 0
    for (const times of [1, 2, 3]) await say(roomId, times)
    await clock.advance(999)
    expect(calls).toEqual([])
    await clock.advance(1)
    expect(calls.map((call) => call.roomId)).toEqual([roomId])
    expect(await unindexed()).toEqual([])
  })

  it('finds at its start what was left behind, however many rooms that is', async () => {
    const { writer, indexer, clock, sweeps, unindexed } = await open()
    for (let made = 0; made < 1_001; made++) await makeRoom(writer, [1])
    indexer.start()
    await clock.advance(8_000)
    expect(await unindexed()).toEqual([])
    expect(sweeps).toHaveLength(2)
  })

  it('looks every minute for rooms that nobody follows', async () => {
    const { writer, indexer, clock, calls, sweeps, unindexed } = await open()
    indexer.start()
    await clock.advance(30_000)
    const roomId = await makeRoom(writer, [1])
    await clock.advance(29_999)
    expect([sweeps, calls]).toEqual([[0], []])
    await clock.advance(2_000)
    expect(sweeps).toEqual([0, 60_000])
    expect(calls.map((call) => call.roomId)).toEqual([roomId])
    expect(await unindexed()).toEqual([])
  })

  it('pauses four times as long as a batch took while messages come, and as long where none does', async () => {
    const { writer, indexer, clock, calls, say, unindexed } = await open({ batchMs: 100 })
    const roomId = await makeRoom(writer, [1])
    await say(roomId, 1_100)
    indexer.start()
    while (calls.length < 3) {
      await say(roomId)
      await clock.advance(10)
    }
    await clock.advance(10_000)
    const pauses = calls.slice(1).map(({ atMs }, before) => atMs - calls[before]!.atMs - 100)
    expect(pauses.slice(0, 6)).toEqual([400, 400, 400, 100, 100, 100])
    expect(await unindexed()).toEqual([])
  })

  it('tells for how long it has lacked something', async () => {
    const { writer, faulty, indexer, clock, say } = await open()
    const roomId = await makeRoom(writer, [1])
    indexer.start()
    await clock.advance(5_000)
    expect(indexer.lagMs()).toBe(0)
    await say(roomId)
    await clock.advance(500)
    await say(roomId)
    expect(indexer.lagMs()).toBe(500)
    await clock.advance(1_000)
    expect(indexer.lagMs()).toBe(0)
    faulty.setAway(true)
    await say(roomId)
    await clock.advance(90_000)
    expect(indexer.lagMs()).toBe(90_000)
    faulty.setAway(false)
    await clock.advance(61_000)
    expect(indexer.lagMs()).toBe(0)
  })

  it('lets no busy room keep others waiting', async () => {
    const { writer, indexer, clock, calls, say } = await open()
    const [busy, quiet] = [await makeRoom(writer, [1]), await makeRoom(writer, [1])]
    await say(busy, 500)
    await say(quiet)
    indexer.start()
    await clock.advance(3_000)
    expect(calls.map((call) => call.roomId)).toEqual([busy, quiet, busy, busy])
  })

  it('does nothing for what is not in the log', async () => {
    const { writer, indexer, clock, calls } = await open()
    const roomId = await makeRoom(writer, [1])
    indexer.start()
    await clock.advance(3_000)
    calls.length = 0
    indexer.hear(await writer.write(read(roomId, 1)))
    await clock.advance(10_000)
    expect(calls).toEqual([])
  })

  it('waits while storage is away, and says nothing of that', async () => {
    const { writer, faulty, indexer, clock, say, troubles, unindexed } = await open()
    const roomId = await makeRoom(writer, [1])
    faulty.setAway(true)
    indexer.start()
    await say(roomId)
    await clock.advance(200_000)
    expect(await unindexed()).toEqual([roomId])
    faulty.setAway(false)
    await clock.advance(61_000)
    expect(await unindexed()).toEqual([])
    expect(troubles).toEqual([])
  })

  it('tells of a room that cannot be indexed, and goes on with the others', async () => {
    const { writer, storage, clock, troubles, unindexed } = await open()
    const [broken, sound] = [await makeRoom(writer, [1]), await makeRoom(writer, [1])]
    const indexNext = async (roomId: number, limit: number) => {
      if (roomId === broken) throw new TypeError('broken, for a test')
      return storage.log.indexNext(roomId, limit)
    }
    const indexer = createIndexer({ log: { ...storage.log, indexNext }, clock, onTrouble: (text) => void troubles.push(text) })
    indexer.start()
    await clock.advance(3_000)
    await indexer.stop()
    expect(await unindexed()).toEqual([broken])
    expect(sound).not.toBe(broken)
    expect(troubles).toEqual(['the search index does not go on'])
  })

  it('ends with the batch that is under way', async () => {
    const { writer, indexer, clock, calls, say, unindexed } = await open({ batchMs: 100 })
    const roomId = await makeRoom(writer, [1])
    await say(roomId, 1_200)
    indexer.start()
    while (calls.length === 0) await clock.advance(10)
    let isStopped = false
    const stopped = indexer.stop().then(() => (isStopped = true))
    await clock.advance(50)
    expect(isStopped).toBe(false)
    await clock.advance(50)
    expect(await stopped).toBe(true)
    await clock.advance(100_000)
    expect(calls).toHaveLength(1)
    expect(await unindexed()).toEqual([roomId])
  })
})

describe('a chat', () => {
  it('indexes what it commits, what it finds at its start, and nothing once it is closed', async () => {
    const storage = openMemoryStorage()
    const before = await makeRoom(await openWriter(storage), [1])
    const clock = createManualClock()
    const chat = await openTestChat(storage, { clock })
    await clock.advance(2_000)
    expect(await storage.log.listUnindexed(10)).toEqual([])
    const user = await chat.accounts.getOrMake(1)
    await chat.messages.post(user, before, { content: 'a' })
    expect(await storage.log.listUnindexed(10)).toEqual([before])
    await clock.advance(1_100)
    expect(await storage.log.listUnindexed(10)).toEqual([])
    await chat.messages.post(user, before, { content: 'b' })
    await chat.close()
    await clock.advance(100_000)
    expect(await storage.log.listUnindexed(10)).toEqual([before])
  })
})
