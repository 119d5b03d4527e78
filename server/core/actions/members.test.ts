import { afterEach, describe, expect, it } from 'vitest'
import { connect, openTestChat } from '../../../test/chat.ts'
import { settle } from '../../../test/manual-clock.ts'
import { openMemoryStorage } from '../../storage/memory/memory.ts'
import { StorageUnavailable, type Entry, type Storage } from '../../storage/storage.ts'
import type { Chat } from '../chat.ts'
import type { Principal, Room, User } from '../model.ts'

let chat: Chat | undefined
afterEach(() => chat?.close())

const nobody: Principal = { kind: 'nobody' }
const service: Principal = { kind: 'service', user: null }
const as = (user: User): Principal => ({ kind: 'user', user })
const texts = { name: 'a room', description: null }

/** Users 1 to 5, and a group of 1 (its admin), 2 and 3. */
async function open(isDevelopment = true) {
  const storage = openMemoryStorage()
  const opened = (chat = await openTestChat(storage, { isDevelopment }))
  const users: User[] = []
  for (let id = 1; id <= 5; id++) {
    const name = `user${id}`
    const made = await storage.directory.createUser({
      id: null,
      username: name,
      email: `${name}@example.com`,
      fullName: name,
      passwordHash: null,
      origin: 'host',
    })
    if ('user' in made) users.push(made.user)
  }
  const group = await opened.rooms.createGroup(texts, [1, 2, 3, 2], 1)
  const membersOf = async (room: Room) =>
    (await storage.log.listMembers(room.id)).map(({ userId, role }) => (role === 'admin' ? `${userId}*` : `${userId}`))
  const user = (id: number) => users[id - 1]!
  return { ...opened, storage, group, user, membersOf }
}

async function openYard() {
  const opened = await open()
  const space = await opened.spaces.create(opened.user(1), { name: 'yard', description: null, iconUrl: null })
  const channel = await opened.rooms.createChannel(as(opened.user(1)), space.id, texts)
  await opened.spaces.join(opened.user(2), space.id)
  return { ...opened, space, channel }
}

