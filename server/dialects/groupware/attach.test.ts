/** `POST /api/chats/:id/attach` (P10): what is stored, and that of what is refused nothing is. */
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { until } from '../../../test/chat.ts'
import { feedHistory, rooms } from '../../../test/clients.ts'
import { openDiskFileStore } from '../../files/disk/disk-file-store.ts'
import { openRaw } from '../../http/raw-client.fixture.ts'
import { openGroupware, type Groupware, type Person, type Reply } from './groupware.fixture.ts'
import type { AttachmentObject } from './wire.ts'

let directory: string
let door: Groupware
let ann: Person, bob: Person, eve: Person
let roomId: number

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'madang-attach-'))
  const env = { LIMIT_SENDS: 'off', LIMIT_CONNECTS: 'off', FILE_MAX_MB: '1', FILES_MAX: '3', UPLOAD_MAX_MB: '2' }
  door = await openGroupware({ isProduction: true, env, files: await openDiskFileStore(directory) })
  ;[ann, bob, eve] = (await door.people('ann', 'bob', 'eve')) as [Person, Person, Person]
  roomId = await door.group([ann, bob])
})
afterAll(async () => {
  await door.stop()
  await rm(directory, { recursive: true })
})

const gif = Buffer.from('R0lGODlhAQABAAAAACwAAAAAAQABAAA=', 'base64')

type Piece = [field: string, value: string | Uint8Array, fileName?: string]

function formOf(...pieces: Piece[]): FormData {
  const form = new FormData()
  for (const [field, value, fileName] of pieces) {
    if (fileName === undefined) form.append(field, value)
    else form.append(field, new Blob([Buffer.from(value)], { type: 'text/x-lie' }), fileName)
  }
  return form
}

function attach(by: Person, form: FormData, headers: Record<string, string> = {}, id = roomId): Promise<Reply> {
  return door.call(`POST /api/chats/${id}/attach`, by.bearer, form, headers)
}

/** The stored names, finished and not. */
async function stored(): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  return entries.filter((entry) => entry.isFile() && !entry.name.startsWith('madang-')).map(({ name }) => name)
}

async function expectNothingStored(work: () => Promise<Reply>, status: number): Promise<void> {
  const before = await stored()
  const { data } = await door.done(`GET /api/chats/${roomId}/messages`, ann.bearer)
  const reply = await work()
  expect([reply.status, reply.text]).toEqual([status, reply.text])
  expect((await stored()).toSorted()).toEqual(before.toSorted())
  expect((await door.done(`GET /api/chats/${roomId}/messages`, ann.bearer)).data).toEqual(data)
}

function fetchFile({ file_path }: AttachmentObject, by: Person): Promise<Response> {
  return fetch(door.server.url + file_path, { headers: by.bearer })
}

