/** Who calls by HTTP: credentials, cookies and their origins, development's believed names, service keys, and the tokens of a host (A5, A9, A10, C2, M2 to M4). */
import { SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Login } from '../../core/model.ts'
import { createTokens, sha256Hex } from '../../http/tokens.ts'
import { createMemoryRegistry } from '../../registry/memory/memory-registry.ts'
import type { Registry } from '../../registry/registry.ts'
import { openMemoryStorage } from '../../storage/memory/memory.ts'
import { testSecret } from '../../../test/harness.ts'
import {
  asHost,
  chatrooms,
  openChatroom,
  signToken,
  type ChatroomServer,
  type Credential,
  type Person,
} from './chatroom.fixture.ts'

let production: ChatroomServer
let development: ChatroomServer
let registry: Registry
let ann: Person, bob: Person, eve: Person
let roomId: string

const friend = 'https://chat.example'
const foreign = { origin: 'https://evil.example' }
const shopSecret = 'Kq2-of-one-project-in-this-suite-9876543210'

beforeAll(async () => {
  const storage = openMemoryStorage()
  registry = createMemoryRegistry(storage.directory)
  const secrets = JSON.stringify({ shop: shopSecret })
  const env = { LIMIT_SENDS: 'off', LIMIT_LOGIN: 'off', COOKIE_ORIGINS: friend, PROJECT_SECRETS: secrets }
  production = await openChatroom({ isProduction: true, storage, registry, env })
  development = await openChatroom()
  ;[ann, bob, eve] = await production.people('ann', 'bob', 'eve')
  roomId = await production.room([ann, bob])
})
afterAll(async () => {
  await production.stop()
  await development.stop()
})

const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
const read = (as: Credential, headers: Credential = {}) => production.call(`GET ${chatrooms}/${roomId}`, as, undefined, headers)
const invalidToken = { error: 'invalid_token', message: 'JWT token is invalid' }

// --------------------------------------------------------------------------------------------------------- credentials

const now = () => Math.floor(Date.now() / 1000)
const other = createTokens({ secret: 'another secret, of nobody here 0123456789', now: () => Date.now() })
const bytes = new TextEncoder().encode(testSecret)
const unsigned = (claims: object) =>
  `${[{ alg: 'none', typ: 'JWT' }, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')}.`

/** Each is the token of a participant, but for one thing. */
const badTokens: Record<string, () => Promise<string> | string> = {
  garbage: () => 'abc',
  empty: () => '',
  'without a signature': () => unsigned({ username: 'ann', exp: now() + 60 }),
  'of another secret': () => other.sign({ username: 'ann' }, 60),
  'of another algorithm': () =>
    new SignJWT({ username: 'ann' }).setProtectedHeader({ alg: 'HS512' }).setExpirationTime('1m').sign(bytes),
  expired: () => signToken({ username: 'ann' }, -1),
  'without exp': () => new SignJWT({ username: 'ann' }).setProtectedHeader({ alg: 'HS256' }).sign(bytes),
  'of a widget': () => signToken({ username: 'ann', projectId: 'shop' }),
  'of a guest': () => signToken({ username: 'guest:shop:ann' }),
  'with another id': () => signToken({ username: 'ann', id: 999 }),
  revoked: async () => {
    const token = await signToken({ username: 'ann' })
    await production.done('DELETE /api/auth/tokens', asHost, { token })
    return token
  },
  altered: async () => {
    const [head, , signature] = (await signToken({ username: 'bob' })).split('.')
    return [head, Buffer.from(JSON.stringify({ username: 'ann', exp: now() + 60 })).toString('base64url'), signature].join('.')
  },
}

test.each(Object.entries(badTokens))('[A9][C4] a token %s is a 401, as a bearer and in either cookie', async (_what, make) => {
  const token = await make()
  const ways =
    token === '' ? [bearer(token)] : [bearer(token), { cookie: `jwt_token=${token}` }, { cookie: `auth-token=${token}` }]
  for (const way of ways) {
    const { status, body } = await read(way)
    expect([status, body]).toEqual([401, invalidToken])
  }
})

