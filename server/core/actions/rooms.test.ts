import { afterEach, describe, expect, it } from 'vitest'
import { openTestChat } from '../../../test/chat.ts'
import { openMemoryStorage } from '../../storage/memory/memory.ts'
import type { Chat } from '../chat.ts'
import type { Principal, User } from '../model.ts'

let chat: Chat | undefined
afterEach(() => chat?.close())

const service: Principal = { kind: 'service', user: null }
const as = (user: User): Principal => ({ kind: 'user', user })
const texts = { name: 'a room', description: null }
const bad = [
  { ...texts, name: ' ' },
  { ...texts, name: 'a'.repeat(101) },
  { ...texts, name: '\0' },
  { ...texts, description: 'a'.repeat(1_001) },
  { ...texts, description: '\ud800' },
]

async function open() {
  const storage = openMemoryStorage()
  const opened = (chat = await openTestChat(storage))
  const users = [
    await opened.accounts.getOrMake(1),
    await opened.accounts.getOrMake(2),
    await opened.accounts.getOrMake(3),
  ] as const
  const space = await opened.spaces.create(users[0], { name: 'yard', description: null, iconUrl: null })
  await opened.spaces.join(users[1], space.id)
  return { ...opened, storage, users, space }
}

describe('rooms', () => {
  it('[A2] have ids from 1, and one that a request made up is skipped and never given again', async () => {
    const { rooms, users } = await open()
    expect((await rooms.createGroup(texts, [1], 1)).id).toBe(1)
    await rooms.touchOpen(users[0], 2)
    expect((await rooms.createGroup(texts, [1], 1)).id).toBe(3)
    await rooms.remove(as(users[0]), 3)
    expect((await rooms.createGroup(texts, [1], 1)).id).toBe(4)
    await expect(rooms.touchOpen(users[0], 3)).rejects.toMatchObject({ code: 'room_not_found' })
  })

  it('[M2] are made up open on first touch, which joins them, and are once though many touch at once', async () => {
    const { rooms, users, storage } = await open()
    await Promise.all(users.flatMap((user) => [rooms.touchOpen(user, 9), rooms.touchOpen(user, 9)]))
    expect(await storage.log.findRoom(9)).toMatchObject({ kind: 'open', rule: 'anyone', name: 'room 9' })
    expect((await storage.log.listMembers(9)).map(({ userId }) => userId).toSorted((a, b) => a - b)).toEqual([1, 2, 3])
    await rooms.touchOpen(null, 10)
    expect(await storage.log.listMembers(10)).toEqual([])
  })

  it('[M2] that are not open are joined by no touch', async () => {
    const { rooms, users, storage } = await open()
    const { id } = await rooms.createGroup(texts, [1], 1)
    await rooms.touchOpen(users[1], id)
    expect(await storage.log.findMember(id, 2)).toBeNull()
  })

  it('[A13] are renamed and deleted by whom their rule names', async () => {
    const { rooms, users, space } = await open()
    const [owner, member] = users
    const group = await rooms.createGroup(texts, [1, 2], 1)
    const channel = await rooms.createChannel(as(owner), space.id, texts)
    for (const { id } of [group, channel]) {
      for (const principal of [as(member), as(users[2]), { kind: 'nobody' } as const]) {
        await expect(rooms.update(principal, id, { name: 'b', description: null })).rejects.toMatchObject({ code: 'forbidden' })
        await expect(rooms.remove(principal, id)).rejects.toMatchObject({ code: 'forbidden' })
      }
      expect(await rooms.update(as(owner), id, { name: 'b', description: null })).toMatchObject({ name: 'b', description: null })
      expect(await rooms.update(service, id, { name: null, description: 'c' })).toMatchObject({ name: 'b', description: 'c' })
      await rooms.remove(as(owner), id)
      await expect(rooms.remove(service, id)).rejects.toMatchObject({ code: 'room_not_found' })
    }
  })

  it('[A17] hold their texts to the limits', async () => {
    const { rooms, users, space } = await open()
    const group = await rooms.createGroup({ name: '😀'.repeat(100), description: 'a'.repeat(1_000) }, [1], 1)
    for (const given of bad) {
      for (const attempt of [
        () => rooms.createGroup(given, [1], 1),
        () => rooms.createChannel(as(users[0]), space.id, given),
        () => rooms.update(as(users[0]), group.id, given),
      ]) {
        await expect(attempt()).rejects.toMatchObject({ code: 'invalid_field' })
      }
    }
  })

  it('a change of nothing makes no event', async () => {
    const { rooms, users } = await open()
    const group = await rooms.createGroup(texts, [1], 1)
    expect((await rooms.update(as(users[0]), group.id, { name: null, description: null })).head).toBe(group.head)
  })
})

