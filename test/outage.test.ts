/** The database goes away while the server serves: it says so at each door, acknowledges nothing that does not stand, and comes back by itself. */
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Clock } from '../server/core/clock.ts'
import { withFaults, type Fault, type FaultyStorage } from '../server/storage/faulty.ts'
import { openMemoryStorage } from '../server/storage/memory/memory.ts'
import { openPostgresStorage } from '../server/storage/postgres/index.ts'
import { describeServer, makeSchema } from '../server/storage/postgres/testing.ts'
import type { Storage } from '../server/storage/storage.ts'
import { until } from './chat.ts'
import {
  addressOf,
  call,
  enrollAll,
  feedHistory,
  makeChannel,
  open,
  post,
  refusal,
  rooms,
  type Person,
  type Reply,
} from './clients.ts'
import { startServer, type TestServer } from './harness.ts'
import { openTcpProxy, type TcpProxy, type Weather } from './tcp-proxy.ts'

/** Twenty times as fast, what is waited and what is measured alike: a patience of 5 s ends after 250 ms. */
const hurriedClock: Clock = {
  now: () => start + (Date.now() - start) * 20,
  after(ms, call) {
    const timer = setTimeout(call, ms / 20).unref()
    return () => clearTimeout(timer)
  },
  soon: (call) => void setImmediate(call),
}
const start = Date.now()

interface Scene extends FaultyStorage {
  server: TestServer
  roomId: number
  serverId: number
  ann: Person
  bob: Person
}

async function openScene(inner: Storage = openMemoryStorage(), clock: Clock = hurriedClock): Promise<Scene> {
  const faulty = withFaults(inner)
  const server = await startServer({ storage: faulty.storage, clock })
  onTestFinished(() => server.stop())
  const [ann, bob] = (await enrollAll(server, 'person', 2)) as [Person, Person]
  return { ...faulty, server, ann, bob, ...(await makeChannel(server, [ann, bob])) }
}

