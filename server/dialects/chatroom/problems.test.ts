/** Errors have this door's shape, whoever makes them (C4, A3); the fixture holds every one against it. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { asHost, chatrooms, openChatroom, type ChatroomServer, type Person } from './chatroom.fixture.ts'

let door: ChatroomServer
let ann: Person
let roomId: string

beforeAll(async () => {
  door = await openChatroom({ isProduction: true, env: { LIMIT_SENDS: 'off' } })
  ;[ann] = await door.people('ann')
  roomId = await door.room([ann])
})
afterAll(() => door.stop())

test.each([
  `${chatrooms}/1/nothing`,
  `${chatrooms}/1/messages/1/reactions/like/x`,
  `${chatrooms}/1%00`,
  `${chatrooms}/%`,
  '/api/auth/tokens/1',
])('[C4][A3] what is not there is a 404 at %s', async (path) => {
  const { status, body } = await door.call(`GET ${path}?token=secret`, ann.bearer)
  expect([status, body]).toEqual([404, { error: 'not_found', message: 'Not found' }])
})

test.each([
  [`PUT ${chatrooms}`, 'GET, HEAD, POST'],
  [`PUT ${chatrooms}/1`, 'GET, HEAD, DELETE'],
  [`GET ${chatrooms}/1/name`, 'PATCH'],
  [`GET ${chatrooms}/1/participants`, 'POST'],
  [`GET ${chatrooms}/1/connect`, 'POST'],
  [`PUT ${chatrooms}/1/messages/1`, 'PATCH, DELETE'],
  ['GET /api/auth/tokens', 'POST, DELETE'],
])('[A3] %s is a 405 with Allow: %s', async (route, allow) => {
  const { status, headers, body } = await door.call(route, ann.bearer)
  expect([status, headers.get('allow'), body.error]).toEqual([405, allow, 'method_not_allowed'])
})

test('[C4] broken JSON and broken UTF-8 are a 400, a body over 256 KiB a 413, and what is wrong is named', async () => {
  const post = async (body: unknown) => {
    const reply = await door.call(`POST ${chatrooms}/${roomId}/messages`, ann.bearer, body)
    return [reply.status, reply.body]
  }
  expect(await post('{"content":')).toEqual([400, { error: 'invalid_json', message: 'The body is not JSON' }])
  expect(await post(Uint8Array.from([0x7b, 0x22, 0xff, 0x22, 0x7d]))).toEqual([
    400,
    { error: 'invalid_json', message: 'The body is not UTF-8' },
  ])
  expect(await post(`{"userId":"ann","content":"${'x'.repeat(300_000)}"}`)).toEqual([
    413,
    { error: 'too_large', message: 'The body is too large' },
  ])
  const message = 'A field is missing or not as it should be (content)'
  expect(await post({ userId: 'ann', content: 5 })).toEqual([400, { error: 'invalid_field', message }])
})

test('[A3] the rest of /api/auth stays groupware’s', async () => {
  for (const path of ['/api/auth/nothing', '/api/auth/tokensX']) {
    const answer = await fetch(door.server.url + path, { headers: asHost })
    expect([answer.status, await answer.json()]).toEqual([404, expect.objectContaining({ error: true, url: path })])
  }
})
