/** The contract's rules, in development, over real sockets. */
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { fastClock, until } from '../../../test/chat.ts'
import { startServer, type TestServer } from '../../../test/harness.ts'
import { clientFrame, openRaw, upgradeRequest } from '../../http/raw-client.fixture.ts'
import { call, listen, refusal, rooms, send } from './feed.fixture.ts'

let server: TestServer
let lastRoom = 1000
/** A room that no other test touches. */
const newRoom = () => ++lastRoom

beforeAll(async () => {
  server = await startServer({ clock: fastClock })
})
afterAll(() => server.stop())

const timeShape = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/

describe('writing', () => {
  test('[F1] a message is a 201, and the answer is what everybody gets', async () => {
    const roomId = newRoom()
    const [author, other] = [await listen(server, [roomId, 123]), await listen(server, [roomId, 2])]
    const { status, body } = await call(server, `POST ${rooms}/${roomId}/messages`, {
      user_id: 123,
      message: '안녕하세요!',
      message_type: 'text',
      file_url: null,
    })
    expect(status).toBe(201)
    expect(Object.keys(body)).toEqual(['success', 'message', 'data'])
    expect(body).toMatchObject({ success: true, message: 'Message sent successfully' })
    for (const client of [author, other]) {
      const frame = await client.find('message')
      expect(frame).toEqual({ type: 'message', room_id: roomId, user_id: 123, data: body.data })
      expect(JSON.stringify(frame.data)).toBe(JSON.stringify(body.data))
    }
  })

  test('[F5] a message has the printed keys in the printed order, and user123 is made up', async () => {
    const { body } = await send(server, [newRoom(), 123], '안녕!')
    const keys = [
      'id',
      'chat_room_id',
      'user_id',
      'message',
      'message_type',
      'file_url',
      'is_read',
      'created_at',
      'updated_at',
      'user',
    ]
    expect(Object.keys(body.data)).toEqual(keys)
    expect(body.data).toMatchObject({
      chat_room_id: lastRoom,
      user_id: 123,
      message: '안녕!',
      message_type: 'text',
      file_url: null,
      is_read: false,
    })
    expect(body.data.user).toEqual({ id: 123, email: 'user123@example.com', name: 'user123' })
    expect(Object.keys(body.data.user)).toEqual(['id', 'email', 'name'])
    expect(body.data.created_at).toMatch(timeShape)
    expect(body.data.updated_at).toBe(body.data.created_at)
  })

  test('[F5] message_type is text and file_url null where they are absent, null or empty', async () => {
    const roomId = newRoom()
    for (const more of [{}, { message_type: null, file_url: null }, { message_type: '', file_url: '' }]) {
      const { body } = await call(server, `POST ${rooms}/${roomId}/messages`, { user_id: 1, message: 'x', ...more })
      expect(body.data).toMatchObject({ message_type: 'text', file_url: null })
    }
  })

  test('[F1] an empty message is a 400 unless there is a file_url', async () => {
    const path = `POST ${rooms}/${newRoom()}/messages`
    for (const message of ['', ' \n', null, undefined]) {
      expect(await call(server, path, { user_id: 1, message })).toMatchObject({
        status: 400,
        body: { error: 'Invalid request body' },
      })
      const withFile = await call(server, path, {
        user_id: 1,
        message,
        message_type: 'image',
        file_url: 'https://cdn.example.com/a.png',
      })
      expect(withFile).toMatchObject({
        status: 201,
        body: { data: { message: message ?? '', message_type: 'image', file_url: 'https://cdn.example.com/a.png' } },
      })
    }
  })

  test('[A4] a text is kept to the byte', async () => {
    const text = '  \u202eNFD 한 <b>&amp;\r\n\t👨‍👩‍👧 \u{10ffff}'
    expect((await send(server, [newRoom(), 1], text)).body.data.message).toBe(text)
  })

  test('[A17] 10,000 code points are a message, 10,001 are not', async () => {
    const roomId = newRoom()
    expect((await send(server, [roomId, 1], '😀'.repeat(10_000))).status).toBe(201)
    expect((await send(server, [roomId, 1], '😀'.repeat(10_001))).status).toBe(400)
  })

  test('[F5] every read sets last_read_at and is broadcast, also when there is nothing new', async () => {
    const roomId = newRoom()
    const listener = await listen(server, [roomId, 3])
    for (const count of [1, 2]) {
      const { status, body } = await call(server, `POST ${rooms}/${roomId}/read`, { user_id: 3 })
      expect([status, body]).toEqual([200, { success: true, message: 'Messages marked as read' }])
      await until('the read', () => listener.frames.filter((frame) => frame.type === 'read').length === count)
    }
    const frame = await listener.find('read')
    expect(frame).toEqual({
      type: 'read',
      room_id: roomId,
      user_id: 3,
      data: { user_id: 3, last_read_at: expect.stringMatching(timeShape) },
    })
    const { body } = await call(server, `GET ${rooms}/${roomId}/members`)
    expect(body.data[0]).toMatchObject({ user_id: 3, last_read_at: expect.stringMatching(timeShape) })
  })

  test('[A19] posting moves the own marker and shows no read', async () => {
    const roomId = newRoom()
    const listener = await listen(server, [roomId, 1])
    await send(server, [roomId, 1], 'mine')
    await listener.find('message')
    await call(server, `POST ${rooms}/${roomId}/read`, { user_id: 1 })
    await listener.find('read')
    expect(listener.frames.filter((frame) => frame.type === 'read')).toHaveLength(1)
    const { body } = await call(server, `GET ${rooms}/${roomId}/members`)
    expect(body.data[0].unread_count).toBe(0)
  })

  test('[F1] a member is added with 201, and the answer is what everybody gets', async () => {
    const roomId = newRoom()
    const listener = await listen(server, [roomId, 1])
    const { status, body } = await call(server, `POST ${rooms}/${roomId}/members`, { user_id: 456 })
    expect([status, body.message]).toEqual([201, 'Member added successfully'])
    const keys = ['id', 'chat_room_id', 'user_id', 'role', 'joined_at', 'last_read_at', 'unread_count', 'created_at', 'user']
    expect(Object.keys(body.data)).toEqual(keys)
    expect(body.data).toMatchObject({ chat_room_id: roomId, user_id: 456, role: 'member', last_read_at: null, unread_count: 0 })
    expect(body.data.user).toEqual({ id: 456, email: 'user456@example.com', name: 'user456' })
    const frame = await listener.find('member_join', ({ user_id }) => user_id === 456)
    expect(JSON.stringify(frame)).toBe(JSON.stringify({ type: 'member_join', room_id: roomId, user_id: 456, data: body.data }))
  })

  test('[F1] who is a member already is a 409, who is none a 404', async () => {
    const roomId = newRoom()
    await call(server, `POST ${rooms}/${roomId}/members`, { user_id: 456 })
    const again = await call(server, `POST ${rooms}/${roomId}/members`, { user_id: 456 })
    expect([again.status, again.body.error]).toEqual([409, 'User is already a member'])
    for (const userId of ['457', '0', 'abc', '9007199254740993']) {
      const removed = await call(server, `DELETE ${rooms}/${roomId}/members/${userId}`)
      expect([removed.status, removed.body.error]).toEqual([404, 'Member not found'])
    }
  })

  test('[F1][A15] a member is removed with 200; his own socket gets his member_leave and ends with 4003', async () => {
    const roomId = newRoom()
    const [stays, goes] = [await listen(server, [roomId, 1]), await listen(server, [roomId, 5])]
    const { status, body } = await call(server, `DELETE ${rooms}/${roomId}/members/5`)
    expect([status, body]).toEqual([200, { success: true, message: 'Member removed successfully' }])
    await until('the end', () => goes.closedWith !== null)
    expect(goes.closedWith?.code).toBe(4003)
    expect(goes.texts.at(-1)).toBe(`{"type":"member_leave","room_id":${roomId},"user_id":5,"data":{"user_id":5}}`)
    await stays.find('member_leave')
    await send(server, [roomId, 1], 'after')
    await stays.find('message')
    expect(goes.frames.some((frame) => frame.type === 'message')).toBe(false)
  })

  test('[F5] a member keeps the id of his entry while he is in, and comes back with another', async () => {
    const roomId = newRoom()
    const first = (await call(server, `POST ${rooms}/${roomId}/members`, { user_id: 7 })).body.data.id
    await send(server, [roomId, 7], 'x')
    expect((await call(server, `GET ${rooms}/${roomId}/members`)).body.data[0].id).toBe(first)
    await call(server, `DELETE ${rooms}/${roomId}/members/7`)
    expect((await call(server, `POST ${rooms}/${roomId}/members`, { user_id: 7 })).body.data.id).not.toBe(first)
  })

  test('[F2] a body is JSON whatever its Content-Type says', async () => {
    const roomId = newRoom()
    const body = JSON.stringify({ user_id: 123, message: '안녕!' })
    for (const type of [
      'text/plain; charset=utf-8',
      'application/x-www-form-urlencoded',
      'image/png',
      'nonsense',
      'multipart/form-data; boundary=x',
    ]) {
      expect((await call(server, `POST ${rooms}/${roomId}/messages`, body, { 'content-type': type })).status).toBe(201)
    }
    const without = await call(server, `POST ${rooms}/${roomId}/messages`, new TextEncoder().encode(body))
    expect(without.status).toBe(201)
  })

  test('[F2] a POST may arrive before the socket is up', async () => {
    const roomId = newRoom()
    const sent = send(server, [roomId, 123], 'first')
    const listener = await listen(server, [roomId, 123])
    expect((await sent).status).toBe(201)
    await send(server, [roomId, 123], 'second')
    await listener.find('message', ({ data }) => data.message === 'second')
  })
})