describe('what is stored', () => {
  test('[P10] files keep the parts’ order, their names to the byte, and what they are by their bytes', async () => {
    const nfd = '보고서.txt'.normalize('NFD')
    const form = formOf(['file', gif, '그림.gif'], ['content', '설명'], ['file', '글', nfd], ['file', Buffer.alloc(0), '빈 파일'])
    const { body } = await attach(ann, form)
    const { content, attachments } = body.data.message
    expect(content).toBe('설명')
    expect(attachments.map(({ file_name, size }: AttachmentObject) => [file_name, size])).toEqual([
      ['그림.gif', gif.length],
      [nfd, 3],
      ['빈 파일', 0],
    ])
    expect(attachments[0].mime_type).toBe('image/gif')
    expect(attachments.every(({ message_id }: AttachmentObject) => message_id === body.data.message.id)).toBe(true)
    expect(attachments[0].file_path).toMatch(/^\/uploads\/[a-z2-7]{32}\.gif$/)
    expect(Buffer.from(await (await fetchFile(attachments[0], bob)).arrayBuffer())).toEqual(gif)
    expect((await fetchFile(attachments[0], eve)).status).toBeGreaterThanOrEqual(403)
  })

  test('[P4][P10] everybody gets it, and lists and conversations show it', async () => {
    const stream = await door.listen(bob)
    const { message } = (await attach(ann, formOf(['file', gif, 'a.gif']))).body.data
    expect(message.content).toBe(null)
    expect(await stream.have(1)).toEqual([{ type: 'message', data: { chat_id: roomId, message } }])
    stream.close()
    const { data } = await door.done(`GET /api/chats/${roomId}/messages`, bob.bearer)
    expect(data.at(-1)).toMatchObject({ ...message, unread_count: 1 })
    expect((await door.done('GET /api/chats', bob.bearer)).data[0]).toMatchObject({ id: roomId, last_content: '파일 첨부' })
    const found = await door.done(`GET /api/chats/${roomId}/search?q=A.GIF`, bob.bearer)
    expect(found.data.map(({ id }: { id: number }) => id)).toEqual([message.id])
  })

  test('[P6] a content of any length is cut at 2,000 characters', async () => {
    const { status, body } = await attach(ann, formOf(['content', '가나'.repeat(200_000)], ['file', gif, 'a.gif']))
    expect([status, body.data.message.content]).toEqual([200, '가나'.repeat(1_000)])
    expect(body.data.message.attachments).toHaveLength(1)
  })

  test('[P10][A14] the files of a deleted message are removed, and no others', async () => {
    const [gone, kept] = [
      await attach(ann, formOf(['file', gif, 'a'], ['file', gif, 'b'])),
      await attach(ann, formOf(['file', gif, 'c'])),
    ]
    const nameOf = ({ file_path }: AttachmentObject) => file_path.slice('/uploads/'.length)
    const [names, keptNames] = [gone, kept].map(({ body }) => (body.data.message.attachments as AttachmentObject[]).map(nameOf))
    const before = await stored()
    const { accounts, messages } = door.server.app.chat
    await messages.remove(await accounts.get(ann.id), roomId, gone.body.data.message.id)
    await until('both files are gone', async () => !(await stored()).some((name) => names!.includes(name)))
    expect((await stored()).toSorted()).toEqual(before.filter((name) => !names!.includes(name)).toSorted())
    expect(await stored()).toEqual(expect.arrayContaining(keptNames!))
  })

  test('[A16] where a door has no files the names stand in the text', async () => {
    const { message } = (await attach(ann, formOf(['file', gif, '하나.gif'], ['file', gif, '둘.gif']))).body.data
    expect((await feedHistory(door.server, roomId, bob)).at(-1)).toMatchObject({ id: message.id, text: '하나.gif\n둘.gif' })
    const answer = await fetch(`${door.server.url}${rooms}/${roomId}/messages?limit=1`, { headers: bob.bearer })
    const { data } = (await answer.json()) as { data: { messages: { file_url: string }[] } }
    expect(data.messages[0]!.file_url).toBe(message.attachments[0].file_path)
  })

  test('[P6] content is cut at 2,000 code points here too', async () => {
    const { message } = (await attach(ann, formOf(['content', '가'.repeat(2001)], ['file', gif, 'a.gif']))).body.data
    expect(message.content).toBe('가'.repeat(2000))
  })
})

describe('a retry', () => {
  const form = (content = '한 번', bytes: Uint8Array = gif, name = 'a.gif') => formOf(['file', bytes, name], ['content', content])

  test('[A8][P10] with the same key, content, names and bytes is the same message, and its files are not kept twice', async () => {
    const key = { 'idempotency-key': 'upload' }
    const first = await attach(ann, form(), key)
    const before = (await stored()).length
    expect((await attach(ann, form(), key)).body).toEqual(first.body)
    expect(await stored()).toHaveLength(before)
    expect((await fetchFile(first.body.data.message.attachments[0], bob)).status).toBe(200)
    for (const other of [form('두 번'), form('한 번', Buffer.from('x')), form('한 번', gif, 'b.gif')])
      await expectNothingStored(() => attach(ann, other, key), 409)
  })
})

