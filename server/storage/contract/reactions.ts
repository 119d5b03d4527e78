/** Reactions: put to a message, taken back, gone with it. */
import { expect, it } from 'vitest'
import { limits } from '../../core/texts.ts'
import { add, edit, expel, makeRoom, post, react, remove, say, unreact } from './entries.ts'
import { FROM_THE_NEWEST, factOf, openWriter, typesOf, type Contract } from './harness.ts'
import { shownOf } from './summaries.ts'

export function reactionContract(contract: Contract): void {
  additionContract(contract)
  refusalContract(contract)
  boundContract(contract)
  deletionContract(contract)
  logContract(contract)
}

function additionContract({ open }: Contract): void {
  it('adds a reaction to a message and takes it back, each an event of who did it', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1, 2])
    const message = await say(writer, roomId, 1, 'a')
    const added = factOf(await writer.run(react(roomId, 2, message.id, '👍🏽')), 'reaction.added')
    expect(added).toMatchObject({ roomId, seq: 3, userId: 2, actorId: 2, message, reaction: '👍🏽' })
    expect(await storage.log.listReactions(roomId, [message.id])).toEqual([{ messageId: message.id, userId: 2, reaction: '👍🏽' }])
    const removed = factOf(await writer.run(unreact(roomId, 2, message.id, '👍🏽')), 'reaction.removed')
    expect(removed).toMatchObject({ roomId, seq: 4, userId: 2, actorId: 2, message, reaction: '👍🏽' })
    expect(await storage.log.listReactions(roomId, [message.id])).toEqual([])
  })

  it('makes no event of one that is there already, nor of taking back one that is not', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1, 2])
    const { id } = await say(writer, roomId, 1, 'a')
    expect(await writer.run(unreact(roomId, 1, id))).toEqual([])
    const batch = [
      react(roomId, 1, id),
      react(roomId, 1, id),
      unreact(roomId, 1, id),
      unreact(roomId, 1, id),
      react(roomId, 1, id),
    ]
    const { facts, outcomes } = await writer.write(...batch)
    expect(typesOf(facts)).toEqual(['reaction.added', 'reaction.removed', 'reaction.added'])
    expect(outcomes[1]).toEqual({ status: 'done', facts: [] })
    expect(await writer.run(react(roomId, 1, id))).toEqual([])
    expect(await storage.log.findRoom(roomId)).toMatchObject({ head: 5, ordinal: 1 })
  })

  it('keeps one for each user, message and name, and lists them as they were added', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1, 2])
    const [a, b, c] = [await say(writer, roomId, 1, 'a'), await say(writer, roomId, 1, 'b'), await say(writer, roomId, 1, 'c')]
    await writer.write(react(roomId, 2, b.id, 'love'), react(roomId, 2, a.id, 'love'), react(roomId, 1, a.id, 'love'))
    await writer.write(
      react(roomId, 1, a.id),
      react(roomId, 1, c.id),
      unreact(roomId, 2, b.id, 'love'),
      react(roomId, 2, b.id, 'love'),
    )
    expect(await storage.log.listReactions(roomId, [b.id, a.id, 99])).toEqual([
      { messageId: a.id, userId: 2, reaction: 'love' },
      { messageId: a.id, userId: 1, reaction: 'love' },
      { messageId: a.id, userId: 1, reaction: 'like' },
      { messageId: b.id, userId: 2, reaction: 'love' },
    ])
    expect(await storage.log.listReactions(roomId, [])).toEqual([])
  })
}

function refusalContract({ open }: Contract): void {
  it('takes reactions of members alone, to messages of the room that are there', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1, 2])
    const other = await makeRoom(writer, [1])
    const { id } = await say(writer, roomId, 1, 'a')
    await writer.run(react(roomId, 2, id))
    await writer.run(expel(roomId, 2))
    const gone = await say(writer, roomId, 1, 'gone')
    await writer.run(remove(roomId, 1, gone.id))
    for (const change of [react, unreact]) {
      expect(await writer.ask(change(roomId, 2, id))).toBe('not_a_member')
      expect(await writer.ask(change(roomId, 9, id))).toBe('not_a_member')
      expect(await writer.ask(change(other, 1, id))).toBe('message_not_found')
      expect(await writer.ask(change(roomId, 1, gone.id))).toBe('message_not_found')
      expect(await writer.ask(change(404, 1, id))).toBe('room_not_found')
    }
    expect(await storage.log.listReactions(roomId, [id])).toEqual([{ messageId: id, userId: 2, reaction: 'like' }])
  })

  it('leaves text, edit time, counts and markers as they are', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1, 2])
    const message = await say(writer, roomId, 1, 'a')
    const before = await storage.log.findMember(roomId, 2)
    await writer.run(react(roomId, 2, message.id))
    expect(await storage.log.findMessage(roomId, message.id)).toEqual(message)
    expect(await storage.log.findMember(roomId, 2)).toEqual(before)
    expect(await storage.log.listMessages(roomId, { offset: 0, limit: 9 })).toEqual([message])
    expect(await storage.log.findMessageAt(roomId, 3)).toBeNull()
    expect((await storage.log.listSummaries(2)).map((summary) => summary.lastMessage)).toEqual([shownOf(message)])
  })
}