describe('the socket', () => {
  test('[F3] frames are one object each with the keys in order', async () => {
    const roomId = newRoom()
    const listener = await listen(server, [roomId, 4])
    expect(listener.texts.at(-1)).toBe(
      `{"type":"member_online","room_id":${roomId},"user_id":4,"data":{"user_id":4,"status":"online"}}`,
    )
    await send(server, [roomId, 4], 'x')
    await listener.find('message')
    for (const text of listener.texts) expect(Object.keys(JSON.parse(text))).toEqual(['type', 'room_id', 'user_id', 'data'])
  })

  test('[F3] what the client sends is read and ignored', async () => {
    const roomId = newRoom()
    const listener = await listen(server, [roomId, 1])
    const junk = ['hello', '{"type":"message","message":"x"}', '\0', Buffer.from([0, 255, 254]), '']
    for (let turn = 0; turn < 2_000; turn++) listener.socket.send(junk[turn % junk.length]!)
    await listener.settled()
    expect((await send(server, [roomId, 1], 'still here')).status).toBe(201)
    await listener.find('message')
    expect((await call(server, `GET ${rooms}/${roomId}/messages`)).body.data.total).toBe(1)
  })

  test('[F4] the connecting client gets its own member_online once, the others see it once', async () => {
    const roomId = newRoom()
    const first = await listen(server, [roomId, 1])
    const second = await listen(server, [roomId, 2])
    const third = await listen(server, [roomId, 2])
    await call(server, `POST ${rooms}/${roomId}/read`, { user_id: 1 })
    await Promise.all([first, second, third].map((client) => client.find('read')))
    const onlineOf = (client: typeof first, userId: number) =>
      client.frames.filter((frame) => frame.type === 'member_online' && frame.user_id === userId)
    expect(onlineOf(first, 1)).toHaveLength(1)
    expect(onlineOf(first, 2)).toHaveLength(1)
    expect(onlineOf(second, 2)).toHaveLength(1)
    expect(onlineOf(third, 2)).toHaveLength(1)
    expect(onlineOf(third, 1)).toHaveLength(0)
  })

  test('[F4] a user goes offline with his last socket, after the grace', async () => {
    // The server of this file runs twenty times as fast: its grace of 150 ms may be too short to come back in.
    const own = await startServer()
    onTestFinished(() => own.stop())
    const roomId = newRoom()
    const stays = await listen(own, [roomId, 1])
    const [one, two] = [await listen(own, [roomId, 2]), await listen(own, [roomId, 2])]
    await one.close()
    await two.close()
    const back = await listen(own, [roomId, 2])
    await back.close()
    const frame = await stays.find('member_offline')
    expect(JSON.stringify(frame)).toBe(
      `{"type":"member_offline","room_id":${roomId},"user_id":2,"data":{"user_id":2,"status":"offline"}}`,
    )
    expect(stays.frames.filter(({ user_id }) => user_id === 2).map(({ type }) => type)).toEqual([
      'member_join',
      'member_online',
      'member_offline',
    ])
  })

  test('[F1] a plain GET on its path is a 426', async () => {
    const { status, body, headers } = await call(server, 'GET /ws/chat/1?user_id=1')
    expect([status, body, headers.get('upgrade')]).toEqual([426, { success: false, error: 'Upgrade required' }, 'websocket'])
  })

  test('[F1] it is refused over HTTP, before 101', async () => {
    for (const path of [
      '/ws/chat/0?user_id=1',
      '/ws/chat/abc?user_id=1',
      '/ws/chat/9007199254740992?user_id=1',
      '/ws/chat/-1?user_id=1',
    ]) {
      expect(await refusal(server, path)).toMatchObject({ status: 404, body: { success: false, error: 'Chat room not found' } })
    }
    for (const query of [
      '',
      '?user_id=',
      '?user_id=0',
      '?user_id=abc',
      '?user_id=1e3',
      '?user_id=9223372036854775808',
      '?user_id=1&user_id=2',
    ]) {
      expect(await refusal(server, `/ws/chat/1${query}`)).toMatchObject({ status: 400, body: { success: false } })
    }
    expect(await refusal(server, '/ws/chat/1?user_id=1', { authorization: 'Bearer nonsense' })).toMatchObject({ status: 401 })
    expect(await refusal(server, '/ws/chat/1?user_id=1&token=nonsense')).toMatchObject({ status: 401 })
  })

  test('[A17] a message over 64 KiB ends it with 1009, bad UTF-8 with 1007, and nothing else', async () => {
    const roomId = newRoom()
    const [stays, long] = [await listen(server, [roomId, 1]), await listen(server, [roomId, 2])]
    long.socket.send('x'.repeat(64 * 1024 + 1))
    await until('the end', () => long.closedWith !== null)
    expect(long.closedWith?.code).toBe(1009)
    const broken = await openRaw(server.port)
    broken.send(upgradeRequest(`/ws/chat/${roomId}?user_id=3`))
    await broken.until('member_online')
    broken.send(clientFrame(1, Buffer.from([0xff])))
    expect(await broken.closed).toContain('\x88\x02\x03\xef')
    await send(server, [roomId, 1], 'x')
    await stays.find('message')
  })

  test('[A14] edits, deletions and changes of the room show nothing, and a deleted message is in no list', async () => {
    const roomId = newRoom()
    const listener = await listen(server, [roomId, 1])
    const { chat } = server.app
    const user = await chat.accounts.get(1)
    const [kept, gone] = [
      (await send(server, [roomId, 1], 'kept')).body.data.id,
      (await send(server, [roomId, 1], 'gone')).body.data.id,
    ]
    await chat.messages.edit(user, roomId, kept, 'changed')
    await chat.messages.remove(user, roomId, gone)
    await chat.rooms.update({ kind: 'nobody' }, roomId, { name: 'renamed', description: null })
    await send(server, [roomId, 1], 'last')
    await listener.find('message', ({ data }) => data.message === 'last')
    const types = listener.frames.map(({ type }) => type)
    expect(types.filter((type) => type !== 'member_online' && type !== 'member_join')).toEqual(['message', 'message', 'message'])
    const { data } = (await call(server, `GET ${rooms}/${roomId}/messages`)).body
    expect(data.messages.map(({ message }: { message: string }) => message)).toEqual(['last', 'changed'])
    expect(data.total).toBe(2)
  })

  test('[A15] it ends with 4003 when the room is deleted', async () => {
    const roomId = newRoom()
    const listener = await listen(server, [roomId, 1])
    await server.app.chat.rooms.remove({ kind: 'nobody' }, roomId)
    await until('the end', () => listener.closedWith !== null)
    expect(listener.closedWith?.code).toBe(4003)
    expect(await refusal(server, `/ws/chat/${roomId}?user_id=1`)).toMatchObject({ status: 404 })
    expect(await send(server, [roomId, 1], 'x')).toMatchObject({ status: 404, body: { error: 'Chat room not found' } })
  })
})

