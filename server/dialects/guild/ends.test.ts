/** How sockets end, wait and come in while storage is slow or away (A12, A15). */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { fastClock, until } from '../../../test/chat.ts'
import { testServiceKey } from '../../../test/harness.ts'
import { withFaults } from '../../storage/faulty.ts'
import { openMemoryStorage } from '../../storage/memory/memory.ts'
import { StorageUnavailable, type LogStore, type Storage } from '../../storage/storage.ts'
import { openGuild, type Guild } from './guild.fixture.ts'

const { storage, rejectEntries } = withFaults(openMemoryStorage())
let guild: Guild

beforeAll(async () => {
  guild = await openGuild({ storage: withHolds(storage), clock: fastClock })
})
afterAll(() => guild.server.stop())

interface Hold {
  /** How many calls have come and wait. */
  count(): number
  /** They go on, and so do later ones. */
  release(): void
  /** They fail; later ones go on. */
  fail(error: Error): void
}

const gates = new Map<PropertyKey, { promise: Promise<void>; count: number }>()

/** From now on calls of this method of the log wait. */
function hold(method: keyof LogStore): Hold {
  let settle = (_error?: Error) => {}
  const promise = new Promise<void>((resolve, reject) => (settle = (error) => (error ? reject(error) : resolve())))
  const gate = { promise, count: 0 }
  gates.set(method, gate)
  const end = (error?: Error) => {
    gates.delete(method)
    settle(error)
  }
  return { count: () => gate.count, release: () => end(), fail: end }
}

function withHolds(under: Storage): Storage {
  const log = new Proxy(under.log, {
    get(target, name) {
      const method = Reflect.get(target, name) as (...values: unknown[]) => Promise<unknown>
      return async (...values: unknown[]) => {
        const gate = gates.get(name)
        if (gate) gate.count++
        await gate?.promise
        return Reflect.apply(method, target, values)
      }
    },
  })
  return { log, directory: under.directory, ping: under.ping, close: under.close }
}

async function contentsOf(channelId: number, token: string): Promise<string[]> {
  const { body } = await guild.call(`GET /channels/${channelId}/messages?limit=100`, { token })
  return (body as { content: string }[]).map(({ content }) => content).toReversed()
}

test('[A15] who leaves the server, and everyone when the channel goes, is closed with 4003', async () => {
  const { serverId, channelId, owner, member } = await guild.makeChannel()
  const [first, second] = [await guild.connect(channelId, owner), await guild.connect(channelId, member)]
  await guild.call(`POST /servers/${serverId}/leave`, { token: member })
  await until('the close', () => second.closedWith?.code === 4003)
  first.send('without you')
  await first.have(1)
  expect(second.frames).toEqual([])
  await guild.call(`DELETE /channels/${channelId}`, { token: owner })
  await until('the close', () => first.closedWith?.code === 4003)
})

test('[A15] a frame that cannot be stored ends the socket with 1013, and no frame after it is stored', async () => {
  const { channelId, owner, member } = await guild.makeChannel()
  const [client, other] = [await guild.connect(channelId, owner), await guild.connect(channelId, member)]
  const held = hold('append')
  client.send('fails')
  await until('its commit is under way', () => held.count() === 1)
  for (let number = 0; number < 20; number++) client.send(`behind ${number}`)
  // What came before the pong is in the journal's queue, behind the commit that is under way.
  await client.settled()
  other.send('of another')
  await other.settled()
  held.fail(new StorageUnavailable('away, for a test'))
  await until('1013', () => client.closedWith?.code === 1013)
  expect(client.closedWith).toEqual({ code: 1013, reason: 'a frame could not be stored' })
  await other.have(1)
  expect(await contentsOf(channelId, owner)).toEqual(['of another'])
  expect(other.contents()).toEqual(['of another'])
})

test('[A7] [A8] what comes while a resuming client enters, and what it sends at once, is behind its first frame, the cursor', async () => {
  const { channelId, owner, member } = await guild.makeChannel()
  const first = await guild.connect(channelId, owner, '&since=')
  first.send('keyed', 'k')
  const [, { cursor } = {}] = await first.have(2)
  const held = hold('readMarkers')
  const other = await guild.connect(channelId, member)
  const resuming = guild.connect(channelId, owner, `&since=${cursor}`)
  await until('its replay is under way', () => held.count() > 0)
  for (const count of [1, 2, 3]) {
    other.send('meanwhile')
    await other.have(count)
  }
  held.release()
  const client = await resuming
  client.send('keyed', 'k')
  const frames = await client.have(5)
  expect(frames[0]).toEqual({ cursor })
  const contents = client.contents()
  expect(contents.filter((content) => content === 'meanwhile')).toHaveLength(3)
  expect(contents.filter((content) => content === 'keyed')).toHaveLength(1)
})

