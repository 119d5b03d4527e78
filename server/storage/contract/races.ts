/** Two processes at once: what the locks are for. */
import { expect, it } from 'vitest'
import type { Fact } from '../../core/events.ts'
import type { Message, RoomId } from '../../core/model.ts'
import { JournalClosed, type Entry, type Storage } from '../storage.ts'
import { add, channel, expel, giveRole, keyed, makeRoom, post, postedOf, react, read, say } from './entries.ts'
import { FROM_THE_NEWEST, makeSpace, memberIds, openWriter, statusOf, type Contract, type Writer } from './harness.ts'

export function raceContract(contract: Contract): void {
  logRaces(contract)
  fencingRaces(contract)
  memberRaces(contract)
  spaceRaces(contract)
}

/** A writer in each of two processes on one database. */
async function openTwo({ open }: Contract): Promise<{ storage: Storage; here: Writer; there: Writer }> {
  const { storage, second } = await open()
  return { storage, here: await openWriter(storage), there: await openWriter(await second()) }
}

/** Appends these batches, each after the one before was answered. */
async function writeAll(writer: Writer, batches: Entry[][]): Promise<Fact[]> {
  const facts: Fact[] = []
  for (const batch of batches) facts.push(...(await writer.write(...batch)).facts)
  return facts
}

function logRaces(contract: Contract): void {
  it('gives seqs and ordinals without a gap or a double when two journals write to the same rooms', async () => {
    const { storage, here, there } = await openTwo(contract)
    const rooms = [await makeRoom(here, [1, 2]), await makeRoom(here, [1, 2]), await makeRoom(here, [1, 2])]
    const batches = (author: number, order: RoomId[]) =>
      Array.from({ length: 15 }, (_, i) =>
        order.flatMap((roomId) => [post(roomId, author, `${author}.${i}`), read(roomId, author)]),
      )
    const before = here.next()
    const facts = await Promise.all([writeAll(here, batches(1, rooms)), writeAll(there, batches(2, rooms.toReversed()))])
    expect(facts[0].map((fact) => fact.stamp.position)).toEqual(Array.from({ length: 135 }, (_, i) => before + i))
    expect(facts[1].map((fact) => fact.stamp.position)).toEqual(Array.from({ length: 135 }, (_, i) => 1 + i))
    for (const roomId of rooms) await checkLog(storage, roomId, facts.flat())
  })

  it('[A8] stores one message for a key that comes by two journals at once', async () => {
    const { storage, here, there } = await openTwo(contract)
    const roomId = await makeRoom(here, [1])
    for (let round = 0; round < 15; round++) {
      const entry = keyed(roomId, 1, `key ${round}`, `text ${round}`)
      const results = await Promise.all([here.write(entry), there.write(entry)])
      const outcomes = results.map((result) => result.outcomes[0])
      expect(outcomes.map(statusOf).toSorted()).toEqual(['done', 'repeated'])
      const message = postedOf(results.flatMap((result) => result.facts))
      expect(outcomes).toContainEqual({ status: 'repeated', seq: message.seq })
    }
    expect(await storage.log.findRoom(roomId)).toMatchObject({ ordinal: 15 })
  })

  it('tells two appends of one batch at once the same, and stores it once', async () => {
    const { storage, second } = await contract.open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1])
    const other = await second()
    for (let round = 0; round < 10; round++) {
      const position = writer.next()
      const batch = [post(roomId, 1, `${round}`)]
      const [mine, its] = await Promise.all([writer.write(...batch), other.log.append(writer.journal, position, batch)])
      expect(its).toEqual(mine)
    }
    expect(await storage.log.findRoom(roomId)).toMatchObject({ head: 11, ordinal: 10 })
  })
}

function fencingRaces(contract: Contract): void {
  it('[A15] closing a journal makes an uncertain commit definite: what stands then is all that ever will', async () => {
    const { storage, second } = await contract.open()
    const other = await second()
    const roomId = await makeRoom(await openWriter(storage), [1])
    for (let round = 0; round < 20; round++) {
      const { number } = await other.log.openJournal()
      const append = () => other.log.append(number, 1, [post(roomId, 1, `${round}`)]).catch((error: unknown) => error)
      const settle = () => storage.log.closeJournal(number).then(() => storage.log.readCommits(number, 0, 9))
      const closingFirst = round % 2 === 1 ? settle() : null
      const appending = append()
      const standing = await (closingFirst ?? settle())
      const answer = await appending
      if (standing.length === 0) expect(answer).toBeInstanceOf(JournalClosed)
      else expect([answer]).toMatchObject(standing)
      expect(await append()).toEqual(answer)
      expect(await storage.log.readCommits(number, 0, 9)).toEqual(standing)
    }
  })
}

/** The room's log holds every answered row once, in an order that both journals agree with. */
async function checkLog(storage: Storage, roomId: RoomId, facts: Fact[]): Promise<void> {
  const rows = (await storage.log.readLog(roomId, FROM_THE_NEWEST, 100)).toReversed()
  expect(rows.map((row) => row.seq)).toEqual(rows.map((_, i) => i + 1))
  const answered = facts.filter((fact) => fact.type === 'message.posted' && fact.roomId === roomId)
  expect(rows.slice(1).toSorted(byStamp)).toEqual(answered.toSorted(byStamp))
  const messages = rows.flatMap((row): Message[] => (row.type === 'message.posted' ? [row.message] : []))
  expect(messages.map((message) => message.ordinal)).toEqual(messages.map((_, i) => i + 1))
  const ids = messages.map((message) => message.id)
  expect(ids).toEqual([...new Set(ids)].toSorted((a, b) => a - b))
  for (const author of [1, 2]) {
    const positions = rows.slice(1).flatMap((row) => (row.userId === author ? [row.stamp.position] : []))
    expect(positions).toEqual(positions.toSorted((a, b) => a - b))
  }
}

