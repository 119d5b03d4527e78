import { afterEach, describe, expect, it } from 'vitest'
import { connect, openTestChat, until } from '../../../test/chat.ts'
import { openMemoryStorage } from '../../storage/memory/memory.ts'
import type { Chat } from '../chat.ts'
import type { Principal, Role } from '../model.ts'

let chat: Chat | undefined
afterEach(() => chat?.close())

const service: Principal = { kind: 'service', user: null }
const nobody: Principal = { kind: 'nobody' }
const texts = { name: 'Study Group', description: null }

/** A room by ranks that user 1 made with these others; users are made up. */
async function open(...others: number[]) {
  const storage = openMemoryStorage()
  const opened = (chat = await openTestChat(storage))
  const room = await opened.rooms.createRanked(await opened.accounts.getOrMake(1), texts, others)
  const by = async (id: number): Promise<Principal> => ({ kind: 'user', user: await opened.accounts.getOrMake(id) })
  const rolesOf = async () => (await storage.log.listMembers(room.id)).map(({ userId, role }) => `${userId} ${role}`)
  const give = async (actor: number, target: number, role: Role) => opened.roles.change(await by(actor), room.id, target, role)
  const name = async (actor: number, target: number, text: string) => opened.roles.rename(await by(actor), room.id, target, text)
  return { ...opened, storage, room, by, rolesOf, give, name }
}

const forbidden = { code: 'forbidden' }

describe('[C5] a room made with participants', () => {
  it('has its creator first, then the others in their order, each once, and from three on he is its admin', async () => {
    const { room, rolesOf } = await open(5, 3, 1, 5, 2)
    expect(room).toMatchObject({ kind: 'group', rule: 'roles', name: 'Study Group', spaceId: null })
    expect(await rolesOf()).toEqual(['1 admin', '5 member', '3 member', '2 member'])
  })

  it('has no admin with two, nor with one, and is never direct', async () => {
    const { rooms, accounts, storage, room, rolesOf } = await open(2)
    expect([room.kind, await rolesOf()]).toEqual(['group', ['1 member', '2 member']])
    const alone = await rooms.createRanked(await accounts.getOrMake(1), texts, [])
    expect(await storage.log.listMembers(alone.id)).toMatchObject([{ userId: 1, role: 'member' }])
    expect((await rooms.createRanked(await accounts.getOrMake(1), texts, [2])).id).not.toBe(room.id)
  })

  it('[A18] takes participants who exist and are active, and a name', async () => {
    const { rooms, accounts, queries } = await open(2, 3)
    const lea = await accounts.getOrMake(1)
    await accounts.change(3, { isActive: false })
    await expect(rooms.createRanked(lea, texts, [2, 3])).rejects.toMatchObject({ code: 'user_not_found' })
    await expect(rooms.createRanked(lea, { ...texts, name: ' ' }, [2])).rejects.toMatchObject({ code: 'invalid_field' })
    expect(await queries.listRoomsOf(1)).toHaveLength(1)
  })
})

