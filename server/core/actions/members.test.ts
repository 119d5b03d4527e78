import { afterEach, describe, expect, it } from 'vitest'
import { connect, openTestChat } from '../../../test/chat.ts'
import { settle } from '../../../test/manual-clock.ts'
import { openMemoryStorage } from '../../storage/memory/memory.ts'
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
