/** Editing, deleting, listing and the room's log. */
import { expect, it } from 'vitest'
import { add, edit, expel, makeRoom, post, read, remove, say } from './entries.ts'
import { FROM_THE_NEWEST, factOf, openWriter, typesOf, type Contract } from './harness.ts'

const PAGE = { offset: 0, limit: 100 }

export function messageContract(contract: Contract): void {
  editContract(contract)
  deleteContract(contract)
  listContract(contract)
  logContract(contract)
}

function editContract({ open }: Contract): void {
  it('edits a message in place and logs that', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1, 2])
    const message = await say(writer, roomId, 1, 'teh')
    const facts = await writer.run(edit(roomId, 1, message.id, 'the'))
    const edited = factOf(facts, 'message.edited')
    expect(typesOf(facts)).toEqual(['message.edited'])
    expect(edited).toMatchObject({ roomId, seq: 3, userId: 1, actorId: 1 })
    expect(edited.message).toEqual({ ...message, content: 'the', editedAt: edited.at })
    expect(await storage.log.findMessage(roomId, message.id)).toEqual(edited.message)
    expect(await storage.log.findRoom(roomId)).toMatchObject({ head: 3, ordinal: 1 })
  })

  it('lets only its author, while he is a member, edit or delete a message', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1, 2])
    const { id } = await say(writer, roomId, 2, 'mine')
    expect(await writer.ask(edit(roomId, 1, id, 'not mine'))).toBe('not_the_author')
    expect(await writer.ask(remove(roomId, 1, id))).toBe('not_the_author')
    await writer.run(expel(roomId, 2))
    expect(await writer.ask(edit(roomId, 2, id, 'from outside'))).toBe('not_a_member')
    expect(await writer.ask(remove(roomId, 2, id))).toBe('not_a_member')
    expect(await storage.log.findMessage(roomId, id)).toMatchObject({ content: 'mine', editedAt: null })
  })

  it('finds a message to change in its own room only', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const here = await makeRoom(writer, [1])
    const there = await makeRoom(writer, [1])
    const { id } = await say(writer, here, 1, 'here')
    for (const entry of [edit(there, 1, id, 'x'), remove(there, 1, id), edit(here, 1, id + 5, 'x'), remove(here, 1, id + 5)]) {
      expect(await writer.ask(entry)).toBe('message_not_found')
    }
    expect(await writer.ask(edit(404, 1, id, 'x'))).toBe('room_not_found')
    expect(await storage.log.findMessage(there, id)).toBeNull()
  })
}

function deleteContract({ open }: Contract): void {
  it('[A14] takes the text of a deleted message away at once, everywhere', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1])
    const { id, seq } = await say(writer, roomId, 1, 'secret')
    await writer.run(edit(roomId, 1, id, 'secret still'))
    const deleted = factOf(await writer.run(remove(roomId, 1, id)), 'message.deleted')
    expect(deleted).toMatchObject({ roomId, seq: 4, userId: 1, actorId: 1, message: { id, content: '', deletedAt: deleted.at } })
    expect(await storage.log.findMessage(roomId, id)).toBeNull()
    expect(await storage.log.findMessageAt(roomId, seq)).toEqual(deleted.message)
    expect(await storage.log.listMessages(roomId, PAGE)).toEqual([])
    const seen = [await storage.log.readLog(roomId, FROM_THE_NEWEST, 10), await storage.log.readCommits(writer.journal, 0, 10)]
    expect(JSON.stringify(seen)).not.toContain('secret')
  })

  it('knows a deleted message no more: neither a second deletion nor an edit', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1])
    const { id } = await say(writer, roomId, 1, 'gone')
    await writer.run(remove(roomId, 1, id))
    expect(await writer.ask(remove(roomId, 1, id))).toBe('message_not_found')
    expect(await writer.ask(edit(roomId, 1, id, 'back?'))).toBe('message_not_found')
    expect(await storage.log.findRoom(roomId)).toMatchObject({ head: 3, ordinal: 1 })
  })

  it('lets one deletion of two in a batch happen', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1])
    const { id } = await say(writer, roomId, 1, 'gone')
    const { outcomes, facts } = await writer.write(remove(roomId, 1, id), remove(roomId, 1, id))
    expect(typesOf(facts)).toEqual(['message.deleted'])
    expect(outcomes[1]).toEqual({ status: 'refused', reason: 'message_not_found' })
  })

  it('counts the deleted messages behind each seq', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1])
    const { facts } = await writer.write(...['a', 'b', 'c', 'd'].map((text) => post(roomId, 1, text)))
    const [, b, c] = facts.flatMap((fact) => (fact.type === 'message.posted' ? [fact.message] : []))
    await writer.write(remove(roomId, 1, b?.id ?? 0), remove(roomId, 1, c?.id ?? 0))
    expect([b?.seq, c?.seq]).toEqual([3, 4])
    expect(await storage.log.countDeletedAfter(roomId, [0, 2, 3, 4, 5, 3])).toEqual([2, 2, 1, 0, 0, 1])
    expect(await storage.log.countDeletedAfter(roomId, [])).toEqual([])
  })
}

