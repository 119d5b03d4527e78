/** `/chat` (C1, C3): to which rooms a socket is bound, what it gets, and what it may send. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { fastClock, until } from '../../../test/chat.ts'
import { done } from '../../../test/clients.ts'
import { clientFrame, openRaw, upgradeRequest } from '../../http/raw-client.fixture.ts'
import { withFaults } from '../../storage/faulty.ts'
import { openMemoryStorage } from '../../storage/memory/memory.ts'
import { openLive, type Client, type Live } from './live.fixture.ts'
import { asHost, chatrooms, type Person } from './chatroom.fixture.ts'

const { storage, rejectEntries } = withFaults(openMemoryStorage())
let live: Live

beforeAll(async () => {
  live = await openLive({ storage, clock: fastClock, isProduction: true, env: { LIMIT_REGISTER: 'off', LIMIT_SENDS: 'off' } })
})
afterAll(() => live.stop())

const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => `${from + index}`)

let lastName = 0
/** Two people whom the registry knows, and a room of theirs. */
async function pair(): Promise<{ ann: Person; bob: Person; roomId: string }> {
  const nth = ++lastName
  const [ann, bob] = (await live.signedIn(`ann${nth}`, `bob${nth}`)) as [Person, Person]
  return { ann, bob, roomId: await live.room([ann, bob]) }
}

/** Ann's socket, bound to the room and nothing else. */
async function bound() {
  const all = await pair()
  const client = await live.open(all.ann)
  expect((await live.connect(all.roomId, all.ann)).status).toBe(200)
  await client.have('history')
  return { ...all, client }
}

const typesOf = ({ frames }: Client) => frames.map(({ type }) => type)

