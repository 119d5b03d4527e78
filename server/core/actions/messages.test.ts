import { afterEach, describe, expect, it } from 'vitest'
import { connect, openTestChat } from '../../../test/chat.ts'
import { settle } from '../../../test/manual-clock.ts'
import { withFaults } from '../../storage/faulty.ts'
import { openMemoryStorage } from '../../storage/memory/memory.ts'
import type { Chat } from '../chat.ts'
import type { DraftAttachment } from './messages.ts'

const roomId = 7
const newest = { offset: 0, limit: 100 }
let chat: Chat | undefined

afterEach(() => chat?.close())

async function open(messageIdMax?: number) {
  const faulty = withFaults(openMemoryStorage(messageIdMax === undefined ? {} : { messageIdMax }))
  const opened = (chat = await openTestChat(faulty.storage))
  const [lea, max, eve] = [
    await opened.accounts.getOrMake(1),
    await opened.accounts.getOrMake(2),
    await opened.accounts.getOrMake(3),
  ]
  for (const user of [lea, max]) await opened.rooms.touchOpen(user, roomId)
  const client = await connect(opened, max, roomId)
  const posts = () => client.frames.flatMap(({ event }) => (event.type === 'message.posted' ? [event.message.content] : []))
  const contents = async () =>
    (await opened.queries.listMessages({ kind: 'user', user: lea }, roomId, newest)).messages.map(
      ({ message }) => message.content,
    )
  return { ...opened, ...faulty, lea, max, eve, posts, contents }
}

describe('[A8] a send with a client key', () => {
  it('sent again gives the first answer again, and no second event', async () => {
    const { messages, lea, posts, contents } = await open()
    const first = await messages.post(lea, roomId, { content: 'a', clientKey: 'k' })
    const again = await messages.post(lea, roomId, { content: 'a', clientKey: 'k' })
    await settle()
    expect([first.isRepeated, again.isRepeated, again.event.message]).toEqual([false, true, first.event.message])
    expect([posts(), await contents()]).toEqual([['a'], ['a']])
  })

  it('many times at once is one message', async () => {
    const { messages, lea, posts } = await open()
    const all = await Promise.all(Array.from({ length: 20 }, () => messages.post(lea, roomId, { content: 'a', clientKey: 'k' })))
    await settle()
    expect(new Set(all.map(({ event }) => event.message.id)).size).toBe(1)
    expect([all.filter(({ isRepeated }) => !isRepeated).length, posts()]).toEqual([1, ['a']])
  })

  it('with another text, kind or file is a conflict', async () => {
    const { messages, lea, contents } = await open()
    await messages.post(lea, roomId, { content: 'a', clientKey: 'k' })
    for (const other of [{ content: 'b' }, { content: 'a', kind: 'image' }, { content: 'a', fileUrl: 'https://h/a' }]) {
      await expect(messages.post(lea, roomId, { ...other, clientKey: 'k' })).rejects.toMatchObject({
        code: 'key_conflict',
        kind: 'conflict',
      })
    }
    expect(await contents()).toEqual(['a'])
  })

  it('belongs to its sender and room', async () => {
    const { messages, rooms, lea, max, contents } = await open()
    await rooms.touchOpen(lea, 8)
    const ids = [
      await messages.post(lea, roomId, { content: 'a', clientKey: 'k' }),
      await messages.post(max, roomId, { content: 'a', clientKey: 'k' }),
      await messages.post(lea, 8, { content: 'a', clientKey: 'k' }),
    ].map(({ event }) => event.message.id)
    expect([new Set(ids).size, await contents()]).toEqual([3, ['a', 'a']])
  })

  it('is answered with the message as it is now, empty where it was deleted', async () => {
    const { messages, lea } = await open()
    const { event } = await messages.post(lea, roomId, { content: 'a', clientKey: 'k' })
    await messages.edit(lea, roomId, event.message.id, 'edited')
    const again = () => messages.post(lea, roomId, { content: 'a', clientKey: 'k' })
    expect((await again()).event.message).toMatchObject({ id: event.message.id, content: 'edited' })
    await messages.remove(lea, roomId, event.message.id)
    expect((await again()).event.message).toMatchObject({ id: event.message.id, content: '' })
  })

  it('checks membership before the key', async () => {
    const { messages, members, max } = await open()
    await messages.post(max, roomId, { content: 'a', clientKey: 'k' })
    await members.remove({ kind: 'nobody' }, roomId, 2)
    await expect(messages.post(max, roomId, { content: 'a', clientKey: 'k' })).rejects.toMatchObject({ code: 'not_a_member' })
  })

  it('is harmless after an answer that was lost on the way', async () => {
    const { messages, lea, posts, failNext, contents } = await open()
    failNext('unavailable')
    await expect(messages.post(lea, roomId, { content: 'a', clientKey: 'k' })).rejects.toMatchObject({
      code: 'unavailable',
      retryAfterS: 1,
    })
    for (const fault of ['uncertain-lost', 'uncertain-landed'] as const) {
      failNext(fault)
      await messages.post(lea, roomId, { content: 'a', clientKey: 'k' })
    }
    await settle()
    expect([posts(), await contents()]).toEqual([['a'], ['a']])
  })
})

