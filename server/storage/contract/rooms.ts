/** Rooms: ids, first members, changes, the end. */
import { expect, it } from 'vitest'
import { add, edit, expel, keyed, makeRoom, post, read, remove, room, say } from './entries.ts'
import { FROM_THE_NEWEST, factOf, memberIds, openWriter, statusOf, typesOf, type Contract } from './harness.ts'

export function roomContract(contract: Contract): void {
  creationContract(contract)
  changeContract(contract)
  deletionContract(contract)
}

function creationContract({ open }: Contract): void {
  it('[A2] numbers rooms from 1, skips ids that requests made up, and is not moved by them', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const made = [await makeRoom(writer, [1], { id: 2 }), await makeRoom(writer, [1], { id: 123 })]
    const counted = [await makeRoom(writer, [1]), await makeRoom(writer, [1]), await makeRoom(writer, [1])]
    expect([made, counted]).toEqual([
      [2, 123],
      [1, 3, 4],
    ])
  })

  it('[M2] refuses a made-up id that a room has or had', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const counted = await makeRoom(writer, [1])
    await makeRoom(writer, [1], { id: 50 })
    expect(await writer.ask(room([2], { id: counted }))).toBe('room_exists')
    expect(await writer.ask(room([2], { id: 50 }))).toBe('room_exists')
    await writer.run({ kind: 'room.delete', roomId: 50, actorId: 1 })
    expect(await writer.ask(room([2], { id: 50 }))).toBe('room_exists')
    expect(await storage.log.listRoomsOf(2)).toEqual([])
  })

  it('makes a room with its first members, none of whom has an event of his own', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const entry = room([7, 8], { name: '방', description: 'd', rule: 'roles', actorId: 8 })
    const facts = await writer.run(entry)
    const created = factOf(facts, 'room.created')
    expect(typesOf(facts)).toEqual(['room.created'])
    expect(created).toMatchObject({ roomId: 1, seq: 1, userId: 8, actorId: 8 })
    const found = await storage.log.findRoom(1)
    expect(found).toEqual({
      ...{ id: 1, kind: 'group', rule: 'roles', name: '방', description: 'd', spaceId: null, head: 1, ordinal: 0 },
      ...{ createdAt: created.at, updatedAt: created.at },
    })
    const marker = { seq: 0, ordinal: 0, readAt: null }
    const common = { roomId: 1, nickname: '', joinedAt: created.at, joinedSeq: 1, marker }
    expect(await storage.log.listMembers(1)).toEqual([
      { ...common, id: expect.any(Number), userId: 7, role: 'admin' },
      { ...common, id: expect.any(Number), userId: 8, role: 'member' },
    ])
  })
}

function changeContract({ open }: Contract): void {
  it('makes a room of nobody', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const [created] = await writer.run(room([], { actorId: null }))
    expect(created).toMatchObject({ userId: 0, actorId: null })
    expect(await storage.log.listMembers(1)).toEqual([])
  })

  it('changes the name or the description and leaves the other alone', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1], { description: 'old' })
    const facts = await writer.run({ kind: 'room.update', roomId, name: 'new', description: null, actorId: 1 })
    const updated = factOf(facts, 'room.updated')
    expect(updated).toMatchObject({ seq: 2, actorId: 1, name: 'new', description: 'old' })
    expect(await storage.log.findRoom(roomId)).toMatchObject({ name: 'new', description: 'old', head: 2, updatedAt: updated.at })
    await writer.run({ kind: 'room.update', roomId, name: null, description: 'newer', actorId: 1 })
    expect(await storage.log.findRoom(roomId)).toMatchObject({ name: 'new', description: 'newer' })
    expect(await writer.ask({ kind: 'room.update', roomId: 404, name: 'x', description: null, actorId: 1 })).toBe(
      'room_not_found',
    )
  })
}

function deletionContract({ open }: Contract): void {
  it('leaves nothing of a deleted room in any answer but readCommits', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1, 2])
    const { id, seq } = await say(writer, roomId, 1, 'a')
    const deleted = await writer.run({ kind: 'room.delete', roomId, actorId: 1 })
    expect(deleted).toMatchObject([{ type: 'room.deleted', roomId, seq: 3, actorId: 1 }])
    const { log } = storage
    expect([await log.findRoom(roomId), await log.findMember(roomId, 1)]).toEqual([null, null])
    expect([await log.findMessage(roomId, id), await log.findMessageAt(roomId, seq)]).toEqual([null, null])
    const lists = [log.listRoomsOf(1), log.listMembers(roomId), log.listMessages(roomId, { offset: 0, limit: 9 })]
    expect(await Promise.all<unknown[]>(lists)).toEqual([[], [], []])
    expect(await log.readLog(roomId, FROM_THE_NEWEST, 9)).toEqual([])
    expect(await log.readMarkers(roomId, { explicit: false, below: FROM_THE_NEWEST, limit: 9 })).toEqual([])
    expect((await log.readCommits(writer.journal, 3, 9)).map((commit) => commit.facts)).toEqual([deleted])
  })

  it('refuses every entry for a deleted room', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1, 2])
    const { id } = await say(writer, roomId, 1, 'a')
    await writer.run({ kind: 'room.delete', roomId, actorId: 1 })
    const { outcomes } = await writer.write(
      { kind: 'room.delete', roomId, actorId: 1 },
      { kind: 'room.update', roomId, name: 'x', description: null, actorId: 1 },
      ...[edit(roomId, 1, id, 'x'), remove(roomId, 1, id), add(roomId, 3), expel(roomId, 2)],
      ...[post(roomId, 1, 'x'), keyed(roomId, 1, 'k', 'x'), post(roomId, 9, 'x', { isGuest: true }), read(roomId, 1)],
    )
    expect(outcomes.map(statusOf)).toEqual(outcomes.map(() => 'room_not_found'))
  })

  it('refuses what a batch brings for a room that it deletes', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1])
    const { outcomes } = await writer.write(post(roomId, 1, 'x'), { kind: 'room.delete', roomId, actorId: 1 })
    expect(outcomes.map(statusOf)).toEqual(['room_not_found', 'done'])
    expect(await memberIds(storage, roomId)).toEqual([])
  })
}