describe('binding', () => {
  test('[C1] connect brings each open socket the latest 20 messages, oldest first, and then events as they come', async () => {
    const { ann, bob, roomId } = await pair()
    for (const text of numbers(0, 25)) await live.send(roomId, ann, text)
    const clients = [await live.open(ann), await live.open(ann)]
    await live.connect(roomId, ann)
    for (const client of clients) {
      await client.settled()
      expect(typesOf(client)).toEqual(['history'])
    }
    await live.send(roomId, bob, 'live')
    for (const client of clients) {
      const [message] = await client.have('message')
      const [history] = await client.have('history')
      expect(client.textsIn(roomId)).toEqual([...numbers(5, 25), 'live'])
      expect(Object.keys(history!.messages![0]!)).toEqual(['messageId', 'userId', 'content', 'timestamp'])
      expect(typesOf(client)).toEqual(['history', 'message'])
      expect(Object.keys(message!)).toEqual(['type', 'roomId', 'messageId', 'userId', 'content', 'timestamp'])
      expect(message).toMatchObject({ roomId, userId: bob.username, content: 'live' })
      expect(message!['timestamp']).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
    }
  })

  test('[C1] a socket that opens later is bound from its first moment; connect again sends no second history', async () => {
    const { ann, bob, roomId } = await pair()
    await live.connect(roomId, ann)
    await live.send(roomId, bob, 'before')
    const client = await live.open(ann)
    await live.send(roomId, bob, 'after')
    await client.have('message')
    await live.connect(roomId, ann)
    await client.settled()
    expect(typesOf(client)).toEqual(['history', 'message'])
    expect(client.textsIn(roomId)).toEqual(['before', 'after'])
  })

  test('[C1] nothing of a room comes to who is its participant and did not connect', async () => {
    const { ann, bob, roomId } = await pair()
    const client = await live.open(ann)
    await live.send(roomId, bob, 'unheard')
    await client.settled()
    expect(client.frames).toEqual([])
  })

  test('[C1] a stranger may not connect, and is bound to nothing', async () => {
    const { roomId, bob } = await pair()
    const [stranger] = await live.signedIn(`stranger${lastName}`)
    const client = await live.open(stranger!)
    expect((await live.connect(roomId, stranger!)).status).toBe(403)
    await live.send(roomId, bob, 'unheard')
    await client.settled()
    expect(client.frames).toEqual([])
  })

  test('[C1] who is removed gets that as his last, and is not bound when he is added again', async () => {
    const { ann, bob, roomId } = await pair()
    const [cho] = (await live.signedIn(`cho${lastName}`)) as [Person]
    await live.call(`POST ${chatrooms}/${roomId}/participants`, ann.bearer, { userId: cho.username })
    const client = await live.open(cho)
    await live.connect(roomId, cho)
    await live.call(`DELETE ${chatrooms}/${roomId}/participants/${cho.username}`, cho.bearer)
    await live.send(roomId, bob, 'without him')
    await live.call(`POST ${chatrooms}/${roomId}/participants`, ann.bearer, { userId: cho.username })
    await live.send(roomId, bob, 'in, and not bound')
    await client.settled()
    expect(client.frames.at(-1)).toEqual({ type: 'participant_removed', roomId, userId: cho.username })
    const later = await live.open(cho)
    await later.settled()
    expect(later.frames).toEqual([])
    await live.connect(roomId, cho)
    await later.have('history')
    expect(later.textsIn(roomId)).toEqual(['without him', 'in, and not bound'])
  })

  test('[C1] a room that is deleted says so, and its sockets stay', async () => {
    const { ann, client, roomId } = await bound()
    await live.call(`DELETE ${chatrooms}/${roomId}`, asHost)
    expect((await client.have('room_deleted'))[0]).toEqual({ type: 'room_deleted', roomId })
    client.send({ type: 'message', roomId, content: 'too late' })
    expect((await client.have('error'))[0]).toMatchObject({ roomId, error: 'forbidden' })
    expect((await live.connect(roomId, ann)).status).toBe(404)
  })

  test('[C1] the binding ends 30 s after his last socket', async () => {
    const { ann, client, roomId } = await bound()
    await client.close()
    const again = await live.open(ann)
    await again.have('history')
    await again.close()
    // By its own clock, in the real time of the registry over memory.
    const record = async () => (await storage.directory.readRecords([`bound:${ann.id}`])).values[0]
    await until('his leaving is known', async () => JSON.parse((await record())!).goneAt !== null)
    expect(JSON.parse((await record())!)).toMatchObject({ rooms: [[Number(roomId), 1]], nodes: [] })
  })

  test('[A19] a socket makes its user present in the rooms that it is bound to, at every door', async () => {
    const { ann, bob, roomId } = await pair()
    const watcher = new WebSocket(`${live.server.wsUrl}/ws/chat/${roomId}?user_id=${bob.id}&token=${bob.token}`)
    const seen: { type: string; user_id: number }[] = []
    watcher.on('message', (data) => seen.push(JSON.parse(String(data))))
    const isTold = (type: string) => until(type, () => seen.some((frame) => frame.type === type && frame.user_id === ann.id))
    const client = await live.open(ann)
    await live.connect(roomId, ann)
    await isTold('member_online')
    await client.close()
    await isTold('member_offline')
    watcher.close()
  })
})