test('[A9] bearer goes before the cookies, this door’s own before the other, and the first found decides', async () => {
  const [good, stranger] = [await signToken({ username: 'ann' }), eve.token]
  expect((await read({ ...bearer(good), cookie: 'jwt_token=bad' })).status).toBe(200)
  expect((await read({ cookie: `auth-token=${stranger}; jwt_token=${good}` })).status).toBe(200)
  expect((await read({ cookie: `jwt_token=${stranger}; auth-token=${good}` })).status).toBe(403)
  expect((await read({ cookie: `auth-token=${good}` })).status).toBe(200)
  expect((await read({ cookie: `jwt_token=bad; auth-token=${good}` })).status).toBe(401)
  expect((await production.call(`GET ${chatrooms}/${roomId}?token=${good}`)).status).toBe(401)
})

test('[A9] a login at either of the other doors, and a token of guild, open this one', async () => {
  const password = 'a good password'
  const { server } = production
  const post = (path: string, body: unknown, type: string) =>
    fetch(server.url + path, { method: 'POST', headers: { 'content-type': type }, body: body as string })
  await post('/auth/register', JSON.stringify({ username: 'kim', email: 'kim@corp.example', password }), 'application/json')
  const kims = `${chatrooms}?userId=kim`
  const { access_token } = (await (
    await post('/auth/login', `username=kim&password=${password}`, 'application/x-www-form-urlencoded')
  ).json()) as { access_token: string }
  expect(await production.done(`GET ${kims}`, bearer(access_token))).toEqual({ chatrooms: [] })
  const answer = await post('/api/auth/login', JSON.stringify({ username: 'kim', password }), 'application/json')
  const cookie = answer.headers.getSetCookie()[1]!.split(';', 1)[0]!
  expect(cookie).toMatch(/^jwt_token=/)
  expect(await production.done(`GET ${kims}`, { cookie })).toEqual({ chatrooms: [] })
})

// --------------------------------------------------------------------------------------------------------------- modes

const everyRoute = [
  'GET ',
  'GET /1',
  'DELETE /1',
  'PATCH /1/name',
  'POST /1/participants',
  'DELETE /1/participants/bob',
  'PATCH /1/participants/bob/role',
  'PATCH /1/participants/bob/name',
  'POST /1/connect',
  'GET /1/messages',
  'POST ',
  'POST /1/messages',
  'PATCH /1/messages/1',
  'DELETE /1/messages/1',
  'POST /1/messages/1/read',
  'POST /1/messages/1/reactions',
  'DELETE /1/messages/1/reactions/like',
]

test.each(everyRoute)('[M3][C4] %s without a credential is a 401 in production, before its body is read', async (route) => {
  const body = route.startsWith('GET') ? undefined : '{'
  const reply = await production.call(route.replace(' ', ` ${chatrooms}`), {}, body)
  expect([reply.status, reply.body]).toEqual([401, { error: 'unauthenticated', message: 'Not authenticated' }])
  expect(reply.headers.get('www-authenticate')).toBe('Bearer')
})

const acting: [route: string, body: object][] = [
  ['POST ', { creatorId: 'ann', targetUserIds: ['bob'], name: '방' }],
  ['POST /:id/connect', { userId: 'ann' }],
  ['POST /:id/messages', { userId: 'ann', content: '글' }],
  ['PATCH /:id/messages/1', { userId: 'ann', newContent: '글' }],
  ['DELETE /:id/messages/1', { userId: 'ann' }],
  ['POST /:id/messages/1/read', { userId: 'ann' }],
  ['POST /:id/messages/1/reactions', { userId: 'ann', reactionType: 'like' }],
  ['DELETE /:id/messages/1/reactions/like', { userId: 'ann' }],
  ['GET ?userId=ann', {}],
]

test.each(acting)('[M3] %s for somebody else is a 403', async (route, body) => {
  const path = route.replace(' ', ` ${chatrooms}`).replace(':id', roomId)
  const reply = await production.call(path, bob.bearer, route.startsWith('GET') ? undefined : body)
  expect([reply.status, reply.body]).toEqual([403, { error: 'forbidden', message: 'Not allowed' }])
})

