/** What the stream tells, and whom (P4, P9). Resuming is in gateway.test.ts, how frames look in encode.test.ts. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { rooms } from '../../../test/clients.ts'
import { asHost, openGroupware, type Groupware, type Listener, type Person } from './groupware.fixture.ts'
import type { FrameObject } from './wire.ts'

let door: Groupware
let ann: Person, bob: Person, cho: Person
const listeners: Listener[] = []

beforeAll(async () => {
  door = await openGroupware({ isProduction: true, env: { LIMIT_SENDS: 'off', LIMIT_CONNECTS: 'off' } })
  ;[ann, bob, cho] = (await door.people('ann', 'bob', 'cho')) as [Person, Person, Person]
})
afterEach(() => {
  for (const listener of listeners.splice(0)) listener.close()
})
afterAll(() => door.stop())

async function listen(...people: Person[]): Promise<Listener[]> {
  const opened = await Promise.all(people.map((person) => door.listen(person)))
  listeners.push(...opened)
  return opened
}

/** The frames of one chat so far; all of them, as a message of its own comes behind them. */
async function told(listener: Listener, roomId: number, by: Person): Promise<FrameObject[]> {
  const mark = await door.send(roomId, by, '끝')
  const isMark = (frame: FrameObject) => frame.type === 'message' && frame.data.message.id === mark.id
  while (!listener.frames.some(isMark)) await listener.have(listener.frames.length)
  const end = listener.frames.findIndex(isMark)
  return listener.frames
    .slice(0, end)
    .filter((frame) => 'data' in frame && 'chat_id' in frame.data && frame.data.chat_id === roomId)
}

const read = (roomId: number, { id }: Person, messageId: number) => {
  return { type: 'read', data: { chat_id: roomId, user_id: id, last_message_id: messageId } }
}
const change = (roomId: number, data: object) => ({ type: 'conversation', data: { chat_id: roomId, ...data } })

describe('messages', () => {
  test('[P4][P5] a message comes to every member, its sender too, as it was answered', async () => {
    const roomId = await door.group([ann, bob])
    const [a, b, c] = (await listen(ann, bob, cho)) as [Listener, Listener, Listener]
    const message = await door.send(roomId, ann, '안녕')
    for (const listener of [a, b])
      expect(await listener.have(1)).toEqual([{ type: 'message', data: { chat_id: roomId, message } }])
    const other = await door.group([ann, cho])
    await told(c, other, ann)
    expect(JSON.stringify(c.frames)).not.toContain('안녕')
  })

  test('[P4] a send that carries its author past others’ messages is followed by his read, one past his own is not', async () => {
    const roomId = await door.group([ann, bob])
    const [a] = (await listen(ann)) as [Listener]
    const [first, second, third] = [
      await door.send(roomId, ann, '하나'),
      await door.send(roomId, bob, '둘'),
      await door.send(roomId, bob, '셋'),
    ]
    const message = (sent: object) => ({ type: 'message', data: { chat_id: roomId, message: sent } })
    expect(await told(a, roomId, bob)).toEqual([message(first), message(second), read(roomId, bob, second.id), message(third)])
  })

  test('[P4][A14] an edit and a deletion are told', async () => {
    const roomId = await door.group([ann, bob])
    const [b] = (await listen(bob)) as [Listener]
    const { id } = await door.send(roomId, ann, '오타')
    const { accounts, messages } = door.server.app.chat
    const author = await accounts.get(ann.id)
    await messages.edit(author, roomId, id, '고침')
    await messages.remove(author, roomId, id)
    expect((await told(b, roomId, ann)).slice(1)).toEqual([
      change(roomId, { action: 'message_edited', message_id: id, content: '고침' }),
      change(roomId, { action: 'message_deleted', message_id: id }),
    ])
    const { data } = await door.done('GET /api/chats', bob.bearer)
    expect(data.find((chat: { id: number }) => chat.id === roomId)).toMatchObject({ last_content: '끝', unread_count: 1 })
  })

  test('[A8] a retry is told once', async () => {
    const roomId = await door.group([ann, bob])
    const [b] = (await listen(bob)) as [Listener]
    for (let nth = 0; nth < 3; nth++) await door.send(roomId, ann, '한 번', { 'idempotency-key': 'once' })
    expect(await told(b, roomId, ann)).toHaveLength(1)
  })
})

