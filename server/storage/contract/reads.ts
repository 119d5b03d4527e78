/** Read markers: how they move, and how their moves are found again. */
import { expect, it } from 'vitest'
import { expel, makeRoom, post, read, remove, say } from './entries.ts'
import { FROM_THE_NEWEST, factOf, openWriter, type Contract } from './harness.ts'

const moves = { explicit: false, below: FROM_THE_NEWEST, limit: 100 }
const reads = { ...moves, explicit: true }

export function readContract(contract: Contract): void {
  markerContract(contract)
  targetContract(contract)
  authorContract(contract)
  moveContract(contract)
  pageContract(contract)
}

function markerContract({ open }: Contract): void {
  it('moves a marker to a message, or to the newest', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1, 2])
    const a = await say(writer, roomId, 1, 'a')
    const b = await say(writer, roomId, 1, 'b')
    const fact = factOf(await writer.run(read(roomId, 2, a.id)), 'read.advanced')
    expect(fact).toMatchObject({ roomId, userId: 2, actorId: 2, explicit: true, markerSeq: a.seq, messageId: a.id })
    const marker = { seq: a.seq, ordinal: a.ordinal, readAt: fact.at }
    expect(await storage.log.findMember(roomId, 2)).toMatchObject({ marker })
    const newest = factOf(await writer.run(read(roomId, 2)), 'read.advanced')
    expect(newest).toMatchObject({ markerSeq: b.seq, messageId: b.id })
    expect((await storage.log.findMember(roomId, 2))?.marker).toEqual({ seq: b.seq, ordinal: 2, readAt: newest.at })
  })

  it('never moves a marker back, but notes the read', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1, 2])
    const a = await say(writer, roomId, 1, 'a')
    const b = await say(writer, roomId, 1, 'b')
    await writer.run(read(roomId, 2, b.id))
    const again = factOf(await writer.run(read(roomId, 2, a.id)), 'read.advanced')
    expect(again).toMatchObject({ explicit: true, markerSeq: b.seq, messageId: b.id })
    expect((await storage.log.findMember(roomId, 2))?.marker).toEqual({ seq: b.seq, ordinal: 2, readAt: again.at })
  })

  it('notes a read where there is nothing to read', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1])
    const fact = factOf(await writer.run(read(roomId, 1)), 'read.advanced')
    expect(fact).toMatchObject({ explicit: true, markerSeq: 0, messageId: null })
    expect((await storage.log.findMember(roomId, 1))?.marker).toEqual({ seq: 0, ordinal: 0, readAt: fact.at })
  })
}

function targetContract({ open }: Contract): void {
  it('[P9] takes an id that the room does not have for the newest one before it', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1, 2])
    const elsewhere = await makeRoom(writer, [1])
    const a = await say(writer, roomId, 1, 'a')
    const between = await say(writer, elsewhere, 1, 'between')
    const b = await say(writer, roomId, 1, 'b')
    expect(factOf(await writer.run(read(roomId, 2, between.id)), 'read.advanced').messageId).toBe(a.id)
    expect(factOf(await writer.run(read(roomId, 2, b.id + 1000)), 'read.advanced').messageId).toBe(b.id)
  })

  it('moves a marker to a deleted message, which keeps its place', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1, 2])
    const { id, seq } = await say(writer, roomId, 1, 'gone')
    await writer.run(remove(roomId, 1, id))
    expect(factOf(await writer.run(read(roomId, 2)), 'read.advanced')).toMatchObject({ markerSeq: seq, messageId: id })
  })
}

