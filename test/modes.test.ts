/** M2, M3 and M4 as a table: who calls with which credential, and what he is answered, at every route of both doors. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  addressOf,
  asHost,
  call,
  done,
  enroll,
  makeChannel,
  makeGroup,
  refusal,
  rooms,
  signToken,
  type Person,
} from './clients.ts'
import { startServer, type TestServer } from './harness.ts'

/** What a request is about; made anew for each cell of the table. */
interface Scene {
  owner: Person
  member: Person
  stranger: Person
  /** Made at feed; `owner` is its admin. */
  groupId: number
  serverId: number
  channelId: number
}

/** Acts for `owner`, or as nobody; a body may depend on whom it names. */
interface Row {
  /** `POST /path`, with `:group`, `:server`, `:channel`, `:owner`, `:member`, `:stranger` to be filled in; `WS` for an upgrade. */
  route: string
  body?: (scene: Scene) => unknown
  form?: string
  /** development: without a credential; production: without, own token (`owner`), somebody else's (`stranger`), a service key. */
  expected: [development: number, none: number, own: number, other: number, key: number]
}

const group = `${rooms}/:group`
const named = ({ owner }: Scene) => ({ user_id: owner.id })

/** F: an identity that the request names is the actor in messages, read, the socket and the list of rooms, the target in members. */
const feedRows: Row[] = [
  {
    route: `POST ${group}/messages`,
    body: ({ owner }) => ({ user_id: owner.id, message: 'x' }),
    expected: [201, 401, 201, 403, 201],
  },
  { route: `POST ${group}/read`, body: named, expected: [200, 401, 200, 403, 200] },
  { route: `POST ${group}/members`, body: ({ stranger }) => ({ user_id: stranger.id }), expected: [201, 401, 201, 403, 201] },
  { route: `DELETE ${group}/members/:member`, expected: [200, 401, 200, 403, 200] },
  { route: `DELETE ${group}/members/:owner`, expected: [200, 401, 200, 403, 200] },
  { route: `POST ${rooms}`, body: ({ owner }) => ({ name: 'x', member_ids: [owner.id] }), expected: [201, 401, 201, 201, 201] },
  { route: `GET ${rooms}?user_id=:owner`, expected: [200, 401, 200, 403, 200] },
  { route: `GET ${group}`, expected: [200, 401, 200, 403, 200] },
  { route: `GET ${group}/members`, expected: [200, 401, 200, 403, 200] },
  { route: `GET ${group}/messages`, expected: [200, 401, 200, 403, 200] },
  {
    route: 'POST /api/v1/users',
    body: () => ({ email: `new${count()}@example.com`, name: 'new' }),
    expected: [201, 401, 403, 403, 201],
  },
  { route: 'GET /api/v1/users', expected: [200, 401, 403, 403, 200] },
  { route: 'WS /ws/chat/:group?user_id=:owner', expected: [101, 401, 101, 403, 101] },
]

/** G: no route names its actor, so a service key says it in X-User-Id. */
const guildRows: Row[] = [
  { route: 'GET /users/me', expected: [401, 401, 200, 200, 200] },
  { route: 'PUT /users/me', body: () => ({ bio: 'x' }), expected: [401, 401, 200, 200, 200] },
  { route: 'GET /users/:member', expected: [401, 401, 200, 200, 200] },
  { route: 'POST /servers/', body: () => ({ name: 'x' }), expected: [401, 401, 201, 201, 201] },
  { route: 'GET /servers/', expected: [401, 401, 200, 200, 200] },
  { route: 'GET /servers/:server', expected: [401, 401, 200, 403, 200] },
  { route: 'PUT /servers/:server', body: () => ({ name: 'y' }), expected: [401, 401, 200, 403, 200] },
  { route: 'DELETE /servers/:server', expected: [401, 401, 204, 403, 204] },
  { route: 'POST /servers/:server/join', expected: [401, 401, 400, 200, 400] },
  { route: 'POST /servers/:server/leave', expected: [401, 401, 400, 400, 400] },
  { route: 'POST /channels/', body: ({ serverId }) => ({ name: 'x', server_id: serverId }), expected: [401, 401, 201, 403, 201] },
  { route: 'GET /channels/:channel', expected: [401, 401, 200, 403, 200] },
  { route: 'PUT /channels/:channel', body: () => ({ name: 'y' }), expected: [401, 401, 200, 403, 200] },
  { route: 'DELETE /channels/:channel', expected: [401, 401, 204, 403, 204] },
  { route: 'GET /channels/:channel/messages', expected: [401, 401, 200, 403, 200] },
  { route: 'WS /ws/:channel', expected: [403, 403, 101, 403, 101] },
]