function byStamp(a: Fact, b: Fact): number {
  return a.stamp.journal - b.stamp.journal || a.stamp.position - b.stamp.position
}

function memberRaces(contract: Contract): void {
  it('stores no message of a removed member once his removal is acknowledged', async () => {
    const { storage, here, there } = await openTwo(contract)
    const roomId = await makeRoom(here, [1, 2])
    for (let round = 0; round < 25; round++) {
      let isRemoved = false
      const removal = here.run(expel(roomId, 2)).then(() => (isRemoved = true))
      for (let i = 0; i < 3; i++) {
        const wasRemoved = isRemoved
        const answer = await there.ask(post(roomId, 2, `${round}.${i}`))
        if (wasRemoved) expect(answer).toBe('not_a_member')
      }
      await removal
      expect(await there.ask(post(roomId, 2, 'surely out'))).toBe('not_a_member')
      await here.run(add(roomId, 2))
    }
    const rows = (await storage.log.readLog(roomId, FROM_THE_NEWEST, 1000)).toReversed()
    let isIn = true
    for (const row of rows) {
      if (row.type === 'member.removed') isIn = false
      if (row.type === 'member.added') isIn = true
      if (row.type === 'message.posted') expect(isIn).toBe(true)
    }
  })

  it('lets one of two admins who remove each other be the remover', async () => {
    const { storage, here, there } = await openTwo(contract)
    for (let round = 0; round < 10; round++) {
      const roomId = await makeRoom(here, [1, 2, 3])
      const answers = await Promise.all([
        here.ask(expel(roomId, 2, { actorId: 1, ifMember: 1 })),
        there.ask(expel(roomId, 1, { actorId: 2, ifMember: 2 })),
      ])
      expect(answers.toSorted()).toEqual(['done', 'not_a_member'])
      expect(await memberIds(storage, roomId)).toEqual(answers[0] === 'done' ? [1, 3] : [2, 3])
    }
  })

  it('[C6] lets one of two admins who demote each other be demoted', async () => {
    const { storage, here, there } = await openTwo(contract)
    const members = [1, 2, 3].map((userId) => ({ userId, role: userId === 3 ? 'member' : 'admin' }) as const)
    for (let round = 0; round < 10; round++) {
      const roomId = await makeRoom(here, [1], { rule: 'roles', members })
      const answers = await Promise.all([here.ask(giveRole(roomId, 2, 'member')), there.ask(giveRole(roomId, 1, 'member'))])
      expect(answers.toSorted()).toEqual(['done', 'last_admin'])
      const roles = (await storage.log.listMembers(roomId)).map((member) => member.role)
      expect(roles.toSorted()).toEqual(['admin', 'member', 'member'])
    }
  })

  it('adds a reaction once', async () => {
    const { storage, here, there } = await openTwo(contract)
    const roomId = await makeRoom(here, [1])
    const { id } = await say(here, roomId, 1, 'a')
    for (let round = 0; round < 10; round++) {
      const name = `reaction ${round}`
      const results = await Promise.all([here.write(react(roomId, 1, id, name)), there.write(react(roomId, 1, id, name))])
      expect(results.flatMap(({ facts }) => facts.map((fact) => fact.type))).toEqual(['reaction.added'])
    }
    expect(await storage.log.listReactions(roomId, [id])).toHaveLength(10)
  })

  it('adds a member once', async () => {
    const { here, there } = await openTwo(contract)
    const roomId = await makeRoom(here, [1])
    for (let userId = 2; userId < 12; userId++) {
      const answers = await Promise.all([here.ask(add(roomId, userId)), there.ask(add(roomId, userId))])
      expect(answers.toSorted()).toEqual(['already_a_member', 'done'])
    }
  })
}

function spaceRaces(contract: Contract): void {
  it("[A11] keeps a space's list and its rooms' lists the same while people come and go and channels are made", async () => {
    const { storage, here, there } = await openTwo(contract)
    const spaceId = await makeSpace(storage, here, 1, [2, 3])
    for (let round = 0; round < 10; round++) {
      const userId = 10 + round
      await Promise.all([
        writeAll(here, [[channel(spaceId, 1)], [{ kind: 'space.leave', spaceId, userId: 2, actorId: 2 }]]),
        writeAll(there, [[{ kind: 'space.join', spaceId, userId, actorId: userId }], [channel(spaceId, 1)]]),
      ])
      await here.ask({ kind: 'space.join', spaceId, userId: 2, actorId: 2 })
    }
    const expected = [1, 2, 3, ...Array.from({ length: 10 }, (_, i) => 10 + i)]
    const rooms = await storage.log.listRoomsIn(spaceId)
    expect(rooms).toHaveLength(20)
    for (const { id } of rooms) expect((await memberIds(storage, id)).toSorted((a, b) => a - b)).toEqual(expected)
    for (const userId of expected) expect(await storage.directory.isSpaceMember(spaceId, userId)).toBe(true)
  })

  it('leaves no room behind when a space is deleted while a channel is made in it', async () => {
    const { storage, here, there } = await openTwo(contract)
    for (let round = 0; round < 10; round++) {
      const spaceId = await makeSpace(storage, here, 1)
      const [made] = await Promise.all([here.ask(channel(spaceId, 1)), there.ask({ kind: 'space.delete', spaceId, actorId: 1 })])
      expect(['done', 'space_not_found']).toContain(made)
    }
    expect(await storage.log.listRoomsOf(1)).toEqual([])
  })
}
