/** A process that is killed, stopped or started where it must not: what was acknowledged is there, once and in order. */
import { describe, expect, it, onTestFinished } from 'vitest'
import { describeServer, makeDataDir, makeSchema, makeStartedDir } from '../server/storage/postgres/testing.ts'
import { openRaw } from '../server/http/raw-client.fixture.ts'
import { until } from './chat.ts'
import { findPort, spawnChild, startChild, type Child } from './child.ts'
import {
  enrollAll,
  feedHistory,
  guildHistory,
  makeChannel,
  open,
  post,
  rooms,
  type Client,
  type Door,
  type Person,
  type Place,
  type Seen,
} from './clients.ts'

/** Settings that name a database with nothing in it; it is gone after the test. */
type MakeDatabase = () => Promise<Record<string, string>>

const embedded: MakeDatabase = async () => {
  const { dataDir, remove } = await makeStartedDir()
  onTestFinished(remove)
  return { DATA_DIR: dataDir }
}

/** Where nothing is opened, or all but the database is kept. */
const empty: MakeDatabase = async () => {
  const { dataDir, remove } = await makeDataDir()
  onTestFinished(remove)
  return { DATA_DIR: dataDir }
}

const onServer: MakeDatabase = async () => {
  const { url, drop } = await makeSchema()
  onTestFinished(drop)
  return { ...(await empty()), DATABASE_URL: url }
}

const timeout = 120_000

// ------------------------------------------------------------------------------------------------------------------ load

/** Writes numbered messages, and says each again with its key until it is acknowledged. */
interface Writer {
  person: Person
  total: number
  /** What was acknowledged, by text. */
  acked: Map<string, number>
  run(place: Place): Promise<void>
}

/** Messages that a socket may have under way. */
const ahead = 20

function textOf({ person }: Pick<Writer, 'person'>, number: number): string {
  return `${person.username} ${number}`
}

/** One POST after the other; ends where the server does. */
function createPoster(person: Person, roomId: number, total: number): Writer {
  const writer: Writer = { person, total, acked: new Map(), run }
  async function run(place: Place): Promise<void> {
    for (let number = writer.acked.size + 1; number <= total; number++) {
      const text = textOf(writer, number)
      const reply = await post(place, roomId, person, { text, key: `key-${number}` }).catch(() => null)
      if (reply?.status !== 201) return
      writer.acked.set(text, reply.body.data.id)
    }
  }
  return writer
}

/** Frames, of which some are under way; a message of his own that comes back is an acknowledgement. */
function createTalker(person: Person, roomId: number, total: number): Writer {
  const writer: Writer = { person, total, acked: new Map(), run }
  async function run(place: Place): Promise<void> {
    const client = await open(place, ['guild', roomId], person).catch(() => null)
    if (client === null) return
    let next = writer.acked.size + 1
    const sendMore = () => {
      for (; next <= total && next <= writer.acked.size + ahead; next++) {
        client.socket.send(JSON.stringify({ content: textOf(writer, next), key: `key-${next}` }), () => {})
      }
    }
    client.onMessage = ({ id, text, authorId }) => {
      if (authorId !== person.id) return
      writer.acked.set(text, id)
      sendMore()
    }
    sendMore()
    await until('the end of a talk', () => client.closedWith !== null || writer.acked.size === total, timeout)
    client.socket.terminate()
  }
  return writer
}

function ackedOf(writers: Writer[]): number {
  return writers.reduce((sum, { acked }) => sum + acked.size, 0)
}

/** A client that comes back with its cursor whenever its connection ends, and keeps what it saw. */
interface Follower {
  door: Door
  person: Person
  seen: Seen[]
  client: Client | null
  join(place: Place): Promise<void>
}

function createFollower(door: Door, roomId: number, person: Person): Follower {
  const follower: Follower = { door, person, seen: [], client: null, join }
  async function join(place: Place): Promise<void> {
    const since = follower.client?.cursor ?? ''
    follower.client = await open(place, [door, roomId], person, since)
    expect(follower.client.frames.some(({ type, reload }) => type === 'reload' || reload === true)).toBe(false)
    follower.seen.push(...follower.client.seen)
    follower.client.onMessage = (message) => follower.seen.push(message)
  }
  return follower
}

// ----------------------------------------------------------------------------------------------------------------- checks

