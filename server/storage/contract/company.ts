/** Direct rooms, invitations of several, and what the facts tell of who came with whom. */
import { expect, it } from 'vitest'
import type { Fact } from '../../core/events.ts'
import type { RoomId } from '../../core/model.ts'
import type { Storage } from '../storage.ts'
import { add, channel, direct, expel, invite, makeRoom, room } from './entries.ts'
import { factOf, FROM_THE_NEWEST, makeSpace, memberIds, openWriter, statusOf, type Contract, type Writer } from './harness.ts'

export function companyContract(contract: Contract): void {
  pairContract(contract)
  endContract(contract)
  invitationContract(contract)
  factContract(contract)
}

function pairContract({ open }: Contract): void {
  it('[P9] finds the direct room of two, whoever is named first, and no other room of theirs', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    await makeRoom(writer, [1, 2])
    expect(await storage.log.findDirect([1, 2])).toBeNull()
    const { roomId } = factOf(await writer.run(direct([2, 1])), 'room.created')
    const other = factOf(await writer.run(direct([1, 3], { id: 123 })), 'room.created').roomId
    expect([await storage.log.findDirect([1, 2]), await storage.log.findDirect([2, 1])]).toEqual([roomId, roomId])
    expect([await storage.log.findDirect([3, 1]), other]).toEqual([123, 123])
    expect([await storage.log.findDirect([2, 3]), await storage.log.findDirect([1, 1])]).toEqual([null, null])
  })

  it('[P9] makes one of ten direct rooms of the same two that come at once, by two processes', async () => {
    const { storage, second } = await open()
    const writers = [await openWriter(storage), await openWriter(await second())]
    const batches = writers.map((writer, i) =>
      writer.write(...Array.from({ length: 5 }, () => direct(i === 0 ? [1, 2] : [2, 1]))),
    )
    const outcomes = (await Promise.all(batches)).flatMap((result) => result.outcomes)
    expect(outcomes.map(statusOf).toSorted()).toEqual(['done', ...Array.from({ length: 9 }, () => 'room_exists')])
    const rooms = await storage.log.listRoomsOf(1)
    expect(rooms).toMatchObject([{ kind: 'direct', rule: 'pair' }])
    expect(await storage.log.findDirect([1, 2])).toBe(rooms[0]?.id)
  })

  it("takes a direct room of one or of three for nobody's pair", async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    for (const members of [[1], [1, 2, 3], [1]]) expect(await writer.ask(direct(members))).toBe('done')
    const roomId = 2
    await writer.run(expel(roomId, 3))
    expect(await storage.log.findDirect([1, 2])).toBeNull()
  })
}

function endContract({ open }: Contract): void {
  const ends: [string, (writer: Writer, roomId: RoomId) => Promise<unknown>][] = [
    ['one has left', (writer, roomId) => writer.run(expel(roomId, 2))],
    ['a third has come', (writer, roomId) => writer.run(invite(roomId, 1, [3]))],
    ['it was deleted', (writer, roomId) => writer.run({ kind: 'room.delete', roomId, actorId: 1 })],
    [
      'a third has come and gone',
      async (writer, roomId) => {
        await writer.run(invite(roomId, 1, [3]))
        await writer.run(expel(roomId, 3))
      },
    ],
    [
      'one has left and come back',
      async (writer, roomId) => {
        await writer.run(expel(roomId, 2))
        await writer.run(invite(roomId, 1, [2]))
      },
    ],
  ]
  it.each(ends)('[P9] finds a direct room no more once %s, and makes a new one', async (_, end) => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const { roomId } = factOf(await writer.run(direct([1, 2])), 'room.created')
    await end(writer, roomId)
    expect(await storage.log.findDirect([1, 2])).toBeNull()
    const next = factOf(await writer.run(direct([1, 2])), 'room.created').roomId
    expect(next).not.toBe(roomId)
    expect(await storage.log.findDirect([1, 2])).toBe(next)
    expect(await writer.ask(direct([2, 1]))).toBe('room_exists')
  })

  it('[A13] makes a direct room a group by the rule peers when somebody is added, and leaves other rooms as they are', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const made = factOf(await writer.run(direct([1, 2])), 'room.created').roomId
    const other = await makeRoom(writer, [1, 2])
    expect(await writer.ask(invite(made, 1, [2]))).toBe('already_a_member')
    expect(await storage.log.findRoom(made)).toMatchObject({ kind: 'direct', rule: 'pair' })
    for (const roomId of [made, other]) await writer.run(add(roomId, 3))
    expect(await storage.log.findRoom(made)).toMatchObject({ kind: 'group', rule: 'peers' })
    expect(await storage.log.findRoom(other)).toMatchObject({ kind: 'group', rule: 'admins' })
  })
}