function authorContract({ open }: Contract): void {
  it("[A19] moves the author's own marker with his message, which is no read of his own", async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1, 2])
    const facts = await writer.run(post(roomId, 1, 'a'))
    const { message } = factOf(facts, 'message.posted')
    expect(factOf(facts, 'read.advanced')).toMatchObject({
      userId: 1,
      actorId: 1,
      explicit: false,
      markerSeq: 2,
      messageId: message.id,
    })
    expect((await storage.log.findMember(roomId, 1))?.marker).toEqual({ seq: 2, ordinal: 1, readAt: null })
    expect((await storage.log.findMember(roomId, 2))?.marker).toEqual({ seq: 0, ordinal: 0, readAt: null })
  })

  it('keeps the time of the last explicit read while posting moves the marker', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1])
    const { at } = factOf(await writer.run(read(roomId, 1)), 'read.advanced')
    await say(writer, roomId, 1, 'a')
    expect((await storage.log.findMember(roomId, 1))?.marker).toEqual({ seq: 2, ordinal: 1, readAt: at })
  })

  it('refuses the read of a stranger and of a room that is not there', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1])
    expect(await writer.ask(read(roomId, 2))).toBe('not_a_member')
    expect(await writer.ask(read(404, 1))).toBe('room_not_found')
  })
}

function moveContract({ open }: Contract): void {
  it("lists each member's latest move once, newest first", async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1, 2, 3, 4])
    const [, posted] = await writer.run(post(roomId, 1, 'a'))
    const [third] = await writer.run(read(roomId, 3))
    await writer.run(read(roomId, 2))
    const [, answer] = await writer.run(post(roomId, 2, 'b'))
    const found = await storage.log.readMarkers(roomId, moves)
    expect(found.map((move) => move.fact)).toEqual([answer, third, posted].map((fact) => ({ ...fact, passed: true })))
    expect(found.map((move) => move.number)).toEqual(found.map((move) => move.number).toSorted((a, b) => b - a))
  })

  it('[A19] lists reads apart from moves: the last explicit read as it was', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1, 2])
    await say(writer, roomId, 1, 'a')
    const [explicit] = await writer.run(read(roomId, 2))
    const [, posted] = await writer.run(post(roomId, 2, 'b'))
    expect((await storage.log.readMarkers(roomId, reads)).map((move) => move.fact)).toEqual([explicit])
    expect((await storage.log.readMarkers(roomId, moves)).map((move) => move.fact)[0]).toEqual({ ...posted, passed: true })
  })

  it('[A19] counts a read that moved nothing among the reads and not among the moves', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1, 2])
    await say(writer, roomId, 1, 'a')
    const [moved] = await writer.run(read(roomId, 2))
    const [said] = await writer.run(read(roomId, 2))
    const factsOfTwo = async (options: typeof moves) =>
      (await storage.log.readMarkers(roomId, options)).map((move) => move.fact).filter((fact) => fact.userId === 2)
    expect(await factsOfTwo(moves)).toEqual([moved])
    expect(await factsOfTwo(reads)).toEqual([{ ...said, passed: true }])
  })
}

function pageContract({ open }: Contract): void {
  it.each([moves, reads])('goes on below a number, up to a limit (explicit: $explicit)', async (options) => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1, 2, 3, 4, 5])
    await say(writer, roomId, 1, 'a')
    for (const userId of [2, 5, 3, 1]) await writer.run(read(roomId, userId))
    const all = await storage.log.readMarkers(roomId, options)
    const first = await storage.log.readMarkers(roomId, { ...options, limit: 2 })
    const rest = await storage.log.readMarkers(roomId, { ...options, below: first[1]?.number ?? 0 })
    expect([...first, ...rest]).toEqual(all)
    expect(first).toHaveLength(2)
    expect(all.map((move) => move.fact.userId)).toEqual(options.explicit ? [1, 3, 5, 2] : [3, 5, 2, 1])
  })

  it('lists no moves of a member who left, and none of a room that is not there', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1, 2])
    await say(writer, roomId, 1, 'a')
    await writer.run(read(roomId, 2))
    await writer.run(expel(roomId, 2))
    expect((await storage.log.readMarkers(roomId, moves)).map((move) => move.fact.userId)).toEqual([1])
    expect(await storage.log.readMarkers(404, moves)).toEqual([])
  })
}
