/** Who may do what: production, and what development believes. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { fastClock, until } from '../../../test/chat.ts'
import { startServer, testServiceKey, type TestServer } from '../../../test/harness.ts'
import { openMemoryStorage } from '../../storage/memory/memory.ts'
import { withFaults } from '../../storage/faulty.ts'
import { asHost, bearerOf, call, listen, makeGroup, makeUser, refusal, rooms, send } from './feed.fixture.ts'

type Person = Awaited<ReturnType<typeof makeUser>>

/** Bearer headers that name nobody. */
const badBearers = ['Bearer', 'bearer ', 'Bearer nonsense', 'BEARER a b', 'Bearer:a.b.c']
/** As a staging proxy adds it. */
const proxied = { authorization: 'Basic c3RhZ2luZzpwYXNz' }

describe('in production', () => {
  let server: TestServer
  let admin: Person
  let member: Person
  let stranger: Person
  let roomId: number

  beforeAll(async () => {
    server = await startServer({
      isProduction: true,
      clock: fastClock,
      env: { LIMIT_SENDS: 'off', LIMIT_CONNECTS: 'off', COOKIE_ORIGINS: 'https://office.example' },
    })
    admin = await makeUser(server, 'admin')
    member = await makeUser(server, 'member')
    stranger = await makeUser(server, 'stranger')
    roomId = await makeGroup(server, admin, [member.id])
  })
  afterAll(() => server.stop())

  /** Every route that acts for somebody; `as` is whom it names. */
  const requests = (as: number): [route: string, body?: unknown][] => [
    [`POST ${rooms}/${roomId}/messages`, { user_id: as, message: 'x' }],
    [`POST ${rooms}/${roomId}/read`, { user_id: as }],
    [`POST ${rooms}/${roomId}/members`, { user_id: as }],
    [`DELETE ${rooms}/${roomId}/members/${as}`],
    [`GET ${rooms}/${roomId}`],
    [`GET ${rooms}/${roomId}/members`],
    [`GET ${rooms}/${roomId}/messages`],
    [`GET ${rooms}?user_id=${as}`],
    [`POST ${rooms}`, { name: 'x' }],
    ['POST /api/v1/users', { email: 'x@example.com', name: 'x' }],
    ['GET /api/v1/users'],
  ]

  test('[M3] without a credential everything is a 401, the socket before 101, and before the body is looked at', async () => {
    for (const [route, body] of requests(member.id)) {
      const { status, headers } = await call(server, route, body)
      expect([route, status, headers.get('www-authenticate')]).toEqual([route, 401, 'Bearer'])
    }
    expect((await call(server, `POST ${rooms}/${roomId}/messages`, '{broken')).status).toBe(401)
    expect((await refusal(server, `/ws/chat/${roomId}?user_id=${member.id}`)).status).toBe(401)
  })

  test('[A9] a bad credential is a 401 everywhere: garbage, expired, without exp, of a widget, not its name, unknown id', async () => {
    const { id, name } = member
    const bad = [
      { authorization: 'Bearer nonsense' },
      await bearerOf({ username: name, id }, -10),
      await bearerOf({ username: name, id, projectId: 'shop' }),
      await bearerOf({ username: name, id: id + 1 }),
      await bearerOf({ id }),
    ]
    for (const headers of bad) {
      expect((await send(server, [roomId, id], 'x', headers)).status).toBe(401)
      expect((await refusal(server, `/ws/chat/${roomId}?user_id=${id}`, headers)).status).toBe(401)
    }
  })

  test('[A9] the first credential found decides: bearer, then ?token=, then the cookies', async () => {
    const token = member.bearer.authorization!.slice('Bearer '.length)
    const path = `/ws/chat/${roomId}?user_id=${member.id}`
    for (const [query, headers] of [
      ['', member.bearer],
      [`&token=${token}`, {}],
      ['', { cookie: `auth-token=${token}` }],
      ['', { cookie: `jwt_token=${token}` }],
      ['&token=nonsense', member.bearer],
      [`&token=${token}`, { cookie: 'auth-token=nonsense' }],
    ] as [string, Record<string, string>][]) {
      await (await listen(server, [roomId, member.id], query, headers)).close()
    }
    expect((await refusal(server, `${path}&token=${token}`, { authorization: 'Bearer nonsense' })).status).toBe(401)
    expect((await refusal(server, `${path}&token=nonsense`, { cookie: `auth-token=${token}` })).status).toBe(401)
    expect((await call(server, `POST ${rooms}/${roomId}/read?token=${token}`, { user_id: member.id })).status).toBe(401)
  })

  test('[A9] a bearer header without a good token is a 401, whatever ?token= and cookies hold', async () => {
    const token = member.bearer.authorization!.slice('Bearer '.length)
    const cookie = `auth-token=${token}`
    for (const authorization of badBearers) {
      const answer = await call(server, `GET ${rooms}/${roomId}`, undefined, { authorization, cookie })
      expect([authorization, answer.status]).toEqual([authorization, 401])
      const path = `/ws/chat/${roomId}?user_id=${member.id}&token=${token}`
      expect((await refusal(server, path, { authorization, cookie })).status).toBe(401)
    }
  })

  test('[M3] a service key is a bearer header, and no cookie or ?token=', async () => {
    const key = asHost.authorization.slice('Bearer '.length)
    expect((await call(server, `GET ${rooms}/${roomId}`, undefined, asHost)).status).toBe(200)
    expect((await call(server, `GET ${rooms}/${roomId}`, undefined, { cookie: `auth-token=${key}` })).status).toBe(401)
    const path = `/ws/chat/${roomId}?user_id=${member.id}`
    await (await listen(server, [roomId, member.id], '', asHost)).close()
    expect((await refusal(server, `${path}&token=${key}`)).status).toBe(401)
  })

  test('[A9] another scheme is none of ours: the next credential decides, and without one it is a 401', async () => {
    const token = member.bearer.authorization!.slice('Bearer '.length)
    const withCookie = { ...proxied, cookie: `auth-token=${token}` }
    expect((await call(server, `GET ${rooms}/${roomId}`, undefined, withCookie)).status).toBe(200)
    await (await listen(server, [roomId, member.id], `&token=${token}`, proxied)).close()
    expect((await call(server, `GET ${rooms}/${roomId}`, undefined, proxied)).status).toBe(401)
  })

  test('[A5] a cookie counts only without an Origin, from the own one and from COOKIE_ORIGINS', async () => {
    const cookie = `auth-token=${member.bearer.authorization!.slice('Bearer '.length)}`
    const path = `/ws/chat/${roomId}?user_id=${member.id}`
    for (const origin of [server.url, 'https://office.example'])
      await (await listen(server, [roomId, member.id], '', { cookie, origin })).close()
    for (const origin of ['https://evil.example', 'null', 'http://localhost:1'])
      expect((await refusal(server, path, { cookie, origin })).status).toBe(401)
  })

  test('[M3] user_id in messages, read, the socket and the list is the actor and must be the caller', async () => {
    expect((await send(server, [roomId, member.id], 'mine', member.bearer)).status).toBe(201)
    expect((await send(server, [roomId, admin.id], 'not mine', member.bearer)).status).toBe(403)
    expect((await call(server, `POST ${rooms}/${roomId}/read`, { user_id: member.id }, member.bearer)).status).toBe(200)
    expect((await call(server, `POST ${rooms}/${roomId}/read`, { user_id: admin.id }, member.bearer)).status).toBe(403)
    expect((await refusal(server, `/ws/chat/${roomId}?user_id=${admin.id}`, member.bearer)).status).toBe(403)
    expect((await call(server, `GET ${rooms}?user_id=${admin.id}`, undefined, member.bearer)).status).toBe(403)
    for (const query of ['', `?user_id=${member.id}`]) {
      const { body } = await call(server, `GET ${rooms}${query}`, undefined, member.bearer)
      expect(body.data.map(({ id }: { id: number }) => id)).toEqual([roomId])
    }
    await (await listen(server, [roomId, member.id], '', member.bearer)).close()
  })

  test('[M3] X-User-Id is a service key alone', async () => {
    const headers = { ...member.bearer, 'x-user-id': String(stranger.id) }
    expect((await call(server, `GET ${rooms}/${roomId}`, undefined, headers)).status).toBe(200)
  })

  test('[M3] a service key acts for any user, with no limit of its own', async () => {
    const sent = await send(server, [roomId, member.id], 'by the host', asHost)
    expect([sent.status, sent.body.data.user.name]).toEqual([201, 'member'])
    expect((await send(server, [roomId, stranger.id], 'x', asHost)).body.error).toBe('User is not a member of this chat room')
    expect((await send(server, [roomId, 999_999], 'x', asHost)).body.error).toBe('User not found')
    const listener = await listen(server, [roomId, member.id], '', asHost)
    const made = await call(server, `POST ${rooms}`, { name: 'x' }, { ...asHost, 'x-user-id': String(member.id) })
    const { data } = (await call(server, `GET ${rooms}/${made.body.data.id}/members`, undefined, asHost)).body
    expect(data.map(({ user_id, role }: { user_id: number; role: string }) => [user_id, role])).toEqual([[member.id, 'admin']])
    for (const named of ['abc', '0', '1.5', '']) {
      expect((await call(server, `POST ${rooms}`, { name: 'x' }, { ...asHost, 'x-user-id': named })).status).toBe(400)
    }
    expect((await call(server, `POST ${rooms}`, { name: 'x' }, { ...asHost, 'x-user-id': '999999' })).status).toBe(404)
    expect((await call(server, `GET ${rooms}`, undefined, asHost)).status).toBe(400)
    await listener.close()
  })

  test('[M3] users are a host matter', async () => {
    for (const [route, body] of requests(member.id).slice(-2))
      expect((await call(server, route, body, member.bearer)).status).toBe(403)
  })

  test('[M4] a room that is not there is a 404, one of others a 403, at every route', async () => {
    const statuses = async (id: number) => {
      const routes = requests(member.id)
        .slice(0, 7)
        .map(([route, body]) => [route.replace(`${rooms}/${roomId}`, `${rooms}/${id}`), body] as const)
      const asStranger = { user_id: stranger.id, message: 'x' }
      const answers = []
      for (const [route, body] of routes) {
        const named = route.endsWith('/messages') || route.endsWith('/read') ? asStranger : body
        const { status, body: answer } = await call(server, route, route.startsWith('POST') ? named : undefined, stranger.bearer)
        answers.push(`${status} ${answer.error}`)
      }
      const socket = await refusal(server, `/ws/chat/${id}?user_id=${stranger.id}`, stranger.bearer)
      return new Set([...answers, `${socket.status} ${socket.body.error}`])
    }
    expect(await statuses(999_999)).toEqual(new Set(['404 Chat room not found']))
    expect(await statuses(roomId)).toEqual(new Set(['403 User is not a member of this chat room']))
  })

  test('[A18] a user to be added who does not exist is a 404, after it is decided whether the actor may', async () => {
    const add = (headers: Record<string, string>) =>
      call(server, `POST ${rooms}/${roomId}/members`, { user_id: 999_999 }, headers)
    expect(await add(admin.bearer)).toMatchObject({ status: 404, body: { error: 'User not found' } })
    expect((await add(stranger.bearer)).status).toBe(403)
    expect(await call(server, `POST ${rooms}`, { name: 'x', member_ids: [999_999] }, admin.bearer)).toMatchObject({ status: 404 })
  })

  test('[A13] members add and remove members who are not admin; anyone leaves; the next admin is the longest-standing', async () => {
    const [one, two] = [await makeUser(server, 'one'), await makeUser(server, 'two')]
    const id = await makeGroup(server, admin, [member.id])
    const members = `${rooms}/${id}/members`
    expect((await call(server, `POST ${members}`, { user_id: one.id }, member.bearer)).status).toBe(201)
    expect((await call(server, `POST ${members}`, { user_id: two.id }, one.bearer)).status).toBe(201)
    expect((await call(server, `DELETE ${members}/${one.id}`, undefined, two.bearer)).status).toBe(200)
    expect(await call(server, `DELETE ${members}/${admin.id}`, undefined, two.bearer)).toMatchObject({
      status: 403,
      body: { error: 'Not allowed' },
    })
    expect((await call(server, `DELETE ${members}/${admin.id}`, undefined, admin.bearer)).status).toBe(200)
    const { data } = (await call(server, `GET ${members}`, undefined, two.bearer)).body
    expect(data.map(({ user_id, role }: { user_id: number; role: string }) => [user_id, role])).toEqual([
      [member.id, 'admin'],
      [two.id, 'member'],
    ])
    expect((await call(server, `DELETE ${members}/${member.id}`, undefined, asHost)).status).toBe(200)
    expect((await send(server, [id, member.id], 'x', member.bearer)).status).toBe(403)
  })

  test('[A11] a channel has its server members: its owner alone adds, who is admin here; anyone else leaves the server', async () => {
    const { chat } = server.app
    const owner = await chat.accounts.get(admin.id)
    const space = await chat.spaces.create(owner, { name: 'space', description: null, iconUrl: null })
    const channel = await chat.rooms.createChannel({ kind: 'user', user: owner }, space.id, {
      name: 'general',
      description: null,
    })
    const members = `${rooms}/${channel.id}/members`
    const add = (user: Person, by: Person) => call(server, `POST ${members}`, { user_id: user.id }, by.bearer)
    expect((await add(member, admin)).status).toBe(201)
    expect(await chat.queries.listSpacesOf(member.id)).toHaveLength(1)
    expect(await add(stranger, member)).toMatchObject({ status: 403, body: { error: 'Not allowed' } })
    expect((await add(stranger, stranger)).status).toBe(403)
    expect((await call(server, `GET ${rooms}/${channel.id}`, undefined, admin.bearer)).body.data.room_type).toBe('channel')
    expect((await call(server, `GET ${members}`, undefined, admin.bearer)).body.data[0]).toMatchObject({
      user_id: admin.id,
      role: 'admin',
    })
    expect((await call(server, `DELETE ${members}/${member.id}`, undefined, member.bearer)).status).toBe(200)
    expect(await chat.queries.listSpacesOf(member.id)).toHaveLength(0)
    expect((await call(server, `DELETE ${members}/${admin.id}`, undefined, admin.bearer)).status).toBe(403)
  })

  test('[A15] a socket ends with 4001 when its token is revoked, and the token is a 401 from then on', async () => {
    const bearer = await bearerOf({ username: 'member', id: member.id, note: 'to be revoked' })
    const listener = await listen(server, [roomId, member.id], '', bearer)
    const { sha256Hex } = await import('../../http/tokens.ts')
    await server.app.chat.accounts.revokeToken(sha256Hex(bearer.authorization.slice('Bearer '.length)), Date.now() + 600_000)
    await until('the end', () => listener.closedWith !== null)
    expect(listener.closedWith?.code).toBe(4001)
    expect((await send(server, [roomId, member.id], 'x', bearer)).status).toBe(401)
  })

  test('[A15] a socket ends with 4001 when its user is deactivated', async () => {
    const user = await makeUser(server, 'leaving')
    const id = await makeGroup(server, user, [])
    const listener = await listen(server, [id, user.id], '', user.bearer)
    await server.app.chat.accounts.change(user.id, { isActive: false })
    await until('the end', () => listener.closedWith !== null)
    expect(listener.closedWith?.code).toBe(4001)
    expect((await refusal(server, `/ws/chat/${id}?user_id=${user.id}`, user.bearer)).status).toBe(401)
  })

  test('[A6] no token is in a log line', async () => {
    expect(server.logged.join('\n')).not.toContain(testServiceKey)
    expect(server.logged.join('\n')).not.toContain('eyJ')
  })
})

