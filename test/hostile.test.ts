/** Bad input, at every field of every route and in frames: the sender is told, in his door's manner, and nobody and nothing else is touched. */
import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { clientFrame, openRaw, upgradeRequest } from '../server/http/raw-client.fixture.ts'
import { openMemoryStorage } from '../server/storage/memory/memory.ts'
import { makeStartedDir } from '../server/storage/postgres/testing.ts'
import type { Storage } from '../server/storage/storage.ts'
import {
  badBodies,
  badQueryNumbers,
  badSegments,
  badValuesFor,
  fieldsOf,
  goodValueFor,
  type Document,
  type Operation,
} from './bad-values.ts'
import { until } from './chat.ts'
import { startChild } from './child.ts'
import {
  addressOf,
  asHost,
  call,
  done,
  enrollAll,
  feedHistory,
  makeChannel,
  makeGroup,
  open,
  post,
  refusal,
  rooms,
  signToken,
  type Client,
  type Person,
} from './clients.ts'
import { startServer, testSecret, testServiceKey, type TestServer } from './harness.ts'

let storage: Storage
let server: TestServer
let owner: Person
let roomId: number
let channelId: number
let serverId: number
/** Others' sockets: nothing may come to them. */
let witnesses: Client[]

beforeAll(async () => {
  storage = openMemoryStorage()
  server = await startServer({
    isProduction: true,
    storage,
    env: { LIMIT_SENDS: 'off', LIMIT_CONNECTS: 'off', LIMIT_LOGIN: 'off', LIMIT_REGISTER: 'off' },
  })
  const people = (await enrollAll(server, 'person', 3)) as [Person, Person, Person]
  owner = people[0]
  roomId = await makeGroup(server, people)
  ;({ serverId, roomId: channelId } = await makeChannel(server, people))
  witnesses = await Promise.all([open(server, ['feed', roomId], people[1]), open(server, ['guild', channelId], people[2])])
})
afterAll(() => server.stop())

/** Everything that there is, as one text. */
async function countAll(): Promise<string> {
  const users = await storage.directory.listUsers({ offset: 0, limit: 10_000 })
  const everyRoom = new Map(
    (await Promise.all(users.map(({ id }) => storage.log.listRoomsOf(id)))).flat().map((room) => [room.id, room]),
  )
  const members = await Promise.all([...everyRoom.keys()].map((id) => storage.log.listMembers(id)))
  const spaces = await Promise.all(users.map(({ id }) => storage.directory.listSpacesOf(id)))
  return JSON.stringify({ users, rooms: [...everyRoom.values()], members, spaces })
}

/** Does what must change nothing, and looks whether it did. */
async function untouched(work: () => Promise<void>): Promise<void> {
  const before = await countAll()
  const frames = witnesses.map((witness) => witness.frames.length)
  const logged = server.logged.length
  await work()
  await Promise.all(witnesses.map((witness) => witness.settled()))
  expect(witnesses.map((witness) => witness.frames.length)).toEqual(frames)
  expect(witnesses.map((witness) => witness.closedWith)).toEqual([null, null])
  expect(await countAll()).toBe(before)
  expect(server.logged.slice(logged)).toEqual([])
}

// ---------------------------------------------------------------------------------------------------------------- requests

/** How many were refused, so that a table that came out empty is noticed. */
let refusedCount = 0

function expectRefused(what: string, path: string, { status, body }: { status: number; body: unknown }): void {
  const where = `${what} -> ${status} ${JSON.stringify(body)?.slice(0, 200)}`
  expect(status >= 400 && status < 500, where).toBe(true)
  const isFeed = path.startsWith('/api/v1')
  const shape = isFeed ? { success: false, error: expect.any(String) } : { detail: expect.anything() }
  expect(body, where).toEqual(shape)
  refusedCount++
}

interface Route {
  method: string
  path: string
  operation: Operation
}

const ids: Record<string, () => number> = {
  roomId: () => roomId,
  channel_id: () => channelId,
  server_id: () => serverId,
  user_id: () => owner.id,
  userId: () => owner.id,
}

/** With good parameters but for the one named. */
function addressIn(path: string, bad: Record<string, string> = {}): string {
  return path.replaceAll(/\{(\w+)\}/g, (_, name: string) => bad[name] ?? String(ids[name]?.() ?? 1))
}

const isForm = ({ path }: Route) => path === '/auth/login'

function headersFor(path: string): Record<string, string> {
  return path === '/api/v1/users' ? asHost : owner.bearer
}

