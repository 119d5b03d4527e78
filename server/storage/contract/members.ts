/** Membership: coming, going, coming back, and who becomes admin. */
import { expect, it } from 'vitest'
import type { Role, RoomRule } from '../../core/model.ts'
import { add, expel, makeRoom, post, read, say } from './entries.ts'
import { factOf, FROM_THE_NEWEST, memberIds, openWriter, typesOf, type Contract } from './harness.ts'

export function memberContract(contract: Contract): void {
  additionContract(contract)
  refusalContract(contract)
  returnContract(contract)
  removalContract(contract)
  successionContract(contract)
}

function additionContract({ open }: Contract): void {
  it('adds a member who has read all', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1])
    const newest = await say(writer, roomId, 1, 'a')
    const facts = await writer.run(add(roomId, 2, { role: 'sub-admin', actorId: 1 }))
    const { member, ...fact } = factOf(facts, 'member.added')
    expect(typesOf(facts)).toEqual(['member.added'])
    expect(fact).toMatchObject({ roomId, seq: 3, userId: 2, actorId: 1 })
    expect(member).toMatchObject({ roomId, userId: 2, role: 'sub-admin', nickname: '', joinedAt: fact.at, joinedSeq: 3 })
    expect(member.marker).toEqual({ seq: newest.seq, ordinal: 1, readAt: null })
    expect(await storage.log.findMember(roomId, 2)).toEqual(member)
  })

  it('[P9] adds a member to whom everything is unread', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1])
    await say(writer, roomId, 1, 'a')
    const { member } = factOf(await writer.run(add(roomId, 2, { read: 'none' })), 'member.added')
    expect(member.marker).toEqual({ seq: 0, ordinal: 0, readAt: null })
  })

  it('answers each of many who ask at once for a member of some room, or for a room', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const one = await makeRoom(writer, [1, 2])
    const other = await makeRoom(writer, [2, 3])
    const asked = [one, other, 404].flatMap((roomId) => [3, 1, 2, 1, 9].map((userId) => ({ roomId, userId })))
    const members = await Promise.all(asked.map(({ roomId, userId }) => storage.log.findMember(roomId, userId)))
    const isIn = ({ roomId, userId }: (typeof asked)[number]) =>
      (roomId === one ? [1, 2] : roomId === other ? [2, 3] : []).includes(userId)
    expect(members.map((member) => member && { roomId: member.roomId, userId: member.userId })).toEqual(
      asked.map((place) => (isIn(place) ? place : null)),
    )
    const rooms = await Promise.all([other, 404, one, other].map((roomId) => storage.log.findRoom(roomId)))
    expect(rooms.map((room) => room?.id ?? null)).toEqual([other, null, one, other])
  })

  it('shows the fact of an addition with the member as he was then', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1])
    const [added] = await writer.run(add(roomId, 2))
    await say(writer, roomId, 2, 'moves his marker')
    expect(await storage.log.readLog(roomId, 3, 1)).toEqual([added])
  })
}

function refusalContract({ open }: Contract): void {
  it('refuses who is in already, and a room that is not there', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1])
    expect(await writer.ask(add(roomId, 1))).toBe('already_a_member')
    expect(await writer.ask(add(404, 1))).toBe('room_not_found')
    expect(await writer.ask(expel(404, 1))).toBe('room_not_found')
  })

  it('adds and removes only while the one who asks for it is a member', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1, 2, 3])
    await writer.run(expel(roomId, 1, { ifMember: 1 }))
    expect(await writer.ask(add(roomId, 4, { actorId: 1, ifMember: 1 }))).toBe('not_a_member')
    expect(await writer.ask(expel(roomId, 2, { actorId: 1, ifMember: 1 }))).toBe('not_a_member')
    expect(await writer.ask(add(roomId, 4, { actorId: 2, ifMember: 2 }))).toBe('done')
    expect(await memberIds(storage, roomId)).toEqual([2, 3, 4])
  })

  it('lists members in order of entry and rooms by id', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const late = await makeRoom(writer, [30, 10, 20], { id: 70 })
    const early = await makeRoom(writer, [10])
    await writer.run(add(late, 5))
    await writer.run(expel(late, 30))
    await writer.run(add(late, 30))
    expect(await memberIds(storage, late)).toEqual([10, 20, 5, 30])
    expect((await storage.log.listRoomsOf(10)).map((room) => room.id)).toEqual([early, late])
    expect(await storage.log.listRoomsOf(99)).toEqual([])
    expect(await storage.log.listMembers(404)).toEqual([])
  })
}