describe('posting', () => {
  it.each([
    ['text_empty', { content: '' }],
    ['text_empty', { content: ' \n\u3000' }],
    ['text_too_long', { content: 'a'.repeat(10_001) }],
    ['text_too_long', { content: '😀'.repeat(10_001) }],
    ['invalid_field', { content: 'a\0' }],
    ['invalid_field', { content: '\ud800' }],
    ['invalid_field', { content: 'a', kind: '' }],
    ['invalid_field', { content: 'a', kind: 'a'.repeat(101) }],
    ['invalid_field', { content: 'a', fileUrl: 'ftp://h' }],
    ['invalid_field', { content: 'a', fileUrl: '' }],
    ['invalid_key', { content: 'a', clientKey: 'a b' }],
  ])('[A17] answers %s and stores nothing', async (code, draft) => {
    const { messages, lea, posts } = await open()
    await expect(messages.post(lea, roomId, draft)).rejects.toMatchObject({ code, kind: 'invalid' })
    await settle()
    expect(posts()).toEqual([])
  })

  it('[A4] keeps a text to the byte', async () => {
    const { messages, lea, contents } = await open()
    const texts = [' a ', '\r\n\t\u0001', 'e\u0301 é', '가 가', '😀'.repeat(10_000)]
    for (const content of texts) await messages.post(lea, roomId, { content })
    expect((await contents()).toReversed()).toEqual(texts)
  })

  it('[A16] takes an empty text with a file', async () => {
    const { messages, lea } = await open()
    const { event } = await messages.post(lea, roomId, { content: '', kind: 'file', fileUrl: '/uploads/a' })
    expect(event.message).toMatchObject({ content: '', kind: 'file', fileUrl: '/uploads/a' })
  })

  it('keeps the order of its calls', async () => {
    const { messages, lea, posts } = await open()
    const expected = Array.from({ length: 50 }, (_, i) => `${i}`)
    await Promise.all(expected.map((content) => messages.post(lea, roomId, { content })))
    await settle()
    expect(posts()).toEqual(expected)
  })

  it("[A19] moves the author's own marker to his message", async () => {
    const { messages, queries, lea } = await open()
    const { event } = await messages.post(lea, roomId, { content: 'a' })
    const { marker } = await queries.getMember(roomId, 1)
    expect(marker).toEqual({ seq: event.seq, ordinal: 1, readAt: null })
  })

  it('is refused to strangers and in rooms that there are not', async () => {
    const { messages, lea, eve } = await open()
    await expect(messages.post(eve, roomId, { content: 'a' })).rejects.toMatchObject({ code: 'not_a_member' })
    await expect(messages.post(lea, 99, { content: 'a' })).rejects.toMatchObject({ code: 'room_not_found' })
  })

  it('[A2] ends with 503 where no ids are left, and says so', async () => {
    const { messages, lea } = await open(2)
    for (const content of ['a', 'b']) await messages.post(lea, roomId, { content })
    await expect(messages.post(lea, roomId, { content: 'c' })).rejects.toMatchObject({
      code: 'ids_exhausted',
      kind: 'unavailable',
      retryAfterS: 1,
    })
  })
})

describe('[A14] edits and deletions', () => {
  it("are the author's alone, and only while he is a member", async () => {
    const { messages, members, lea, max, contents } = await open()
    const { event } = await messages.post(lea, roomId, { content: 'a' })
    const id = event.message.id
    await expect(messages.edit(max, roomId, id, 'b')).rejects.toMatchObject({ code: 'not_the_author' })
    await expect(messages.remove(max, roomId, id)).rejects.toMatchObject({ code: 'not_the_author' })
    await members.remove({ kind: 'nobody' }, roomId, 1)
    await expect(messages.edit(lea, roomId, id, 'b')).rejects.toMatchObject({ code: 'not_a_member' })
    await members.add({ kind: 'nobody' }, roomId, 1)
    expect((await messages.edit(lea, roomId, id, 'b')).content).toBe('b')
    expect(await contents()).toEqual(['b'])
  })

  it('of a message that is gone, or of another room, find none', async () => {
    const { messages, rooms, lea } = await open()
    await rooms.touchOpen(lea, 8)
    const { event } = await messages.post(lea, roomId, { content: 'a' })
    const id = event.message.id
    await expect(messages.edit(lea, 8, id, 'b')).rejects.toMatchObject({ code: 'message_not_found' })
    await messages.remove(lea, roomId, id)
    await expect(messages.edit(lea, roomId, id, 'b')).rejects.toMatchObject({ code: 'message_not_found' })
    await expect(messages.remove(lea, roomId, id)).rejects.toMatchObject({ code: 'message_not_found' })
  })

  it('hold to the rules of texts', async () => {
    const { messages, lea } = await open()
    const { event } = await messages.post(lea, roomId, { content: 'a' })
    for (const [content, code] of [
      ['', 'text_empty'],
      ['\0', 'invalid_field'],
      ['a'.repeat(10_001), 'text_too_long'],
    ] as const) {
      await expect(messages.edit(lea, roomId, event.message.id, content)).rejects.toMatchObject({ code })
    }
  })
})

