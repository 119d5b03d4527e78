import { describe, expect, it } from 'vitest'
import { makeRoom, post } from './contract/entries.ts'
import { openWriter, statusOf } from './contract/harness.ts'
import { withFaults, type FaultyStorage } from './faulty.ts'
import { openMemoryStorage } from './memory/memory.ts'
import { BatchRejected, CommitUncertain, StorageUnavailable, type Entry } from './storage.ts'

/** A room of user 1, and an append to it that can be sent again. */
async function openFaulty(): Promise<FaultyStorage & { roomId: number; send(): Promise<string>; count(): Promise<number> }> {
  const faulty = withFaults(openMemoryStorage())
  const { log } = faulty.storage
  const writer = await openWriter(faulty.storage)
  const roomId = await makeRoom(writer, [1])
  const batch: Entry[] = [post(roomId, 1, 'a')]
  return {
    ...faulty,
    roomId,
    send: async () => statusOf((await log.append(writer.journal, 2, batch)).outcomes[0]),
    count: async () => (await log.findRoom(roomId))?.ordinal ?? 0,
  }
}

describe('withFaults', () => {
  it.each([
    { fault: 'unavailable', error: StorageUnavailable, stored: 0 },
    { fault: 'uncertain-lost', error: CommitUncertain, stored: 0 },
    { fault: 'uncertain-landed', error: CommitUncertain, stored: 1 },
    { fault: 'rejected', error: BatchRejected, stored: 0 },
  ] as const)('fails the next append with $fault, which stores $stored, and no other', async ({ fault, error, stored }) => {
    const { failNext, send, count } = await openFaulty()
    failNext(fault)
    await expect(send()).rejects.toBeInstanceOf(error)
    expect(await count()).toBe(stored)
    expect(await send()).toBe('done')
    expect(await count()).toBe(1)
  })

  it('rejects every batch with a faulty entry', async () => {
    const { rejectEntries, send, count } = await openFaulty()
    rejectEntries((entry) => entry.kind === 'post' && entry.content === 'a')
    await expect(send()).rejects.toBeInstanceOf(BatchRejected)
    await expect(send()).rejects.toBeInstanceOf(BatchRejected)
    expect(await count()).toBe(0)
  })

  it.each([
    { fault: 'uncertain-lost', stored: 0 },
    { fault: 'uncertain-landed', stored: 1 },
  ] as const)(
    'fails every batch with a faulty entry with $fault, which stores $stored, however often it is sent',
    async ({ fault, stored }) => {
      const { failEntries, send, count } = await openFaulty()
      failEntries(fault, (entry) => entry.kind === 'post' && entry.content === 'a')
      await expect(send()).rejects.toBeInstanceOf(CommitUncertain)
      await expect(send()).rejects.toBeInstanceOf(CommitUncertain)
      expect(await count()).toBe(stored)
    },
  )

  it('is away in all its parts, and comes back', async () => {
    const { storage, setAway, send, roomId } = await openFaulty()
    setAway(true)
    const calls = [send(), storage.ping(), storage.log.findRoom(roomId), storage.directory.isDevelopment()]
    const results = await Promise.allSettled(calls)
    expect(results.map((result) => result.status)).toEqual(calls.map(() => 'rejected'))
    setAway(false)
    await storage.ping()
    expect(await send()).toBe('done')
  })
})
