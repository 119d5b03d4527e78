/** Spaces: their list is the truth, and each of their rooms follows in the same commit (A11). */
import { expect, it } from 'vitest'
import { channel, makeRoom, post, room, say } from './entries.ts'
import { factOf, factsOf, makeSpace, memberIds, openWriter, statusOf, typesOf, type Contract, type Writer } from './harness.ts'

export function spaceContract(contract: Contract): void {
  channelContract(contract)
  joinContract(contract)
  leaveContract(contract)
  deletionContract(contract)
}

async function makeChannel(writer: Writer, spaceId: number, ownerId: number, name?: string): Promise<number> {
  return factOf(await writer.run(channel(spaceId, ownerId, name)), 'room.created').roomId
}

function channelContract({ open }: Contract): void {
  it("[A11] gives a space's room the members of the space, its owner as admin", async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const spaceId = await makeSpace(storage, writer, 5, [3, 4])
    const roomId = await makeChannel(writer, spaceId, 5)
    const members = await storage.log.listMembers(roomId)
    expect(members.map(({ userId, role }) => [userId, role])).toEqual([
      [5, 'admin'],
      [3, 'member'],
      [4, 'member'],
    ])
    expect(await storage.log.findRoom(roomId)).toMatchObject({ spaceId, kind: 'channel', rule: 'owner', head: 1 })
  })

  it('takes the first member of the space where no actor made the room', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const spaceId = await makeSpace(storage, writer, 5)
    const [created] = await writer.run({ ...channel(spaceId, 5), actorId: null })
    expect(created).toMatchObject({ userId: 5, actorId: null })
  })

  it('lists the rooms of a space', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const spaceId = await makeSpace(storage, writer, 1)
    const other = await makeSpace(storage, writer, 1)
    const first = await makeChannel(writer, spaceId, 1, 'first')
    await makeChannel(writer, other, 1)
    const second = await makeChannel(writer, spaceId, 1, 'second')
    await makeRoom(writer, [1])
    expect((await storage.log.listRoomsIn(spaceId)).map((found) => found.id)).toEqual([first, second])
    await writer.run({ kind: 'room.delete', roomId: first, actorId: 1 })
    expect((await storage.log.listRoomsIn(spaceId)).map((found) => found.name)).toEqual(['second'])
    expect(await storage.log.listRoomsIn(404)).toEqual([])
  })

  it('makes no room in a space that is not there', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    expect(await writer.ask(channel(404, 1))).toBe('space_not_found')
    expect(await writer.ask({ kind: 'space.join', spaceId: 404, userId: 1, actorId: 1 })).toBe('space_not_found')
    expect(await writer.ask({ kind: 'space.leave', spaceId: 404, userId: 1, actorId: 1 })).toBe('space_not_found')
    expect(await writer.ask({ kind: 'space.delete', spaceId: 404, actorId: 1 })).toBe('space_not_found')
    expect(await storage.log.listRoomsOf(1)).toEqual([])
  })
}

function joinContract({ open }: Contract): void {
  it('[A11] enters each room of the space, in order of id, with all read', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const spaceId = await makeSpace(storage, writer, 1)
    const rooms = [await makeChannel(writer, spaceId, 1), await makeChannel(writer, spaceId, 1)]
    await say(writer, rooms[0] ?? 0, 1, 'a')
    const facts = await writer.run({ kind: 'space.join', spaceId, userId: 2, actorId: 2 })
    expect(facts.map((fact) => [fact.type, fact.roomId, fact.userId])).toEqual(rooms.map((id) => ['member.added', id, 2]))
    const [first, second] = await Promise.all(rooms.map((id) => storage.log.findMember(id, 2)))
    expect(first).toMatchObject({ role: 'member', joinedSeq: 3, marker: { seq: 2, ordinal: 1, readAt: null } })
    expect(second).toMatchObject({ role: 'member', joinedSeq: 2, marker: { seq: 0, ordinal: 0, readAt: null } })
    expect(await storage.directory.isSpaceMember(spaceId, 2)).toBe(true)
    expect((await storage.directory.listSpacesOf(2)).map((space) => space.id)).toEqual([spaceId])
    expect(await writer.ask({ kind: 'space.join', spaceId, userId: 2, actorId: 2 })).toBe('already_a_member')
  })

  it('joins a space without rooms, which makes no fact and uses no position', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const spaceId = await makeSpace(storage, writer, 1)
    const result = await writer.write({ kind: 'space.join', spaceId, userId: 2, actorId: 2 })
    expect(result).toMatchObject({ firstPosition: 1, lastPosition: 0, facts: [] })
    expect(factsOf(result.outcomes[0])).toEqual([])
    expect(await storage.directory.isSpaceMember(spaceId, 2)).toBe(true)
    // Nothing tells this batch apart from a new one, so sending it again is a second joining.
    const again = await storage.log.append(writer.journal, 1, [{ kind: 'space.join', spaceId, userId: 2, actorId: 2 }])
    expect(again.outcomes).toEqual([{ status: 'refused', reason: 'already_a_member' }])
  })

  it('sees in one batch the joining before a channel and the channel before a joining', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const spaceId = await makeSpace(storage, writer, 1)
    const join = (userId: number) => ({ kind: 'space.join', spaceId, userId, actorId: userId }) as const
    const batch = [join(2), channel(spaceId, 1), join(3), join(2)]
    const { outcomes, facts } = await writer.write(...batch)
    expect(outcomes.map(statusOf)).toEqual(['done', 'done', 'done', 'already_a_member'])
    expect(typesOf(facts)).toEqual(['room.created', 'member.added'])
    expect(await memberIds(storage, facts[0]?.roomId ?? 0)).toEqual([1, 2, 3])
  })
}

