/** Attachments: files that come with a message and go with it. */
import { expect, it } from 'vitest'
import type { Attachment, Message, RoomId } from '../../core/model.ts'
import type { LogStore, NewAttachment } from '../storage.ts'
import { edit, makeRoom, post, postedOf, remove } from './entries.ts'
import { factsOf, FROM_THE_NEWEST, openWriter, type Contract } from './harness.ts'

export function attachmentContract(contract: Contract): void {
  keepingContract(contract)
  addressContract(contract)
}

function file(name: string, more: Partial<NewAttachment> = {}): NewAttachment {
  return { fileName: name, url: `/uploads/${name}`, mimeType: 'image/png', sizeBytes: 3, ...more }
}

function idsOf(messages: Message[]): number[] {
  return messages.flatMap((message) => message.attachments.map((attachment) => attachment.id))
}

/** The message's attachments in every answer that shows it. */
async function shownIn(log: LogStore, message: Message, journal: number): Promise<Attachment[][]> {
  const { roomId, id, seq } = message
  const page = { offset: 0, limit: 99 }
  const commits = await log.readCommits(journal, 0, 99)
  const rows = [...(await log.readLog(roomId, FROM_THE_NEWEST, 99)), ...commits.flatMap((commit) => commit.facts)]
  const messages = [
    await log.findMessage(roomId, id),
    await log.findMessageAt(roomId, seq),
    ...(await log.listMessages(roomId, page)),
    ...(await log.listMessagesBelow(roomId, FROM_THE_NEWEST, 99)),
    ...(await log.listMessagesAbove(roomId, 0, 99)),
    ...rows.flatMap((row) => ('message' in row ? row.message : [])),
  ]
  return messages.flatMap((found) => (found?.id === id ? [found.attachments] : []))
}

function keepingContract({ open }: Contract): void {
  it('[P10] keeps the files of a message in the order in which they were sent, each with an id of its own', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1])
    const files = [file('나.png'), file('a.bin', { mimeType: null, sizeBytes: 2 ** 40 }), file('가.png', { url: '/uploads/x' })]
    const message = postedOf(await writer.run(post(roomId, 1, '', { attachments: files })))
    expect(message.attachments).toEqual(files.map((sent) => ({ id: expect.any(Number), ...sent })))
    expect(new Set(idsOf([message])).size).toBe(3)
    const shown = await shownIn(storage.log, message, writer.journal)
    expect(shown).toEqual(Array.from({ length: 7 }, () => message.attachments))
  })

  it('[P10] gives the files of each message of a batch to that message, and their ids to no other', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const rooms = [await makeRoom(writer, [1]), await makeRoom(writer, [1])]
    const counts = [2, 0, 1, 3]
    const batch = counts.map((count, i) => {
      const attachments = Array.from({ length: count }, (_, nth) => file(`${i}.${nth}`))
      return post(rooms[i % 2] ?? 0, 1, `${i}`, { attachments })
    })
    const at = writer.next()
    const result = await writer.write(...batch)
    const messages = result.outcomes.map((outcome) => postedOf(factsOf(outcome)))
    expect(messages.map(namesOf)).toEqual([['0.0', '0.1'], [], ['2.0'], ['3.0', '3.1', '3.2']])
    expect(new Set(idsOf(messages)).size).toBe(6)
    for (const message of messages) expect(await storage.log.findMessage(message.roomId, message.id)).toEqual(message)
    expect(await storage.log.append(writer.journal, at, batch)).toEqual(result)
    expect((await storage.log.readCommits(writer.journal, at - 1, 1)).map((commit) => commit.facts)).toEqual([result.facts])
    const next = postedOf(await writer.run(post(rooms[0] ?? 0, 1, '', { attachments: [file('next')] })))
    expect(new Set(idsOf([...messages, next])).size).toBe(7)
  })

  it('[A14] forgets the attachments of a deleted message, and keeps those of an edited one', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1])
    const kept = postedOf(await writer.run(post(roomId, 1, 'a', { attachments: [file('kept')] })))
    const gone = postedOf(await writer.run(post(roomId, 1, 'b', { attachments: [file('gone'), file('gone too')] })))
    await writer.run(edit(roomId, 1, kept.id, 'edited'))
    await writer.run(remove(roomId, 1, gone.id))
    for (const shown of await shownIn(storage.log, kept, writer.journal)) expect(shown).toEqual(kept.attachments)
    expect((await shownIn(storage.log, gone, writer.journal)).flat()).toEqual([])
    expect((await storage.log.findMessageAt(roomId, gone.seq))?.attachments).toEqual([])
    expect(await attachedTo(storage.log, ['/uploads/gone', '/uploads/kept', '/uploads/gone too'])).toEqual([roomId])
  })
}

function namesOf(message: Message): string[] {
  return message.attachments.map((attachment) => attachment.fileName)
}

/** The rooms that these addresses are found in; by `filterAttached` it must be the same addresses. */
async function attachedTo(log: LogStore, urls: string[]): Promise<RoomId[]> {
  const found = await Promise.all(urls.map(async (url) => ({ url, place: await log.findAttachment(url) })))
  const attached = found.filter(({ place }) => place !== null)
  expect(new Set(await log.filterAttached(urls))).toEqual(new Set(attached.map(({ url }) => url)))
  return attached.flatMap(({ place }) => place?.roomId ?? [])
}

function addressContract({ open }: Contract): void {
  it('[A16] tells the room and the file of an address, and nothing of others', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1])
    await makeRoom(writer, [1])
    const files = [file('one'), file('two')]
    const { attachments } = postedOf(await writer.run(post(roomId, 1, '', { attachments: files })))
    expect(await storage.log.findAttachment('/uploads/two')).toEqual({ roomId, attachment: attachments[1] })
    expect(await storage.log.findAttachment('/uploads/%')).toBeNull()
    expect(await storage.log.filterAttached([])).toEqual([])
    expect(await attachedTo(storage.log, ['/uploads/two', '/uploads/none', '/uploads/one', '/uploads/two'])).toHaveLength(3)
  })

  it('[A16] knows no attachments of a deleted room', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1])
    await writer.run(post(roomId, 1, '', { attachments: [file('one')] }))
    await writer.run({ kind: 'room.delete', roomId, actorId: 1 })
    expect(await attachedTo(storage.log, ['/uploads/one'])).toEqual([])
  })

  it('knows no attachments of a post that was refused or repeated', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1])
    const key = { clientKey: 'k', bodyHash: 'h' }
    await writer.run(post(roomId, 1, 'a', key))
    expect(await writer.ask(post(roomId, 2, 'a', { attachments: [file('of a stranger')] }))).toBe('not_a_member')
    expect(await writer.ask(post(roomId, 1, 'a', { ...key, attachments: [file('again')] }))).toBe('repeated')
    expect(await attachedTo(storage.log, ['/uploads/of a stranger', '/uploads/again'])).toEqual([])
  })

  it('stores an address that came before, and knows it while one of its messages is there', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const rooms = [await makeRoom(writer, [1]), await makeRoom(writer, [1])]
    const { outcomes } = await writer.write(...rooms.map((roomId) => post(roomId, 1, '', { attachments: [file('same')] })))
    const messages = outcomes.map((outcome) => postedOf(factsOf(outcome)))
    await writer.run(remove(rooms[0] ?? 0, 1, messages[0]?.id ?? 0))
    expect(await attachedTo(storage.log, ['/uploads/same'])).toEqual([rooms[1]])
    await writer.run(remove(rooms[1] ?? 0, 1, messages[1]?.id ?? 0))
    expect(await attachedTo(storage.log, ['/uploads/same'])).toEqual([])
  })
}
