/** Two nodes on one PostgreSQL and one Redis: whole servers, with clients of several doors at each. */
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { systemClock } from '../server/app/clock.ts'
import { openRedisBus } from '../server/bus/redis/redis-bus.ts'
import { describeRedis, startRedis, type TestRedis } from '../server/bus/redis/testing.ts'
import type { Clock } from '../server/core/clock.ts'
import { closeGuests, enterGuest, signGuest, type Guest } from '../server/dialects/widget/widget.fixture.ts'
import { openPostgresStorage } from '../server/storage/postgres/index.ts'
import { describeServer, makeDataDir, makeSchema } from '../server/storage/postgres/testing.ts'
import { until } from './chat.ts'
import { startChild } from './child.ts'
import {
  asHost,
  done,
  enroll,
  enrollAll,
  feedHistory,
  makeChannel,
  makeGroup,
  open,
  post,
  rooms,
  type Client,
  type Person,
} from './clients.ts'
import { startServer, type TestServer } from './harness.ts'

const sweepMs = 1_000
/** What nobody announces is never found. */
const unsweptClock: Clock = {
  now: systemClock.now,
  after: (ms, call) => (ms === sweepMs ? () => {} : systemClock.after(ms, call)),
  soon: systemClock.soon,
}

/** F4, in ms. */
const graceMs = 3_000

/** Holds the graces of those who left until a test ends them. */
function createGraceClock() {
  let held: (() => void)[] = []
  const clock: Clock = {
    ...systemClock,
    after(ms, call) {
      if (ms !== graceMs) return systemClock.after(ms, call)
      held.push(call)
      return () => void (held = held.filter((one) => one !== call))
    },
  }
  return { clock, count: () => held.length, end: () => held.splice(0).forEach((call) => call()) }
}

const usually = { timeout: 60_000 }
let redis: TestRedis

async function startNode(url: string, clock: Clock): Promise<TestServer> {
  const storage = await openPostgresStorage({ url, onNotice: () => {} })
  const server = await startServer({ storage, clock, bus: openRedisBus({ url: redis.url, onNotice: () => {} }) })
  onTestFinished(async () => {
    await server.stop()
    await storage.close()
  })
  return server
}

interface Scene {
  url: string
  nodes: [TestServer, TestServer]
  people: Person[]
  /** A group and a channel, with all people in both. */
  roomIds: [number, number]
}

async function openScene(clock: Clock = systemClock): Promise<Scene> {
  const { url, drop } = await makeSchema()
  onTestFinished(drop)
  const nodes: Scene['nodes'] = [await startNode(url, clock), await startNode(url, clock)]
  const people = await enrollAll(nodes[0], 'person', 4)
  const roomIds: Scene['roomIds'] = [await makeGroup(nodes[0], people), (await makeChannel(nodes[0], people)).roomId]
  const scene = { url, nodes, people, roomIds }
  await untilJoined(scene)
  return scene
}

/** A message of one comes to the other by the bus. */
async function untilJoined({ nodes, people, roomIds }: Scene): Promise<void> {
  for (const [from, to] of [nodes, nodes.toReversed()]) {
    const client = await open(to!, ['guild', roomIds[1]], people[0]!)
    await until('the other node', async () => {
      await post(from!, roomIds[1], people[0]!, 'are you there?')
      return client.seen.length > 0
    })
    await client.close()
  }
}

/** Both doors of both rooms at both nodes. */
async function openAll({ nodes, people, roomIds }: Scene): Promise<Client[]> {
  const places = nodes.flatMap((node) =>
    roomIds.flatMap((roomId) => (['feed', 'guild'] as const).map((door) => ({ node, roomId, door }))),
  )
  return Promise.all(places.map(({ node, roomId, door }, nth) => open(node, [door, roomId], people[nth % people.length]!)))
}

/** From all people at both nodes, by both doors, as fast as they go. Resolves with how many there were. */
async function flood({ nodes, people, roomIds }: Scene, each: number, meanwhile: () => Promise<void>): Promise<number> {
  const sockets = await Promise.all(people.map((person, nth) => open(nodes[nth % 2]!, ['guild', roomIds[1]], person)))
  const say = async (nth: number) => {
    for (let count = 0; count < each; count++) {
      sockets[nth]!.socket.send(JSON.stringify({ content: `${nth} by guild ${count}` }))
      const reply = await post(nodes[(nth + count) % 2]!, roomIds[0], people[nth]!, `${nth} by feed ${count}`)
      expect(reply.status).toBe(201)
    }
  }
  await Promise.all([...people.keys()].map(say).concat(meanwhile()))
  return people.length * each
}

