/** Who calls: credentials, cookies and their origins, development's made-up user, service keys (P1, A5, A9, A10, A15, M2 to M4). */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { asHost, openGroupware, signToken, type Groupware, type Person, type Reply } from './groupware.fixture.ts'

let production: Groupware
let development: Groupware
let ann: Person, bob: Person

const foreign = { origin: 'https://evil.example' }
const friend = 'https://chat.example'
const account = { username: 'kim', password: 'a good password', email: 'kim@corp.example', full_name: '김영희' }

beforeAll(async () => {
  const env = { LIMIT_SENDS: 'off', LIMIT_LOGIN: 'off', COOKIE_ORIGINS: friend, TRUSTED_PROXIES: '127.0.0.1' }
  production = await openGroupware({ isProduction: true, env })
  development = await openGroupware({ hasOrganisation: true })
  ;[ann, bob] = (await production.people('ann', 'bob')) as [Person, Person]
  for (const door of [production, development]) await door.done('POST /api/users/create', asHost, account)
})
afterAll(async () => {
  await production.stop()
  await development.stop()
})

const credentials = { username: account.username, password: account.password }
const login = (headers: Record<string, string> = {}, door = production): Promise<Reply> =>
  door.call('POST /api/auth/login', {}, credentials, headers)

/** As a browser would send them back. */
function cookiesOf({ headers }: Reply): string[] {
  return headers.getSetCookie().map((cookie) => cookie.split(';', 1)[0]!)
}

describe('signing in', () => {
  test('[P1][A10] login answers the user and sets both cookies with one token', async () => {
    const reply = await login()
    const { id } = reply.body.user
    expect(reply.body).toEqual({ success: true, user: { id, username: 'kim', email: 'kim@corp.example', full_name: '김영희' } })
    const [first, second, ...more] = reply.headers.getSetCookie()
    expect(more).toEqual([])
    expect(first).toMatch(/^auth-token=[\w-]+\.[\w-]+\.[\w-]+; Path=\/; Max-Age=1800; HttpOnly; SameSite=Lax$/)
    expect(second).toBe(first!.replace('auth-token=', 'jwt_token='))
    const claims = JSON.parse(Buffer.from(first!.split('.')[1]!, 'base64url').toString())
    expect(claims).toMatchObject({ id, sub: 'kim', username: 'kim', email: 'kim@corp.example', full_name: '김영희' })
    for (const cookie of cookiesOf(reply)) expect((await production.done('GET /api/auth/me', { cookie })).user.id).toBe(id)
  })

  test('[P1] the cookies are Secure only where the request came by https', async () => {
    for (const cookie of (await login({ 'x-forwarded-proto': 'https' })).headers.getSetCookie())
      expect(cookie).toMatch(/; Secure$/)
    for (const cookie of (await login({ 'x-forwarded-proto': 'http' })).headers.getSetCookie())
      expect(cookie).not.toMatch(/Secure/)
  })

  test.each([
    [{ ...credentials, password: 'another' }, 401],
    [{ ...credentials, username: 'nobody' }, 401],
    [{ ...credentials, username: 'x'.repeat(200) }, 401],
    [{}, 400],
    [undefined, 400],
    [{ ...credentials, password: null }, 400],
    [{ ...credentials, username: 5 }, 400],
    [{ ...credentials, username: 'x'.repeat(300) }, 400],
  ])('[P1][P2] login with %j is refused and sets no cookie', async (body, status) => {
    const reply = await production.call('POST /api/auth/login', {}, body)
    expect([reply.status, reply.headers.getSetCookie()]).toEqual([status, []])
  })

  test('[P1] me and permissions', async () => {
    const name = { id: ann.id, username: 'ann', email: `user${ann.id}@example.com`, full_name: 'ann 이름' }
    expect(await production.done('GET /api/auth/me', ann.bearer)).toEqual({ user: name })
    expect(await production.done('GET /api/auth/permissions', ann.bearer)).toEqual({ success: true, permissions: [] })
  })

  test('[A10][A15] logout clears both cookies, and the token counts at no door any more', async () => {
    const [cookie] = cookiesOf(await login()) as [string]
    const reply = await production.call('POST /api/auth/logout', { cookie })
    expect(reply.body).toEqual({ success: true })
    expect(reply.headers.getSetCookie()).toEqual([
      'auth-token=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax',
      'jwt_token=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax',
    ])
    expect((await production.call('GET /api/auth/me', { cookie })).status).toBe(401)
    const bearer = { authorization: `Bearer ${cookie.split('=')[1]}` }
    const elsewhere = await fetch(`${production.server.url}/users/me`, { headers: bearer })
    expect(elsewhere.status).toBe(401)
  })

  test('[A10] logout revokes a bearer’s token too, and does not mind a bad one or none', async () => {
    const bearer = { authorization: `Bearer ${await signToken({ username: 'ann' })}` }
    await production.done('POST /api/auth/logout', bearer)
    expect((await production.call('GET /api/auth/me', bearer)).status).toBe(401)
    await production.done('POST /api/auth/logout', { authorization: 'Bearer nonsense' })
    await production.done('POST /api/auth/logout')
  })

  test('[A12] logins are limited per address and per username, with Retry-After', async () => {
    const door = await openGroupware({ isProduction: true, env: { LIMIT_LOGIN: '2/60' } })
    const attempts = []
    for (let nth = 0; nth < 3; nth++) attempts.push(await login({}, door))
    expect(attempts.map(({ status }) => status)).toEqual([401, 401, 429])
    expect(Number(attempts[2]!.headers.get('retry-after'))).toBeGreaterThan(0)
    await door.stop()
  })
})