describe('what F6 adds', () => {
  test('[F6] a room is made, read and listed', async () => {
    const made = await call(server, `POST ${rooms}`, {
      name: '프로젝트',
      description: '일',
      room_type: 'group',
      member_ids: [201, 202, 201],
    })
    expect([made.status, made.body.message]).toEqual([201, 'Chat room created successfully'])
    expect(Object.keys(made.body.data)).toEqual(['id', 'name', 'description', 'room_type', 'created_at', 'updated_at'])
    expect(made.body.data).toMatchObject({
      name: '프로젝트',
      description: '일',
      room_type: 'group',
      created_at: expect.stringMatching(timeShape),
    })
    const { id } = made.body.data
    expect((await call(server, `GET ${rooms}/${id}`)).body).toEqual({ success: true, data: made.body.data })
    expect((await call(server, `GET ${rooms}?user_id=202`)).body).toEqual({ success: true, data: [made.body.data] })
    const { data } = (await call(server, `GET ${rooms}/${id}/members`)).body
    expect(data.map(({ user_id, role }: { user_id: number; role: string }) => [user_id, role])).toEqual([
      [201, 'admin'],
      [202, 'member'],
    ])
  })

  test('[F6] in development the first of member_ids is the admin, else user 1', async () => {
    const { body } = await call(server, `POST ${rooms}`, { name: 'x' })
    expect(body.data).toMatchObject({ description: null, room_type: 'group' })
    const { data } = (await call(server, `GET ${rooms}/${body.data.id}/members`)).body
    expect(data.map(({ user_id, role }: { user_id: number; role: string }) => [user_id, role])).toEqual([[1, 'admin']])
  })

  test('[F6] messages come newest first, in pages, with their total', async () => {
    const roomId = newRoom()
    const sent = []
    for (let turn = 1; turn <= 3; turn++) sent.push((await send(server, [roomId, 1], `m${turn}`)).body.data)
    const all = await call(server, `GET ${rooms}/${roomId}/messages`)
    expect(all.body).toEqual({ success: true, data: { messages: sent.toReversed(), total: 3, limit: 50, offset: 0 } })
    const second = await call(server, `GET ${rooms}/${roomId}/messages?limit=1&offset=1`)
    expect(second.body.data).toEqual({ messages: [sent[1]], total: 3, limit: 1, offset: 1 })
  })

  test('[A17] limit and offset are clamped', async () => {
    const path = `GET ${rooms}/${newRoom()}/messages`
    const pageOf = async (query: string) => {
      const { data } = (await call(server, `${path}?${query}`)).body
      return [data.limit, data.offset]
    }
    expect(await pageOf('limit=0&offset=-1')).toEqual([1, 0])
    expect(await pageOf('limit=101&offset=7')).toEqual([100, 7])
    expect(await pageOf(`limit=9223372036854775808&offset=${'9'.repeat(400)}`)).toEqual([100, Number.MAX_SAFE_INTEGER])
    for (const query of ['limit=abc', 'limit=', 'limit=1e400', 'offset=1.5', 'limit=1&limit=2', 'offset=%00']) {
      expect((await call(server, `${path}?${query}`)).status).toBe(400)
    }
  })

  test('[F5] unread_count is others messages behind the marker that are not deleted', async () => {
    const roomId = newRoom()
    await call(server, `POST ${rooms}/${roomId}/members`, { user_id: 2 })
    const gone = (await send(server, [roomId, 1], 'gone')).body.data.id
    await send(server, [roomId, 1], 'stays')
    const unread = async () => {
      const { data } = (await call(server, `GET ${rooms}/${roomId}/members`)).body
      return Object.fromEntries(data.map((one: { user_id: number; unread_count: number }) => [one.user_id, one.unread_count]))
    }
    expect(await unread()).toEqual({ 1: 0, 2: 2 })
    await server.app.chat.messages.remove(await server.app.chat.accounts.get(1), roomId, gone)
    expect(await unread()).toEqual({ 1: 0, 2: 1 })
    await call(server, `POST ${rooms}/${roomId}/read`, { user_id: 2 })
    expect(await unread()).toEqual({ 1: 0, 2: 0 })
  })

  test('[F6] users are made and listed', async () => {
    const made = await call(server, 'POST /api/v1/users', { email: 'kim@example.com', name: '김철수' })
    expect([made.status, made.body.message]).toEqual([201, 'User created successfully'])
    expect(made.body.data).toMatchObject({ email: 'kim@example.com', name: '김철수' })
    const { body } = await call(server, 'GET /api/v1/users')
    expect(body.data).toContainEqual(made.body.data)
    expect(await call(server, 'POST /api/v1/users', { email: 'kim@example.com', name: 'x' })).toMatchObject({ status: 409 })
    expect((await send(server, [newRoom(), made.body.data.id], 'x')).body.data.user.name).toBe('김철수')
  })
})