describe('channels', () => {
  it("[A11] are made by the server's owner or a service key, and have the server's members", async () => {
    const { rooms, users, space, storage } = await open()
    await expect(rooms.createChannel(as(users[1]), space.id, texts)).rejects.toMatchObject({ code: 'forbidden' })
    await expect(rooms.createChannel({ kind: 'nobody' }, space.id, texts)).rejects.toMatchObject({ code: 'forbidden' })
    await expect(rooms.createChannel(service, 99, texts)).rejects.toMatchObject({ code: 'space_not_found' })
    const { id } = await rooms.createChannel(service, space.id, texts)
    expect((await storage.log.listMembers(id)).map(({ userId, role }) => [userId, role])).toEqual([
      [1, 'admin'],
      [2, 'member'],
    ])
  })
})

describe('servers', () => {
  it('are joined once, left once, and joining has every channel', async () => {
    const { rooms, spaces, users, space, queries } = await open()
    const { id } = await rooms.createChannel(as(users[0]), space.id, texts)
    await spaces.join(users[2], space.id)
    await expect(spaces.join(users[2], space.id)).rejects.toMatchObject({ code: 'already_a_member' })
    expect((await queries.getMember(id, 3)).role).toBe('member')
    await spaces.leave(users[2], space.id)
    await expect(queries.getMember(id, 3)).rejects.toMatchObject({ code: 'not_a_member' })
    await expect(spaces.leave(users[2], space.id)).rejects.toMatchObject({ code: 'not_a_member' })
    for (const attempt of [spaces.join(users[2], 99), spaces.leave(users[2], 99)])
      await expect(attempt).rejects.toMatchObject({ code: 'space_not_found' })
  })

  it('[A11] a channel and a member that come at once meet: he is in it, whichever came first', async () => {
    const { rooms, spaces, users, space, storage } = await open()
    const [room] = await Promise.all([rooms.createChannel(as(users[0]), space.id, texts), spaces.join(users[2], space.id)])
    expect(await storage.log.findMember(room.id, 3)).not.toBeNull()
  })

  it('are changed and deleted by their owner or a service key, and take their channels with them', async () => {
    const { rooms, spaces, users, space, storage } = await open()
    const { id } = await rooms.createChannel(as(users[0]), space.id, texts)
    for (const principal of [as(users[1]), { kind: 'nobody' } as const]) {
      await expect(spaces.update(principal, space.id, { name: 'b' })).rejects.toMatchObject({ code: 'forbidden' })
      await expect(spaces.remove(principal, space.id)).rejects.toMatchObject({ code: 'forbidden' })
    }
    expect(await spaces.update(as(users[0]), space.id, { name: 'b' })).toMatchObject({ name: 'b', description: null })
    expect(await spaces.update(service, space.id, { description: 'c' })).toMatchObject({ name: 'b', description: 'c' })
    await expect(spaces.update(service, space.id, { iconUrl: 'a'.repeat(2_049) })).rejects.toMatchObject({ field: 'icon_url' })
    await spaces.remove(as(users[0]), space.id)
    expect([await storage.log.findRoom(id), await storage.directory.findSpace(space.id)]).toEqual([null, null])
    await expect(spaces.remove(service, space.id)).rejects.toMatchObject({ code: 'space_not_found' })
  })

  it('[A17] hold their texts to the limits', async () => {
    const { spaces, users } = await open()
    for (const given of bad)
      await expect(spaces.create(users[0], { ...given, iconUrl: null })).rejects.toMatchObject({ code: 'invalid_field' })
  })
})