test('[A19] a socket that closes before it is in leaves nobody online', async () => {
  const { channelId, owner } = await guild.makeChannel()
  const held = hold('listJournals')
  const { sessions } = guild.server.app.chat
  const open = sessions.count().get('guild') ?? 0
  const socket = new WebSocket(`${guild.server.wsUrl}/ws/${channelId}?token=${owner}&since=1.1_1-zzzzzzzz-1`)
  socket.on('error', () => {})
  await until('its cursor is looked at', () => sessions.count().get('guild') === open + 1 && held.count() > 0)
  socket.terminate()
  held.release()
  await until('it is closed', () => (sessions.count().get('guild') ?? 0) === open)
  // A whole round through storage and hub, behind what was let go.
  const next = await guild.connect(channelId, owner)
  next.send('x')
  await next.have(1)
  await next.close()
  await until('nobody is online', async () => (await sessions.listOnline(channelId)).length === 0)
})

test('[A15] a frame that the database rejects ends the socket too', async () => {
  const { channelId, owner } = await guild.makeChannel()
  rejectEntries((entry) => entry.kind === 'post' && entry.content === 'poison')
  const client = await guild.connect(channelId, owner)
  client.send('poison')
  await until('1013', () => client.closedWith?.code === 1013)
  rejectEntries(() => false)
  expect(await contentsOf(channelId, owner)).toEqual([])
})

test('[A12] frames over the limit wait, and later ones behind them; none is dropped', async () => {
  const limited = await openGuild({ env: { LIMIT_SENDS: '50/1' }, clock: fastClock })
  const { channelId, owner } = await limited.makeChannel()
  const client = await limited.connect(channelId, owner)
  const numbers = Array.from({ length: 110 }, (_, number) => `${number}`)
  for (const number of numbers) {
    client.send(number)
    // The first fifty at once; the others one by one, so that each finds the limit as it then is.
    if (Number(number) >= 50) await client.have(Number(number) - 49)
    await new Promise((resolve) => setImmediate(resolve))
  }
  await client.have(110)
  expect(client.contents()).toEqual(numbers)
  await limited.server.stop()
})

test('[A12] frames over the limit are stored also where their sender has gone, and nothing of him stays', async () => {
  const limited = await openGuild({ env: { LIMIT_SENDS: '50/1' }, clock: fastClock })
  const { channelId, owner } = await limited.makeChannel()
  const client = await limited.connect(channelId, owner)
  for (let number = 0; number < 140; number++) client.send(`${number}`)
  client.socket.close()
  const { sessions, queries } = limited.server.app.chat
  const total = async () => (await queries.listMessages({ kind: 'nobody' }, channelId, { offset: 0, limit: 1 })).total
  await until('all are stored', async () => (await total()) === 140)
  await until('the session is gone', () => sessions.count().size === 0)
  await limited.server.stop()
})

test('[A12] a service key has no limit', async () => {
  const limited = await openGuild({ env: { LIMIT_SENDS: '1/3600' } })
  const { channelId, owner } = await limited.makeChannel()
  const { body } = await limited.call('GET /users/me', { token: owner })
  const headers = { authorization: `Bearer ${testServiceKey}`, 'x-user-id': String(body.id) }
  const client = await limited.connect(channelId, '', '', headers)
  for (const content of ['one', 'two', 'three']) client.send(content)
  await client.have(3)
  await limited.server.stop()
})

test('[A15] a socket that closes while it waits for its turn leaves nothing behind', async () => {
  const limited = await openGuild({ env: { LIMIT_SENDS: '1/3600' } })
  const { channelId, owner } = await limited.makeChannel()
  const client = await limited.connect(channelId, owner)
  client.send('one')
  client.send('two')
  await client.have(1)
  client.socket.terminate()
  await until('it is gone', () => (limited.server.app.chat.sessions.count().get('guild') ?? 0) === 0)
  await limited.server.stop()
})