describe('frames from the server', () => {
  test('[C3] each event has its type, its room and what it is about', async () => {
    const { ann, bob, client, roomId } = await bound()
    const [cho] = await live.signedIn(`dan${lastName}`)
    const room = `${chatrooms}/${roomId}`
    const { messageId } = await live.send(roomId, bob, 'text')
    await live.call(`PATCH ${room}/messages/${messageId}`, bob.bearer, { userId: bob.username, newContent: 'edited' })
    const reaction = { userId: ann.username, reactionType: 'like' }
    await live.call(`POST ${room}/messages/${messageId}/reactions`, ann.bearer, reaction)
    await live.call(`DELETE ${room}/messages/${messageId}/reactions/like`, ann.bearer, { userId: ann.username })
    await live.call(`POST ${room}/messages/${messageId}/read`, ann.bearer, { userId: ann.username })
    await live.call(`DELETE ${room}/messages/${messageId}`, bob.bearer, { userId: bob.username })
    await live.call(`POST ${room}/participants`, asHost, { userId: cho!.username, role: 'member' })
    await live.call(`PATCH ${room}/participants/${cho!.username}/role`, asHost, { role: 'sub-admin' })
    await live.call(`PATCH ${room}/participants/${cho!.username}/name`, asHost, { edited_name: '조' })
    await live.call(`DELETE ${room}/participants/${cho!.username}`, asHost)
    await live.call(`PATCH ${room}/name`, asHost, { name: '새 이름' })
    await live.call(`DELETE ${room}`, asHost)
    await client.have('room_deleted')
    const timestamp = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/) as string
    const [by, who] = [{ userId: bob.username }, { userId: cho!.username }]
    const own = { userId: ann.username }
    expect(client.frames).toEqual([
      { type: 'history', roomId, messages: [] },
      { type: 'message', roomId, messageId, ...by, content: 'text', timestamp },
      { type: 'message_edited', roomId, messageId, ...by, content: 'edited', timestamp },
      { type: 'reaction_added', roomId, messageId, ...own, reactionType: 'like' },
      { type: 'reaction_removed', roomId, messageId, ...own, reactionType: 'like' },
      { type: 'read', roomId, messageId, ...own },
      { type: 'message_deleted', roomId, messageId, ...by },
      { type: 'participant_added', roomId, ...who, role: 'member' },
      { type: 'role_changed', roomId, ...who, role: 'sub-admin' },
      { type: 'name_changed', roomId, ...who, edited_name: '조' },
      { type: 'participant_removed', roomId, ...who },
      { type: 'room_renamed', roomId, name: '새 이름' },
      { type: 'room_deleted', roomId },
    ])
    expect(client.frames.every((frame) => Object.keys(frame).slice(0, 2).join() === 'type,roomId')).toBe(true)
  })

  test('[A16] a message of files alone shows their names', async () => {
    const { bob, client, roomId } = await bound()
    const file = { user_id: bob.id, message: '', file_url: 'https://files.example/a/사진.png' }
    await done(live.server, `POST /api/v1/chat/rooms/${roomId}/messages`, file, bob.bearer)
    expect((await client.have('message'))[0]).toMatchObject({ userId: bob.username, content: '사진.png' })
  })
})