describe('credentials', () => {
  test('[A9] bearer goes before the cookies, auth-token before jwt_token, and a bad one is a 401', async () => {
    const good = await signToken({ username: 'ann' })
    const other = await signToken({ username: 'bob' })
    const me = async (headers: Record<string, string>) => {
      const { status, body } = await production.call('GET /api/auth/me', headers)
      return status === 200 ? body.user.username : status
    }
    expect(await me({ authorization: `Bearer ${good}`, cookie: `auth-token=${other}` })).toBe('ann')
    expect(await me({ cookie: `jwt_token=${other}; auth-token=${good}` })).toBe('ann')
    expect(await me({ cookie: `jwt_token=${other}` })).toBe('bob')
    expect(await me({ authorization: 'Bearer bad', cookie: `auth-token=${good}` })).toBe(401)
    expect(await me({ cookie: `auth-token=bad; jwt_token=${good}` })).toBe(401)
    expect(await me({ authorization: `Bearer ${await signToken({ username: 'ann', projectId: 'shop' })}` })).toBe(401)
  })

  test('[A9] ?token= opens nothing but the stream', async () => {
    const token = await signToken({ username: 'ann' })
    expect((await production.call(`GET /api/auth/me?token=${token}`)).status).toBe(401)
  })

  const everyRoute = [
    'GET /api/auth/me',
    'GET /api/auth/permissions',
    'GET /api/chats',
    'POST /api/chats/start',
    'POST /api/chats/start-group',
    'POST /api/chats/read-all',
    'GET /api/chats/1/messages',
    'GET /api/chats/1/around?messageId=1',
    'GET /api/chats/1/search?q=a',
    'GET /api/chats/1/members',
    'POST /api/chats/1/message',
    'POST /api/chats/1/attach',
    'POST /api/chats/1/read',
    'POST /api/chats/1/leave',
    'POST /api/chats/1/invite',
    'GET /api/departments',
    'GET /api/org/tree',
    'POST /api/departments/create',
    'POST /api/users/create',
    'PUT /api/users/1',
  ]

  test.each(everyRoute)('[M3][P2] %s without a credential is a 401 in production, X-Dev-User or not', async (route) => {
    for (const headers of [{}, { 'x-dev-user': '1' }, { 'x-user-id': '1' }] as Record<string, string>[]) {
      const reply = await production.call(route, headers)
      expect([reply.status, reply.headers.get('www-authenticate')]).toEqual([401, 'Bearer'])
    }
  })

  test('[A9] a bad credential is a 401 in development too', async () => {
    for (const headers of [{ authorization: 'Bearer bad' }, { cookie: 'auth-token=bad' }] as Record<string, string>[])
      expect((await development.call('GET /api/chats', headers)).status).toBe(401)
  })
})

