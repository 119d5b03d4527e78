import { afterEach, describe, expect, it } from 'vitest'
import { openTestChat } from '../../../test/chat.ts'
import { openMemoryStorage } from '../../storage/memory/memory.ts'
import type { NewUser } from '../../storage/storage.ts'
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

function accountOf(id: number): NewUser {
  const name = `user${id}`
  return { id, username: name, email: `${name}@example.com`, fullName: name, passwordHash: null, origin: 'host' }
}

async function open(isDevelopment = true) {
  const storage = openMemoryStorage()
  for (const id of [1, 2, 3]) await storage.directory.createUser(accountOf(id))
  const opened = (chat = await openTestChat(storage, { isDevelopment }))
  const users = [await opened.accounts.get(1), await opened.accounts.get(2), await opened.accounts.get(3)] as const
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

describe('direct rooms', () => {
  it('[P9] are one for two people, whoever of them starts, also ten at once', async () => {
    const { rooms, users, storage } = await open()
    const started = await Promise.all(
      Array.from({ length: 10 }, (_, i) => (i % 2 ? rooms.openDirect(users[0], 2) : rooms.openDirect(users[1], 1))),
    )
    const [first] = started
    expect(new Set(started.map(({ roomId }) => roomId)).size).toBe(1)
    expect(started.filter(({ isNew }) => isNew)).toHaveLength(1)
    expect(await rooms.openDirect(users[0], 2)).toEqual({ roomId: first!.roomId, isNew: false })
    expect(await storage.log.findRoom(first!.roomId)).toMatchObject({ kind: 'direct', rule: 'pair', name: '' })
    expect((await rooms.openDirect(users[0], 3)).roomId).not.toBe(first!.roomId)
  })

  it('[P9] are not used again once one left or a third came', async () => {
    const { rooms, members, users, storage } = await open()
    const left = await rooms.openDirect(users[0], 2)
    await members.leave(users[1], left.roomId)
    const widened = await rooms.openDirect(users[0], 2)
    expect(widened).toMatchObject({ isNew: true })
    expect(await members.invite(as(users[0]), widened.roomId, [3])).toBe(1)
    expect(await storage.log.findRoom(widened.roomId)).toMatchObject({ kind: 'group', rule: 'peers' })
    const third = await rooms.openDirect(users[1], 1)
    expect([left.roomId, widened.roomId]).not.toContain(third.roomId)
  })

  it('[P9] need another person, who is there: made up in development, not found outside it or deactivated', async () => {
    const { rooms, accounts, users } = await open()
    await expect(rooms.openDirect(users[0], 1)).rejects.toMatchObject({ code: 'invalid_field' })
    expect(await rooms.openDirect(users[0], 42)).toMatchObject({ isNew: true })
    await accounts.change(2, { isActive: false })
    await expect(rooms.openDirect(users[0], 2)).rejects.toMatchObject({ code: 'user_not_found' })
    await chat!.close()
    const production = await open(false)
    await expect(production.rooms.openDirect(users[0], 42)).rejects.toMatchObject({ code: 'user_not_found' })
  })

  it('is made anew where the one that there was is left between looking and making', async () => {
    const { rooms, members, users, storage } = await open()
    const { roomId } = await rooms.openDirect(users[0], 2)
    const { findDirect } = storage.log
    let looks = 0
    storage.log.findDirect = async (userIds) => {
      looks += 1
      if (looks === 1) return null
      await members.leave(users[1], roomId)
      return findDirect(userIds)
    }
    expect(await rooms.openDirect(users[0], 2)).toMatchObject({ isNew: true })
  })
})

describe('groups of peers', () => {
  const nameless = { title: null, memberIds: [2] }

  it('[P9] begin with who makes them, then the others, each once; two people are enough', async () => {
    const { rooms, users, storage } = await open()
    const room = await rooms.createPeers(users[1], { title: '점심', memberIds: [3, 2, 1, 3] })
    expect(room).toMatchObject({ kind: 'group', rule: 'peers', name: '점심' })
    const members = await storage.log.listMembers(room.id)
    expect(members.map(({ userId, role }) => [userId, role])).toEqual([
      [2, 'member'],
      [3, 'member'],
      [1, 'member'],
    ])
    const pair = await rooms.createPeers(users[0], nameless)
    expect(pair).toMatchObject({ kind: 'group', name: '' })
    expect((await rooms.createPeers(users[0], { ...nameless, title: ' ' })).name).toBe('')
    expect((await rooms.openDirect(users[0], 2)).roomId).not.toBe(pair.id)
  })

  it('[P9] leave out who is deactivated and, outside development, who does not exist, and are refused where nobody is left', async () => {
    const { rooms, accounts, users, storage } = await open(false)
    const { id } = await rooms.createPeers(users[0], { title: null, memberIds: [77, 2] })
    expect((await storage.log.listMembers(id)).map(({ userId }) => userId)).toEqual([1, 2])
    await accounts.change(2, { isActive: false })
    for (const memberIds of [[], [1], [2, 1], [77]]) {
      const attempt = rooms.createPeers(users[0], { title: null, memberIds })
      await expect(attempt).rejects.toMatchObject({ code: 'invalid_field' })
    }
    expect((await storage.log.listRoomsOf(1)).map((room) => room.id)).toEqual([id])
  })

  it('[M2] in development make up whom they name', async () => {
    const { rooms, users, storage } = await open()
    const { id } = await rooms.createPeers(users[0], { title: null, memberIds: [42, 43] })
    expect((await storage.log.listMembers(id)).map(({ userId }) => userId)).toEqual([1, 42, 43])
  })

  it('[A17] hold their title to the limits', async () => {
    const { rooms, users } = await open()
    for (const title of ['a'.repeat(101), '\0', '\ud800']) {
      await expect(rooms.createPeers(users[0], { ...nameless, title })).rejects.toMatchObject({ code: 'invalid_field' })
    }
  })

  it('[M2] are made up on first touch, once though many touch at once, and joined by no later one', async () => {
    const { rooms, users, storage } = await open()
    await Promise.all(Array.from({ length: 5 }, () => rooms.touchPeers(users[0], 123)))
    await rooms.touchPeers(users[1], 123)
    expect(await storage.log.findRoom(123)).toMatchObject({ id: 123, kind: 'group', rule: 'peers' })
    expect((await storage.log.listMembers(123)).map(({ userId }) => userId)).toEqual([1])
    await rooms.remove(service, 123)
    await rooms.touchPeers(users[0], 123)
    expect(await storage.log.findRoom(123)).toBeNull()
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