test('[M3] a service key acts for whom the body, the query or X-User-Id names, in whatever characters', async () => {
  const sent = await production.done(`POST ${chatrooms}/${roomId}/messages`, asHost, { userId: 'bob', content: '대신' })
  expect(sent.userId).toBe('bob')
  const { chatrooms: own } = await production.done(`GET ${chatrooms}?userId=bob`, asHost)
  expect(own.map((room: { roomId: string }) => room.roomId)).toContain(roomId)
  const [minjun] = await production.people('민준')
  const at = `${chatrooms}/${await production.room([minjun])}`
  const named = { ...asHost, 'x-user-id': Buffer.from('민준').toString('latin1') }
  expect((await production.done(`GET ${chatrooms}`, named)).chatrooms).toHaveLength(1)
  expect((await production.done(`DELETE ${at}/participants/${encodeURIComponent('민준')}`, named)).userId).toBe('민준')
  expect((await production.call(`GET ${chatrooms}`, asHost)).body.error).toBe('invalid_field')
  const gone = await production.call(`DELETE ${chatrooms}/${roomId}/messages/${sent.messageId}/reactions/like`, asHost)
  expect(gone.status).toBe(401)
})

test('[M2][A18] development believes names: user<id> is the one of that id at every door, others get the next', async () => {
  const create = { creatorId: 'user123', targetUserIds: ['user456', '민준'], name: '방' }
  await development.done(`POST ${chatrooms}`, {}, create)
  const read = async (id: number) =>
    (
      await fetch(`${development.server.url}/users/${id}`, { headers: bearer(await signToken({ username: 'user123', id: 123 })) })
    ).json()
  expect(await read(123)).toMatchObject({ username: 'user123', email: 'user123@example.com' })
  expect(await read(456)).toMatchObject({ username: 'user456' })
  expect(await read(1)).toMatchObject({ username: '민준', email: 'user1@example.com', display_name: '민준' })
})

test('[M2] a credential that is sent and bad is a 401 in development, too, and a good one is who acts', async () => {
  const create = { creatorId: 'kim', targetUserIds: [], name: '방' }
  expect((await development.call(`POST ${chatrooms}`, bearer('bad'), create)).status).toBe(401)
  expect((await development.call(`POST ${chatrooms}`, bearer(await signToken({ username: 'lee' })), create)).status).toBe(403)
})

describe('pages', () => {
  test('[A5] a cookie counts without an Origin, from our own and from COOKIE_ORIGINS, and is else as if absent', async () => {
    const cookie = { cookie: `jwt_token=${ann.token}` }
    const own = production.server.url
    for (const headers of [{}, { origin: own }, { origin: friend }]) expect((await read(cookie, headers)).status).toBe(200)
    for (const origin of ['null', foreign.origin, 'http://localhost:5173', `${friend}.evil.example`])
      expect((await read(cookie, { origin })).body.error).toBe('unauthenticated')
    expect((await read({ ...cookie, ...ann.bearer }, foreign)).status).toBe(200)
  })

  test('[A5] COOKIE_ORIGINS are answered by name and with credentials, refusals too, and no others', async () => {
    const { headers } = await read({}, { origin: friend })
    expect([headers.get('access-control-allow-origin'), headers.get('access-control-allow-credentials')]).toEqual([
      friend,
      'true',
    ])
    expect((await read({}, foreign)).headers.get('access-control-allow-origin')).toBeNull()
    const preflight = { origin: friend, 'access-control-request-method': 'DELETE' }
    const asked = await production.call(`OPTIONS ${chatrooms}/${roomId}`, {}, undefined, preflight)
    expect([asked.status, asked.headers.get('access-control-allow-methods')]).toEqual([204, 'GET, HEAD, DELETE'])
  })

  test('[A5][M2] in development loopback pages may name anybody, and foreign ones nobody', async () => {
    const create = { creatorId: 'kim', targetUserIds: [], name: '방' }
    const from = (origin: string) => development.call(`POST ${chatrooms}`, {}, create, { origin })
    expect((await from('http://localhost:5173')).status).toBe(201)
    expect((await from(foreign.origin)).status).toBe(401)
  })
})

// -------------------------------------------------------------------------------------------------------- the registry

async function isIn(token: string, { id, username }: { id: number; username: string }, subject = username): Promise<boolean> {
  const login: Login = { sha256: sha256Hex(token), token, userId: id, username, subject, expiresAt: null }
  return (await registry.checkLogins([login]))[0]!
}