describe('origins', () => {
  test('[A5] a cookie counts without an Origin, from our own and from COOKIE_ORIGINS, and no others', async () => {
    const cookie = `auth-token=${await signToken({ username: 'ann' })}`
    const status = async (origin?: string) =>
      (await production.call('GET /api/auth/me', { cookie, ...(origin !== undefined && { origin }) })).status
    expect(await status()).toBe(200)
    expect(await status(production.server.url)).toBe(200)
    expect(await status(friend)).toBe(200)
    for (const origin of [foreign.origin, 'null', 'http://localhost:5173', `${friend}.evil.example`])
      expect(await status(origin)).toBe(401)
    expect((await production.call('GET /api/auth/me', { ...ann.bearer, ...foreign })).status).toBe(200)
  })

  test('[A5] COOKIE_ORIGINS are answered by name and with credentials, others not', async () => {
    const headersFor = async (door: Groupware, origin: string, method: string) => {
      const preflight = { 'access-control-request-method': 'POST', 'access-control-request-headers': 'content-type' }
      const { headers } = await fetch(`${door.server.url}/api/chats/start`, { method, headers: { origin, ...preflight } })
      return [headers.get('access-control-allow-origin'), headers.get('access-control-allow-credentials')]
    }
    for (const method of ['OPTIONS', 'POST']) {
      expect(await headersFor(production, friend, method)).toEqual([friend, 'true'])
      expect(await headersFor(production, foreign.origin, method)).toEqual([null, null])
      expect(await headersFor(production, 'http://localhost:5173', method)).toEqual([null, null])
      expect(await headersFor(development, 'http://localhost:5173', method)).toEqual(['http://localhost:5173', 'true'])
      expect(await headersFor(development, foreign.origin, method)).toEqual([null, null])
    }
  })

  test.each(['login', 'logout'])('[A5][A10] a foreign page’s %s is refused and does nothing', async (what) => {
    const cookie = `auth-token=${await signToken({ username: 'ann' })}`
    for (const door of [production, development]) {
      for (const origin of [foreign.origin, 'null']) {
        const reply = await door.call(`POST /api/auth/${what}`, { cookie, origin }, credentials)
        expect([reply.status, reply.headers.getSetCookie()]).toEqual([403, []])
      }
    }
    expect((await production.call('GET /api/auth/me', { cookie })).status).toBe(200)
    expect((await production.call(`POST /api/auth/${what}`, { origin: friend }, credentials)).status).toBe(200)
  })

  test('[A5] a foreign page does not get development’s made-up user; a loopback one does', async () => {
    expect((await development.call('GET /api/auth/me', foreign)).status).toBe(401)
    expect((await development.call('GET /api/auth/me', { ...foreign, 'x-dev-user': '2' })).status).toBe(401)
    expect((await development.call('GET /api/auth/me', { origin: 'http://localhost:3000' })).status).toBe(200)
  })
})