async function readBoth(place: Place, roomId: number, reader: Person): Promise<Seen[]> {
  const stored = await feedHistory(place, roomId, reader)
  expect((await guildHistory(place, roomId, reader)).map(({ id }) => id)).toEqual(stored.map(({ id }) => id))
  return stored
}

/** Ids rise, each text is there once, and whatever was acknowledged has the id that the sender was told. */
function expectKept(stored: Seen[], writers: Writer[]): void {
  expect(stored.every(({ id }, index) => index === 0 || id > stored[index - 1]!.id)).toBe(true)
  const idOf = new Map(stored.map(({ id, text }) => [text, id]))
  expect(idOf.size).toBe(stored.length)
  for (const { acked } of writers) expect([...acked].filter(([text, id]) => idOf.get(text) !== id)).toEqual([])
  for (const writer of writers) {
    const own = stored.filter(({ authorId }) => authorId === writer.person.id).map(({ text }) => text)
    expect(own).toEqual(Array.from({ length: own.length }, (_, index) => textOf(writer, index + 1)))
  }
}

interface Yard {
  roomId: number
  reader: Person
  writers: Writer[]
  followers: Follower[]
}

async function openYard(place: Place, each: number): Promise<Yard> {
  const people = await enrollAll(place, 'person', 7)
  const { roomId } = await makeChannel(place, people)
  const [reader, ...others] = people as [Person, ...Person[]]
  const writers = others.map((person, index) => (index % 2 === 0 ? createPoster : createTalker)(person, roomId, each))
  const followers = [createFollower('feed', roomId, reader), createFollower('guild', roomId, reader)]
  for (const follower of followers) await follower.join(place)
  return { roomId, reader, writers, followers }
}

async function expectFollowed(followers: Follower[], stored: Seen[]): Promise<void> {
  await until('all at the followers', () => followers.every(({ seen }) => seen.length >= stored.length), 30_000)
  for (const { seen, client } of followers) {
    await client!.settled()
    expect(seen).toEqual(stored)
  }
}

// ----------------------------------------------------------------------------------------------------------------- stories

function stories(makeDatabase: MakeDatabase): void {
  it(
    '[A8][A15] killed twice in mid-load: each acknowledged message is there once, in order; retries with their keys double nothing',
    { timeout },
    async () => {
      const env = { ...(await makeDatabase()), PORT: String(await findPort()) }
      let server = await startChild({ env })
      const { roomId, reader, writers, followers } = await openYard(server, 300)

      for (const until1 of [300, 900]) {
        const load = Promise.all(writers.map((writer) => writer.run(server)))
        await until(`${until1} acknowledged`, () => ackedOf(writers) >= until1, timeout)
        server.kill('SIGKILL')
        expect((await server.exited).signal).toBe('SIGKILL')
        await load
        server = await startChild({ env })
        const stored = await readBoth(server, roomId, reader)
        expect(stored.length).toBeGreaterThanOrEqual(until1)
        expectKept(stored, writers)
        for (const follower of followers) await follower.join(server)
        await expectFollowed(followers, stored)
      }

      await Promise.all(writers.map((writer) => writer.run(server)))
      const stored = await readBoth(server, roomId, reader)
      expect(stored.length).toBe(300 * writers.length)
      expectKept(stored, writers)
      await expectFollowed(followers, stored)
    },
  )

  it(
    '[A15] SIGTERM in mid-load: live connections end with 1012, a request under way is answered, all that was acknowledged is found by a new start',
    { timeout },
    async () => {
      const env = { ...(await makeDatabase()), PORT: String(await findPort()) }
      const server = await startChild({ env })
      const { roomId, reader, writers, followers } = await openYard(server, 5_000)
      const load = Promise.all(writers.map((writer) => writer.run(server)))
      await until('some acknowledged', () => ackedOf(writers) >= 300, timeout)

      const slow = await startRequest(server, roomId, writers[0]!.person, 'begun before the stop')
      server.kill('SIGTERM')
      await until('the stop', () => server.output().includes('SIGTERM'))
      const answer = await slow.finish()
      await load
      expect(await server.exited).toEqual({ code: 0, signal: null })
      expect(server.output()).toContain('stopped')
      for (const { client } of followers) await until('its end', () => client!.closedWith !== null)
      expect(followers.map(({ client }) => client!.closedWith)).toEqual([1012, 1012])
      expect(answer).toContain('201 Created')

      const next = await startChild({ env })
      const stored = await readBoth(next, roomId, reader)
      expect(stored.filter(({ text }) => text === 'begun before the stop')).toHaveLength(1)
      expectKept(
        stored.filter(({ text }) => text !== 'begun before the stop'),
        writers,
      )
      for (const follower of followers) await follower.join(next)
      await expectFollowed(followers, stored)
    },
  )
}