describe('in development', () => {
  let server: TestServer
  beforeAll(async () => {
    server = await startServer({ clock: fastClock })
  })
  afterAll(() => server.stop())

  test('[M2] a credential that is sent and bad is a 401, also a bearer header that cannot be read', async () => {
    for (const authorization of badBearers) {
      expect([authorization, (await send(server, [1, 1], 'x', { authorization })).status]).toEqual([authorization, 401])
      expect((await refusal(server, '/ws/chat/1?user_id=1', { authorization })).status).toBe(401)
    }
  })

  test('[M2] another scheme, as a proxy adds it, is no credential: user_id is believed', async () => {
    expect((await send(server, [1, 1], 'x', proxied)).status).toBe(201)
    await (await listen(server, [1, 1], '', proxied)).close()
  })

  test('[M2] touching an open room joins it, also for a user who was made elsewhere', async () => {
    await send(server, [7, 1], 'x')
    const listener = await listen(server, [7, 1])
    const user = await makeUser(server, 'guest')
    expect((await send(server, [7, user.id], 'x', user.bearer)).status).toBe(201)
    await listener.find('member_join', ({ user_id }) => user_id === user.id)
  })

  test('[M2] a room that is not open is joined by nobody: 403', async () => {
    const { body } = await call(server, `POST ${rooms}`, { name: 'closed', member_ids: [1] })
    expect(await send(server, [body.data.id, 2], 'x')).toMatchObject({
      status: 403,
      body: { error: 'User is not a member of this chat room' },
    })
    expect((await refusal(server, `/ws/chat/${body.data.id}?user_id=2`)).status).toBe(403)
  })

  test('[M3] a members request that names no actor acts as the room admin, else as the target himself', async () => {
    const { body } = await call(server, `POST ${rooms}`, { name: 'closed', member_ids: [1, 2] })
    const members = `${rooms}/${body.data.id}/members`
    expect((await call(server, `POST ${members}`, { user_id: 3 })).status).toBe(201)
    expect((await call(server, `DELETE ${members}/2`)).status).toBe(200)
    expect((await call(server, `DELETE ${members}/1`)).status).toBe(200)
    expect((await call(server, `DELETE ${members}/3`)).status).toBe(200)
  })

  test('[M2] adding oneself to an open room is no second joining', async () => {
    const headers = { 'x-user-id': '55' }
    expect((await call(server, `POST ${rooms}/8/members`, { user_id: 55 }, headers)).status).toBe(201)
    expect((await call(server, `DELETE ${rooms}/8/members/55`, undefined, headers)).status).toBe(200)
    expect((await call(server, `DELETE ${rooms}/8/members/55`, undefined, headers)).status).toBe(404)
  })
})