describe('reads', () => {
  test('[P4][P9] a read comes to everyone, its reader too, and only when it moved past something', async () => {
    const roomId = await door.group([ann, bob])
    const ids: number[] = []
    for (const text of ['하나', '둘']) ids.push((await door.send(roomId, ann, text)).id)
    const [a, b] = (await listen(ann, bob)) as [Listener, Listener]
    const bodies = [
      {},
      { lastMessageId: ids[0] },
      { lastMessageId: ids[0] },
      { lastMessageId: 2_000_000_000 },
      { lastMessageId: ids[0] },
      undefined,
    ]
    for (const body of bodies) await door.done(`POST /api/chats/${roomId}/read`, bob.bearer, body)
    const wanted = [read(roomId, bob, ids[0]!), read(roomId, bob, ids[1]!)]
    expect(await told(a, roomId, ann)).toEqual(wanted)
    expect((await b.have(2)).slice(0, 2)).toEqual(wanted)
  })

  test('[P4] read-all tells one read for each chat that had something unread', async () => {
    const [one, two, three] = [await door.group([ann, bob]), await door.group([ann, bob]), await door.group([ann, bob])]
    const [first, second] = [await door.send(one, ann, '하나'), await door.send(two, ann, '둘')]
    const [a] = (await listen(ann)) as [Listener]
    for (let nth = 0; nth < 2; nth++) await door.done('POST /api/chats/read-all', bob.bearer)
    expect(await told(a, one, ann)).toEqual([read(one, bob, first.id)])
    expect(await told(a, two, ann)).toEqual([read(two, bob, second.id)])
    expect(await told(a, three, ann)).toEqual([])
  })
})

describe('coming and going', () => {
  const invited = (roomId: number, inviter: Person | null, people: Person[]) =>
    change(roomId, {
      action: 'invited',
      inviter_id: inviter && inviter.id,
      inviter_name: inviter && inviter.name,
      invited_user_ids: people.map(({ id }) => id),
      invited_user_names: people.map(({ name }) => name),
    })

  test('[P4] one invitation is one event, to the members as they are then', async () => {
    const [dan, eve] = (await door.people('dan', 'eve')) as [Person, Person]
    const roomId = await door.group([ann, bob])
    const all = await listen(ann, bob, dan, eve)
    const body = { userIds: [dan.id, bob.id, eve.id] }
    expect(await door.done(`POST /api/chats/${roomId}/invite`, ann.bearer, body)).toEqual({ success: true, added: 2 })
    for (const listener of all) expect(await told(listener, roomId, dan)).toContainEqual(invited(roomId, ann, [dan, eve]))
    const count = (listener: Listener) => listener.frames.filter((frame) => frame.type === 'conversation').length
    expect(all.map(count)).toEqual([1, 1, 1, 1])
  })

  test('[P9] an invitation of nobody new tells nothing', async () => {
    const roomId = await door.group([ann, bob])
    const [a] = (await listen(ann)) as [Listener]
    await door.done(`POST /api/chats/${roomId}/invite`, bob.bearer, { userIds: [ann.id, 999_999] })
    expect(await told(a, roomId, ann)).toEqual([])
  })

  test('[P4] left comes to the members as they were, who left too, and nothing after it to him', async () => {
    const roomId = await door.group([ann, bob, cho])
    const [a, b] = (await listen(ann, bob)) as [Listener, Listener]
    await door.done(`POST /api/chats/${roomId}/leave`, bob.bearer)
    await door.done(`POST /api/chats/${roomId}/leave`, bob.bearer)
    const left = change(roomId, { action: 'left', user_id: bob.id, user_name: bob.name })
    expect(await told(a, roomId, cho)).toEqual([left])
    const other = await door.group([ann, bob])
    await told(b, other, ann)
    expect(b.frames.filter((frame) => 'data' in frame && 'chat_id' in frame.data && frame.data.chat_id === roomId)).toEqual([
      left,
    ])
  })

  test('[P4] added and removed at another door are the same two, without an inviter where a service key did it', async () => {
    const roomId = await door.group([ann, bob])
    const [a] = (await listen(ann)) as [Listener]
    const members = `${rooms}/${roomId}/members`
    const feed = (method: string, path: string, headers: Record<string, string>, body?: object) =>
      fetch(door.server.url + path, { method, headers, ...(body && { body: JSON.stringify(body) }) })
    expect((await feed('POST', members, ann.bearer, { user_id: cho.id })).status).toBe(201)
    expect((await feed('DELETE', `${members}/${cho.id}`, asHost)).status).toBe(200)
    expect((await feed('POST', members, asHost, { user_id: cho.id })).status).toBe(201)
    expect(await told(a, roomId, ann)).toEqual([
      invited(roomId, ann, [cho]),
      change(roomId, { action: 'left', user_id: cho.id, user_name: cho.name }),
      invited(roomId, null, [cho]),
    ])
  })

  test('[P4] starting a chat tells nothing, and its messages come at once', async () => {
    const [fay, guy] = (await door.people('fay', 'guy')) as [Person, Person]
    const [b] = (await listen(guy)) as [Listener]
    const { chatId } = await door.done('POST /api/chats/start', fay.bearer, { targetUserId: guy.id })
    const message = await door.send(chatId, fay, '안녕')
    expect(await b.have(1)).toEqual([{ type: 'message', data: { chat_id: chatId, message } }])
  })
})