describe('development', () => {
  test('[M2] without a credential user 1 acts, and X-Dev-User makes it another', async () => {
    expect((await development.done('GET /api/auth/me')).user).toMatchObject({ id: 1, full_name: '박지민' })
    expect((await development.done('GET /api/auth/me', { 'x-dev-user': '2' })).user).toMatchObject({ id: 2, full_name: '김철수' })
    expect((await development.done('GET /api/auth/me', { 'x-dev-user': '4242' })).user).toMatchObject({ username: 'user4242' })
    for (const bad of ['0', '-1', 'abc', '1.5', '', '9007199254740993'])
      expect((await development.call('GET /api/auth/me', { 'x-dev-user': bad })).status).toBe(400)
  })

  test('[M2] his chat 123 is made up on first touch, by any route, and nobody else gets into it', async () => {
    const door = await openGroupware()
    expect((await door.done('GET /api/chats')).data).toEqual([])
    expect((await door.done('GET /api/chats/123/messages')).data).toEqual([])
    expect((await door.done('GET /api/chats')).data).toMatchObject([{ id: 123, is_group: true, member_count: 1 }])
    expect((await door.call('GET /api/chats/123/messages', { 'x-dev-user': '2' })).status).toBe(403)
    expect((await door.call('GET /api/chats/124/messages')).status).toBe(403)
    await door.stop()
  })

  test('[M2] chat 123 is not made up for who shows a credential', async () => {
    const door = await openGroupware()
    const [eve] = (await door.people('eve')) as [Person]
    expect((await door.call('GET /api/chats/123/members', eve.bearer)).status).toBe(403)
    await door.stop()
  })
})

describe('service keys', () => {
  test('[M3] a service key acts for the user in X-User-Id', async () => {
    const roomId = await production.group([ann, bob])
    const forAnn = { ...asHost, 'x-user-id': String(ann.id) }
    const { data } = await production.done(`POST /api/chats/${roomId}/message`, forAnn, { content: '대신' })
    expect(data.message).toMatchObject({ sender_id: ann.id, content: '대신' })
    expect((await production.done('GET /api/auth/me', forAnn)).user.id).toBe(ann.id)
  })

  test('[M3] without X-User-Id it has no chats, with a bad or unknown one it is refused', async () => {
    expect((await production.call('GET /api/chats', asHost)).status).toBe(401)
    expect((await production.call('GET /api/chats', { ...asHost, 'x-user-id': 'abc' })).status).toBe(400)
    expect((await production.call('GET /api/chats', { ...asHost, 'x-user-id': '999999' })).status).toBe(404)
    const other = { ...ann.bearer, 'x-user-id': String(bob.id) }
    expect((await production.done('GET /api/auth/me', other)).user.id).toBe(ann.id)
  })

  test('[P4][A13] it invites by itself', async () => {
    const [cho] = (await production.people('cho')) as [Person]
    const roomId = await production.group([ann, bob])
    expect(await production.done(`POST /api/chats/${roomId}/invite`, asHost, { userIds: [cho.id] })).toEqual({
      success: true,
      added: 1,
    })
    expect((await production.call('POST /api/chats/987654/invite', asHost, { userIds: [cho.id] })).status).toBe(403)
  })
})

describe('strangers', () => {
  const routes = [
    'GET /messages',
    'GET /around?messageId=1',
    'GET /search?q=a',
    'GET /members',
    'POST /message',
    'POST /read',
    'POST /invite',
  ]

  test.each(routes)('[M4][P2] %s is the same 403 for a stranger and where there is no such chat', async (route) => {
    const [eve] = (await production.people('eve')) as [Person]
    const roomId = await production.group([ann, bob])
    await production.send(roomId, ann, '비밀')
    const ask = (id: number) => {
      const [method, path] = route.split(' ')
      const body = method === 'POST' ? { content: '안녕', userIds: [eve.id], lastMessageId: 1 } : undefined
      return production.call(`${method} /api/chats/${id}${path}`, eve.bearer, body)
    }
    const [there, nowhere] = [await ask(roomId), await ask(987_654)]
    expect([there.status, there.body.message]).toEqual([403, '채팅방 멤버가 아닙니다.'])
    expect(nowhere.body).toEqual({ ...there.body, url: nowhere.body.url })
    expect((await production.done(`GET /api/chats/${roomId}/members`, ann.bearer)).data).toHaveLength(2)
  })
})