let counted = 0
const count = () => ++counted

let development: TestServer
let production: TestServer

beforeAll(async () => {
  development = await startServer()
  production = await startServer({ isProduction: true, env: { LIMIT_SENDS: 'off', LIMIT_CONNECTS: 'off' } })
})
afterAll(async () => {
  expect([...development.logged, ...production.logged]).toEqual([])
  await Promise.all([development.stop(), production.stop()])
})

async function makeScene(server: TestServer): Promise<Scene> {
  const number = count()
  const names = ['owner', 'member', 'stranger'].map((name) => `${name}${number}`)
  const [owner, member, stranger] = (await Promise.all(names.map((name) => enroll(server, name)))) as [Person, Person, Person]
  const groupId = await makeGroup(server, [owner, member])
  const { serverId, roomId: channelId } = await makeChannel(server, [owner, member])
  return { owner, member, stranger, groupId, serverId, channelId }
}

function fill(route: string, scene: Scene): string {
  const { owner, member, stranger, groupId, serverId, channelId } = scene
  const values: Record<string, number> = {
    group: groupId,
    server: serverId,
    channel: channelId,
    owner: owner.id,
    member: member.id,
    stranger: stranger.id,
  }
  return route.replaceAll(/:([a-z]+)/g, (_, name: string) => String(values[name]))
}

async function statusOf(
  server: TestServer,
  { route, body }: Row,
  scene: Scene,
  headers: Record<string, string>,
): Promise<number> {
  const filled = fill(route, scene)
  if (!filled.startsWith('WS ')) return (await call(server, filled, body?.(scene), headers)).status
  try {
    return (await refusal(server.wsUrl + filled.slice(3), headers)).status
  } catch (error) {
    if (error instanceof Error && error.message === 'was let in') return 101
    throw error
  }
}

function tableOf(door: string, rows: Row[]): void {
  describe(door, () => {
    it.each(rows)('[M2][M3][M4] $route', async (row) => {
      const inDevelopment = await makeScene(development)
      const statuses = [await statusOf(development, row, inDevelopment, {})]
      const callers: ((scene: Scene) => Record<string, string>)[] = [
        () => ({}),
        ({ owner }) => owner.bearer,
        ({ stranger }) => stranger.bearer,
        ({ owner }) => (row.route.includes('user_id') || door === 'feed' ? asHost : { ...asHost, 'x-user-id': String(owner.id) }),
      ]
      for (const headersOf of callers) {
        const scene = await makeScene(production)
        statuses.push(await statusOf(production, row, scene, headersOf(scene)))
      }
      expect(statuses).toEqual(row.expected)
    })

    it.each(rows)('[M2] $route: a credential that is sent and bad is a 401 in development too', async (row) => {
      const scene = await makeScene(development)
      const expected = row.route === 'WS /ws/:channel' ? 403 : 401
      for (const authorization of ['Bearer nonsense', `Bearer ${await signToken({ username: 'late' }, -1)}`]) {
        expect(await statusOf(development, row, scene, { authorization })).toBe(expected)
      }
    })
  })
}

tableOf('feed', feedRows)
tableOf('guild', guildRows)