/** Each client of a room has seen what stands there behind `from`, in that order, and nothing twice. */
async function expectAllAlike({ nodes, people, roomIds }: Scene, clients: Client[], count: number): Promise<void> {
  for (const [nth, roomId] of roomIds.entries()) {
    const own = clients.filter((_, index) => Math.floor(index / 2) % 2 === nth)
    await until(`${count} messages at each`, () => own.every(({ seen }) => seen.length >= count), 30_000)
    const stored = (await feedHistory(nodes[0], roomId, people[0]!)).slice(-count).map(({ id }) => id)
    for (const client of own) await client.settled()
    expect(new Set(stored).size).toBe(count)
    for (const { seen } of own) expect(seen.map(({ id }) => id)).toEqual(stored)
  }
}

const wait = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

/** Run behind the file's last test, the newest first. */
const stops: (() => Promise<unknown>)[] = []

/**
 * Two processes, of which one is killed. Resolves with how long its user took to go offline: most of a minute, which passes beside
 * the other tests, on a Redis that they do not harm.
 */
async function killNode(): Promise<void> {
  const [{ url, drop }, ownRedis, { dataDir, remove }] = await Promise.all([makeSchema(), startRedis(), makeDataDir()])
  stops.push(drop, ownRedis.stop, remove)
  const env = { DATABASE_URL: url, REDIS_URL: ownRedis.url, DATA_DIR: dataDir }
  const atEnd = (kill: () => Promise<void>) => void stops.push(kill)
  const [doomed, other] = await Promise.all([startChild({ env, atEnd }), startChild({ env, atEnd })])
  const [ann, bob] = [await enroll(other, 'ann'), await enroll(other, 'bob')]
  const roomId = await makeGroup(other, [ann, bob])
  const watcher = await open(other, ['feed', roomId], ann)
  await open(doomed, ['feed', roomId], bob)
  await watcher.find('member_online', ({ user_id }) => user_id === bob.id)
  doomed.kill('SIGKILL')
  await until('his going', () => watcher.frames.some(({ type }) => type === 'member_offline'), 45_000)
  await done(other, `POST ${rooms}/${roomId}/messages`, { user_id: ann.id, message: 'still here' }, ann.bearer)
}