/** A request's head, of which the body comes by and by. */
function headOf(by: Person, bytes: number): string {
  const lines = [
    `POST /api/chats/${roomId}/attach HTTP/1.1`,
    'Host: localhost',
    `Authorization: ${by.bearer['authorization']}`,
    'Content-Type: multipart/form-data; boundary=x',
    `Content-Length: ${bytes}`,
    'Connection: close',
  ]
  return `${lines.join('\r\n')}\r\n\r\n`
}

/** A file that is called what it holds. */
function part(name: string): string {
  return `--x\r\nContent-Disposition: form-data; name="file"; filename="${name}"\r\n\r\n${name}\r\n`
}

describe('what is refused', () => {
  const large = Buffer.alloc(1024 * 1024 + 1)

  test('[P10][M4] a stranger’s files are not stored, nor in a chat that there is not', async () => {
    await expectNothingStored(() => attach(eve, formOf(['file', gif, 'a.gif'])), 403)
    await expectNothingStored(() => attach(ann, formOf(['file', gif, 'a.gif']), {}, 987_654), 403)
    const nobody = { ...eve, bearer: {} }
    await expectNothingStored(() => attach(nobody, formOf(['file', gif, 'a.gif'])), 401)
  })

  test('[P10][M4] a stranger is refused before his first file has come', async () => {
    const before = await stored()
    const raw = await openRaw(door.server.port)
    raw.send(`${headOf(eve, 1_000_000)}${part('a')}`)
    expect(await raw.until('chats')).toMatch(/^HTTP\/1\.1 403 /)
    expect(await stored()).toEqual(before)
    raw.socket.destroy()
  })

  test('[P2][P10] too large a file, too many, too much in all: 413', async () => {
    await expectNothingStored(() => attach(ann, formOf(['file', gif, 'a.gif'], ['file', large, 'b'])), 413)
    await expectNothingStored(
      () => attach(ann, formOf(...Array.from({ length: 4 }, (_, nth): Piece => ['file', gif, `${nth}`]))),
      413,
    )
    const half = large.subarray(0, 800_000)
    await expectNothingStored(() => attach(ann, formOf(['file', half, 'a'], ['file', half, 'b'], ['file', half, 'c'])), 413)
  })

  test('[P2] no file, no multipart, no body, a bad key: 400', async () => {
    await expectNothingStored(() => attach(ann, formOf(['content', '글'])), 400)
    const post = (body?: unknown) => door.call(`POST /api/chats/${roomId}/attach`, ann.bearer, body)
    await expectNothingStored(() => post({ content: '글' }), 400)
    await expectNothingStored(() => post(), 400)
    await expectNothingStored(() => attach(ann, formOf(['file', gif, 'a.gif']), { 'idempotency-key': 'a b' }), 400)
    await expectNothingStored(() => attach(ann, formOf(['file', gif, 'a.gif'], ['content', 'a\0b'])), 400)
  })

  test('[P10] who is taken out while his files come in is refused at the commit, and they are removed', async () => {
    const before = await stored()
    const raw = await openRaw(door.server.port)
    const [first, rest] = [part('a'), `${part('b')}--x--\r\n`]
    raw.send(`${headOf(bob, first.length + rest.length)}${first}`)
    await until('the first file', async () => (await stored()).length > before.length)
    await door.done(`POST /api/chats/${roomId}/leave`, bob.bearer)
    raw.send(rest)
    expect(await raw.closed).toMatch(/^HTTP\/1\.1 403 /)
    expect((await stored()).toSorted()).toEqual(before.toSorted())
    await door.done(`POST /api/chats/${roomId}/invite`, ann.bearer, { userIds: [bob.id] })
  })

  test('[P10] an upload that breaks off leaves nothing', async () => {
    const before = await stored()
    const raw = await openRaw(door.server.port)
    raw.send(`${headOf(ann, 1_000_000)}${part('a')}${part('b')}`)
    await until('the beginning', async () => (await stored()).length > before.length)
    raw.socket.destroy()
    await until('the end', async () => (await stored()).length === before.length)
  })
})