async function refuseFields({ method, path, operation }: Route, document: Document): Promise<void> {
  const fields = fieldsOf(document, operation)
  for (const field of fields) {
    const rest = fields
      .filter(({ name, isRequired }) => isRequired && name !== field.name)
      .map((one) => `"${one.name}":${goodValue(one)}`)
    for (const value of badValuesFor(field)) {
      const body = `{${[...rest, ...(value === undefined ? [] : [`"${field.name}":${value}`])].join(',')}}`
      const reply = await call(server, `${method} ${addressIn(path)}`, body, {
        'content-type': 'application/json',
        ...headersFor(path),
      })
      expectRefused(`${method} ${path} ${body.slice(0, 120)}`, path, reply)
    }
  }
}

function goodValue(field: Parameters<typeof goodValueFor>[0]): string {
  return field.name === 'user_id' ? String(owner.id) : field.name === 'server_id' ? String(serverId) : goodValueFor(field)
}

async function refuseBodies({ method, path, operation }: Route, document: Document): Promise<void> {
  const isOptional = fieldsOf(document, operation).every(({ isRequired }) => !isRequired)
  for (const { what, body, type } of badBodies()) {
    const headers = { 'content-type': type ?? 'application/json', ...headersFor(path) }
    // A body over the limit may be cut: fetch then says so in its own words.
    const reply = await call(server, `${method} ${addressIn(path)}`, body, headers)
    if (isOptional && body === '') continue
    expectRefused(`${method} ${path} with ${what}`, path, reply)
    if (what === '10 MB') expect(reply.status).toBe(413)
  }
}

async function refuseParameters({ method, path, operation }: Route): Promise<void> {
  for (const parameter of operation.parameters ?? []) {
    if (parameter.in === 'path') {
      for (const segment of badSegments) {
        const reply = await call(
          server,
          `${method} ${addressIn(path, { [parameter.name]: segment })}`,
          undefined,
          headersFor(path),
        )
        expectRefused(`${method} ${path} at ${segment.slice(0, 40)}`, path, reply)
      }
    }
    if (parameter.in === 'query') {
      for (const value of badQueryNumbers) {
        const reply = await call(server, `${method} ${addressIn(path)}?${parameter.name}=${value}`, undefined, headersFor(path))
        expectRefused(`${method} ${path}?${parameter.name}=${value}`, path, reply)
      }
    }
  }
}

