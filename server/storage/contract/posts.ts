/** Posting: order, ids, client keys. */
import { expect, it } from 'vitest'
import { BatchRejected } from '../storage.ts'
import { add, expel, keyed, makeRoom, post, postedOf, remove, say } from './entries.ts'
import { FROM_THE_NEWEST, openWriter, statusOf, typesOf, type Contract } from './harness.ts'

export function postContract(contract: Contract): void {
  numberContract(contract)
  batchContract(contract)
  limitContract(contract)
  keyContract(contract)
  keyLimitContract(contract)
}

function numberContract({ open }: Contract): void {
  it('[A2] starts message ids at 1 and lets them rise, also over several rooms', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const rooms = [await makeRoom(writer, [1]), await makeRoom(writer, [1])]
    const ids: number[] = []
    for (let i = 0; i < 6; i++) ids.push((await say(writer, rooms[i % 2] ?? 0, 1, `${i}`)).id)
    expect(ids[0]).toBe(1)
    expect(new Set(ids).size).toBe(6)
    expect(ids[4]).toBeGreaterThan(ids[2] ?? 0)
    expect(ids[5]).toBeGreaterThan(ids[3] ?? 0)
  })

  it('gives a posted message its seq, ordinal, time and all that was sent', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1])
    const facts = await writer.run(post(roomId, 1, '안녕 👋', { messageKind: 'image', fileUrl: '/uploads/a.png' }))
    const message = postedOf(facts)
    expect(message).toMatchObject({
      id: 1,
      roomId,
      seq: 2,
      ordinal: 1,
      authorId: 1,
      kind: 'image',
      content: '안녕 👋',
      fileUrl: '/uploads/a.png',
    })
    expect(message).toMatchObject({ editedAt: null, deletedAt: null })
    expect(facts[0]).toMatchObject({ roomId, seq: 2, userId: 1, actorId: 1, at: message.createdAt })
    expect(await storage.log.findMessage(roomId, 1)).toEqual(message)
    expect(await storage.log.findMessageAt(roomId, 2)).toEqual(message)
    expect(await storage.log.findRoom(roomId)).toMatchObject({ head: 2, ordinal: 1 })
  })

  it('counts seqs over everything in the log and ordinals over messages only', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1])
    await say(writer, roomId, 1, 'a')
    await writer.run(add(roomId, 2))
    const message = await say(writer, roomId, 2, 'b')
    expect([message.seq, message.ordinal]).toEqual([4, 2])
  })
}

function batchContract({ open }: Contract): void {
  it('keeps a batch of one room in the order in which it was given', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1])
    const texts = Array.from({ length: 200 }, (_, i) => `no. ${i}`)
    await writer.write(...texts.map((text) => post(roomId, 1, text)))
    const listed = await storage.log.listMessages(roomId, { offset: 0, limit: 200 })
    expect(listed.map((message) => message.content).toReversed()).toEqual(texts)
    expect(listed.map((message) => message.id)).toEqual(listed.map((message) => message.id).toSorted((a, b) => b - a))
  })

  it('never lets time go back within a room', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1])
    for (let i = 0; i < 5; i++) await writer.write(post(roomId, 1, `${i}`), post(roomId, 1, `${i}'`))
    const times = (await storage.log.readLog(roomId, FROM_THE_NEWEST, 20)).map((row) => row.at)
    expect(times).toEqual(times.toSorted((a, b) => b - a))
  })

  it('[W9] takes a guest who is no member, and gives him no marker', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [], { roomKind: 'project', rule: 'service' })
    const facts = await writer.run(post(roomId, 70, 'hi', { isGuest: true }))
    expect(typesOf(facts)).toEqual(['message.posted'])
    expect(await storage.log.listMembers(roomId)).toEqual([])
  })
}