describe('answers', () => {
  test('[A3] unknown paths are a 404 and other methods a 405 with Allow, in this shape', async () => {
    expect((await call(server, 'GET /api/v1/nothing')).status).toBe(404)
    const put = await call(server, `PUT ${rooms}/1/messages`, {})
    expect([put.status, put.body.error]).toEqual([405, 'Method not allowed'])
    expect(put.headers.get('allow')?.split(', ').sort()).toEqual(['GET', 'HEAD', 'POST'])
  })

  test('[A5] any page may call, without credentials', async () => {
    const preflight = await fetch(`${server.url}${rooms}/1/messages`, {
      method: 'OPTIONS',
      headers: {
        origin: 'https://shop.example',
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'content-type',
      },
    })
    expect([preflight.status, preflight.headers.get('access-control-allow-origin')]).toEqual([204, '*'])
    expect(preflight.headers.get('access-control-allow-headers')).toContain('Idempotency-Key')
    const answer = await call(server, `DELETE ${rooms}/1/members/999`, undefined, { origin: 'https://shop.example' })
    expect(answer.headers.get('access-control-allow-origin')).toBe('*')
    expect(answer.headers.get('access-control-expose-headers')).toContain('Retry-After')
    expect(answer.headers.get('access-control-allow-credentials')).toBeNull()
  })

  test('[A8] the same key and body give the first answer again and no second frame', async () => {
    const roomId = newRoom()
    const listener = await listen(server, [roomId, 1])
    const key = { 'idempotency-key': 'k-1' }
    const first = await send(server, [roomId, 1], 'once', key)
    const again = await Promise.all([1, 2, 3].map(() => send(server, [roomId, 1], 'once', key)))
    for (const one of again) expect([one.status, one.body]).toEqual([201, first.body])
    expect(await send(server, [roomId, 1], 'other', key)).toMatchObject({ status: 409 })
    expect((await send(server, [roomId, 2], 'once', key)).body.data.id).not.toBe(first.body.data.id)
    await listener.find('message', ({ user_id }) => user_id === 2)
    expect(listener.frames.filter(({ type }) => type === 'message')).toHaveLength(2)
  })

  test('[A8] a repeated answer shows the message as it is now, empty where it was deleted', async () => {
    const roomId = newRoom()
    const key = { 'idempotency-key': 'k-2' }
    const first = await send(server, [roomId, 1], 'once', key)
    const author = await server.app.chat.accounts.get(1)
    await server.app.chat.messages.edit(author, roomId, first.body.data.id, 'changed')
    expect((await send(server, [roomId, 1], 'once', key)).body.data).toMatchObject({ id: first.body.data.id, message: 'changed' })
    await server.app.chat.messages.remove(author, roomId, first.body.data.id)
    expect((await send(server, [roomId, 1], 'once', key)).body.data).toMatchObject({ id: first.body.data.id, message: '' })
  })
})