describe('[A13] members of a group', () => {
  it('add, and their adding says who did it', async () => {
    const { members, group, user, membersOf } = await open()
    const added = await members.add(as(user(2)), group.id, 4)
    expect(added).toMatchObject({ type: 'member.added', userId: 4, actorId: 2, user: { username: 'user4' } })
    expect(await membersOf(group)).toEqual(['1*', '2', '3', '4'])
    await expect(members.add(as(user(2)), group.id, 4)).rejects.toMatchObject({ code: 'already_a_member' })
  })

  it('remove members who are not admin, and themselves; strangers nobody', async () => {
    const { members, group, user, membersOf } = await open()
    await expect(members.remove(as(user(2)), group.id, 1)).rejects.toMatchObject({ code: 'forbidden' })
    await expect(members.remove(as(user(4)), group.id, 2)).rejects.toMatchObject({ code: 'forbidden' })
    await expect(members.add(as(user(4)), group.id, 4)).rejects.toMatchObject({ code: 'forbidden' })
    await members.remove(as(user(2)), group.id, 3)
    await members.remove(as(user(2)), group.id, 2)
    expect(await membersOf(group)).toEqual(['1*'])
    await expect(members.remove(as(user(1)), group.id, 2)).rejects.toMatchObject({ code: 'member_not_found' })
  })

  it('get the longest-standing one as admin when the last admin goes', async () => {
    const { members, group, user, membersOf } = await open()
    await members.remove(as(user(1)), group.id, 1)
    expect(await membersOf(group)).toEqual(['2*', '3'])
  })

  it('[M3] in development are added and removed by a request without an actor as by the admin', async () => {
    const { members, group, membersOf } = await open()
    expect(await members.add(nobody, group.id, 4)).toMatchObject({ actorId: 1 })
    expect(await members.remove(nobody, group.id, 4)).toMatchObject({ actorId: 1 })
    expect(await members.remove(nobody, group.id, 1)).toMatchObject({ actorId: 1 })
    expect(await membersOf(group)).toEqual(['2*', '3'])
  })

  it('[M3] in a room without an admin a request without an actor is the target himself', async () => {
    const { members, rooms, user } = await open()
    await rooms.touchOpen(user(1), 70)
    expect(await members.add(nobody, 70, 2)).toMatchObject({ actorId: 2 })
    expect(await members.remove(nobody, 70, 2)).toMatchObject({ actorId: 2 })
  })

  it('[M2] are made up in development, and only there', async () => {
    const { members, group } = await open()
    expect(await members.add(nobody, group.id, 77)).toMatchObject({ userId: 77, user: { username: 'user77' } })
    await chat!.close()
    const production = await open(false)
    await expect(production.members.add(as(production.user(2)), production.group.id, 77)).rejects.toMatchObject({
      code: 'user_not_found',
    })
  })

  it('[A18] whether one exists is told after whether the actor may', async () => {
    const { members, group, user } = await open(false)
    await expect(members.add(as(user(5)), group.id, 77)).rejects.toMatchObject({ code: 'forbidden' })
    await expect(members.remove(as(user(5)), group.id, 77)).rejects.toMatchObject({ code: 'forbidden' })
  })

  it('are added and removed by a service key, for a user and for nobody', async () => {
    const { members, group, user } = await open(false)
    expect(await members.add(service, group.id, 4)).toMatchObject({ actorId: null })
    expect(await members.remove(service, group.id, 1)).toMatchObject({ actorId: null })
    expect(await members.add({ kind: 'service', user: user(5) }, group.id, 1)).toMatchObject({ actorId: 5 })
  })

  it('of which one was removed under the actor’s feet cannot be added by him, nor removed', async () => {
    const { members, group, user, storage, membersOf } = await open()
    const { findMember } = storage.log
    for (const change of [() => members.add(as(user(2)), group.id, 4), () => members.remove(as(user(2)), group.id, 3)]) {
      storage.log.findMember = async (roomId, userId) => {
        const found = await findMember(roomId, userId)
        if (userId === 2 && found) {
          storage.log.findMember = findMember
          await members.remove(service, group.id, 2)
        }
        return found
      }
      await expect(change()).rejects.toMatchObject({ code: 'not_a_member' })
      expect((await membersOf(group)).toSorted()).toEqual(['1*', '3'])
      await members.add(service, group.id, 2)
    }
  })

  it('of rooms that there are not are not found', async () => {
    const { members } = await open()
    await expect(members.add(nobody, 99, 1)).rejects.toMatchObject({ code: 'room_not_found' })
    await expect(members.remove(nobody, 99, 1)).rejects.toMatchObject({ code: 'room_not_found' })
  })

  it('of two who add one at once, one does', async () => {
    const { members, group, user } = await open()
    const both = await Promise.allSettled([2, 3].map((id) => members.add(as(user(id)), group.id, 4)))
    expect(both.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
  })
})

describe('[A11] a channel', () => {
  it("has the server's members: adding someone is his joining the server, in all its channels", async () => {
    const { members, rooms, channel, space, user, membersOf, queries } = await openYard()
    const second = await rooms.createChannel(as(user(1)), space.id, texts)
    const listener = await connect(chat!, user(2), second.id)
    await members.add(as(user(1)), channel.id, 3)
    await settle()
    expect([await membersOf(channel), await membersOf(second)]).toEqual([
      ['1*', '2', '3'],
      ['1*', '2', '3'],
    ])
    expect((await queries.listSpacesOf(3)).map(({ id }) => id)).toEqual([space.id])
    expect(listener.frames.map(({ event }) => event.type)).toContain('member.added')
    await members.remove(as(user(3)), second.id, 3)
    expect([await membersOf(channel), await queries.listSpacesOf(3)]).toEqual([['1*', '2'], []])
  })

  it("takes the server's owner or a service key to add and remove", async () => {
    const { members, channel, user } = await openYard()
    await expect(members.add(as(user(2)), channel.id, 3)).rejects.toMatchObject({ code: 'forbidden' })
    await expect(members.remove(as(user(2)), channel.id, 1)).rejects.toMatchObject({ code: 'forbidden' })
    await members.add(service, channel.id, 3)
    await members.remove(as(user(1)), channel.id, 3)
  })

  it('[A13] is not left by the owner of its server, through whoever', async () => {
    const { members, spaces, channel, space, user } = await openYard()
    for (const principal of [as(user(1)), service])
      await expect(members.remove(principal, channel.id, 1)).rejects.toMatchObject({ code: 'owner_stays' })
    await expect(spaces.leave(user(1), space.id)).rejects.toMatchObject({ code: 'owner_stays' })
  })
})

describe('an invitation', () => {
  async function openChatOfTwo(isDevelopment = true) {
    const opened = await open(isDevelopment)
    const { roomId } = await opened.rooms.openDirect(opened.user(1), 2)
    const [room] = [(await opened.storage.log.findRoom(roomId))!]
    const invite = (by: number, ...userIds: number[]) => opened.members.invite(as(opened.user(by)), roomId, userIds)
    return { ...opened, roomId, room, invite }
  }

  it('[P9] adds who is not in yet, each once and together, and tells how many; nobody new is 0 and no event', async () => {
    const { invite, user, room, roomId, membersOf } = await openChatOfTwo()
    const listener = await connect(chat!, user(2), roomId)
    expect(await invite(1, 3, 2, 4, 3)).toBe(2)
    expect([await invite(1, 3, 4), await invite(1, 2), await invite(1)]).toEqual([0, 0, 0])
    await settle()
    const added = listener.frames.flatMap(({ event }) => (event.type === 'member.added' ? [event] : []))
    expect(added.map(({ userId, actorId, together }) => [userId, actorId, together])).toEqual([
      [3, 1, [3, 4]],
      [4, 1, [3, 4]],
    ])
    expect(await membersOf(room)).toEqual(['1', '2', '3', '4'])
  })

  it('[P9] leaves out who is deactivated and, outside development, who does not exist', async () => {
    const { invite, accounts, room, membersOf } = await openChatOfTwo(false)
    await accounts.change(4, { isActive: false })
    expect(await invite(2, 4, 77)).toBe(0)
    expect(await invite(2, 4, 77, 3)).toBe(1)
    expect(await membersOf(room)).toEqual(['1', '2', '3'])
  })

  it('[M2] in development makes up whom it names', async () => {
    const { invite, room, membersOf } = await openChatOfTwo()
    expect(await invite(2, 77)).toBe(1)
    expect(await membersOf(room)).toEqual(['1', '2', '77'])
  })

  it('[P9] lets in with the earlier messages unread, and who comes back with his marker', async () => {
    const { invite, messages, members, user, roomId, queries } = await openChatOfTwo()
    const unreadOf = async (id: number) => (await queries.listChats(user(id)))[0]?.unreadCount
    for (const content of ['a', 'b']) await messages.post(user(1), roomId, { content })
    await invite(1, 3)
    expect(await unreadOf(3)).toBe(2)
    await messages.post(user(3), roomId, { content: 'c' })
    await members.leave(user(3), roomId)
    await messages.post(user(1), roomId, { content: 'd' })
    await invite(1, 3)
    expect(await unreadOf(3)).toBe(1)
  })

  it("[A13] takes what the room's rule says: members of a pair, peers and admins' groups, a server's owner, a service key", async () => {
    const { invite, members, group, user, roomId } = await openChatOfTwo()
    await expect(invite(5, 5)).rejects.toMatchObject({ code: 'not_a_member' })
    expect([await invite(2, 3), await invite(3, 4)]).toEqual([1, 1])
    expect(await members.invite(as(user(3)), group.id, [4])).toBe(1)
    expect(await members.invite({ kind: 'service', user: user(5) }, roomId, [5])).toBe(1)
    await chat!.close()
    const yard = await openYard()
    await expect(yard.members.invite(as(yard.user(2)), yard.channel.id, [3])).rejects.toMatchObject({ code: 'forbidden' })
  })

  it('[A11] into a channel is joining its server, for each who has not', async () => {
    const { members, channel, space, user, queries, membersOf } = await openYard()
    expect(await members.invite(as(user(1)), channel.id, [2, 3, 4])).toBe(2)
    expect(await members.invite(service, channel.id, [2, 3, 5])).toBe(1)
    expect(await membersOf(channel)).toEqual(['1*', '2', '3', '4', '5'])
    expect((await queries.listSpacesOf(4)).map(({ id }) => id)).toEqual([space.id])
  })

  it('[M4] to a room that there is not is answered like one to a room of others, but for a service key', async () => {
    const { members, user } = await open()
    await expect(members.invite(as(user(5)), 99, [1])).rejects.toMatchObject({ code: 'not_a_member' })
    await expect(members.invite(service, 99, [1])).rejects.toMatchObject({ code: 'room_not_found' })
  })

  it('of one who is removed meanwhile lets nobody in', async () => {
    const { invite, members, accounts, room, roomId, membersOf } = await openChatOfTwo()
    const { keepActive } = accounts
    accounts.keepActive = async (userIds) => {
      await members.remove(service, roomId, 1)
      return keepActive.call(accounts, userIds)
    }
    await expect(invite(1, 3)).rejects.toMatchObject({ code: 'not_a_member' })
    expect(await membersOf(room)).toEqual(['2'])
  })
})

describe('a large invitation', () => {
  const crowd = (count: number) => Array.from({ length: count }, (_, nth) => 1_001 + nth)

  /** What is asked to be stored, commit by commit; `between` runs while the first piece is on its way. */
  function watch(storage: Storage, between: () => unknown = () => {}) {
    const commits: Entry[][] = []
    const { append } = storage.log
    let hasBegun = false
    storage.log.append = async (journal, position, entries) => {
      const isPiece = entries.some(({ kind }) => kind === 'member.add' || kind === 'space.join')
      commits.push(entries)
      if (isPiece && !hasBegun) {
        hasBegun = true
        void between()
        // By now what it submits waits for the next commit.
        await settle()
      }
      return append(journal, position, entries)
    }
    return commits
  }
  const sizesOf = (commits: Entry[][]) =>
    commits.map((entries) => entries.map((entry) => (entry.kind === 'member.add' ? entry.userIds.length : entry.kind)))

  it('[P9] comes in pieces of 100, each told as one invitation, and others write between them', async () => {
    const { members, messages, group, user, storage } = await open()
    const commits = watch(storage, () => messages.post(user(2), group.id, { content: 'between' }))
    expect(await members.invite(as(user(1)), group.id, crowd(250))).toBe(250)
    expect(sizesOf(commits)).toEqual([[100], ['post'], [100], [50]])
    const rows = (await storage.log.readLog(group.id, Number.MAX_SAFE_INTEGER, 251)).toReversed()
    expect(rows.findIndex(({ type }) => type === 'message.posted')).toBe(100)
    const told = rows.flatMap((row) => (row.type === 'member.added' ? [row.together] : []))
    expect(told).toEqual(crowd(250).map((_, nth) => crowd(250).slice(nth - (nth % 100), nth - (nth % 100) + 100)))
  })

  it('[A11] into a channel comes in pieces of about 100 rows in all of its server, at least one person each', async () => {
    const { members, messages, rooms, channel, space, user, storage, queries } = await openYard()
    for (let nth = 1; nth < 30; nth++) await rooms.createChannel(as(user(1)), space.id, texts)
    const commits = watch(storage, () => messages.post(user(2), channel.id, { content: 'between' }))
    expect(await members.invite(as(user(1)), channel.id, crowd(7))).toBe(7)
    const joins = (count: number) => Array.from({ length: count }, () => 'space.join')
    expect(sizesOf(commits)).toEqual([joins(3), ['post'], joins(3), joins(1)])
    expect((await queries.listSpacesOf(1_007)).map(({ id }) => id)).toEqual([space.id])
    for (let nth = 30; nth < 101; nth++) await rooms.createChannel(as(user(1)), space.id, texts)
    commits.length = 0
    expect(await members.invite(as(user(1)), channel.id, crowd(9))).toBe(2)
    expect(sizesOf(commits).flat()).toEqual(joins(9))
    expect(commits.every((entries) => entries.length === 1)).toBe(true)
  })

  it('[P9] repeated adds nobody twice, and brings the rest', async () => {
    const { members, group, user, membersOf } = await open()
    expect(await members.invite(as(user(1)), group.id, crowd(150))).toBe(150)
    expect(await members.invite(as(user(2)), group.id, crowd(260))).toBe(110)
    expect(await members.invite(as(user(1)), group.id, crowd(260))).toBe(0)
    expect(await membersOf(group)).toEqual(['1*', '2', '3', ...crowd(260).map(String)])
  })

  it('[P9] twice at once adds each once', async () => {
    const { members, group, user, membersOf } = await open()
    const added = await Promise.all([1, 2].map((id) => members.invite(as(user(id)), group.id, crowd(250))))
    expect(added[0]! + added[1]!).toBe(250)
    expect(await membersOf(group)).toHaveLength(253)
  })

  it('[P9] ends where its inviter leaves or the room goes, and tells how many had come', async () => {
    const { members, rooms, group, user, storage, membersOf } = await open()
    watch(storage, () => members.leave(user(2), group.id))
    expect(await members.invite(as(user(2)), group.id, crowd(250))).toBe(100)
    expect(await membersOf(group)).toEqual(['1*', '3', ...crowd(100).map(String)])
    watch(storage, () => rooms.remove(as(user(1)), group.id))
    expect(await members.invite(as(user(1)), group.id, crowd(350).slice(100))).toBe(100)
    expect(await storage.log.findRoom(group.id)).toBeNull()
  })

  it('[P9] that ends before anybody came is refused', async () => {
    const { members, group, user, storage, membersOf } = await open()
    await members.invite(as(user(1)), group.id, crowd(100))
    watch(storage, () => members.leave(user(2), group.id))
    await expect(members.invite(as(user(2)), group.id, crowd(250))).rejects.toMatchObject({ code: 'not_a_member' })
    expect(await membersOf(group)).toHaveLength(102)
  })

  it('[A11] ends where the channel goes, though its server stays', async () => {
    const { members, rooms, channel, space, user, storage, queries } = await openYard()
    await rooms.createChannel(as(user(1)), space.id, texts)
    watch(storage, () => rooms.remove(as(user(1)), channel.id))
    expect(await members.invite(as(user(1)), channel.id, crowd(120))).toBe(50)
    expect([await queries.listSpacesOf(1_050), await queries.listSpacesOf(1_051)]).toMatchObject([[{ id: space.id }], []])
  })

  it('[A15] of which a piece cannot be stored is refused, and again brings the rest', async () => {
    const { members, group, user, storage, membersOf } = await open()
    const { append } = storage.log
    let pieces = 0
    storage.log.append = async (journal, position, entries) => {
      if (++pieces === 2) throw new StorageUnavailable('away')
      return append(journal, position, entries)
    }
    await expect(members.invite(as(user(1)), group.id, crowd(250))).rejects.toMatchObject({ code: 'unavailable' })
    expect(await membersOf(group)).toHaveLength(103)
    expect(await members.invite(as(user(1)), group.id, crowd(250))).toBe(150)
  })
})

describe('touching', () => {
  it('[C1] lets in who never was in the room, a channel’s into its server, and nobody who left or was removed', async () => {
    const { members, group, channel, user, queries, membersOf } = await openYard()
    for (const id of [4, 4, 2]) await members.touch(user(id), group.id)
    expect(await membersOf(group)).toEqual(['1*', '2', '3', '4'])
    await members.remove(service, group.id, 4)
    await members.leave(user(2), group.id)
    for (const id of [4, 2]) await members.touch(user(id), group.id)
    expect(await membersOf(group)).toEqual(['1*', '3'])
    await members.touch(user(5), channel.id)
    expect(await queries.listSpacesOf(5)).toHaveLength(1)
    await expect(members.touch(user(5), 99)).rejects.toMatchObject({ code: 'room_not_found' })
  })
})

describe('leaving', () => {
  it('[P9] takes one out of the room, and succeeds for who is not in it and where there is none', async () => {
    const { members, group, user, membersOf } = await open()
    const listener = await connect(chat!, user(3), group.id)
    for (let i = 0; i < 2; i++) await members.leave(user(2), group.id)
    await members.leave(user(5), group.id)
    await members.leave(user(5), 99)
    await settle()
    expect(await membersOf(group)).toEqual(['1*', '3'])
    expect(listener.frames.map(({ event }) => event.type).filter((type) => type !== 'presence.changed')).toEqual([
      'member.removed',
    ])
  })

  it('[A11] a channel is leaving its server, which its owner cannot', async () => {
    const { members, channel, user, queries, membersOf } = await openYard()
    await members.leave(user(2), channel.id)
    expect([await membersOf(channel), await queries.listSpacesOf(2)]).toEqual([['1*'], []])
    await expect(members.leave(user(1), channel.id)).rejects.toMatchObject({ code: 'owner_stays' })
  })

  it('twice at once succeeds twice', async () => {
    const { members, group, user, membersOf } = await open()
    await Promise.all([members.leave(user(2), group.id), members.leave(user(2), group.id)])
    expect(await membersOf(group)).toEqual(['1*', '3'])
  })
})