describe('the token registry', () => {
  test('[C2] a service key enters and ends a host’s token, which then is a 401 at every door', async () => {
    const token = await signToken({ username: 'ann' }, 3600)
    expect(await isIn(token, ann)).toBe(false)
    const entered = await production.done('POST /api/auth/tokens', asHost, { token })
    expect(entered.userId).toBe('ann')
    expect(Date.parse(entered.expiresAt) - Date.now()).toBeGreaterThan(3_590_000)
    expect(await isIn(token, ann)).toBe(true)
    expect(await production.done('DELETE /api/auth/tokens', asHost, '{"token": "' + token + '" // 끝\n}')).toEqual({
      success: true,
    })
    expect(await isIn(token, ann)).toBe(false)
    for (const path of ['/api/chats', '/users/me', `/api/v1/chat/rooms/${roomId}`, `${chatrooms}/${roomId}`])
      expect((await fetch(production.server.url + path, { headers: bearer(token) })).status, path).toBe(401)
    const again = await production.call('POST /api/auth/tokens', asHost, { token })
    expect([again.status, again.body.error]).toEqual([400, 'invalid_field'])
    expect(await isIn(token, ann)).toBe(false)
  })

  test.each(Object.entries(badTokens).filter(([what]) => what !== 'empty'))('[C2] no token %s gets in', async (_what, make) => {
    const reply = await production.call('POST /api/auth/tokens', asHost, { token: await make() })
    expect([reply.status, reply.body]).toEqual([
      400,
      { error: 'invalid_field', message: 'A field is missing or not as it should be (token)' },
    ])
  })

  test('[C2][A15] a service key also ends a visitor’s token, whichever secret signed it', async () => {
    const shop = createTokens({ secret: shopSecret, now: () => Date.now() })
    const { accounts } = production.server.app.chat
    for (const token of [
      await shop.sign({ username: 'ann', projectId: 'shop' }, 60),
      await signToken({ username: 'ann', projectId: 'other' }),
    ]) {
      await production.done('DELETE /api/auth/tokens', asHost, { token })
      await expect(accounts.authenticate({ username: 'ann', exp: 1 }, sha256Hex(token))).rejects.toMatchObject({
        code: 'bad_credentials',
      })
    }
  })

  test('[C2][M3] nobody else may: a user 403, nobody 401, but for development', async () => {
    for (const method of ['POST', 'DELETE']) {
      const call = (as: Credential, door = production) => door.call(`${method} /api/auth/tokens`, as, { token: ann.token })
      expect([(await call(ann.bearer)).status, (await call({})).status, (await call(bearer('bad'))).status]).toEqual([
        403, 401, 401,
      ])
    }
    const token = await signToken({ username: 'lee' })
    expect(await development.done('POST /api/auth/tokens', {}, { token })).toMatchObject({ userId: 'lee' })
  })

  test('[A10] login at groupware and at guild enters the token, and logout ends it', async () => {
    const [username, password] = ['choi', 'a good password']
    const { url } = production.server
    const json = { 'content-type': 'application/json' }
    const registered = await fetch(`${url}/auth/register`, {
      method: 'POST',
      headers: json,
      body: JSON.stringify({ username, password, email: 'choi@corp.example' }),
    })
    const choi = (await registered.json()) as { id: number; username: string }
    const login = await fetch(`${url}/api/auth/login`, {
      method: 'POST',
      headers: json,
      body: JSON.stringify({ username, password }),
    })
    const cookie = login.headers.getSetCookie()[0]!.split(';', 1)[0]!
    const token = cookie.split('=')[1]!
    expect(await isIn(token, choi)).toBe(true)
    await fetch(`${url}/api/auth/logout`, { method: 'POST', headers: { cookie } })
    expect(await isIn(token, choi)).toBe(false)
    const form = await fetch(`${url}/auth/login`, { method: 'POST', body: new URLSearchParams({ username, password }) })
    expect(await isIn(((await form.json()) as { access_token: string }).access_token, choi)).toBe(true)
  })

  test('[C2] a token that was not entered is good for HTTP', async () => {
    const token = await signToken({ username: 'ann' })
    expect(await isIn(token, ann)).toBe(false)
    expect((await read(bearer(token))).status).toBe(200)
  })
})

test('[A6] no token is in a log line or an answer', async () => {
  const token = await other.sign({ username: 'ann' }, 60)
  const replies = [
    await production.call('POST /api/auth/tokens', asHost, { token }),
    await read(bearer(token)),
    await production.call(`GET ${chatrooms}/x?token=${token}`, ann.bearer),
  ]
  for (const { text } of replies) expect(text).not.toContain(token.slice(0, 30))
  expect(production.server.logged).toEqual([])
})
