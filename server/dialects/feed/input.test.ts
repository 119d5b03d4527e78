/** Bad input at every field of every route: a 4xx in this door's shape, nothing done, nobody else troubled. */
import { connect } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { until } from '../../../test/chat.ts'
import { startServer, type TestServer } from '../../../test/harness.ts'
import { call, listen, rooms, send, type Listener } from './feed.fixture.ts'

let server: TestServer
let witness: Listener
let witnessed = 0

beforeAll(async () => {
  server = await startServer()
  witness = await listen(server, [1, 1])
  await send(server, [1, 1], 'the only one')
  await witness.find('message')
  witnessed = witness.frames.length
})
afterAll(() => server.stop())

/** No side effect: no frame, no message, no room, no user; and the server is well. */
afterEach(async () => {
  await witness.settled()
  expect(witness.frames.slice(witnessed)).toEqual([])
  const { data } = (await call(server, `GET ${rooms}/1/messages`)).body
  expect(data.total).toBe(1)
  expect((await call(server, `GET ${rooms}/1/members`)).body.data).toHaveLength(1)
  expect((await call(server, `GET ${rooms}?user_id=1`)).body.data).toHaveLength(1)
  expect((await call(server, 'GET /api/v1/users')).body.data.map(({ id }: { id: number }) => id)).toEqual([1])
  expect(server.logged).toEqual([])
})

/** JSON texts, as some of them are no value of JavaScript. */
const noId = [
  '"1"',
  '0',
  '-1',
  '1.5',
  '9007199254740992',
  '9223372036854775808',
  '1e400',
  '-1e400',
  'null',
  'true',
  '""',
  '[1]',
  '{}',
  '"\\u0000"',
]
const unsafe = ['"a\\u0000b"', '"\\ud800"', '"\\udfff x"']
const noText = ['1', '-1', 'true', '["a"]', '{"a":1}', '1e400', ...unsafe]
const long = (length: number) => JSON.stringify('x'.repeat(length))

interface Field {
  route: string
  /** A good body but for the field. */
  rest: string
  field: string
  bad: (string | undefined)[]
}

const fields: Field[] = [
  { route: `POST ${rooms}/1/messages`, rest: '"message":"x"', field: 'user_id', bad: [undefined, ...noId] },
  {
    route: `POST ${rooms}/1/messages`,
    rest: '"user_id":1',
    field: 'message',
    bad: [undefined, 'null', '""', '" "', ...noText, long(10_001)],
  },
  { route: `POST ${rooms}/1/messages`, rest: '"user_id":1,"message":"x"', field: 'message_type', bad: [...noText, long(101)] },
  {
    route: `POST ${rooms}/1/messages`,
    rest: '"user_id":1,"message":"x"',
    field: 'file_url',
    bad: [
      ...noText,
      '"x"',
      '"ftp://a.example/x"',
      '"javascript:alert(1)"',
      '"//a.example/x"',
      '"/uploads/"',
      '"http://"',
      '"https://a b"',
      `"https://a.example/${'x'.repeat(2048)}"`,
    ],
  },
  { route: `POST ${rooms}/1/read`, rest: '', field: 'user_id', bad: [undefined, ...noId] },
  { route: `POST ${rooms}/1/members`, rest: '', field: 'user_id', bad: [undefined, ...noId] },
  { route: `POST ${rooms}`, rest: '', field: 'name', bad: [undefined, 'null', '""', '" "', ...noText, long(101)] },
  { route: `POST ${rooms}`, rest: '"name":"x"', field: 'description', bad: [...noText, long(1001)] },
  { route: `POST ${rooms}`, rest: '"name":"x"', field: 'room_type', bad: [...noText, '""', '"channel"', '"open"'] },
  {
    route: `POST ${rooms}`,
    rest: '"name":"x"',
    field: 'member_ids',
    bad: ['1', '"1"', '{}', ...noId.map((id) => `[${id}]`), `[${'7,'.repeat(1000)}7]`],
  },
  {
    route: 'POST /api/v1/users',
    rest: '"name":"x"',
    field: 'email',
    bad: [undefined, 'null', '""', '"x"', '"@"', '"a b@c"', '"a@b@c"', ...noText, long(300), `"a@${'x'.repeat(255)}"`],
  },
  {
    route: 'POST /api/v1/users',
    rest: '"email":"a@b.example"',
    field: 'name',
    bad: [undefined, 'null', '""', '" "', ...noText, long(101)],
  },
]

describe('fields', () => {
  for (const { route, rest, field, bad } of fields) {
    test(`[F1] ${route}: a bad ${field} is a 400`, async () => {
      for (const value of bad) {
        const given = value === undefined ? [] : [`"${field}":${value}`]
        const body = `{${[rest, ...given].filter((part) => part !== '').join(',')}}`
        const answer = await call(server, route, body)
        expect([body.slice(0, 80), answer.status, answer.body.error]).toEqual([body.slice(0, 80), 400, 'Invalid request body'])
      }
    })
  }
})