function limitContract({ open }: Contract): void {
  it('[A4] keeps a text to the byte or refuses it, and never changes it', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1])
    for (const text of [
      '\u0000',
      '\ud83d',
      '한글',
      '한글'.normalize('NFD'),
      ' \r\n\t',
      '\ufeff',
      '\'\\{}",NULL',
      'NULL',
      '{}',
      '\\"',
      '😀'.repeat(5000),
    ]) {
      // One post and many go different ways.
      for (const batch of [[text], [text, text]]) {
        const kept = await keep(batch)
        if (kept !== null) expect(kept).toBe(text)
      }
    }
    async function keep(texts: string[]): Promise<string | null> {
      try {
        const { outcomes } = await writer.write(...texts.map((text) => post(roomId, 1, text)))
        if (statusOf(outcomes[0]) === 'unstorable') return null
      } catch (error) {
        expect(error).toBeInstanceOf(BatchRejected)
        return null
      }
      const [newest] = await storage.log.listMessages(roomId, { offset: 0, limit: 1 })
      return newest?.content ?? ''
    }
  })

  it('[A2] gives out ids up to the maximum and then refuses posts alone', async () => {
    const { storage } = await open({ messageIdMax: 3 })
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1])
    await say(writer, roomId, 1, 'one')
    const batch = ['two', 'three', 'four', 'five'].map((text) => post(roomId, 1, text))
    const { outcomes } = await writer.write(...batch)
    expect(outcomes.map(statusOf)).toEqual(['done', 'done', 'ids_exhausted', 'ids_exhausted'])
    expect(await writer.ask(post(roomId, 1, 'six'))).toBe('ids_exhausted')
    expect(await writer.ask(remove(roomId, 1, 3))).toBe('done')
    expect(await storage.log.findRoom(roomId)).toMatchObject({ head: 5, ordinal: 3 })
  })
}

function keyContract({ open }: Contract): void {
  it('[A8] answers a repeated key with where the first one stands', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1])
    const first = postedOf(await writer.run(keyed(roomId, 1, 'k1', 'hello')))
    const { outcomes, facts } = await writer.write(keyed(roomId, 1, 'k1', 'hello'))
    expect(outcomes).toEqual([{ status: 'repeated', seq: first.seq }])
    expect(facts).toEqual([])
    expect(await storage.log.listMessages(roomId, { offset: 0, limit: 10 })).toEqual([first])
  })

  it('[A8] knows a key at every process', async () => {
    const { storage, second } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1])
    await writer.run(keyed(roomId, 1, 'k1', 'hello'))
    expect(await (await openWriter(await second())).ask(keyed(roomId, 1, 'k1', 'hello'))).toBe('repeated')
  })

  it('[A8] refuses a key with another body, and stores nothing', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1])
    await writer.run(keyed(roomId, 1, 'k1', 'hello'))
    expect(await writer.ask(keyed(roomId, 1, 'k1', 'other'))).toBe('key_conflict')
    expect(await writer.ask(keyed(roomId, 1, 'k1', 'hello'))).toBe('repeated')
    expect(await storage.log.findRoom(roomId)).toMatchObject({ ordinal: 1 })
  })

  it('[A8] keeps keys apart by sender and by room', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const here = await makeRoom(writer, [1, 2])
    const there = await makeRoom(writer, [1, 2])
    const { outcomes } = await writer.write(keyed(here, 1, 'k', 'a'), keyed(here, 2, 'k', 'b'), keyed(there, 1, 'k', 'c'))
    expect(outcomes.map(statusOf)).toEqual(['done', 'done', 'done'])
  })
}

function keyLimitContract({ open }: Contract): void {
  it('[A8] checks membership before the key', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1, 2])
    await writer.run(keyed(roomId, 2, 'k', 'hello'))
    await writer.run(expel(roomId, 2))
    expect(await writer.ask(keyed(roomId, 2, 'k', 'hello'))).toBe('not_a_member')
    expect(await writer.ask(keyed(roomId, 2, 'k', 'other'))).toBe('not_a_member')
  })

  it('[A8] does not remember the key of a refused post', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1])
    expect(await writer.ask(keyed(roomId, 2, 'k', 'too early'))).toBe('not_a_member')
    await writer.run(add(roomId, 2))
    expect(await writer.ask(keyed(roomId, 2, 'k', 'now'))).toBe('done')
  })

  it('[A8] answers the key of a deleted message with its place, where it stands empty', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1])
    const { id, seq } = postedOf(await writer.run(keyed(roomId, 1, 'k', 'secret')))
    await writer.run(remove(roomId, 1, id))
    const { outcomes } = await writer.write(keyed(roomId, 1, 'k', 'secret'))
    expect(outcomes).toEqual([{ status: 'repeated', seq }])
    expect(await storage.log.findMessageAt(roomId, seq)).toMatchObject({ id, content: '', deletedAt: expect.any(Number) })
  })

  it('[A8] keeps the keys of guests too', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [])
    const entry = { ...keyed(roomId, 70, 'k', 'hi'), isGuest: true }
    expect(await writer.ask(entry)).toBe('done')
    expect(await writer.ask(entry)).toBe('repeated')
  })
}
