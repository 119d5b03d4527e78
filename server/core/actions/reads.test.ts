import { afterEach, describe, expect, it } from 'vitest'
import { connect, openTestChat } from '../../../test/chat.ts'
import { settle } from '../../../test/manual-clock.ts'
import { openMemoryStorage } from '../../storage/memory/memory.ts'
import type { Chat } from '../chat.ts'
import type { ReadAdvanced } from '../events.ts'

let chat: Chat | undefined
afterEach(() => chat?.close())

/** Users 1 to 3 in three chats: the first two with a message of 1 each, the third empty. */
async function open() {
  const storage = openMemoryStorage()
  const opened = (chat = await openTestChat(storage))
  const users = [
    await opened.accounts.getOrMake(1),
    await opened.accounts.getOrMake(2),
    await opened.accounts.getOrMake(3),
  ] as const
  const rooms: number[] = []
  for (let i = 0; i < 3; i++) rooms.push((await opened.rooms.createPeers(users[0], { title: null, memberIds: [2, 3] })).id)
  for (const roomId of rooms.slice(0, 2)) await opened.messages.post(users[0], roomId, { content: 'a' })
  const clients = await Promise.all(rooms.map((roomId) => connect(opened, users[2], roomId)))
  const reads = async () => {
    await settle()
    const events = clients.flatMap(({ frames }) => frames.map(({ event }) => event))
    return events.filter((event): event is typeof event & ReadAdvanced => event.type === 'read.advanced' && event.explicit)
  }
  const unreadOf = async (who: 0 | 1 | 2) =>
    (await opened.queries.listChats(users[who])).toSorted((a, b) => a.room.id - b.room.id).map(({ unreadCount }) => unreadCount)
  return { ...opened, storage, users, roomIds: rooms, events: reads, unreadOf }
}

describe('reading all', () => {
  it('reads each chat that has something unread, once, and leaves the others alone', async () => {
    const { reads, users, roomIds, events, unreadOf } = await open()
    expect(await unreadOf(1)).toEqual([1, 1, 0])
    await reads.advanceAll(users[1])
    await reads.advanceAll(users[1])
    await reads.advanceAll(users[0])
    expect((await events()).map(({ roomId, userId, passed }) => [roomId, userId, passed])).toEqual([
      [roomIds[0], 2, true],
      [roomIds[1], 2, true],
    ])
    expect([await unreadOf(0), await unreadOf(1), await unreadOf(2)]).toEqual([
      [0, 0, 0],
      [0, 0, 0],
      [1, 1, 0],
    ])
  })

  it('leaves alone a chat whose unread messages were all deleted', async () => {
    const { reads, messages, users, roomIds, events } = await open()
    const { event } = await messages.post(users[0], roomIds[2]!, { content: 'b' })
    await messages.remove(users[0], roomIds[2]!, event.message.id)
    await reads.advanceAll(users[1])
    expect((await events()).map(({ roomId }) => roomId)).toEqual(roomIds.slice(0, 2))
  })

  it('goes no further than what stood there, and lets be a chat that was lost meanwhile', async () => {
    const { reads, messages, members, users, roomIds, storage, unreadOf } = await open()
    const { listSummaries } = storage.log
    storage.log.listSummaries = async (userId) => {
      const found = await listSummaries(userId)
      storage.log.listSummaries = listSummaries
      await messages.post(users[0], roomIds[0]!, { content: 'unseen' })
      await members.leave(users[1], roomIds[1]!)
      return found
    }
    await reads.advanceAll(users[1])
    expect(await unreadOf(1)).toEqual([1, 0])
  })
})

describe('[P9] reading up to message 0', () => {
  it('keeps the marker, notes when, and says that it passed nothing', async () => {
    const { reads, users, roomIds, queries } = await open()
    const roomId = roomIds[0]!
    const before = await queries.getMember(roomId, 2)
    const kept = await reads.advance(users[1], roomId, 0)
    expect(kept).toMatchObject({ passed: false, messageId: null, markerSeq: before.marker.seq })
    const { marker } = await queries.getMember(roomId, 2)
    expect(marker).toEqual({ ...before.marker, readAt: kept.at })
    const read = await reads.advance(users[1], roomId, null)
    const again = await reads.advance(users[1], roomId, 0)
    expect([read.passed, again.passed, again.messageId]).toEqual([true, false, read.messageId])
  })
})