describe('requests', () => {
  it(
    "[A4][A17][F1][G1] every field, parameter and body of every route, wrong in every way, is a 4xx in the door's shape and changes nothing",
    { timeout: 180_000 },
    async () => {
      const document = (await done(server, 'GET /openapi.json')) as Document
      const routes = Object.entries(document.paths).flatMap(([path, operations]) =>
        Object.entries(operations).map(([method, operation]): Route => ({ method: method.toUpperCase(), path, operation })),
      )
      expect(routes.length).toBeGreaterThan(25)
      for (const route of routes.filter(({ path }) => !path.startsWith('/ws/'))) {
        await untouched(async () => {
          await refuseParameters(route)
          if (route.operation.requestBody === undefined || isForm(route)) return
          await refuseFields(route, document)
          await refuseBodies(route, document)
        })
      }
      expect(refusedCount).toBeGreaterThan(900)
    },
  )

  it('[A4][G6] a form that is none is refused', async () => {
    const type = { 'content-type': 'application/x-www-form-urlencoded' }
    const forms = [
      '',
      'username=a',
      'password=a',
      'username=&password=',
      'username=%00&password=a',
      'username=%ff&password=a',
      'username=%&password=a',
      '&'.repeat(5000),
      `username=a&password=${'x'.repeat(73)}`,
    ]
    await untouched(async () => {
      for (const form of forms)
        expectRefused(`a form ${form.slice(0, 40)}`, '/auth', await call(server, 'POST /auth/login', form, type))
      expectRefused('JSON', '/auth', await call(server, 'POST /auth/login', { username: 'a', password: 'b' }))
      expectRefused('10 MB', '/auth', await call(server, 'POST /auth/login', 'a='.padEnd(10_485_760, 'x'), type))
    })
  })

  it('[A8] a client key that is none is refused', async () => {
    await untouched(async () => {
      for (const key of ['', ' ', 'a b', 'x'.repeat(129), 'ä']) {
        const reply = await call(
          server,
          `POST ${rooms}/${roomId}/messages`,
          { user_id: owner.id, message: 'x' },
          { ...owner.bearer, 'idempotency-key': key },
        )
        expectRefused(`the key ${key}`, '/api/v1', reply)
      }
    })
  })

  it("[A3] unknown ids, paths and methods are told in the door's shape", async () => {
    await untouched(async () => {
      for (const route of [
        `GET ${rooms}/424242`,
        `POST ${rooms}/424242/messages`,
        'GET /api/v1/nothing',
        `PATCH ${rooms}/${roomId}`,
      ]) {
        expectRefused(route, '/api/v1', await call(server, route, undefined, owner.bearer))
      }
      for (const route of [
        'GET /servers/424242',
        'GET /channels/424242',
        'GET /users/424242',
        'GET /users/me/more',
        'PATCH /users/me',
      ]) {
        expectRefused(route, '/guild', await call(server, route, undefined, owner.bearer))
      }
      const { status, headers } = await call(server, 'PATCH /users/me', undefined, owner.bearer)
      expect([status, headers.get('allow')]).toEqual([405, expect.stringContaining('PUT')])
    })
  })

  it('[A2][M4] upgrades to what is no room, with parameters that are none, are refused before 101', async () => {
    await untouched(async () => {
      for (const segment of badSegments) {
        for (const path of [
          `/ws/chat/${segment}?user_id=${owner.id}&token=${owner.token}`,
          `/ws/${segment}?token=${owner.token}`,
        ]) {
          const answer = await exchangeUpgrade(path)
          expect([path.slice(0, 60), answer >= 400 && answer < 500]).toEqual([path.slice(0, 60), true])
        }
      }
      for (const userId of badSegments)
        expect(await exchangeUpgrade(`/ws/chat/${roomId}?user_id=${userId}&token=${owner.token}`)).toBeLessThan(500)
    })
  })

  it('[G2] of two registrations of one name at once one wins, the other is told', async () => {
    const body = { username: 'twin', email: 'twin@example.com', password: 'password123' }
    const replies = await Promise.all(
      [1, 2].map((number) => call(server, 'POST /auth/register', { ...body, email: `twin${number}@example.com` })),
    )
    expect(replies.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([201, 400])
    expect(replies.find(({ status }) => status === 400)!.body).toEqual({ detail: 'Username already registered' })
  })

  it('[A3] each request of a flood is answered, and the others are served', { timeout: 60_000 }, async () => {
    const before = (await feedHistory(server, roomId, owner)).length
    const flood = Array.from({ length: 40 }, async (_, line) => {
      for (let number = 0; number < 50; number++) {
        const isGood = number % 2 === 0
        const { status } = await call(
          server,
          `POST ${rooms}/${roomId}/messages`,
          isGood ? { user_id: owner.id, message: `${line}` } : '{',
          owner.bearer,
        )
        expect(status).toBe(isGood ? 201 : 400)
      }
    })
    const raw = await openRaw(server.port)
    raw.send(
      'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(999) + 'GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
    )
    const answers = (await raw.closed).match(/HTTP\/1\.1 200/g)
    expect(answers).toHaveLength(1000)
    await Promise.all(flood)
    expect((await feedHistory(server, roomId, owner)).length).toBe(before + 1000)
    await until('all at the witness', () => witnesses[0]!.seen.length === 1000)
  })
})

async function exchangeUpgrade(path: string): Promise<number> {
  const raw = await openRaw(server.port)
  raw.send(upgradeRequest(path))
  const answer = await raw.until('\r\n\r\n')
  raw.socket.destroy()
  return Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1])
}

// ------------------------------------------------------------------------------------------------------------------ frames

const continuation = 0
const textFrame = 1
const ping = 9

/** Bytes that look random and are the same in each run. */
function noise(seed: string, length: number): Buffer {
  const parts: Buffer[] = []
  for (let part = 0; part * 32 < length; part++) parts.push(createHash('sha256').update(`${seed} ${part}`).digest())
  return Buffer.concat(parts).subarray(0, length)
}

const unmasked = Buffer.from([0x81, 2, 0x68, 0x69])
const reserved = (bit: number) => {
  const frame = clientFrame(textFrame, 'hi')
  frame[0]! |= bit
  return frame
}