function returnContract({ open }: Contract): void {
  it('[F5] gives who comes back another entry', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1, 2])
    const before = await storage.log.findMember(roomId, 2)
    await writer.run(expel(roomId, 2))
    expect(await storage.log.findMember(roomId, 2)).toBeNull()
    await writer.run(add(roomId, 2))
    const after = await storage.log.findMember(roomId, 2)
    expect(after).toMatchObject({ joinedSeq: 3, role: 'member' })
    expect(after?.id).not.toBe(before?.id)
    expect(new Set((await storage.log.listMembers(roomId)).map((member) => member.id)).size).toBe(2)
  })

  it("[P9] keeps the marker of who comes back with 'none', and moves it with 'all'", async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1, 2])
    await say(writer, roomId, 1, 'a')
    const { at } = factOf(await writer.run(read(roomId, 2)), 'read.advanced')
    await writer.run(expel(roomId, 2))
    const b = await say(writer, roomId, 1, 'b')
    const kept = factOf(await writer.run(add(roomId, 2, { read: 'none' })), 'member.added')
    expect(kept.member.marker).toEqual({ seq: 2, ordinal: 1, readAt: at })
    await writer.run(expel(roomId, 2))
    const moved = factOf(await writer.run(add(roomId, 2, { read: 'all' })), 'member.added')
    expect(moved.member.marker).toMatchObject({ seq: b.seq, ordinal: 2 })
  })
}

function removalContract({ open }: Contract): void {
  it('removes a member, who is then a stranger', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1, 2])
    const facts = await writer.run(expel(roomId, 2, { actorId: 1 }))
    expect(typesOf(facts)).toEqual(['member.removed'])
    expect(facts[0]).toMatchObject({ roomId, seq: 2, userId: 2, actorId: 1 })
    expect(await storage.log.findMember(roomId, 2)).toBeNull()
    expect(await storage.log.listRoomsOf(2)).toEqual([])
    expect(await writer.ask(post(roomId, 2, 'still here?'))).toBe('not_a_member')
    expect(await writer.ask(expel(roomId, 2))).toBe('not_a_member')
  })

  it('[C12] names with each removal the membership that it ends', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1, 2])
    const first = factOf(await writer.run(expel(roomId, 2)), 'member.removed')
    const { seq } = factOf(await writer.run(add(roomId, 2)), 'member.added')
    const second = factOf(await writer.run(expel(roomId, 2)), 'member.removed')
    expect([first.joinedSeq, second.joinedSeq]).toEqual([1, seq])
    expect(await storage.log.readLog(roomId, FROM_THE_NEWEST, 1)).toEqual([second])
  })

  it('takes an actor of no name', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1], { actorId: null })
    const [added] = await writer.run(add(roomId, 2, { actorId: null }))
    const [created] = await storage.log.readLog(roomId, 2, 1)
    expect([created?.actorId, created?.userId, added?.actorId]).toEqual([null, 1, null])
  })
}

function successionContract({ open }: Contract): void {
  interface Succession {
    rule: RoomRule
    roles: Role[]
    heir: number | null
  }
  const cases: Succession[] = [
    { rule: 'admins', roles: ['admin', 'member', 'member'], heir: 2 },
    { rule: 'roles', roles: ['admin', 'member', 'sub-admin', 'sub-admin'], heir: 3 },
    { rule: 'admins', roles: ['admin', 'member', 'admin'], heir: null },
    { rule: 'admins', roles: ['admin'], heir: null },
    { rule: 'roles', roles: ['member', 'member'], heir: null },
    { rule: 'peers', roles: ['admin', 'member'], heir: null },
    { rule: 'anyone', roles: ['admin', 'member'], heir: null },
  ]

  it.each(cases)('[A13] rule $rule, user 1 of $roles leaves: user $heir becomes admin', async ({ rule, roles, heir }) => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1], { rule, members: roles.map((role, i) => ({ userId: i + 1, role })) })
    const facts = await writer.run(expel(roomId, 1))
    const changes = facts.flatMap((fact) => (fact.type === 'role.changed' ? [[fact.userId, fact.role, fact.seq]] : []))
    expect(changes).toEqual(heir === null ? [] : [[heir, 'admin', 3]])
    if (heir !== null) expect(await storage.log.findMember(roomId, heir)).toMatchObject({ role: 'admin' })
  })

  it('[A13] counts standing from the last entry', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1, 2, 3])
    await writer.write(expel(roomId, 2), add(roomId, 2), expel(roomId, 1))
    expect(await storage.log.findMember(roomId, 3)).toMatchObject({ role: 'admin' })
    expect(await storage.log.findMember(roomId, 2)).toMatchObject({ role: 'member' })
  })
}