describeServer('two nodes', () => {
  describeRedis('on one Redis', () => {
    let isOffline: Promise<void>

    beforeAll(async () => {
      redis = await startRedis()
      isOffline = killNode()
      // The test that waits for it tells.
      isOffline.catch(() => {})
    })
    afterAll(async () => {
      for (const stop of stops.splice(0).toReversed()) await stop()
      await redis.stop()
    })

    it('[A1] bring every message to the clients of both by the bus, in the one order of its room', usually, async () => {
      const scene = await openScene(unsweptClock)
      const clients = await openAll(scene)
      const count = await flood(scene, 50, async () => {})
      await expectAllAlike(scene, clients, count)
    })

    it.each([
      ['killed and started again', () => redis.kill(), () => redis.start()],
      ['paused', async () => redis.pause(), async () => redis.resume()],
      ['emptied', () => redis.command('FLUSHALL'), async () => {}],
      ['made to close all links', () => redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub'), async () => {}],
    ] as const)('[A1] lose, double and reorder nothing while Redis is %s', usually, async (_, harm, heal) => {
      const scene = await openScene()
      const clients = await openAll(scene)
      const count = await flood(scene, 100, async () => {
        await wait(100)
        await harm()
        await wait(1_500)
        await heal()
      })
      await expectAllAlike(scene, clients, count)
      // And the bus is found again.
      await untilJoined(scene)
    })

    it(
      "[A1][W8] bring a guest's words at one node to a member at the other and back, in one order, and he resumes at either",
      usually,
      async () => {
        const { nodes, people } = await openScene(unsweptClock)
        onTestFinished(closeGuests)
        // Nobody has been there yet: both nodes make its room at once.
        const tokens = ['손님', '다른 손님'].map((name) => signGuest(name, 'shop'))
        const guests = await Promise.all(nodes.map((node, nth) => enterGuest(node, tokens[nth]!, { since: 0 })))
        const { roomId } = await done(nodes[0], 'GET /api/projects/shop', undefined, asHost)
        await done(nodes[1], `POST ${rooms}/${roomId}/members`, { user_id: people[0]!.id }, asHost)
        const member = await open(nodes[1], ['guild', roomId], people[0]!)
        for (let count = 0; count < 50; count++) {
          guests[0]!.socket.emit('chat message', `guest ${count}`)
          member.socket.send(JSON.stringify({ content: `member ${count}` }))
        }
        const idsOf = (guest: Guest) => guest.messages().map(({ id }) => id)
        const heard = () => [...guests.map(idsOf), member.seen.map(({ id }) => id)]
        await until('100 messages at each', () => heard().every((ids) => ids.length >= 100), 30_000)
        const stored = (await feedHistory(nodes[0], roomId, people[0]!)).map(({ id }) => id)
        expect(new Set(stored).size).toBe(100)
        for (const ids of heard()) expect(ids).toEqual(stored)
        const since = guests[0]!.cursor()
        guests[0]!.close()
        await guests[1]!.send('while he was away')
        const back = await enterGuest(nodes[1], tokens[0]!, { since })
        expect(back.heard.map(({ name }) => name)).toEqual(['history'])
        expect(back.contents()).toEqual(['while he was away'])
      },
    )

    it('[F4] show a user online at both with his first session anywhere, and offline 3 s after his last', usually, async () => {
      const graces = createGraceClock()
      const { nodes, people, roomIds } = await openScene(graces.clock)
      const [ann, bob, cho, dan] = people as [Person, Person, Person, Person]
      const eve = await enroll(nodes[0], 'eve')
      await done(nodes[0], `POST ${rooms}/${roomIds[0]}/members`, { user_id: eve.id }, asHost)
      await until('the graces of who was there to see the nodes joined', () => graces.count() === 2)
      graces.end()
      const watchers = await Promise.all(nodes.map((node) => open(node, ['feed', roomIds[0]], ann)))
      const newsOf = ({ frames }: Client) => frames.filter(({ user_id }) => user_id === bob.id).map(({ type }) => type)
      const first = await open(nodes[0], ['feed', roomIds[0]], bob)
      await until('his coming', () => watchers.every((watcher) => newsOf(watcher).length === 1))
      // A node tells who comes and goes in order: when this person's coming is seen, all that it had to say before has been.
      const expectOnline = async (node: TestServer, person: Person) => {
        await open(node, ['feed', roomIds[0]], person)
        for (const watcher of watchers) {
          await watcher.find('member_online', ({ user_id }) => user_id === person.id)
          await watcher.settled()
          expect(newsOf(watcher)).toEqual(['member_online'])
        }
      }
      const second = await open(nodes[1], ['feed', roomIds[0]], bob)
      await expectOnline(nodes[1], cho)
      await first.close()
      await until('the grace at the first', () => graces.count() === 1)
      graces.end()
      await expectOnline(nodes[0], dan)
      await second.close()
      await until('the grace at the second', () => graces.count() === 1)
      await expectOnline(nodes[1], eve)
      graces.end()
      await until('his going', () => watchers.every((watcher) => newsOf(watcher).length === 2))
      for (const watcher of watchers) expect(newsOf(watcher)).toEqual(['member_online', 'member_offline'])
    })

    it('[F7] name who is online at the other node to who resumes', usually, async () => {
      const { nodes, people, roomIds } = await openScene()
      const [ann, bob, cho] = people as [Person, Person, Person]
      const { cursor, close } = await open(nodes[1], ['feed', roomIds[0]], cho, '')
      await close()
      const watcher = await open(nodes[1], ['feed', roomIds[0]], ann)
      await open(nodes[0], ['feed', roomIds[0]], bob)
      await watcher.find('member_online', ({ user_id }) => user_id === bob.id)
      const back = await open(nodes[1], ['feed', roomIds[0]], cho, cursor)
      const online = back.frames.filter(({ type }) => type === 'member_online').map(({ user_id }) => user_id)
      expect(online).toEqual([ann.id, bob.id, cho.id])
    })

    it('[A19] show their own users alone while Redis is away, and all when it is back', usually, async () => {
      const { nodes, people, roomIds } = await openScene()
      const [ann, bob] = people as [Person, Person]
      const watchers = await Promise.all(nodes.map((node) => open(node, ['feed', roomIds[0]], ann)))
      await redis.kill()
      await open(nodes[0], ['feed', roomIds[0]], bob)
      const isKnown = ({ frames }: Client) => frames.some(({ type, user_id }) => type === 'member_online' && user_id === bob.id)
      await until('the news at his node', () => isKnown(watchers[0]!))
      // What stands in the log comes meanwhile: so would his coming, if there were a way.
      await post(nodes[0], roomIds[0], ann, 'by the log')
      await until('a message', () => watchers[1]!.seen.length > 0)
      expect(isKnown(watchers[1]!)).toBe(false)
      await redis.start()
      await until('the news at the other', () => isKnown(watchers[1]!))
    })

    it('[F4] take the users of a killed node for offline within 45 s', { timeout: 120_000 }, async () => {
      await expect(isOffline).resolves.toBeUndefined()
    })
  })
})
