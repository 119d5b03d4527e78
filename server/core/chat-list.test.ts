import { afterEach, describe, expect, it } from 'vitest'
import { openTestChat } from '../../test/chat.ts'
import { createManualClock, settle } from '../../test/manual-clock.ts'
import { openMemoryStorage } from '../storage/memory/memory.ts'
import type { Chat } from './chat.ts'
import type { RoomId, User } from './model.ts'

let chat: Chat | undefined
afterEach(() => chat?.close())

async function open() {
  const clock = createManualClock()
  const storage = openMemoryStorage({ now: clock.now })
  const opened = (chat = await openTestChat(storage, { clock }))
  const users: User[] = []
  for (const id of [1, 2, 3]) users.push(await opened.accounts.getOrMake(id))
  const user = (id: number) => users[id - 1]!
  const list = (id: number) => opened.queries.listChats(user(id))
  const post = async (by: number, roomId: RoomId, content = 'a') => {
    await clock.advance(1)
    return (await opened.messages.post(user(by), roomId, { content })).event.message
  }
  const group = async (...memberIds: number[]) => {
    await clock.advance(1)
    return (await opened.rooms.createPeers(user(memberIds[0]!), { title: null, memberIds })).id
  }
  return { ...opened, storage, clock, user, list, post, group }
}

describe('[P8] the list of chats', () => {
  it('shows newest activity first: the last message that stands, else the room itself', async () => {
    const { list, post, group, messages, user } = await open()
    const [a, b, c] = [await group(1, 2), await group(1, 2), await group(1, 2)]
    const order = async () => (await list(1)).map(({ room }) => room.id)
    expect(await order()).toEqual([c, b, a])
    await post(2, a)
    const { id } = await post(2, b)
    expect(await order()).toEqual([b, a, c])
    await messages.remove(user(2), b, id)
    expect(await order()).toEqual([a, c, b])
  })

  it('shows the last message with its author, or none, and the deleted never', async () => {
    const { list, post, group, messages, user } = await open()
    const roomId = await group(1, 2)
    expect((await list(1))[0]!.last).toBeNull()
    await post(2, roomId, 'first')
    const { id } = await post(1, roomId, 'second')
    expect((await list(1))[0]!.last).toMatchObject({ message: { content: 'second' }, author: { id: 1 } })
    await messages.remove(user(1), roomId, id)
    expect((await list(1))[0]!.last).toMatchObject({ message: { content: 'first' }, author: { id: 2, username: 'user2' } })
  })

  it('counts the members with the caller, and names the lowest-numbered other', async () => {
    const { list, group, members, user } = await open()
    const roomId = await group(3, 2, 1)
    const seen = async (id: number) => (await list(id)).map(({ memberCount, other }) => [memberCount, other?.id ?? null])
    expect([await seen(1), await seen(2), await seen(3)]).toEqual([[[3, 2]], [[3, 1]], [[3, 1]]])
    for (const id of [1, 2]) await members.leave(user(id), roomId)
    expect([await seen(1), await seen(3)]).toEqual([[], [[1, null]]])
  })

  it("counts others' messages behind the caller's marker that are not deleted", async () => {
    const { list, post, group, messages, reads, user } = await open()
    const roomId = await group(1, 2, 3)
    const unread = async (id: number) => (await list(id))[0]!.unreadCount
    const [a, b] = [await post(2, roomId), await post(2, roomId)]
    await post(3, roomId)
    expect([await unread(1), await unread(2), await unread(3)]).toEqual([3, 1, 0])
    await messages.remove(user(2), roomId, b.id)
    expect([await unread(1), await unread(2), await unread(3)]).toEqual([2, 1, 0])
    await reads.advance(user(1), roomId, a.id)
    expect(await unread(1)).toBe(1)
  })

  it('takes as many reads for a hundred chats as for one', async () => {
    const { list, post, group, storage } = await open()
    const calls: string[] = []
    const count = (target: object) => {
      for (const [name, method] of Object.entries(target)) {
        const counted = (...args: unknown[]) => (calls.push(name), (method as (...args: unknown[]) => unknown)(...args))
        if (typeof method === 'function') Object.assign(target, { [name]: counted })
      }
    }
    await post(1, await group(1, 2))
    await settle()
    count(storage.log)
    count(storage.directory)
    const callsFor = async () => {
      calls.length = 0
      await list(1)
      return [...calls]
    }
    const one = await callsFor()
    for (let i = 0; i < 99; i++) await post(1 + (i % 3), await group(1, 2, 3))
    expect([(await list(1)).length, await callsFor()]).toEqual([100, one])
    expect(one.filter((name) => name in storage.log)).toEqual(['listSummaries'])
  })
})
