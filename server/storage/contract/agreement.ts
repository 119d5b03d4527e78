/**
 * Whatever is appended, the adapter and the memory adapter answer the same. What may differ between two databases (times, ids
 * that a counter gave) is left out of the comparison.
 */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { MessageId, RoomId, SpaceId, UserId } from '../../core/model.ts'
import { openMemoryStorage } from '../memory/memory.ts'
import type { AppendResult, Entry, LogStore, Storage } from '../storage.ts'
import { commandBatches, type Command, type Names } from './commands.ts'
import { FROM_THE_NEWEST, openWriter, type Contract, type Writer } from './harness.ts'
import { recountSummaries, summariesOf } from './summaries.ts'

/** One of the two databases, and what it calls the things that the commands speak of. */
interface Side {
  storage: Storage
  writer: Writer
  spaces: SpaceId[]
  /** The ids of a room's messages, in order. */
  messages: Map<RoomId, MessageId[]>
}

export function agreementContract({ open }: Contract): void {
  it('answers any batches as the memory adapter does', { timeout: 60_000 }, async () => {
    const storages = [(await open()).storage, openMemoryStorage()]
    let base = 0
    await fc.assert(
      fc.asyncProperty(commandBatches, async (batches) => {
        base += 100
        const sides = await Promise.all(storages.map((storage) => openSide(storage, base)))
        for (const batch of batches) expectSame(await Promise.all(sides.map((side) => write(side, base, batch))))
        expectSame(await Promise.all(sides.map((side) => readAll(side, base))))
      }),
      { numRuns: 30 },
    )
  })
}

/** Every run has users, rooms and spaces of its own, so that one database serves all runs. */
async function openSide(storage: Storage, base: number): Promise<Side> {
  const spaces: SpaceId[] = []
  for (const ownerId of [base + 1, base + 2]) {
    spaces.push((await storage.directory.createSpace({ name: 's', description: null, iconUrl: null, ownerId })).id)
  }
  return { storage, writer: await openWriter(storage), spaces, messages: new Map() }
}

async function write(side: Side, base: number, batch: Command[]): Promise<AppendResult> {
  const names: Names = {
    number: (small) => base + small,
    space: (index) => side.spaces[index] ?? 0,
    message: (roomId, index) => side.messages.get(roomId)?.[index] ?? 1_000_000,
  }
  const entries: Entry[] = batch.map((command) => command(names))
  const result = await side.writer.write(...entries)
  for (const fact of result.facts) {
    if (fact.type !== 'message.posted') continue
    side.messages.set(fact.roomId, [...(side.messages.get(fact.roomId) ?? []), fact.message.id])
  }
  return result
}

async function readAll(side: Side, base: number): Promise<unknown> {
  const { storage, writer, spaces } = side
  const everything: unknown[] = [await storage.log.readCommits(writer.journal, 0, 1000)]
  for (const roomId of [1, 2, 3].map((small) => base + small)) {
    everything.push(await readRoom(storage.log, roomId))
    everything.push(await storage.log.listReactions(roomId, side.messages.get(roomId) ?? []))
  }
  for (const userId of [1, 2, 3, 4].map((small) => base + small)) {
    everything.push(await readUser(storage, userId, base))
    for (const spaceId of spaces) everything.push(await storage.directory.isSpaceMember(spaceId, userId))
  }
  return everything
}

async function readRoom(log: LogStore, roomId: RoomId): Promise<unknown> {
  const everything: unknown[] = [await log.findRoom(roomId), await log.listMembers(roomId)]
  everything.push(await log.readLog(roomId, FROM_THE_NEWEST, 1000), await log.countDeletedAfter(roomId, [0, 3, 6, 9]))
  everything.push(await log.listMessages(roomId, { offset: 0, limit: 1000 }))
  everything.push(await log.listMessagesBelow(roomId, 5, 3), await log.listMessagesAbove(roomId, 5, 3))
  for (const explicit of [true, false]) {
    const moves = await log.readMarkers(roomId, { explicit, below: FROM_THE_NEWEST, limit: 100 })
    everything.push(moves.map((move) => move.fact))
  }
  return everything
}

async function readUser(storage: Storage, userId: UserId, base: number): Promise<unknown> {
  const { log } = storage
  const rooms = (await log.listRoomsOf(userId)).map((room) => `room ${room.id}`)
  const summaries = await summariesOf(storage, userId)
  expect(summaries).toEqual(await recountSummaries(storage, userId))
  const directs = await Promise.all([1, 2, 3, 4].map((small) => log.findDirect([userId, base + small])))
  return [rooms, summaries, directs.map((roomId) => `room ${roomId}`), await log.listMembershipsOf(userId)]
}

function expectSame([actual, expected]: unknown[]): void {
  expect(comparable(actual)).toEqual(comparable(expected))
}

/** Ids that a counter gave; a room's name and description, which its updates show as they are now or as they were then. */
const LEFT_OUT = new Set(['id', 'messageId', 'spaceId', 'name', 'description'])

function comparable(value: unknown, key = ''): unknown {
  if (LEFT_OUT.has(key)) return 'left out'
  if (key === 'at' || key.endsWith('At')) return value === null ? null : 'a time'
  if (Array.isArray(value)) return value.map((inner) => comparable(inner))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, comparable(inner, name)]))
}