function listContract({ open }: Contract): void {
  it('lists messages newest first, without deleted ones, by page', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1])
    for (const text of ['a', 'b', 'c', 'd', 'e']) await say(writer, roomId, 1, text)
    await writer.run(remove(roomId, 1, 3))
    const texts = async (offset: number, limit: number) =>
      (await storage.log.listMessages(roomId, { offset, limit })).map((message) => message.content)
    expect(await texts(0, 100)).toEqual(['e', 'd', 'b', 'a'])
    expect(await texts(0, 2)).toEqual(['e', 'd'])
    expect(await texts(2, 2)).toEqual(['b', 'a'])
    expect(await texts(4, 2)).toEqual([])
  })

  it('finds nothing at a seq that holds no message', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1])
    await say(writer, roomId, 1, 'a')
    expect(await storage.log.findMessageAt(roomId, 1)).toBeNull()
    expect(await storage.log.findMessageAt(roomId, 3)).toBeNull()
    expect(await storage.log.findMessageAt(404, 2)).toBeNull()
  })
}

function logContract({ open }: Contract): void {
  it('reads the log back as it was answered, newest first, without reads', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1, 2])
    const update = { kind: 'room.update', roomId, name: 'renamed', description: 'why', actorId: 1 } as const
    const { facts } = await writer.write(update, add(roomId, 3), expel(roomId, 1), post(roomId, 2, 'b'), read(roomId, 3))
    const rows = await storage.log.readLog(roomId, FROM_THE_NEWEST, 10)
    const logged = facts.filter((fact) => fact.type !== 'read.advanced')
    expect(rows.slice(0, -1).toReversed()).toEqual(logged)
    expect(typesOf(rows)).toEqual([
      'message.posted',
      'role.changed',
      'member.removed',
      'member.added',
      'room.updated',
      'room.created',
    ])
    expect(rows.map((row) => row.seq)).toEqual([6, 5, 4, 3, 2, 1])
  })

  it('reads the log from below a seq, up to a limit', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1])
    for (const text of ['a', 'b', 'c', 'd']) await say(writer, roomId, 1, text)
    const seqs = async (below: number, limit: number) => (await storage.log.readLog(roomId, below, limit)).map((row) => row.seq)
    expect(await seqs(5, 2)).toEqual([4, 3])
    expect(await seqs(2, 9)).toEqual([1])
    expect(await seqs(1, 9)).toEqual([])
    expect(await storage.log.readLog(404, 5, 9)).toEqual([])
  })

  it('[A7] shows messages in the log as they are now', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1])
    const message = await say(writer, roomId, 1, 'first')
    await writer.run(edit(roomId, 1, message.id, 'second'))
    const { at } = factOf(await writer.run(edit(roomId, 1, message.id, 'third')), 'message.edited')
    const now = { ...message, content: 'third', editedAt: at }
    const rows = await storage.log.readLog(roomId, FROM_THE_NEWEST, 3)
    expect(rows.map((row) => 'message' in row && row.message)).toEqual([now, now, now])
    const [, posted] = await storage.log.readCommits(writer.journal, 0, 10)
    expect(posted?.facts[0]).toMatchObject({ message: now })
  })
}