function expectAway(reply: Reply, door: 'feed' | 'guild'): void {
  expect(reply.status).toBe(503)
  expect(Number(reply.headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
  const shape = door === 'feed' ? { success: false, error: expect.any(String) } : { detail: expect.any(String) }
  expect(reply.body).toEqual(shape)
}

async function textsIn({ server, roomId, ann }: Scene): Promise<string[]> {
  return (await feedHistory(server, roomId, ann)).map(({ text }) => text)
}

// ----------------------------------------------------------------------------------------------------------------- away

describe('a database that is away', () => {
  it('[A3] is a 503 with Retry-After in the shape of each door, and passes without help', async () => {
    const scene = await openScene()
    const { server, roomId, serverId, ann, setAway } = scene
    const feedCalls = [
      () => post(server, roomId, ann, 'not now'),
      () => call(server, `POST ${rooms}/${roomId}/read`, { user_id: ann.id }, ann.bearer),
      () => call(server, `GET ${rooms}/${roomId}/messages`, undefined, ann.bearer),
      () => call(server, `GET ${rooms}/${roomId}/members`),
      () => call(server, `POST ${rooms}/${roomId}/members`, { user_id: 99 }),
    ]
    const guildCalls = [
      () => call(server, 'GET /users/me', undefined, ann.bearer),
      () => call(server, 'POST /servers/', { name: 'x' }, ann.bearer),
      () => call(server, `GET /servers/${serverId}`, undefined, ann.bearer),
      () => call(server, `GET /channels/${roomId}/messages`, undefined, ann.bearer),
      () => call(server, 'POST /auth/register', { username: 'new', email: 'new@example.com', password: 'password123' }),
      () => call(server, 'POST /auth/login', 'username=new&password=x', { 'content-type': 'application/x-www-form-urlencoded' }),
    ]
    setAway(true)
    for (const request of feedCalls) expectAway(await request(), 'feed')
    for (const request of guildCalls) expectAway(await request(), 'guild')
    expectAway(await refusal(addressOf(server, 'feed', roomId, ann)), 'feed')
    expectAway(await refusal(addressOf(server, 'guild', roomId, ann)), 'guild')
    expect(await call(server, 'GET /readyz')).toMatchObject({ status: 503 })
    expect(await call(server, 'GET /healthz')).toMatchObject({ status: 200 })

    setAway(false)
    expect(await call(server, 'GET /readyz')).toMatchObject({ status: 200 })
    expect((await post(server, roomId, ann, 'now')).status).toBe(201)
    expect(await textsIn(scene)).toEqual(['now'])
    expect((await call(server, 'GET /users/99', undefined, ann.bearer)).status).toBe(404)
    expect(server.logged.filter((line) => line.startsWith('error'))).toEqual([])
  })

  it('[A15] ends only the guild sockets that sent meanwhile; the others stay and hear what comes after', async () => {
    const { server, roomId, ann, bob, setAway } = await openScene()
    const sender = await open(server, ['guild', roomId], ann)
    const listeners = [await open(server, ['guild', roomId], bob), await open(server, ['feed', roomId], bob)]
    setAway(true)
    sender.socket.send('lost')
    await until('its end', () => sender.closedWith !== null)
    expect(sender.closedWith).toBe(1013)
    setAway(false)
    expect((await post(server, roomId, ann, 'after')).status).toBe(201)
    await until('it at the others', () => listeners.every(({ seen }) => seen.length > 0))
    expect(listeners.map(({ seen, closedWith }) => [seen.map(({ text }) => text), closedWith])).toEqual([
      [['after'], null],
      [['after'], null],
    ])
  })

  it('[A7][A15] one who was ended resumes with his cursor and misses nothing', async () => {
    const { server, roomId, ann, bob, setAway } = await openScene()
    const sender = await open(server, ['guild', roomId], ann, '')
    setAway(true)
    sender.socket.send(JSON.stringify({ content: 'once', key: 'k1' }))
    await until('its end', () => sender.closedWith === 1013)
    setAway(false)
    await post(server, roomId, bob, 'meanwhile')
    const again = await open(server, ['guild', roomId], ann, sender.cursor)
    again.socket.send(JSON.stringify({ content: 'once', key: 'k1' }))
    await until('both', () => again.seen.length === 2)
    expect(again.seen.map(({ text }) => text)).toEqual(['meanwhile', 'once'])
  })
})

// -------------------------------------------------------------------------------------------------------------- one fault

describe('one append that fails', () => {
  it.each<{ fault: Fault; status: number; stored: string[] }>([
    { fault: 'unavailable', status: 503, stored: ['next'] },
    { fault: 'uncertain-lost', status: 201, stored: ['it', 'next'] },
    { fault: 'uncertain-landed', status: 201, stored: ['it', 'next'] },
  ])('[A15] $fault: the answer is $status and the truth', async ({ fault, status, stored }) => {
    const scene = await openScene()
    const { server, roomId, ann, bob, failNext } = scene
    const listener = await open(server, ['feed', roomId], bob)
    failNext(fault)
    const reply = await post(server, roomId, ann, 'it')
    expect(reply.status).toBe(status)
    if (status === 503) expectAway(reply, 'feed')
    await post(server, roomId, ann, 'next')
    await until('the next', () => listener.seen.at(-1)?.text === 'next')
    expect(listener.seen.map(({ text }) => text)).toEqual(stored)
    expect(await textsIn(scene)).toEqual(stored)
  })

  it.each<Fault>(['unavailable', 'rejected'])(
    '[A15] %s in mid-stream: of a guild socket nothing behind the frame that was not stored is stored',
    async (fault) => {
      const scene = await openScene()
      const { server, roomId, ann, failNext, rejectEntries } = scene
      const sender = await open(server, ['guild', roomId], ann)
      if (fault === 'rejected') rejectEntries((entry) => entry.kind === 'post' && entry.content === 'frame 30')
      for (let number = 1; number <= 60; number++) {
        if (fault === 'unavailable' && number === 30) failNext(fault)
        sender.socket.send(`frame ${number}`)
        if (number === 20) await until('twenty stored', () => sender.seen.length === 20)
      }
      await until('its end', () => sender.closedWith !== null)
      expect(sender.closedWith).toBe(1013)
      const stored = await textsIn(scene)
      expect(stored.length).toBeGreaterThanOrEqual(20)
      expect(stored.length).toBeLessThan(60)
      expect(stored).toEqual(stored.map((_, index) => `frame ${index + 1}`))
      if (fault === 'rejected') expect(stored.length).toBe(29)
    },
  )

  it('[A8][A15] a commit that stays uncertain for longer than patience is a 503; the same key finds out what became of it', async () => {
    for (const isLanded of [true, false]) {
      const scene = await openScene()
      const { server, roomId, ann, failNext, setAway } = scene
      failNext(isLanded ? 'uncertain-landed' : 'uncertain-lost', () => setAway(true))
      expectAway(await post(server, roomId, ann, { text: 'it', key: 'key' }), 'feed')
      setAway(false)
      expect((await scene.storage.log.findRoom(roomId))!.ordinal).toBe(isLanded ? 1 : 0)
      expect((await post(server, roomId, ann, { text: 'it', key: 'key' })).status).toBe(201)
      expect(await textsIn(scene)).toEqual(['it'])
    }
  })
})

// --------------------------------------------------------------------------------------------------------------- the link

const serverUrl = process.env['TEST_DATABASE_URL'] ?? ''

async function openLinked(): Promise<Scene & { proxy: TcpProxy }> {
  const { url, drop } = await makeSchema()
  const { hostname, port } = new URL(serverUrl)
  const proxy = await openTcpProxy(Number(port || 5432), hostname)
  const through = new URL(url)
  through.host = `127.0.0.1:${proxy.port}`
  const storage = await openPostgresStorage({ url: through.href, connectTimeoutMs: 2_000, statementTimeoutMs: 2_000 })
  onTestFinished(async () => {
    proxy.set('fine')
    await storage.close()
    await proxy.close()
    await drop()
  })
  const { systemClock } = await import('../server/app/clock.ts')
  return { ...(await openScene(storage, systemClock)), proxy }
}

/** Says each message with its key until it is acknowledged; `acked` has the id that it was told. */
async function insist(scene: Scene, author: Person, count: number, acked: Map<string, number>): Promise<void> {
  for (let number = 1; number <= count; number++) {
    const text = `${author.username} ${number}`
    await until(
      `an answer to ${text}`,
      async () => {
        const { status, body } = await post(scene.server, scene.roomId, author, { text, key: `key-${number}` })
        if (status === 201) acked.set(text, body.data.id)
        else expect(status).toBe(503)
        return status === 201
      },
      40_000,
    )
  }
}

describeServer('the link to PostgreSQL', () =>
  describe('the link to PostgreSQL', () => {
    it.each<Weather>(['refuse', 'freeze', 'mute'])(
      '[A3] %s: 503 with Retry-After at both doors, and recovery without help',
      async (weather) => {
        const scene = await openLinked()
        const { server, roomId, ann, bob, proxy } = scene
        const listener = await open(server, ['guild', roomId], bob)
        expect((await post(server, roomId, ann, 'before')).status).toBe(201)
        proxy.set(weather)
        const [sent, read, ready, upgrade] = await Promise.all([
          post(server, roomId, ann, { text: 'meanwhile', key: 'key' }),
          call(server, `GET /channels/${roomId}/messages`, undefined, ann.bearer),
          call(server, 'GET /readyz'),
          refusal(addressOf(server, 'guild', roomId, ann)),
        ])
        expectAway(sent, 'feed')
        expectAway(read, 'guild')
        expectAway(upgrade, 'guild')
        expect(ready.status).toBe(503)
        expect((await call(server, 'GET /healthz')).status).toBe(200)
        proxy.set('fine')
        await until('readiness', async () => (await call(server, 'GET /readyz')).status === 200, 20_000)
        await until(
          'the message',
          async () => (await post(server, roomId, ann, { text: 'meanwhile', key: 'key' })).status === 201,
          20_000,
        )
        await until('it live', () => listener.seen.length === 2)
        expect(await textsIn(scene)).toEqual(['before', 'meanwhile'])
        expect(listener.seen.map(({ text }) => text)).toEqual(['before', 'meanwhile'])
      },
    )

    it(
      '[A8][A15] links that break in mid-commit, again and again: each message that was acknowledged is there once, with its id',
      { timeout: 120_000 },
      async () => {
        const scene = await openLinked()
        const { server, roomId, ann, bob, proxy } = scene
        const listener = await open(server, ['feed', roomId], ann)
        const acked = new Map<string, number>()
        const load = Promise.all([ann, bob].map((author) => insist(scene, author, 200, acked)))
        for (let cut = 1; cut <= 6; cut++) {
          const before = acked.size
          await until('some more', () => acked.size >= Math.min(before + 40, 400), 40_000)
          // What is sent now arrives, and its answer is lost: nobody can know whether it was committed.
          proxy.set('mute')
          await new Promise((resolve) => setTimeout(resolve, 20))
          proxy.cut()
          proxy.set('fine')
        }
        await load
        const history = await feedHistory(server, roomId, ann)
        expect(history.map(({ text }) => text).toSorted()).toEqual([...acked.keys()].toSorted())
        expect(history.filter(({ id, text }) => acked.get(text) !== id)).toEqual([])
        await until('all live', () => listener.seen.length >= history.length)
        expect(listener.seen).toEqual(history)
      },
    )
  }),
)