test('[M2] bad input makes up neither a user nor a room', async () => {
  const bad = [
    { user_id: 99, message: ' ' },
    { user_id: 99, message: 'x'.repeat(10_001) },
    { user_id: 99, message: 'x', file_url: 'ftp://a.example/x' },
    { user_id: 99, message: 'x', message_type: 'x'.repeat(101) },
  ]
  for (const body of bad) expect((await call(server, `POST ${rooms}/99/messages`, body)).status).toBe(400)
  const key = { 'idempotency-key': 'a b' }
  expect((await call(server, `POST ${rooms}/99/messages`, { user_id: 99, message: 'x' }, key)).status).toBe(400)
  expect((await call(server, `DELETE ${rooms}/99/members/abc`)).status).toBe(404)
  expect(await server.app.chat.queries.listRoomsOf(99)).toEqual([])
  await expect(server.app.chat.queries.getRoom({ kind: 'nobody' }, 99)).rejects.toThrow('Chat room not found')
})

const posts = [...new Set(fields.map(({ route }) => route))]

describe('bodies', () => {
  test('[A4] what is no JSON object, too deep or no UTF-8 is a 400', async () => {
    const deep = '['.repeat(100_000) + ']'.repeat(100_000)
    const bodies = [
      '',
      '{',
      'null',
      '[]',
      '"x"',
      '1',
      'user_id=1&message=x',
      deep,
      `{"user_id":1,"message":"x","extra":${deep}}`,
      Buffer.from('{"user_id":1,"message":"\xff"}', 'latin1'),
      Buffer.from([0xed, 0xa0, 0x80]),
      '{"user_id":1,"message":"x","\\u0000":1}',
      '{"user_id":1,"message":"x","more":["\\ud800"]}',
    ]
    for (const route of posts) {
      for (const body of bodies) expect([route, (await call(server, route, body)).status]).toEqual([route, 400])
      expect([route, (await call(server, route)).status]).toEqual([route, 400])
    }
  })

  test('[A17] a body over 256 KiB is a 413, which the client sees also at 10 MB', async () => {
    for (const route of posts) {
      for (const size of [256 * 1024, 10_000_000]) {
        const answer = await call(server, route, `{"user_id":1,"message":"${'x'.repeat(size)}"}`)
        expect([answer.status, answer.body.error]).toEqual([413, 'Request body too large'])
      }
    }
  })

  test('[A2] __proto__ and constructor are no fields', async () => {
    expect((await call(server, `POST ${rooms}/1/messages`, '{"__proto__":{"user_id":1,"message":"x"}}')).status).toBe(400)
    expect((await call(server, `POST ${rooms}/1/messages`, '{"constructor":{"user_id":1},"message":"x"}')).status).toBe(400)
  })
})

describe('addresses and headers', () => {
  test('[F1] a room number that cannot be one is a 404, at every route', async () => {
    const numbers = [
      '0',
      '-1',
      '1.0',
      '01',
      '+1',
      '1e0',
      'abc',
      '9007199254740992',
      '9223372036854775808',
      '%00',
      '%ff',
      '%EB%B0%A9',
      'x'.repeat(3000),
    ]
    for (const number of numbers) {
      for (const [route, body] of [
        [`POST ${rooms}/${number}/messages`, { user_id: 1, message: 'x' }],
        [`POST ${rooms}/${number}/read`, { user_id: 1 }],
        [`POST ${rooms}/${number}/members`, { user_id: 1 }],
        [`DELETE ${rooms}/${number}/members/1`],
        [`GET ${rooms}/${number}`],
        [`GET ${rooms}/${number}/members`],
        [`GET ${rooms}/${number}/messages`],
      ] as [string, unknown?][]) {
        expect([route.slice(0, 80), (await call(server, route, body)).status]).toEqual([route.slice(0, 80), 404])
      }
    }
  })

  test('[F6] a bad user_id in the list is a 400', async () => {
    for (const query of [
      '',
      '?user_id=',
      '?user_id=0',
      '?user_id=a',
      '?user_id=1&user_id=2',
      '?user_id=1.5',
      '?user_id=9007199254740992',
      '?user_id=%00',
    ]) {
      expect([query, (await call(server, `GET ${rooms}${query}`)).status]).toEqual([query, 400])
    }
  })

  test('[A8] a key of 129 characters, with blanks or beyond ASCII is a 400', async () => {
    for (const key of ['', ' ', 'a b', 'x'.repeat(129), 'caf\u00e9', 'a\tb']) {
      const answer = await call(server, `POST ${rooms}/1/messages`, { user_id: 1, message: 'x' }, { 'idempotency-key': key })
      expect([key, answer.status]).toEqual([key, 400])
    }
  })
})

describe('frames', () => {
  const handshake = (path: string) =>
    `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`

  test('[F3] random bytes close their own connection and nothing else', async () => {
    for (let turn = 0; turn < 20; turn++) {
      const bytes = Buffer.from(Array.from({ length: 200 }, (_, at) => (at * 37 + turn * 101 + 0x70) & 0xff))
      const socket = connect(server.port, '127.0.0.1')
      let hasClosed = false
      socket.on('close', () => (hasClosed = true)).on('error', () => {})
      // In one segment with the handshake.
      socket.resume().write(Buffer.concat([Buffer.from(handshake('/ws/chat/1?user_id=1')), bytes]))
      await until('the close', () => hasClosed)
    }
    // The same user's: its coming and going is seen once for all of them.
    witnessed = witness.frames.length
    expect(witness.frames.filter(({ type }) => type === 'member_offline')).toEqual([])
  })

  test('[F1] a handshake that is none is refused in this shape', async () => {
    const { status } = await call(server, 'GET /ws/chat/1?user_id=1', undefined, { 'sec-websocket-version': '8' })
    expect(status).toBe(426)
  })
})