function leaveContract({ open }: Contract): void {
  it('[A11] leaves each room of the space', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const spaceId = await makeSpace(storage, writer, 1, [2])
    const rooms = [await makeChannel(writer, spaceId, 1), await makeChannel(writer, spaceId, 1)]
    const facts = await writer.run({ kind: 'space.leave', spaceId, userId: 2, actorId: 1 })
    expect(facts.map((fact) => [fact.type, fact.roomId, fact.userId, fact.actorId])).toEqual(
      rooms.map((id) => ['member.removed', id, 2, 1]),
    )
    expect(await storage.directory.isSpaceMember(spaceId, 2)).toBe(false)
    expect(await storage.directory.listSpacesOf(2)).toEqual([])
    expect(await storage.log.listRoomsOf(2)).toEqual([])
    expect(await writer.ask(post(rooms[0] ?? 0, 2, 'still here?'))).toBe('not_a_member')
    expect(await writer.ask({ kind: 'space.leave', spaceId, userId: 2, actorId: 2 })).toBe('not_a_member')
  })

  it('[A13] does not let the owner leave', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const spaceId = await makeSpace(storage, writer, 1, [2])
    const roomId = await makeChannel(writer, spaceId, 1)
    expect(await writer.ask({ kind: 'space.leave', spaceId, userId: 1, actorId: 1 })).toBe('owner_stays')
    expect(await storage.directory.isSpaceMember(spaceId, 1)).toBe(true)
    expect(await memberIds(storage, roomId)).toEqual([1, 2])
  })

  it('lets who left join again, at the end of the list', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const spaceId = await makeSpace(storage, writer, 1, [2, 3])
    await writer.write(
      { kind: 'space.leave', spaceId, userId: 2, actorId: 2 },
      { kind: 'space.join', spaceId, userId: 2, actorId: 2 },
      channel(spaceId, 1),
    )
    const [made] = await storage.log.listRoomsIn(spaceId)
    expect(await memberIds(storage, made?.id ?? 0)).toEqual([1, 3, 2])
  })
}

function deletionContract({ open }: Contract): void {
  it('deletes a space with its rooms', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const spaceId = await makeSpace(storage, writer, 1, [2])
    const rooms = [await makeChannel(writer, spaceId, 1), await makeChannel(writer, spaceId, 1)]
    const own = await makeRoom(writer, [1])
    const facts = await writer.run({ kind: 'space.delete', spaceId, actorId: 1 })
    expect(facts.map((fact) => [fact.type, fact.roomId, fact.actorId])).toEqual(rooms.map((id) => ['room.deleted', id, 1]))
    expect((await storage.log.listRoomsOf(1)).map((found) => found.id)).toEqual([own])
    const { directory } = storage
    expect([await directory.findSpace(spaceId), await directory.isSpaceMember(spaceId, 2)]).toEqual([null, false])
    expect([await directory.listSpacesOf(1), await storage.log.listRoomsIn(spaceId)]).toEqual([[], []])
    expect(await directory.updateSpace(spaceId, { name: 'x' })).toBeNull()
    expect(await writer.ask({ kind: 'space.join', spaceId, userId: 3, actorId: 3 })).toBe('space_not_found')
    expect(await writer.ask(channel(spaceId, 1))).toBe('space_not_found')
    expect(await writer.ask(room([1], { id: rooms[0] ?? 0 }))).toBe('room_exists')
  })

  it('does not give the id of a deleted space again', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const spaceId = await makeSpace(storage, writer, 1)
    await writer.run({ kind: 'space.delete', spaceId, actorId: 1 })
    expect(await makeSpace(storage, writer, 1)).not.toBe(spaceId)
  })
}