/** A POST of which the last byte is not sent yet; the server has its headers. */
async function startRequest(
  server: Child,
  roomId: number,
  { id, bearer }: Person,
  text: string,
): Promise<{ finish(): Promise<string> }> {
  const body = JSON.stringify({ user_id: id, message: text })
  const head = [
    `POST ${rooms}/${roomId}/messages HTTP/1.1`,
    'Host: localhost',
    `Authorization: ${bearer['authorization']}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Expect: 100-continue',
  ]
  const client = await openRaw(Number(new URL(server.url).port))
  client.send(`${head.join('\r\n')}\r\n\r\n`)
  await client.until('100 Continue')
  client.send(body.slice(0, -1))
  return {
    finish() {
      client.send(body.slice(-1))
      return client.closed
    },
  }
}

describe('a process over the embedded database', () => stories(embedded))
describeServer('a process over PostgreSQL', () => describe('a process over PostgreSQL', () => stories(onServer)))

// ---------------------------------------------------------------------------------------------------------------- refusals

/** What a start that must fail says. */
async function refusedStart(env: Record<string, string>, isProduction: boolean): Promise<string> {
  const child = spawnChild({ env: { PORT: String(await findPort()), ...env }, isProduction })
  expect(await child.exited).toMatchObject({ code: 1 })
  return child.output()
}

describe('what refuses to start', () => {
  it(
    '[M1] a second server on one embedded database is refused with a clear line, and the first goes on',
    { timeout },
    async () => {
      const env = await embedded()
      const first = await startChild({ env })
      const output = await refusedStart(env, false)
      expect(output.trim().split('\n')).toEqual([
        expect.stringMatching(/^Madang cannot open the database: the data directory .* is in use by another Madang/),
      ])
      expect((await fetch(`${first.url}/readyz`)).status).toBe(200)
      first.kill('SIGKILL')
      await first.exited
      await startChild({ env })
    },
  )

  it.each([
    { what: 'no secret', secret: '', says: 'production needs one of 32 bytes' },
    { what: 'a short secret', secret: 'Zq7-31-bytes-are-one-too-few-01', says: 'must have 32 bytes at least' },
    { what: 'the secret of the printed .env', secret: 'your-secret-key-here-change-this-in-production', says: 'well-known' },
    { what: 'the secret of development', secret: 'madang-development-secret-not-for-production', says: 'well-known' },
  ])('[M1] production refuses $what', { timeout }, async ({ secret, says }) => {
    const output = await refusedStart({ ...(await empty()), JWT_SECRET: secret }, true)
    expect(output).toContain('JWT_SECRET')
    expect(output).toContain(says)
    if (secret !== '') expect(output).not.toContain(secret)
  })

  it('[M1] all problems with the settings are told at once', { timeout }, async () => {
    const env = {
      PORT: '99999',
      JWT_SECRET: 'short',
      LIMIT_SENDS: 'many',
      SERVICE_KEYS: 'abc',
      ALLOWED_ORIGINS: 'shop',
      DATABASE_URL: 'mysql://x',
    }
    const output = await refusedStart({ ...(await empty()), ...env }, true)
    for (const name of Object.keys(env)) expect(output).toContain(`${name}:`)
  })

  it('[M1] development listens on loopback only', { timeout }, async () => {
    expect(await refusedStart({ ...(await empty()), HOST: '0.0.0.0' }, false)).toContain(
      'HOST: development listens on loopback only',
    )
  })

  it("[M1] production refuses development's database, and development production's", { timeout }, async () => {
    for (const isProduction of [false, true]) {
      const env = await embedded()
      const maker = await startChild({ env, isProduction })
      maker.kill('SIGTERM')
      await maker.exited
      const output = await refusedStart(env, !isProduction)
      expect(output).toMatch(isProduction ? /it is in production use/ : /it was made by development mode/)
      expect(output.trim().split('\n')).toHaveLength(1)
    }
  })
})