describe('[C6] roles', () => {
  it('are given by admins to all below, and what was done is told to the room', async () => {
    const { give, rolesOf, accounts, room } = await open(2, 3, 4)
    const client = await connect(chat!, await accounts.getOrMake(4), room.id)
    expect(await give(1, 2, 'sub-admin')).toMatchObject({ userId: 2, role: 'sub-admin' })
    await give(1, 2, 'sub-admin')
    await give(1, 3, 'admin')
    expect(await rolesOf()).toEqual(['1 admin', '2 sub-admin', '3 admin', '4 member'])
    const told = () => client.frames.flatMap(({ event }) => (event.type === 'role.changed' ? [event] : []))
    await until('both', () => told().some(({ userId }) => userId === 3))
    expect(told().map(({ userId, actorId, role }) => [userId, actorId, role])).toEqual([
      [2, 1, 'sub-admin'],
      [3, 1, 'admin'],
    ])
  })

  it('are given by sub-admins up to their own, and to nobody above or beside them', async () => {
    const { give, rolesOf } = await open(2, 3, 4, 5)
    await give(1, 2, 'sub-admin')
    await expect(give(2, 4, 'admin')).rejects.toMatchObject(forbidden)
    await give(2, 3, 'sub-admin')
    for (const target of [1, 3]) await expect(give(2, target, 'member')).rejects.toMatchObject(forbidden)
    await expect(give(2, 2, 'admin')).rejects.toMatchObject(forbidden)
    await give(2, 2, 'member')
    expect(await rolesOf()).toEqual(['1 admin', '2 member', '3 sub-admin', '4 member', '5 member'])
  })

  it('are given by no member, stranger or request that names nobody, and to no stranger', async () => {
    const { give, roles, room, by, rolesOf } = await open(2, 3)
    for (const actor of [2, 9]) {
      await expect(give(actor, 3, 'member')).rejects.toMatchObject(forbidden)
      await expect(give(actor, 2, 'admin')).rejects.toMatchObject(forbidden)
      await expect(give(actor, 9, 'member')).rejects.toMatchObject(forbidden)
    }
    await expect(roles.change(nobody, room.id, 2, 'admin')).rejects.toMatchObject(forbidden)
    await expect(give(1, 9, 'member')).rejects.toMatchObject({ code: 'member_not_found' })
    await expect(roles.change(await by(1), 99, 2, 'member')).rejects.toMatchObject({ code: 'room_not_found' })
    expect(await rolesOf()).toEqual(['1 admin', '2 member', '3 member'])
    await roles.change(service, room.id, 2, 'sub-admin')
    expect(await rolesOf()).toEqual(['1 admin', '2 sub-admin', '3 member'])
  })

  it('leave the room its last admin while others remain; two may demote themselves but for one', async () => {
    const { give, members, by, room, roles, rolesOf } = await open(2, 3)
    await expect(give(1, 1, 'member')).rejects.toMatchObject({ code: 'last_admin' })
    await expect(roles.change(service, room.id, 1, 'sub-admin')).rejects.toMatchObject({ code: 'last_admin' })
    await give(1, 2, 'admin')
    await expect(give(1, 2, 'member')).rejects.toMatchObject(forbidden)
    const both = await Promise.allSettled([give(1, 1, 'member'), give(2, 2, 'member')])
    expect(both.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
    expect((await rolesOf()).filter((one) => one.endsWith('admin'))).toHaveLength(1)
    for (const id of [2, 3]) await members.remove(await by(id), room.id, id)
    await give(1, 1, 'member')
    expect(await rolesOf()).toEqual(['1 member'])
  })

  it('[A13] pass to the longest-standing sub-admin when the last admin goes', async () => {
    const { give, members, by, room, rolesOf } = await open(2, 3)
    await give(1, 3, 'sub-admin')
    await members.remove(await by(1), room.id, 1)
    expect(await rolesOf()).toEqual(['2 member', '3 admin'])
  })

  it('come with who is added, as far as the one who adds may give them', async () => {
    const { give, members, by, room, rolesOf } = await open(2, 3)
    await give(1, 2, 'sub-admin')
    await expect(members.add(await by(2), room.id, 6, 'admin')).rejects.toMatchObject(forbidden)
    await expect(members.add(await by(3), room.id, 6)).rejects.toMatchObject(forbidden)
    expect(await members.add(await by(2), room.id, 6, 'sub-admin')).toMatchObject({ member: { role: 'sub-admin' } })
    expect(await members.add(await by(1), room.id, 7, 'admin')).toMatchObject({ member: { role: 'admin' } })
    expect(await rolesOf()).toEqual(['1 admin', '2 sub-admin', '3 member', '6 sub-admin', '7 admin'])
  })

  it('are not given in rooms of other rules, but by an admin of a group of `feed` and to one who enters as a member', async () => {
    const { rooms, spaces, roles, members, by, accounts } = await open()
    const lea = await accounts.getOrMake(1)
    const group = await rooms.createGroup(texts, [1, 2], 1)
    await expect(roles.change(await by(2), group.id, 1, 'member')).rejects.toMatchObject(forbidden)
    await expect(members.add(await by(2), group.id, 3, 'sub-admin')).rejects.toMatchObject(forbidden)
    expect(await roles.change(await by(1), group.id, 2, 'sub-admin')).toMatchObject({ role: 'sub-admin' })
    const { roomId } = await rooms.openDirect(lea, 2)
    await expect(roles.change(await by(1), roomId, 2, 'admin')).rejects.toMatchObject(forbidden)
    await expect(members.add(await by(1), roomId, 3, 'admin')).rejects.toMatchObject(forbidden)
    const space = await spaces.create(lea, { ...texts, iconUrl: null })
    const channel = await rooms.createChannel(await by(1), space.id, texts)
    await spaces.join(await accounts.getOrMake(2), space.id)
    for (const principal of [await by(1), service]) {
      await expect(roles.change(principal, channel.id, 2, 'admin')).rejects.toMatchObject(forbidden)
      await expect(members.add(principal, channel.id, 3, 'admin')).rejects.toMatchObject(forbidden)
    }
  })
})

describe('[C6] a room without an admin', () => {
  it('is renamed, widened and narrowed by any participant', async () => {
    const { rooms, members, room, by, rolesOf } = await open(2)
    expect(await rooms.update(await by(2), room.id, { name: 'b', description: null })).toMatchObject({ name: 'b' })
    await members.add(await by(2), room.id, 3)
    expect(await members.invite(await by(3), room.id, [4])).toBe(1)
    await members.remove(await by(3), room.id, 1)
    expect(await rolesOf()).toEqual(['2 member', '3 member', '4 member'])
    await expect(members.remove(await by(1), room.id, 2)).rejects.toMatchObject(forbidden)
    await expect(rooms.update(await by(1), room.id, texts)).rejects.toMatchObject(forbidden)
  })

  it('is deleted, and its roles are given, by its creator alone, who makes an admin so', async () => {
    const { rooms, members, give, room, by, rolesOf, queries } = await open(2)
    await expect(give(2, 2, 'admin')).rejects.toMatchObject(forbidden)
    await expect(members.add(await by(2), room.id, 3, 'sub-admin')).rejects.toMatchObject(forbidden)
    await expect(rooms.remove(await by(2), room.id)).rejects.toMatchObject(forbidden)
    await members.add(await by(1), room.id, 3, 'sub-admin')
    await give(1, 2, 'admin')
    expect(await rolesOf()).toEqual(['1 member', '2 admin', '3 sub-admin'])
    for (const change of [give(1, 1, 'admin'), by(1).then((principal) => rooms.remove(principal, room.id))])
      await expect(change).rejects.toMatchObject(forbidden)
    await rooms.remove(await by(2), room.id)
    expect(await queries.listRoomsOf(1)).toEqual([])
  })

  it('passes this to the longest-standing participant while its creator is out, and back when he is in again', async () => {
    const { members, rooms, give, room, by, rolesOf, storage } = await open(2)
    await members.add(await by(1), room.id, 3)
    await members.remove(await by(1), room.id, 1)
    await expect(give(3, 3, 'sub-admin')).rejects.toMatchObject(forbidden)
    await give(2, 3, 'sub-admin')
    await members.add(await by(2), room.id, 1)
    await expect(rooms.remove(await by(2), room.id)).rejects.toMatchObject(forbidden)
    expect(await rolesOf()).toEqual(['2 member', '3 sub-admin', '1 member'])
    await rooms.remove(await by(1), room.id)
    expect(await storage.log.findRoom(room.id)).toBeNull()
  })

  it('has as stand-in for a request that names nobody its creator, else an admin, else who is in it longest', async () => {
    const { queries, members, give, room, by } = await open(2, 3)
    const standIn = async () => (await queries.findStandIn(room.id))?.id
    await give(1, 3, 'admin')
    expect(await standIn()).toBe(1)
    await members.remove(await by(1), room.id, 1)
    expect(await standIn()).toBe(3)
    await chat!.close()
    const pair = await open(2)
    await pair.members.remove(await pair.by(1), pair.room.id, 1)
    expect(await pair.queries.findStandIn(pair.room.id)).toMatchObject({ id: 2 })
    await pair.members.remove(await pair.by(2), pair.room.id, 2)
    expect([await pair.queries.findStandIn(pair.room.id), await pair.queries.findStandIn(99)]).toEqual([null, null])
  })
})

describe('[C5] a name in the room', () => {
  it('is given by the participant himself, an admin or a sub-admin, and taken away by a blank one', async () => {
    const { name, give, queries, roles, room, by, accounts } = await open(2, 3)
    const client = await connect(chat!, await accounts.getOrMake(3), room.id)
    const names = async () => (await queries.listMembers(await by(1), room.id)).map(({ member }) => member.nickname)
    await give(1, 2, 'sub-admin')
    expect(await name(3, 3, '막내')).toMatchObject({ userId: 3, nickname: '막내' })
    await name(1, 2, '부방장')
    await name(2, 1, '방장')
    expect(await names()).toEqual(['방장', '부방장', '막내'])
    await expect(name(3, 2, 'x')).rejects.toMatchObject(forbidden)
    await expect(name(9, 9, 'x')).rejects.toMatchObject(forbidden)
    await expect(name(1, 9, 'x')).rejects.toMatchObject({ code: 'member_not_found' })
    await expect(roles.rename(nobody, room.id, 3, 'x')).rejects.toMatchObject(forbidden)
    await name(2, 3, ' ')
    await name(3, 3, '')
    await roles.rename(service, room.id, 1, '사장')
    expect(await names()).toEqual(['사장', '부방장', ''])
    const told = () => client.frames.flatMap(({ event }) => (event.type === 'name.changed' ? [event] : []))
    await until('the last', () => told().some(({ nickname }) => nickname === '사장'))
    expect(told().map(({ userId, actorId, nickname }) => [userId, actorId, nickname])).toEqual([
      [3, 3, '막내'],
      [2, 1, '부방장'],
      [1, 2, '방장'],
      [3, 2, ''],
      [1, null, '사장'],
    ])
  })

  it('[A17] has at most 100 code points that can be kept', async () => {
    const { name } = await open(2)
    for (const bad of ['\0', '\ud800', 'a'.repeat(101)])
      await expect(name(1, 1, bad)).rejects.toMatchObject({ code: 'invalid_field' })
    expect(await name(1, 1, '😀'.repeat(100))).toMatchObject({ nickname: '😀'.repeat(100) })
  })
})

it('[C6] of a member who leaves meanwhile is no change, nor by an actor who does', async () => {
  const { storage, members, give, room, rolesOf } = await open(2, 3)
  const { findMember } = storage.log
  for (const [leaver, code] of [
    [3, 'member_not_found'],
    [1, 'not_a_member'],
  ] as const) {
    const target = leaver === 3 ? 3 : 2
    storage.log.findMember = async (roomId, userId) => {
      const found = await findMember(roomId, userId)
      if (userId !== target || !found) return found
      storage.log.findMember = findMember
      await members.remove(service, room.id, leaver)
      return found
    }
    await expect(give(1, target, 'sub-admin')).rejects.toMatchObject({ code })
  }
  expect(await rolesOf()).toEqual(['2 admin'])
})
