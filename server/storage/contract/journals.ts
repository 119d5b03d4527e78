/** Journals: their life, and the append seen as a whole. */
import { expect, it } from 'vitest'
import { JournalClosed } from '../storage.ts'
import { add, keyed, makeRoom, post, read, room, say } from './entries.ts'
import { factOf, memberIds, openWriter, statusOf, typesOf, type Contract } from './harness.ts'

export function journalContract(contract: Contract): void {
  lifeContract(contract)
  refusalContract(contract)
  orderContract(contract)
  entryContract(contract)
  commitContract(contract)
}

function lifeContract({ open }: Contract): void {
  it('answers a ping, and keeps what one process wrote for the next', async () => {
    const { storage, second } = await open()
    await storage.ping()
    const roomId = await makeRoom(await openWriter(storage), [1])
    const other = await second()
    expect((await other.log.findRoom(roomId))?.name).toBe('a room')
  })

  it('numbers journals from 1, each with a tag of its own', async () => {
    const { storage, second } = await open()
    const first = await storage.log.openJournal()
    const next = await (await second()).log.openJournal()
    expect([first.number, next.number]).toEqual([1, 2])
    expect(first).toMatchObject({ lastPosition: 0, isClosed: false })
    expect(first.tag).toMatch(/^[0-9a-z]{8}$/)
    expect(next.tag).not.toBe(first.tag)
    expect(await storage.log.listJournals(1)).toEqual([first, next])
    expect(await storage.log.listJournals(2)).toEqual([next])
  })

  it('shows how far a journal is, and that it is closed', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    await makeRoom(writer, [1])
    await storage.log.closeJournal(writer.journal)
    expect(await storage.log.listJournals(1)).toMatchObject([{ number: 1, lastPosition: 1, isClosed: true }])
  })
}

function refusalContract({ open }: Contract): void {
  it('refuses every append of a closed journal and stores nothing of it', async () => {
    const { storage, second } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1])
    await (await second()).log.closeJournal(writer.journal)
    await expect(writer.write(post(roomId, 1, 'late'))).rejects.toBeInstanceOf(JournalClosed)
    expect(await storage.log.listMessages(roomId, { offset: 0, limit: 10 })).toEqual([])
  })

  it.each([0, 3, 50])('refuses an append at position %i where 4 is next, and stores nothing', async (wrong) => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1])
    await writer.write(post(roomId, 1, 'two positions, 2 and 3'))
    const append = storage.log.append(writer.journal, wrong, [post(roomId, 1, 'astray')])
    await expect(append).rejects.toBeInstanceOf(JournalClosed)
    expect(await storage.log.listMessages(roomId, { offset: 0, limit: 10 })).toHaveLength(1)
    expect(await writer.ask(post(roomId, 1, 'on its way'))).toBe('done')
  })

  it('refuses a journal that this database does not hold', async () => {
    const { storage } = await open()
    await expect(storage.log.append(7, 1, [room([1])])).rejects.toBeInstanceOf(JournalClosed)
  })
}

function orderContract({ open }: Contract): void {
  it('gives an append of structural entries, posts and reads its order: as given, by room, as given', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const low = await makeRoom(writer, [1, 2])
    const high = await makeRoom(writer, [1, 2])
    const batch = [
      read(high, 2),
      post(high, 1, 'b'),
      read(low, 2),
      post(low, 1, 'a'),
      add(high, 3),
      post(high, 2, 'c'),
      add(low, 4),
    ]
    const { facts, outcomes } = await writer.write(...batch)
    expect(facts.map((fact) => [fact.type, fact.roomId, fact.userId])).toEqual([
      ['member.added', high, 3],
      ['member.added', low, 4],
      ['message.posted', low, 1],
      ['read.advanced', low, 1],
      ['message.posted', high, 1],
      ['read.advanced', high, 1],
      ['message.posted', high, 2],
      ['read.advanced', high, 2],
      ['read.advanced', high, 2],
      ['read.advanced', low, 2],
    ])
    expect(outcomes.map(statusOf)).toEqual(batch.map(() => 'done'))
    expect(outcomes[1]).toEqual({ status: 'done', facts: facts.slice(4, 6) })
  })

  it('gives consecutive positions, and one stamp to each fact', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1, 2])
    const first = await writer.write(post(roomId, 1, 'a'), post(roomId, 2, 'b'))
    const second = await writer.write(read(roomId, 1))
    expect([first.firstPosition, first.lastPosition]).toEqual([2, 5])
    expect([second.firstPosition, second.lastPosition]).toEqual([6, 6])
    const stamps = [...first.facts, ...second.facts].map((fact) => fact.stamp)
    expect(stamps).toEqual([2, 3, 4, 5, 6].map((position) => ({ journal: writer.journal, position })))
  })
}