describe('frames from a client', () => {
  test('[C3] plain text on a socket bound to one room, JSON, and the same as bytes are messages, in their order', async () => {
    const { client, roomId } = await bound()
    client.send('안녕하세요!')
    client.send(Buffer.from('바이트'))
    client.send({ type: 'message', roomId, content: 'JSON' })
    client.send(Buffer.from(JSON.stringify({ type: 'message', roomId, content: 'JSON in bytes' })))
    client.send('{"no":"type"}')
    client.send('[1]')
    client.send('42')
    await client.have('message', 7)
    const texts = ['안녕하세요!', '바이트', 'JSON', 'JSON in bytes', '{"no":"type"}', '[1]', '42']
    expect(client.textsIn(roomId)).toEqual(texts)
  })

  test('[C3] many frames of one socket keep their order, whichever room they are for', async () => {
    const { ann, bob, client, roomId } = await bound()
    const otherId = await live.room([ann, bob])
    await live.connect(otherId, ann)
    for (const text of numbers(0, 200))
      client.send({ type: 'message', roomId: Number(text) % 3 ? roomId : otherId, content: text })
    await client.have('message', 200)
    const texts = (id: string) => client.textsIn(id).map(Number)
    for (const id of [roomId, otherId]) expect(texts(id)).toEqual(texts(id).toSorted((a, b) => a - b))
    expect(texts(roomId).length + texts(otherId).length).toBe(200)
  })

  test('[C3][A8] a key is answered to its socket alone, on a retry again, and another text under it is refused', async () => {
    const { ann, client, roomId } = await bound()
    const other = await live.open(ann)
    client.send({ type: 'message', roomId, content: 'once', key: 'k1' })
    client.send({ type: 'message', roomId, content: 'once', key: 'k1' })
    const sent = await client.have('sent', 2)
    client.send({ type: 'message', roomId, content: 'another', key: 'k1' })
    await client.have('error')
    const [message] = await client.have('message')
    expect(sent).toEqual(Array.from({ length: 2 }, () => ({ type: 'sent', roomId, key: 'k1', messageId: message!.messageId })))
    expect(client.frames.at(-1)).toMatchObject({ type: 'error', roomId, error: 'key_conflict' })
    await other.settled()
    expect(typesOf(other)).toEqual(['history', 'message'])
  })

  test('[C3] plain text on a socket that is bound to no room, or to several, is refused, and the socket goes on', async () => {
    const { ann, bob, roomId } = await pair()
    const client = await live.open(ann)
    client.send('to whom?')
    const [error] = await client.have('error')
    expect(error).toEqual({ type: 'error', roomId: null, error: 'room_required', message: expect.any(String) as string })
    for (const id of [roomId, await live.room([ann, bob])]) await live.connect(id, ann)
    client.send('to which?')
    await client.have('error', 2)
    client.send({ type: 'message', roomId, content: 'to this' })
    await client.have('message')
    expect(client.textsIn(roomId)).toEqual(['to this'])
  })

  test.each([
    ['an unknown type', '{"type":"shout","roomId":"1","content":"x"}'],
    ['a type that is none', '{"type":1}'],
    ['no room', '{"type":"message","content":"x"}'],
    ['a room that is no string of digits', '{"type":"message","roomId":1,"content":"x"}'],
    ['a room beyond all numbers', '{"type":"message","roomId":"99999999999999999999","content":"x"}'],
    ['no content', '{"type":"message","roomId":"1"}'],
    ['a content that is no text', '{"type":"message","roomId":"1","content":{"a":1}}'],
    ['a key that is no text', '{"type":"message","roomId":"1","content":"x","key":7}'],
    ['no messageId', '{"type":"read","roomId":"1"}'],
    ['U+0000', '{"type":"message","roomId":"1","content":"a\\u0000b"}'],
    ['a lone surrogate', '{"type":"message","roomId":"1","content":"a\\ud800b"}'],
    ['depth', `{"type":"message","roomId":"1","content":${'['.repeat(200)}${']'.repeat(200)}}`],
    ['bytes that are no UTF-8', Buffer.from([0x7b, 0xff, 0xfe, 0x00])],
  ])('[C3] a frame with %s gets an error, and the socket goes on', async (_, frame) => {
    const { client, roomId } = await bound()
    client.send(frame)
    const [error] = await client.have('error')
    expect(error).toEqual({ type: 'error', roomId: null, error: 'invalid_frame', message: expect.any(String) as string })
    client.send('goes on')
    await client.have('message')
    expect(client.textsIn(roomId)).toEqual(['goes on'])
  })

  test.each([
    ['a room that it is not bound to', 'forbidden', (roomId: string) => ({ roomId: String(Number(roomId) + 1), content: 'x' })],
    ['10,001 characters', 'too_long', (roomId: string) => ({ roomId, content: '가'.repeat(10_001) })],
    ['a key with a blank', 'invalid_key', (roomId: string) => ({ roomId, content: 'x', key: 'a b' })],
  ])('[C3] a frame with %s is refused as %s, and nothing is stored', async (_, code, fieldsOf) => {
    const { client, roomId } = await bound()
    const fields = fieldsOf(roomId)
    client.send({ type: 'message', ...fields })
    const [error] = await client.have('error')
    expect(error).toEqual({ type: 'error', roomId: fields.roomId, error: code, message: expect.any(String) as string })
    client.send('가'.repeat(10_000))
    await client.have('message')
    expect(client.textsIn(roomId)).toEqual(['가'.repeat(10_000)])
  })

  test('[C3] blank text and raw U+0000 bring no message; the first is dropped, the second refused', async () => {
    const { client, roomId } = await bound()
    for (const frame of ['', '   ', { type: 'message', roomId, content: ' \n ' }, Buffer.alloc(0)]) client.send(frame)
    client.send('a\0b')
    const [error] = await client.have('error')
    expect(error).toMatchObject({ roomId, error: 'invalid_field' })
    await client.settled()
    expect(typesOf(client)).toEqual(['history', 'error'])
  })

  test('[C3] random bytes end nothing but at most their own socket', async () => {
    const { client } = await bound()
    const bytes = Buffer.alloc(40_000)
    let state = 1
    for (const [at] of bytes.entries()) bytes[at] = state = (state * 48_271) % 2_147_483_647
    for (let at = 0; at < bytes.length; at += 997) client.send(bytes.subarray(at, at + 997))
    await client.have('error', 20)
    const raw = await openRaw(live.server.port)
    const { ann } = await pair()
    raw.send(upgradeRequest('/chat', { Cookie: `jwt_token=${ann.token}` }))
    await raw.until('\r\n\r\n')
    raw.send(bytes)
    raw.socket.end()
    await raw.closed
    expect((await live.server.app.chat.sessions.count()).get('chatroom')).toBeGreaterThan(0)
    expect(live.server.logged).toEqual([])
  })

  test('[C3] a message in fragments, with a ping between them, is one', async () => {
    const { ann, roomId } = await pair()
    await live.connect(roomId, ann)
    const raw = await openRaw(live.server.port)
    raw.send(upgradeRequest('/chat', { Cookie: `jwt_token=${ann.token}` }))
    const bytes = Buffer.from('가나다')
    raw.send(clientFrame(1, bytes.subarray(0, 4), false))
    raw.send(clientFrame(9, 'are you there'))
    raw.send(clientFrame(0, bytes.subarray(4)))
    const other = await live.open(ann)
    await until('the message', () => other.textsIn(roomId).includes('가나다'))
    raw.socket.destroy()
  })

  test.each([
    ['bad UTF-8 in a text frame', 1007, clientFrame(1, Buffer.from([0xff, 0xfe]))],
    ['a frame over 64 KiB', 1009, clientFrame(1, 'x'.repeat(64 * 1024 + 1))],
  ])('[A17] %s closes the socket with %i', async (_, code, frame) => {
    const { ann } = await pair()
    const raw = await openRaw(live.server.port)
    raw.send(upgradeRequest('/chat', { Cookie: `jwt_token=${ann.token}` }))
    await raw.until('\r\n\r\n')
    raw.send(frame)
    const close = Buffer.alloc(2)
    close.writeUInt16BE(code)
    await raw.until(close.toString('latin1'))
    raw.socket.destroy()
  })

  test('[C3] frames that come with the handshake in one segment are kept', async () => {
    const { ann, roomId } = await pair()
    await live.connect(roomId, ann)
    const raw = await openRaw(live.server.port)
    const handshake = Buffer.from(upgradeRequest('/chat', { Cookie: `jwt_token=${ann.token}` }))
    raw.send(Buffer.concat([handshake, clientFrame(1, 'first'), clientFrame(2, 'second')]))
    const all = await raw.until('second')
    expect(all.indexOf('"type":"history"')).toBeLessThan(all.indexOf('"first"'))
    expect(all.indexOf('"first"')).toBeLessThan(all.indexOf('"second"'))
    raw.socket.destroy()
  })
})

describe('ends', () => {
  test('[A15] a frame that cannot be stored ends the socket with 1013, and no frame after it is stored', async () => {
    const { client, roomId, bob } = await bound()
    rejectEntries((entry) => entry.kind === 'post' && entry.content === 'unstorable')
    for (const content of ['stored', 'unstorable', 'behind it']) client.send({ type: 'message', roomId, content })
    expect(await client.closed()).toMatchObject({ code: 1013 })
    const { messages } = await live.done(`GET ${chatrooms}/${roomId}/messages`, bob.bearer)
    expect(messages.map(({ content }: { content: string }) => content)).not.toContain('behind it')
  })

  test('[A15] the stop closes it with 1012', async () => {
    const own = await openLive({ clock: fastClock, isProduction: true })
    const [ann] = await own.signedIn('ann')
    const client = await own.open(ann!)
    await own.stop()
    expect(await client.closed()).toMatchObject({ code: 1012 })
  })
})
