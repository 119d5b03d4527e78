/** `/chat` on a real Redis (C2): away, emptied, one key missing, and word from a login server. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { fastClock, until } from '../../../test/chat.ts'
import { signToken } from '../../../test/clients.ts'
import { createMemoryBus } from '../../bus/memory/memory-bus.ts'
import { describeRedis, startRedis, type TestRedis } from '../../bus/redis/testing.ts'
import { sha256Hex } from '../../http/tokens.ts'
import { createRedisRegistry } from '../../registry/redis/redis-registry.ts'
import { isOpen } from '../../registry/registry.contract.ts'
import { createMemoryDatabase } from '../../storage/memory/memory.ts'
import type { Person } from './chatroom.fixture.ts'
import { openLive, type Live } from './live.fixture.ts'

describeRedis('/chat on Redis', () => {
  let redis: TestRedis
  let database: ReturnType<typeof createMemoryDatabase>
  let bus: ReturnType<typeof createMemoryBus>
  const nodes: Live[] = []
  let live: Live
  let ann: Person
  let bob: Person

  beforeAll(async () => {
    redis = await startRedis()
  })
  afterAll(() => redis.stop())

  async function openNode(clock = fastClock): Promise<Live> {
    const storage = database.openStorage()
    const { directory } = storage
    const registry = createRedisRegistry({ url: redis.url, tokenKey: 'auth:token:{sha256}', directory, onNotice: () => {} })
    const node = await openLive({ storage, bus: bus.connect(), registry, clock, isProduction: true })
    nodes.push(node)
    await until('its registry', () => isOpen(registry))
    return node
  }

  beforeEach(async () => {
    await redis.command('FLUSHALL')
    database = createMemoryDatabase()
    bus = createMemoryBus()
    live = await openNode()
    ;[ann, bob] = (await live.signedIn('ann', 'bob')) as [Person, Person]
  })
  afterEach(async () => {
    for (const node of nodes.splice(0)) await node.stop()
  })

  const keyOf = ({ token }: Person) => `auth:token:${sha256Hex(token)}`
  const statusOf = async (node: Live, { token }: Person) => (await node.refuse('/chat', { cookie: `jwt_token=${token}` })).status

  test('[C2] a token that a login server wrote into Redis opens it, and one whose key it removed does not', async () => {
    const cho = { ...ann, username: 'cho', token: await signToken({ username: 'cho' }) }
    await redis.command('SET', keyOf(cho), '', 'EX', '600')
    await (await live.open(cho)).close()
    await redis.command('DEL', keyOf(cho))
    expect(await statusOf(live, cho)).toBe(401)
  })

  test('[C2] a key that somebody removed ends the open socket with 4001 at the next check, and at once where it was said', async () => {
    const [client, other] = [await live.open(ann), await live.open(bob)]
    await redis.command('DEL', keyOf(ann))
    expect(await client.closed()).toMatchObject({ code: 4001 })
    expect(client.frames).toEqual([{ type: 'relogin_required', roomId: null }])
    await redis.command('DEL', keyOf(bob))
    await redis.command('PUBLISH', 'auth:ended', sha256Hex(bob.token))
    expect(await other.closed()).toMatchObject({ code: 4001 })
  })

  test('[C2] while Redis is away, new sockets get a 503 with Retry-After, and open ones live on', async () => {
    const roomId = await live.room([ann, bob])
    const client = await live.open(ann)
    await live.connect(roomId, ann)
    await redis.kill()
    const refused = await live.refuse('/chat', { cookie: `jwt_token=${bob.token}` })
    expect([refused.status, refused.body.error]).toEqual([503, 'unavailable'])
    expect(refused.headers.get('retry-after')).toBeTruthy()
    expect((await live.connect(roomId, bob)).status).toBe(503)
    client.send('still here')
    await client.have('message')
    await redis.start()
    await until(
      'it lets in again',
      async () =>
        (await live.open(bob).then(
          (one) => one.close(),
          () => null,
        )) !== null,
    )
    expect(client.closedWith).toBe(null)
    client.send('and on')
    await client.have('message', 2)
  })

  test('[C2] away for 60 s, open sockets end with 1013', async () => {
    const beganAt = Date.now()
    // Here the time that has passed counts, so what it reads runs as fast as its timers.
    const node = await openNode({ ...fastClock, now: () => beganAt + 20 * (Date.now() - beganAt) })
    const client = await node.open(ann)
    await redis.kill()
    expect(await client.closed()).toMatchObject({ code: 1013 })
    expect(Date.now() - beganAt).toBeGreaterThan(2_900)
    expect(client.frames).toEqual([])
    await redis.start()
  })

  test('[C2] an emptied Redis signs nobody out and ends no binding; a single missing key is a revocation', async () => {
    const roomId = await live.room([ann, bob])
    const clients = [await live.open(ann), await live.open(bob)]
    for (const person of [ann, bob]) await live.connect(roomId, person)
    await redis.command('FLUSHALL')
    await until('it is filled again', async () => (await redis.command('EXISTS', keyOf(ann))) === 1)
    await until(
      'it lets in',
      async () =>
        (await live.open(ann).then(
          (one) => one.close(),
          () => null,
        )) !== null,
    )
    const later = await live.open(ann)
    await later.have('history')
    await live.send(roomId, bob, 'all the same')
    for (const client of [...clients, later]) await client.have('message')
    expect(clients.map(({ frames }) => frames.map(({ type }) => type))).toEqual([
      ['history', 'message'],
      ['history', 'message'],
    ])
    await redis.command('DEL', keyOf(bob))
    expect(await statusOf(live, bob)).toBe(401)
  })

  test('[C1] who connects at one node is bound at the other, sockets open there and those opened later', async () => {
    const other = await openNode()
    const roomId = await live.room([ann, bob])
    const first = await other.open(ann)
    await live.connect(roomId, ann)
    await first.have('history')
    const second = await other.open(ann)
    const here = await live.open(bob)
    await other.connect(roomId, bob)
    await here.have('history')
    here.send('from one')
    await first.have('message')
    first.send('from the other')
    for (const client of [first, second, here]) {
      await client.have('message', 2)
      expect(client.textsIn(roomId)).toEqual(['from one', 'from the other'])
    }
    await live.done(`DELETE /api/chatrooms/${roomId}/participants/${ann.username}`, ann.bearer)
    for (const client of [first, second]) {
      expect((await client.have('participant_removed'))[0]).toEqual({ type: 'participant_removed', roomId, userId: 'ann' })
    }
    const back = await other.open(ann)
    await back.settled()
    expect(back.frames).toEqual([])
  })

  test('[C10] the Room’s state is one for both nodes', async () => {
    const other = await openNode()
    const roomId = await live.room([ann, bob])
    const stateAt = async (node: Live) => (await node.done(`GET /api/chatrooms/${roomId}`, ann.bearer)).state
    expect(await stateAt(other)).toBe('closed')
    await live.connect(roomId, ann)
    const client = await live.open(ann)
    expect([await stateAt(live), await stateAt(other)]).toEqual(['active', 'active'])
    await client.close()
    await until('it is idle', async () => (await stateAt(other)) === 'idle')
  })
})