function boundContract({ open }: Contract): void {
  it('[A17] takes 20 different reactions to a message, of all its readers together, and more of the same', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1, 2])
    const [full, other] = [await say(writer, roomId, 1, 'a'), await say(writer, roomId, 1, 'b')]
    const names = Array.from({ length: limits.reactionKinds }, (_, nth) => `kind ${nth}`)
    const [first, last] = [names[0]!, names.at(-1)!]
    const { outcomes } = await writer.write(
      ...names.map((name, nth) => react(roomId, 1 + (nth % 2), full.id, name)),
      react(roomId, 1, full.id, 'one more'),
    )
    expect(outcomes.map(({ status }) => status)).toEqual([...names.map(() => 'done'), 'refused'])
    for (const user of [1, 2]) expect(await writer.ask(react(roomId, user, full.id, 'one more'))).toBe('too_many_reactions')
    expect(await writer.run(react(roomId, 1, full.id, first))).toEqual([])
    expect(typesOf(await writer.run(react(roomId, 2, full.id, first)))).toEqual(['reaction.added'])
    expect(typesOf(await writer.run(react(roomId, 1, other.id, 'one more')))).toEqual(['reaction.added'])
    await writer.run(unreact(roomId, 1, full.id, first))
    expect(await writer.ask(react(roomId, 1, full.id, 'one more'))).toBe('too_many_reactions')
    await writer.run(unreact(roomId, 2, full.id, last))
    expect(typesOf(await writer.run(react(roomId, 1, full.id, 'one more')))).toEqual(['reaction.added'])
    expect(await storage.log.listReactions(roomId, [full.id])).toHaveLength(limits.reactionKinds)
  })
}

function deletionContract({ open }: Contract): void {
  it('[A14] forgets the reactions of a deleted message, and of a deleted room', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1, 2])
    const [a, b] = [await say(writer, roomId, 1, 'a'), await say(writer, roomId, 1, 'b')]
    await writer.write(react(roomId, 2, a.id), react(roomId, 1, a.id), react(roomId, 2, b.id))
    expect(await writer.ask(remove(roomId, 2, a.id))).toBe('not_the_author')
    expect(await storage.log.listReactions(roomId, [a.id, b.id])).toHaveLength(3)
    expect(typesOf(await writer.run(remove(roomId, 1, a.id)))).toEqual(['message.deleted'])
    expect(await storage.log.listReactions(roomId, [a.id, b.id])).toEqual([{ messageId: b.id, userId: 2, reaction: 'like' }])
    await writer.run({ kind: 'room.delete', roomId, actorId: 1 })
    expect(await storage.log.listReactions(roomId, [b.id])).toEqual([])
  })
}

function logContract({ open }: Contract): void {
  it('[A7] stands in the log and in commits with its message as it is now', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1])
    const { id } = await say(writer, roomId, 1, 'secret')
    await writer.run(react(roomId, 1, id))
    await writer.run(edit(roomId, 1, id, 'present'))
    const [, reaction] = await storage.log.readLog(roomId, FROM_THE_NEWEST, 2)
    expect(reaction).toMatchObject({ type: 'reaction.added', reaction: 'like', message: { id, seq: 2, content: 'present' } })
    await writer.run(remove(roomId, 1, id))
    const seen = [await storage.log.readLog(roomId, FROM_THE_NEWEST, 9), await storage.log.readCommits(writer.journal, 0, 9)]
    expect(JSON.stringify(seen)).not.toContain('present')
    expect((await storage.log.readCommits(writer.journal, 0, 9)).flatMap(({ facts }) => typesOf(facts))).toContain(
      'reaction.added',
    )
  })

  it('is told alike when its batch is sent again, also among posts and changes of members', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1, 2])
    const { id } = await say(writer, roomId, 1, 'a')
    const position = writer.next()
    const batch = [post(roomId, 1, 'b'), react(roomId, 3, id), add(roomId, 3), react(roomId, 3, id), react(roomId, 3, id)]
    const first = await writer.write(...batch)
    expect(typesOf(first.facts)).toEqual(['member.added', 'reaction.added', 'message.posted', 'read.advanced'])
    expect(first.outcomes[1]).toEqual({ status: 'refused', reason: 'not_a_member' })
    expect(await storage.log.append(writer.journal, position, batch)).toEqual(first)
  })

  it('[P11] costs a search nothing: what is found stays what it was, indexed or not', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1])
    const { id } = await say(writer, roomId, 1, '회의실')
    const found = async () => (await storage.log.searchMessages(roomId, '회의', { offset: 0, limit: 9 })).map((one) => one.id)
    await storage.log.indexNext(roomId, 100)
    await writer.run(react(roomId, 1, id))
    expect(await found()).toEqual([id])
    expect(await storage.log.indexNext(roomId, 100)).toBe(false)
    expect(await storage.log.listUnindexed(9)).toEqual([])
    expect(await found()).toEqual([id])
  })
}
