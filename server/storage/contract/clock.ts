/** What only shows when time passes, or when the clock goes back. */
import { expect, it } from 'vitest'
import { keyed, makeRoom, post, say } from './entries.ts'
import { FROM_THE_NEWEST, openWriter, type Contract, type ContractStorage } from './harness.ts'

const HOUR_MS = 3_600_000

export function clockContract({ open, differences }: Contract): void {
  const { clock } = differences
  if (clock !== undefined) {
    it.skip(`what needs another time of day: ${clock}`)
    return
  }

  async function openMovable(): Promise<Required<ContractStorage>> {
    const { moveClock, ...opened } = await open()
    if (moveClock === undefined) throw new Error('an adapter without moveClock names its reason in differences.clock')
    return { ...opened, moveClock }
  }

  it('closes the journals that fell silent, and not those that were touched or that wrote', async () => {
    const { storage, moveClock } = await openMovable()
    const silent = await storage.log.openJournal()
    const touched = await storage.log.openJournal()
    const writing = await openWriter(storage)
    await moveClock(60_000)
    await storage.log.touchJournal(touched.number)
    await makeRoom(writing, [1])
    await storage.log.closeSilentJournals(30_000)
    const closed = (await storage.log.listJournals(1)).filter((journal) => journal.isClosed)
    expect(closed.map((journal) => journal.number)).toEqual([silent.number])
  })

  it('[A8] keeps client keys for 24 hours and forgets them then', async () => {
    const { storage, moveClock } = await openMovable()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1])
    await writer.run(keyed(roomId, 1, 'k', 'a'))
    await moveClock(23.9 * HOUR_MS)
    await storage.log.prune()
    expect(await writer.ask(keyed(roomId, 1, 'k', 'a'))).toBe('repeated')
    await moveClock(0.2 * HOUR_MS)
    await storage.log.prune()
    expect(await writer.ask(keyed(roomId, 1, 'k', 'a'))).toBe('done')
  })

  it('keeps commits for an hour and forgets them then, but not how far the journal is', async () => {
    const { storage, moveClock } = await openMovable()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1])
    await moveClock(0.9 * HOUR_MS)
    await say(writer, roomId, 1, 'a')
    await storage.log.prune()
    expect(await storage.log.readCommits(writer.journal, 0, 9)).toHaveLength(2)
    await moveClock(0.2 * HOUR_MS)
    await storage.log.prune()
    expect(await storage.log.readCommits(writer.journal, 0, 9)).toMatchObject([{ firstPosition: 2 }])
    expect(await writer.ask(post(roomId, 1, 'b'))).toBe('done')
    expect(await storage.log.readLog(roomId, FROM_THE_NEWEST, 9)).toHaveLength(3)
  })

  it('[A15] forgets a revoked token after its end', async () => {
    const { storage, moveClock } = await openMovable()
    const sha256 = 'a'.repeat(64)
    await storage.directory.revokeToken(sha256, Date.now() + HOUR_MS)
    await moveClock(2 * HOUR_MS)
    await storage.log.prune()
    expect(await storage.directory.isTokenRevoked(sha256)).toBe(false)
  })

  it('lets no event be earlier than the one before it when the clock goes back', async () => {
    const { storage, moveClock } = await openMovable()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1])
    const before = await say(writer, roomId, 1, 'a')
    await moveClock(-HOUR_MS)
    const after = await say(writer, roomId, 1, 'b')
    expect(after.createdAt).toBeGreaterThanOrEqual(before.createdAt)
  })
}