describe('limits and trouble', () => {
  test('[A12] sends are limited per user and per address with Retry-After, but not a service key', async () => {
    const server = await startServer({ isProduction: true, env: { LIMIT_SENDS: '2/60' } })
    const [one, two] = [await makeUser(server, 'one'), await makeUser(server, 'two')]
    const roomId = await makeGroup(server, one, [two.id])
    const statuses = async (user: Person, headers: Record<string, string>) => {
      const answers = []
      for (let turn = 0; turn < 3; turn++) answers.push(await send(server, [roomId, user.id], 'x', headers))
      return answers
    }
    const answers = await statuses(one, one.bearer)
    expect(answers.map(({ status }) => status)).toEqual([201, 201, 429])
    expect(answers[2]!.body.error).toBe('Too many requests')
    expect(Number(answers[2]!.headers.get('retry-after'))).toBeGreaterThan(0)
    expect((await statuses(two, two.bearer)).map(({ status }) => status)).toEqual([429, 429, 429])
    expect((await statuses(one, asHost)).map(({ status }) => status)).toEqual([201, 201, 201])
    await server.stop()
  })

  test('[A12] sockets are limited per address and per user, but not a service key', async () => {
    const server = await startServer({ isProduction: true, env: { LIMIT_CONNECTS: '2/60' } })
    const [user, other] = [await makeUser(server, 'one'), await makeUser(server, 'other')]
    const roomId = await makeGroup(server, user, [])
    const path = `/ws/chat/${roomId}?user_id=${user.id}`
    for (let turn = 0; turn < 2; turn++) await listen(server, [roomId, user.id], '', user.bearer)
    const byAddress = await refusal(server, `/ws/chat/${roomId}?user_id=${other.id}`, other.bearer)
    expect([byAddress.status, Number(byAddress.headers.get('retry-after')) > 0]).toEqual([429, true])
    const byUser = await refusal(server, path, user.bearer, '127.0.0.2')
    expect([byUser.status, Number(byUser.headers.get('retry-after')) > 0]).toEqual([429, true])
    // Another user's is let through to the next check from there.
    expect((await refusal(server, `/ws/chat/${roomId}?user_id=${other.id}`, other.bearer, '127.0.0.2')).status).toBe(403)
    await listen(server, [roomId, user.id], '', asHost)
    await server.stop()
  })

  test('[A5] with ALLOWED_ORIGINS only those are let in', async () => {
    const server = await startServer({ env: { ALLOWED_ORIGINS: 'https://shop.example' } })
    const originFor = async (origin: string) =>
      (await call(server, `GET ${rooms}/1`, undefined, { origin })).headers.get('access-control-allow-origin')
    expect(await originFor('https://shop.example')).toBe('https://shop.example')
    expect(await originFor('https://evil.example')).toBeNull()
    await server.stop()
  })

  test('[A3] a database that is away is a 503 with Retry-After at every route, and it heals', async () => {
    const faulty = withFaults(openMemoryStorage())
    const server = await startServer({ storage: faulty.storage, clock: fastClock })
    await send(server, [1, 1], 'before')
    faulty.setAway(true)
    for (const route of [
      `GET ${rooms}/1`,
      `GET ${rooms}/1/messages`,
      `GET ${rooms}/1/members`,
      `GET ${rooms}?user_id=77`,
      'GET /api/v1/users',
    ]) {
      const { status, body, headers } = await call(server, route)
      expect([route, status, body.success, headers.get('retry-after')]).toEqual([route, 503, false, '1'])
    }
    expect(await send(server, [1, 1], 'during')).toMatchObject({ status: 503 })
    expect(await refusal(server, '/ws/chat/1?user_id=1')).toMatchObject({ status: 503 })
    faulty.setAway(false)
    expect(await send(server, [1, 1], 'after')).toMatchObject({ status: 201 })
    const { data } = (await call(server, `GET ${rooms}/1/messages`)).body
    expect(data.messages.map(({ message }: { message: string }) => message)).toEqual(['after', 'before'])
    await server.stop()
  })

  test('[A15] a socket ends with 1012 when the server stops', async () => {
    const server = await startServer()
    const listener = await listen(server, [1, 1])
    await server.stop()
    await until('the end', () => listener.closedWith !== null)
    expect(listener.closedWith?.code).toBe(1012)
  })
})