const brokenFrames: { what: string; bytes: Buffer; code: number | null }[] = [
  ...['a', 'b', 'c', 'd', 'e', 'f'].map((seed) => ({
    what: `random bytes ${seed}`,
    bytes: Buffer.concat([Buffer.from([0xf3]), noise(seed, 4096)]),
    code: 1002,
  })),
  { what: 'over 64 KiB', bytes: clientFrame(textFrame, 'x'.repeat(65_537)), code: 1009 },
  {
    what: 'over 64 KiB in pieces',
    bytes: Buffer.concat([clientFrame(textFrame, 'x'.repeat(40_000), false), clientFrame(continuation, 'x'.repeat(40_000))]),
    code: 1009,
  },
  { what: 'a length of 2^63', bytes: Buffer.from([0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), code: 1009 },
  {
    what: 'pieces without an end',
    bytes: Buffer.concat([
      clientFrame(textFrame, 'x', false),
      ...Array.from({ length: 3000 }, () => clientFrame(continuation, 'x', false)),
    ]),
    code: 1008,
  },
  { what: 'broken UTF-8', bytes: clientFrame(textFrame, Buffer.from([0x68, 0xff, 0xfe])), code: 1007 },
  { what: 'a surrogate in UTF-8', bytes: clientFrame(textFrame, Buffer.from([0xed, 0xa0, 0x80])), code: 1007 },
  { what: 'no mask', bytes: unmasked, code: 1002 },
  ...[0x40, 0x20, 0x10].map((bit) => ({ what: `reserved bit ${bit}`, bytes: reserved(bit), code: 1002 })),
  ...[3, 7, 11, 15].map((opcode) => ({ what: `opcode ${opcode}`, bytes: clientFrame(opcode, 'x'), code: 1002 })),
  { what: 'a continuation of nothing', bytes: clientFrame(continuation, 'x'), code: 1002 },
  {
    what: 'a text within a text',
    bytes: Buffer.concat([clientFrame(textFrame, 'x', false), clientFrame(textFrame, 'y')]),
    code: 1002,
  },
  { what: 'a ping in pieces', bytes: clientFrame(ping, 'x', false), code: 1002 },
  { what: 'a long ping', bytes: clientFrame(ping, 'x'.repeat(126)), code: 1002 },
]

/** A socket whose frames are made by hand; resolves once it is open. */
async function openByHand(door: 'feed' | 'guild') {
  const raw = await openRaw(server.port)
  const room = door === 'feed' ? roomId : channelId
  raw.send(upgradeRequest(addressOf({ url: '', wsUrl: '' }, door, room, owner)))
  await raw.until('\r\n\r\n')
  return raw
}

describe.each(['feed', 'guild'] as const)('frames at %s', (door) => {
  it.each(brokenFrames)(`[A4][A17][F3][G7] $what: that connection closes, nothing else`, async ({ bytes, code }) => {
    const before = (await feedHistory(server, channelId, owner)).length
    const raw = await openByHand(door)
    raw.send(bytes)
    const received = Buffer.from(await raw.closed, 'latin1')
    const closing = Buffer.from([0x88, 2, code! >> 8, code! & 0xff])
    expect(received.subarray(-4).toString('hex')).toBe(closing.toString('hex'))
    expect((await feedHistory(server, channelId, owner)).length).toBe(before)
    expect(witnesses.map(({ closedWith }) => closedWith)).toEqual([null, null])
  })

  it('[A4][G7] frames that hold nothing to send are dropped, and the socket goes on', async () => {
    const client = await open(server, [door, channelId], owner)
    const before = (await feedHistory(server, channelId, owner)).length
    const frames = [
      '',
      ' ',
      '{}',
      '{"content":""}',
      '{"content":1}',
      '{"content":["a"]}',
      '{"content":"a\\u0000b"}',
      '{"content":"\\ud800"}',
      'a\0b',
      '1',
      'null',
      '[]',
      '"x"',
      '['.repeat(30_000),
      JSON.stringify({ content: 'x'.repeat(10_001) }),
      '{"content":"x","key":""}',
    ]
    for (const frame of frames) client.socket.send(frame)
    client.socket.send(Buffer.from([1, 2, 3]), { binary: true })
    await client.settled()
    expect((await feedHistory(server, channelId, owner)).length).toBe(before)
    const { status } = await post(server, channelId, owner, 'still here')
    expect(status).toBe(201)
    await until('it', () => client.seen.some(({ text }) => text === 'still here'))
    await client.close()
  })

  it('[G7][F3] a text in several pieces with a ping between them is one frame', async () => {
    const raw = await openByHand(door)
    raw.send(
      Buffer.concat([
        clientFrame(textFrame, `pie`, false),
        clientFrame(ping, 'p'),
        clientFrame(continuation, 'ces', false),
        clientFrame(continuation, ` ${door}`),
      ]),
    )
    await post(server, channelId, owner, `after pieces ${door}`)
    await raw.until(door === 'guild' ? 'pieces guild' : '\x8a\x01p')
    const texts = (await feedHistory(server, channelId, owner)).map(({ text }) => text)
    expect(texts.includes(`pieces ${door}`)).toBe(door === 'guild')
    raw.socket.destroy()
  })
})

// ------------------------------------------------------------------------------------------------------------- slow readers

describe.each(['feed', 'guild'] as const)('a slow reader at %s', (door) => {
  it(
    '[A15][A7] is ended with 1013, resumes with nothing lost, and neither others nor memory suffer',
    { timeout: 60_000 },
    async () => {
      const slow = await open(server, [door, channelId], owner, '')
      const quick = await open(server, [door, channelId], owner)
      const budgetBytes = 1024 * 1024
      slow.socket.pause()
      const text = '느린 독자'.repeat(1_900)
      let highest = 0
      let sent = 0
      // The kernel holds some megabytes; then the queue grows to its budget, and the connection is ended.
      for (let before = -1; server.app.chat.sessions.queuedBytes() !== before || before < budgetBytes / 2; sent++) {
        expect(sent).toBeLessThan(3_000)
        before = server.app.chat.sessions.queuedBytes()
        await done(server, `POST ${rooms}/${channelId}/messages`, { user_id: owner.id, message: text }, owner.bearer)
        highest = Math.max(highest, server.app.chat.sessions.queuedBytes())
        await until('it at the quick one', () => quick.seen.length === sent + 1)
      }
      slow.socket.resume()
      await until('its end', () => slow.closedWith !== null)
      expect(slow.closedWith).toBe(1013)
      expect(highest).toBeLessThan(budgetBytes + 64 * 1024)
      expect(slow.seen.length).toBeLessThan(sent)

      const again = await open(server, [door, channelId], owner, slow.cursor)
      await until('what it missed', () => slow.seen.length + again.seen.length >= sent)
      expect([...slow.seen, ...again.seen].map(({ id }) => id)).toEqual(quick.seen.map(({ id }) => id))
      await Promise.all([again.close(), quick.close()])
    },
  )
})

// ------------------------------------------------------------------------------------------------------------------ tokens

describe('tokens', () => {
  it('[A6] stand in no log line, metric or error, wherever they were sent', { timeout: 60_000 }, async () => {
    const { dataDir, remove } = await makeStartedDir()
    onTestFinished(remove)
    const child = await startChild({ isProduction: true, env: { DATA_DIR: dataDir, LOG_LEVEL: 'debug' } })
    const [ann, bob] = (await enrollAll(child, 'person', 2)) as [Person, Person]
    const room = await makeGroup(child, [ann])
    const late = await signToken({ username: 'late' }, -1)
    const broken = `${ann.token.slice(0, -4)}AAAA`
    const answers: string[] = []
    const ask = async (route: string, body?: unknown, headers: Record<string, string> = {}) => {
      const reply = await call(child, route, body, headers)
      // A field that is wrong is told with what stood in it (G1): there a token is only what its sender wrote into that field.
      const isEchoed = reply.status === 422 && /^GET \/(users|channels)\/(?!me)/.test(route)
      if (!isEchoed) answers.push(`${route.split('?')[0]!.slice(0, 40)} ${JSON.stringify([reply.body, [...reply.headers]])}`)
    }
    for (const token of [ann.token, bob.token, late, broken, testServiceKey]) {
      const bearer = { authorization: `Bearer ${token}` }
      for (const path of [
        '/users/me',
        `${rooms}/${room}`,
        '/nothing',
        `/users/${token}`,
        `/channels/${token}`,
        `/${token}`,
        `/metrics`,
      ]) {
        await ask(`GET ${path}?token=${token}`, undefined, bearer)
        await ask(`POST ${path}?token=${token}`, '{"broken', { ...bearer, cookie: `auth-token=${token}; jwt_token=${token}` })
      }
      for (const path of [`/ws/${room}`, `/ws/chat/${room}`, '/ws/nothing/at/all', `/ws/chat/${token}`]) {
        await refusal(`${child.wsUrl}${path}?user_id=${bob.id}&token=${token}`, bearer).then(
          (reply) => answers.push(JSON.stringify([reply.body, [...reply.headers]])),
          () => {},
        )
      }
    }
    const live = await open(child, ['feed', room], ann)
    answers.push(await (await fetch(`${child.url}/metrics`, { headers: asHost })).text())
    child.kill('SIGTERM')
    await child.exited
    await until('the end', () => live.closedWith !== null)

    const written = [...child.output().split('\n'), ...answers].join('\n')
    expect(written).toContain('Madang listens')
    expect(written).toContain('madang_connections')
    const secrets = [ann.token, bob.token, late, broken, testServiceKey, testSecret].flatMap((token) => [
      token,
      ...token
        .split('.')
        .filter((part) => part.length > 20)
        .slice(1),
    ])
    const lines = written.split('\n')
    expect(secrets.flatMap((secret) => lines.filter((line) => line.includes(secret)))).toEqual([])
  })
})