describe('files', () => {
  const fileOf = (fileName: string, sha256 = fileName): DraftAttachment => ({
    fileName,
    url: `/uploads/${Math.random().toString(36).slice(2)}`,
    mimeType: 'image/png',
    sizeBytes: 3,
    sha256,
  })

  const stored = ({ fileName, url, mimeType, sizeBytes }: DraftAttachment, id: number) => ({
    id,
    fileName,
    url,
    mimeType,
    sizeBytes,
  })

  it('[P10] come with a message in their order, with or without a text, and the live frame shows them too', async () => {
    const { messages, lea, posts, contents, queries } = await open()
    const attachments = [fileOf('나.png'), fileOf('가.png'), fileOf('나.png')]
    const { message } = (await messages.post(lea, roomId, { content: '', attachments })).event
    await messages.post(lea, roomId, { content: 'see', attachments: [fileOf('b')] })
    await settle()
    expect(message.content).toBe('')
    expect(message.attachments).toEqual(attachments.map((file, index) => stored(file, message.attachments[index]!.id)))
    expect([posts(), await contents()]).toEqual([
      ['', 'see'],
      ['see', ''],
    ])
    const shown = await queries.getMessage({ kind: 'user', user: lea }, roomId, message.id)
    expect(shown.message).toEqual(message)
  })

  it('[P10] a retry is the same with the same text, names and bytes, whatever their stored names, and else a conflict', async () => {
    const { messages, lea, contents } = await open()
    const send = (content: string, ...attachments: DraftAttachment[]) =>
      messages.post(lea, roomId, { content, attachments, clientKey: 'k' })
    const first = await send('a', fileOf('x'), fileOf('y'))
    const again = await send('a', fileOf('x'), fileOf('y'))
    expect([again.isRepeated, again.event.message]).toEqual([true, first.event.message])
    for (const other of [
      send('b', fileOf('x'), fileOf('y')),
      send('a', fileOf('x')),
      send('a', fileOf('y'), fileOf('x')),
      send('a', fileOf('x'), fileOf('y', 'other bytes')),
      send('a', fileOf('x'), fileOf('z', 'y')),
      send('a'),
    ]) {
      await expect(other).rejects.toMatchObject({ code: 'key_conflict' })
    }
    expect(await contents()).toEqual(['a'])
  })

  it('are not what they should be: nothing is stored', async () => {
    const { messages, lea, contents } = await open()
    const bad: Partial<DraftAttachment>[] = [
      { fileName: '' },
      { fileName: '\0' },
      { fileName: '\ud800' },
      { fileName: 'a'.repeat(256) },
      { url: '/etc/passwd' },
      { mimeType: 'a'.repeat(101) },
      { sizeBytes: -1 },
      { sizeBytes: 0.5 },
    ]
    for (const part of bad) {
      const attachments = [fileOf('fine'), { ...fileOf('bad'), ...part }]
      const attempt = messages.post(lea, roomId, { content: 'a', attachments })
      await expect(attempt, JSON.stringify(part)).rejects.toMatchObject({ code: 'invalid_field', field: 'attachments' })
    }
    await expect(messages.post(lea, roomId, { content: ' ', attachments: [] })).rejects.toMatchObject({ code: 'text_empty' })
    expect(await contents()).toEqual([])
  })

  it('[A14] are gone with their message', async () => {
    const { messages, lea, storage } = await open()
    const { message } = (await messages.post(lea, roomId, { content: '', attachments: [fileOf('a')] })).event
    const { url } = message.attachments[0]!
    expect(await storage.log.findAttachment(url)).toMatchObject({ roomId })
    expect((await messages.remove(lea, roomId, message.id)).attachments).toEqual([])
    expect(await storage.log.findAttachment(url)).toBeNull()
  })
})