function entryContract({ open }: Contract): void {
  it('uses no position for a batch whose entries made no fact', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const result = await writer.write(post(404, 1, 'nowhere'))
    expect(result).toMatchObject({ firstPosition: 1, lastPosition: 0, facts: [] })
    expect(await storage.log.readCommits(writer.journal, 0, 10)).toEqual([])
    expect((await writer.write(room([1]))).firstPosition).toBe(1)
  })

  it('lets a refused entry leave no trace and its neighbours alone', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1])
    const { outcomes, facts } = await writer.write(
      add(roomId, 1),
      add(roomId, 2),
      post(roomId, 9, 'a stranger'),
      post(roomId, 2, 'just in'),
      post(404, 1, 'nowhere'),
      read(roomId, 9),
    )
    const refused = ['already_a_member', 'done', 'not_a_member', 'done', 'room_not_found', 'not_a_member']
    expect(outcomes.map(statusOf)).toEqual(refused)
    expect(typesOf(facts)).toEqual(['member.added', 'message.posted', 'read.advanced'])
    expect(factOf(facts, 'message.posted').seq).toBe(3)
    expect(await memberIds(storage, roomId)).toEqual([1, 2])
  })

  it('sees in one batch what the entries before did: a room, its member, his message', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const { outcomes } = await writer.write(post(41, 2, 'hello'), room([1], { id: 41 }), add(41, 2), read(41, 1))
    expect(outcomes.map(statusOf)).toEqual(['done', 'done', 'done', 'done'])
    expect(await storage.log.findMember(41, 1)).toMatchObject({ marker: { seq: 3, ordinal: 1 } })
  })
}

function commitContract({ open }: Contract): void {
  it('names what other journals left last in the rooms that a commit touches, and nothing of its own', async () => {
    const { storage, second } = await open()
    const here = await openWriter(storage)
    const there = await openWriter(await second())
    const first = await makeRoom(here, [1])
    const other = await makeRoom(here, [1])
    expect((await here.write(post(first, 1, 'own'))).after).toEqual([])
    const foreign = await there.write(post(first, 1, 'foreign'), read(other, 1))
    expect(foreign.after).toEqual([
      { journal: here.journal, position: 4 },
      { journal: here.journal, position: 2 },
    ])
    const back = await here.write(post(other, 1, 'a'), post(other, 1, 'b'))
    expect(back.after).toEqual([{ journal: there.journal, position: foreign.lastPosition }])
    expect(await storage.log.readCommits(there.journal, 0, 9)).toMatchObject([{ after: foreign.after }])
  })

  it('answers the same batch sent again with the same outcome and stores nothing twice', async () => {
    const { storage, second } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1, 2])
    await writer.run(keyed(roomId, 1, 'k', 'known'))
    const position = writer.next()
    const batch = [
      post(roomId, 1, 'once'),
      keyed(roomId, 1, 'k', 'known'),
      post(roomId, 9, 'never'),
      keyed(roomId, 2, 'k', 'mine'),
      read(roomId, 2),
    ]
    const first = await writer.write(...batch)
    const again = await storage.log.append(writer.journal, position, batch)
    const elsewhere = await (await second()).log.append(writer.journal, position, batch)
    expect(again).toEqual(first)
    expect(elsewhere).toEqual(first)
    expect(await storage.log.listMessages(roomId, { offset: 0, limit: 10 })).toHaveLength(3)
    expect((await writer.write(post(roomId, 1, 'next'))).firstPosition).toBe(first.lastPosition + 1)
  })

  it('tells of a commit that stands also after later ones, and after its journal was closed', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1])
    const position = writer.next()
    const first = await writer.write(post(roomId, 1, 'stands'))
    await writer.write(post(roomId, 1, 'later'))
    await storage.log.closeJournal(writer.journal)
    expect(await storage.log.append(writer.journal, position, [post(roomId, 1, 'stands')])).toEqual(first)
  })

  it('reads commits back as they were answered', async () => {
    const { storage, second } = await open()
    const writer = await openWriter(storage)
    const { outcomes: _, ...created } = await writer.write(room([1, 2], { id: 9 }))
    const { outcomes: __, ...mixed } = await writer.write(add(9, 3), post(9, 1, '안녕'), read(9, 2), post(9, 5, 'no'))
    const { outcomes: ___, ...last } = await writer.write(post(9, 3, 'x'))
    const { log } = await second()
    expect(await log.readCommits(writer.journal, 0, 10)).toEqual([created, mixed, last])
    expect(await log.readCommits(writer.journal, 0, 2)).toEqual([created, mixed])
    expect(await log.readCommits(writer.journal, created.lastPosition, 10)).toEqual([mixed, last])
    expect(await log.readCommits(writer.journal, last.lastPosition, 10)).toEqual([])
    expect(await log.readCommits(writer.journal + 1, 0, 10)).toEqual([])
  })

  it('reads a commit whole where the position lies inside it', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1])
    await say(writer, roomId, 1, 'positions 2 and 3')
    expect(await storage.log.readCommits(writer.journal, 2, 10)).toMatchObject([{ firstPosition: 2, lastPosition: 3 }])
  })
}