function invitationContract({ open }: Contract): void {
  it('[P9] lets in those of an invitation who are not in yet, in its order', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1, 4])
    const facts = await writer.run(invite(roomId, 1, [9, 4, 2, 1, 5]))
    expect(facts).toMatchObject([9, 2, 5].map((userId) => ({ type: 'member.added', userId, actorId: 1, together: [9, 2, 5] })))
    expect(facts.map((fact) => fact.stamp.position)).toEqual([2, 3, 4])
    expect(await memberIds(storage, roomId)).toEqual([1, 4, 9, 2, 5])
    expect(await storage.log.findRoom(roomId)).toMatchObject({ head: 4 })
  })

  it.each([[[1, 2]], [[]]])('[P9] refuses an invitation of nobody new (%j), and uses no position', async (userIds) => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1, 2])
    const before = writer.next()
    expect(await writer.ask(invite(roomId, 1, userIds))).toBe('already_a_member')
    expect(writer.next()).toBe(before)
    expect(await memberIds(storage, roomId)).toEqual([1, 2])
  })

  it('lets each of two invitations at once let in whom the other did not', async () => {
    const { storage, second } = await open()
    const writers = [await openWriter(storage), await openWriter(await second())]
    const roomId = await makeRoom(writers[0]!, [1])
    const results = await Promise.all(writers.map((writer, i) => writer.write(invite(roomId, 1, i === 0 ? [2, 3] : [3, 4]))))
    const facts = results.flatMap((result) => result.facts.filter((fact) => fact.type === 'member.added'))
    expect(new Set(facts.map((fact) => fact.userId))).toEqual(new Set([2, 3, 4]))
    expect(facts).toHaveLength(3)
    expect(new Set(await memberIds(storage, roomId))).toEqual(new Set([1, 2, 3, 4]))
  })
}

function roomOf(facts: Fact[] | undefined): RoomId {
  return facts?.[0]?.roomId ?? 0
}

/** What the log tells of it, as an append, the room's log and the journal's commits tell it. */
async function tellings(storage: Storage, writer: Writer, append: () => Promise<{ facts: Fact[] }>): Promise<Fact[][]> {
  const from = writer.next()
  const { facts } = await append()
  const roomId = roomOf(facts)
  const rows = await storage.log.readLog(roomId, FROM_THE_NEWEST, facts.length)
  const commits = await storage.log.readCommits(writer.journal, from - 1, 1)
  return [facts, rows.toReversed(), commits.flatMap((commit) => commit.facts)]
}

function factContract({ open }: Contract): void {
  it('tells who came together in the log, in the commit and when it is sent again', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1, 2])
    const entry = invite(roomId, 1, [4, 2, 3])
    const at = writer.next()
    const told = await tellings(storage, writer, () => writer.write(entry))
    told.push((await storage.log.append(writer.journal, at, [entry])).facts)
    for (const facts of told) expect(facts).toMatchObject([4, 3].map((userId) => ({ userId, together: [4, 3] })))
    for (const facts of told) expect(facts).toEqual(told[0])
    for (const facts of await tellings(storage, writer, () => writer.write(add(roomId, 7)))) {
      expect(facts).toMatchObject([{ userId: 7, together: [7] }])
    }
  })

  it('tells the first members of a room in the log, in the commit and when it is sent again', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const spaceId = await makeSpace(storage, writer, 5, [3, 8])
    for (const entry of [room([4, 1, 2]), room([]), channel(spaceId, 5), direct([9, 1])]) {
      const at = writer.next()
      const told = await tellings(storage, writer, () => writer.write(entry))
      const roomId = roomOf(told[0])
      told.push((await storage.log.append(writer.journal, at, [entry])).facts)
      const expected = await memberIds(storage, roomId)
      for (const facts of told) expect(facts).toMatchObject([{ type: 'room.created', memberIds: expected }])
    }
    expect(await memberIds(storage, 1)).toEqual([4, 1, 2])
  })

  it('[A11] tells of who joins a space that he came alone', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const spaceId = await makeSpace(storage, writer, 1)
    await writer.run(channel(spaceId, 1))
    const facts = await writer.run({ kind: 'space.join', spaceId, userId: 2, actorId: 2 })
    expect(facts).toMatchObject([{ type: 'member.added', userId: 2, together: [2] }])
  })
}