describe('development', () => {
  it('[M2] makes up users and rooms on first touch, and who touches an open room is in it', async () => {
    expect((await call(development, `POST ${rooms}/7001/messages`, { user_id: 7002, message: '안녕하세요!' })).status).toBe(201)
    const { data } = await done(development, `GET ${rooms}/7001/members`)
    expect(data).toMatchObject([{ user_id: 7002, user: { email: 'user7002@example.com', name: 'user7002' } }])
    expect((await call(development, `POST ${rooms}/7001/members`, { user_id: 7003 })).status).toBe(201)
    expect((await done(development, `GET ${rooms}/7001`)).data).toMatchObject({ id: 7001, room_type: 'open' })
  })

  it('[M2] with a token, an identity that is not its own is refused in development too', async () => {
    const { owner, stranger, groupId } = await makeScene(development)
    const body = { user_id: owner.id, message: 'x' }
    expect((await call(development, `POST ${rooms}/${groupId}/messages`, body, stranger.bearer)).status).toBe(403)
  })
})

describe('production', () => {
  it('[M2][M4] makes up nothing: an unknown room is a 404, an unknown user too', async () => {
    const { owner, groupId } = await makeScene(production)
    expect(await call(production, `GET ${rooms}/99999`, undefined, owner.bearer)).toMatchObject({
      status: 404,
      body: { error: 'Chat room not found' },
    })
    expect(
      await call(production, `POST ${rooms}/99999/messages`, { user_id: owner.id, message: 'x' }, owner.bearer),
    ).toMatchObject({ status: 404 })
    expect(await call(production, `POST ${rooms}/${groupId}/members`, { user_id: 99999 }, owner.bearer)).toMatchObject({
      status: 404,
    })
    expect(await call(production, `POST ${rooms}/${groupId}/messages`, { user_id: 99999, message: 'x' }, asHost)).toMatchObject({
      status: 404,
    })
    expect(await refusal(`${production.wsUrl}/ws/chat/99999?user_id=${owner.id}&token=${owner.token}`)).toMatchObject({
      status: 404,
    })
    expect(await call(production, 'GET /channels/99999', undefined, owner.bearer)).toMatchObject({
      status: 404,
      body: { detail: 'Channel not found' },
    })
  })

  it('[A18][M4] whether a user exists is told to nobody who may not add him', async () => {
    const { stranger, member, groupId, channelId } = await makeScene(production)
    for (const [roomId, caller] of [
      [groupId, stranger],
      [channelId, member],
    ] as const) {
      const answers = []
      for (const userId of [99999, stranger.id])
        answers.push(await call(production, `POST ${rooms}/${roomId}/members`, { user_id: userId }, caller.bearer))
      expect(answers.map(({ status }) => status)).toEqual([403, 403])
      expect(answers[0]!.body).toEqual(answers[1]!.body)
    }
  })

  it('[M4] at a socket of guild a channel that is not and one that he may not see are refused alike', async () => {
    const { stranger, channelId } = await makeScene(production)
    const answers = await Promise.all(
      [channelId, 99999].map((roomId) => refusal(addressOf(production, 'guild', roomId, stranger))),
    )
    expect(answers[0]!.status).toBe(403)
    expect(answers[1]!.body).toEqual(answers[0]!.body)
  })

  it('[M3] a service key acts for whom X-User-Id names, where the contract names nobody; a user who is not cannot be acted for', async () => {
    const { owner, member, channelId } = await makeScene(production)
    const asOwner = { ...asHost, 'x-user-id': String(owner.id) }
    expect((await done(production, 'GET /users/me', undefined, asOwner)).username).toBe(owner.username)
    expect((await done(production, `GET ${rooms}`, undefined, asOwner)).data.length).toBe(2)
    expect((await call(production, 'GET /users/me', undefined, { ...asHost, 'x-user-id': '99999' })).status).toBe(404)
    // A token's own identity is not overruled.
    const both = { ...member.bearer, 'x-user-id': String(owner.id) }
    expect((await done(production, 'GET /users/me', undefined, both)).username).toBe(member.username)
    expect((await call(production, `DELETE /channels/${channelId}`, undefined, both)).status).toBe(403)
  })
})
