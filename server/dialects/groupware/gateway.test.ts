/** The stream, to a client that sees each byte and to a stock EventSource. */
import { EventSource } from 'eventsource'
import { afterEach, expect, test } from 'vitest'
import { fastClock, until } from '../../../test/chat.ts'
import { findPort } from '../../../test/child.ts'
import { openRaw, type RawClient } from '../../http/raw-client.fixture.ts'
import { createMemoryDatabase } from '../../storage/memory/memory.ts'
import { openGroupware, signToken, type Groupware, type Person } from './groupware.fixture.ts'
import { frame as frameShape, type FrameObject } from './wire.ts'

const stops: (() => Promise<unknown> | void)[] = []

afterEach(async () => {
  for (const stop of stops.splice(0).toReversed()) await stop()
})

async function open(options: Parameters<typeof openGroupware>[0] = {}): Promise<Groupware> {
  const door = await openGroupware(options)
  stops.push(() => door.stop())
  return door
}

interface Shown {
  id: string | null
  frame: FrameObject
}

interface Stream {
  client: RawClient
  /** Whole frames that have come, and each held against the schema. */
  frames(): Promise<Shown[]>
  /** Waits for a frame that holds this text; all up to it. */
  until(text: string): Promise<Shown[]>
  lastId(): Promise<string>
}

async function listen(
  door: Groupware,
  who: Person | Record<string, string>,
  since = '',
  path = '/api/chats/stream',
): Promise<Stream> {
  const headers: Record<string, string> = { Host: 'localhost', ...('bearer' in who ? (who as Person).bearer : who) }
  if (since !== '') headers['Last-Event-ID'] = since
  const client = await openRaw(door.server.port)
  stops.push(() => void client.socket.destroy())
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  client.send(`GET ${path} HTTP/1.1\r\n${lines.join('')}\r\n`)
  await client.until('{"type":"connected"}\n\n')
  const received = async () => Buffer.from(await client.until(''), 'latin1').toString()
  const frames = async () => parseFrames(await client.until(''))
  return {
    client,
    frames,
    async until(text) {
      await until(`a frame with ${text}`, async () => (await received()).split('\n\n').slice(0, -1).join('').includes(text))
      return frames()
    },
    lastId: async () => (await frames()).findLast(({ id }) => id !== null)!.id!,
  }
}

function parseFrames(received: string): Shown[] {
  const text = Buffer.from(received, 'latin1').toString('utf8')
  const blocks = text
    .slice(text.indexOf('\r\n\r\n') + 4)
    .split('\n\n')
    .slice(0, -1)
  return blocks.map((block) => {
    const [, id, data] = /^(?:id: (.*)\n)?data: (.*)$/.exec(block) ?? []
    expect(data, block).toBeDefined()
    return { id: id ?? null, frame: frameShape.parse(JSON.parse(data!)) }
  })
}

/** A frame in a few words. */
function brief({ frame }: Pick<Shown, 'frame'>): string {
  if (frame.type === 'message') return `${frame.data.chat_id}: ${frame.data.message.content}`
  if (frame.type === 'conversation')
    return 'chat_id' in frame.data ? `${frame.data.chat_id} ${frame.data.action}` : frame.data.action
  return frame.type === 'read' ? `read ${frame.data.user_id}` : frame.type
}
/** Without reads: a replay shows the last of each member, also one that went past his own posts alone. */
const tell = (frames: Shown[]) => frames.map(brief).filter((line) => !/^(read|ping)/.test(line))
/** A young stream may get its first ping at once. */
const withoutPings = (frames: Shown[]) => frames.filter(({ frame }) => frame.type !== 'ping')
const told = async (stream: Stream) => tell(await stream.frames())

test('[P3] the first frame is `connected`; then come events, each with an id, and nothing of resuming', async () => {
  const door = await open()
  const [ann, bob] = await door.people('ann', 'bob')
  const roomId = await door.group([ann!, bob!])
  const stream = await listen(door, bob!)
  await door.send(roomId, ann!, '안녕하세요')
  const frames = await stream.until('안녕하세요')
  expect(tell(frames)).toEqual(['connected', `${roomId}: 안녕하세요`])
  expect(frames.every(({ id, frame }) => id !== null || frame.type === 'ping')).toBe(true)
  expect(Buffer.from(await stream.client.until(''), 'latin1').toString()).toContain('data: {"type":"connected"}\n\n')
})

test('[P4] each hears of all chats that he is in and of no other; the actor too', async () => {
  const door = await open()
  const [ann, bob, cat] = await door.people('ann', 'bob', 'cat')
  const [all, two] = [await door.group([ann!, bob!, cat!]), await door.group([ann!, bob!])]
  const streams = [await listen(door, ann!), await listen(door, bob!), await listen(door, cat!)]
  await door.send(all, ann!, 'to all')
  await door.send(two, bob!, 'to two')
  await door.send(all, cat!, 'last')
  for (const stream of streams) await stream.until('last')
  const both = ['connected', `${all}: to all`, `${two}: to two`, `${all}: last`]
  expect(await Promise.all(streams.map(told))).toEqual([both, both, [both[0], both[1], both[3]]])
})

test('[P4] who is invited while he streams sees it himself and what follows; who leaves sees that and nothing more', async () => {
  const door = await open()
  const [ann, bob, cat, dan] = await door.people('ann', 'bob', 'cat', 'dan')
  const roomId = await door.group([ann!, bob!])
  const streams = await Promise.all([ann!, bob!, cat!, dan!].map((who) => listen(door, who)))
  await door.send(roomId, ann!, 'before them')
  await door.done(`POST /api/chats/${roomId}/invite`, ann!.bearer, { userIds: [cat!.id, dan!.id] })
  await door.send(roomId, ann!, 'with them')
  await door.done(`POST /api/chats/${roomId}/leave`, cat!.bearer)
  await door.send(roomId, ann!, 'without one')
  await streams[3]!.until('without one')
  const own = await door.group([ann!, cat!])
  await door.send(own, cat!, 'elsewhere')
  await streams[2]!.until('elsewhere')
  const after = [`${roomId} invited`, `${roomId}: with them`, `${roomId} left`]
  expect(await told(streams[3]!)).toEqual(['connected', ...after, `${roomId}: without one`])
  expect(await told(streams[2]!)).toEqual(['connected', ...after, `${own}: elsewhere`])
  expect((await told(streams[1]!)).slice(0, 2)).toEqual(['connected', `${roomId}: before them`])
})

test('[P3][A7] cut after any byte of a joined write, it resumes with nothing lost and nothing twice, and is told so at the end', async () => {
  const door = await open()
  const [ann, bob] = await door.people('ann', 'bob')
  const rooms = [await door.group([ann!, bob!]), await door.group([ann!, bob!])]
  const stream = await listen(door, bob!)
  const { accounts, messages } = door.server.app.chat
  const author = await accounts.getOrMake(ann!.id)
  await Promise.all(Array.from({ length: 12 }, (_, at) => messages.post(author, rooms[at % 2]!, { content: `글 ${at}` })))
  for (let at = 0; at < 12; at++) await stream.until(`글 ${at}"`)
  const whole = (await told(stream)).slice(1)
  const received = await stream.client.until('')
  const from = received.indexOf('\r\n\r\n') + 4 + received.slice(received.indexOf('\r\n\r\n') + 4).indexOf('\n\n') + 2
  let lastId = ''
  for (let cut = from; cut <= received.length; cut += 37) {
    const kept = withoutPings(parseFrames(received.slice(0, cut)))
    const back = await listen(door, bob!, kept.at(-1)!.id!)
    const frames = withoutPings(await back.until('resumed'))
    expect([...tell(kept.slice(1)), ...tell(frames.slice(1, -1))]).toEqual(whole)
    expect([brief(frames[0]!), frames[0]!.id]).toEqual(['connected', null])
    back.client.socket.destroy()
    lastId = frames.at(-1)!.id!
  }
  const last = await (await listen(door, bob!, lastId)).until('resumed')
  expect(tell(last)).toEqual(['connected', 'resumed'])
})

test('[P3][A7] a client that has seen but `connected` has missed nothing either', async () => {
  const door = await open()
  const [ann, bob] = await door.people('ann', 'bob')
  const roomId = await door.group([ann!, bob!])
  const stream = await listen(door, bob!)
  stream.client.socket.destroy()
  await door.send(roomId, ann!, 'meanwhile')
  const back = await listen(door, bob!, await stream.lastId())
  expect(tell(await back.until('resumed'))).toEqual(['connected', `${roomId}: meanwhile`, 'resumed'])
})

test('[P3][A7] a cursor that is none of ours is a reload with a fresh one, and the stream goes on live', async () => {
  const door = await open()
  const [ann, bob] = await door.people('ann', 'bob')
  const roomId = await door.group([ann!, bob!])
  for (const since of ['garbage', '0', '1_1-00000000-1', '9'.repeat(3_000)]) {
    const stream = await listen(door, bob!, since)
    expect(tell(await stream.until('reload'))).toEqual(['connected', 'reload'])
    await door.send(roomId, ann!, 'live')
    await stream.until('live')
    const again = await listen(door, bob!, (await stream.frames())[1]!.id!)
    expect(tell(await again.until('resumed'))).toEqual(['connected', `${roomId}: live`, 'resumed'])
  }
})

test('[P3] the last cursor may stand in the address, for clients that cannot set headers; the header goes before it', async () => {
  const door = await open()
  const [ann, bob] = await door.people('ann', 'bob')
  const roomId = await door.group([ann!, bob!])
  const first = await (await listen(door, bob!)).lastId()
  await door.send(roomId, ann!, 'one')
  const path = `/api/chats/stream?lastEventId=${first}&token=${bob!.bearer['authorization']!.slice(7)}`
  const stream = await listen(door, {}, '', path)
  expect(tell(await stream.until('resumed'))).toEqual(['connected', `${roomId}: one`, 'resumed'])
  const newer = await listen(door, {}, await stream.lastId(), path)
  expect(tell(await newer.until('resumed'))).toEqual(['connected', 'resumed'])
})

test('[P1][P2] without an account there is no stream but a 401, and a token may stand in the address', async () => {
  const door = await open({ isProduction: true })
  for (const headers of [{}, { authorization: 'Bearer bad' }])
    expect((await door.call('GET /api/chats/stream', headers)).status).toBe(401)
  const token = await signToken({ username: 'ann' })
  const stream = await listen(door, {}, '', `/api/chats/stream?token=${token}`)
  expect(await told(stream)).toEqual(['connected'])
  const cookie = await listen(door, { Cookie: `auth-token=${token}` })
  expect(await told(cookie)).toEqual(['connected'])
})

test('[P3][A12] over the limit of connects it is a 200 that says when to come back', async () => {
  const door = await open({ env: { LIMIT_CONNECTS: '2/60' } })
  const [ann] = await door.people('ann')
  for (let turn = 0; turn < 2; turn++) await listen(door, ann!)
  const client = await openRaw(door.server.port)
  client.send(`GET /api/chats/stream HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${ann!.bearer['authorization']}\r\n\r\n`)
  const answer = await client.closed
  expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\nretry: [1-9]\d*000\n\n$/)
})

test('[P3][A15] where storage is away the stream is a 200 that says when to come back', async () => {
  const storage = createMemoryDatabase().openStorage()
  const door = await open({ storage })
  const [ann] = await door.people('ann')
  const { listMembershipsOf } = storage.log
  storage.log.listMembershipsOf = () => Promise.reject(new Error('away'))
  const client = await openRaw(door.server.port)
  client.send(`GET /api/chats/stream HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${ann!.bearer['authorization']}\r\n\r\n`)
  expect(await client.closed).toMatch(/\r\n\r\nretry: 1000\n\n$/)
  storage.log.listMembershipsOf = listMembershipsOf
  expect(await told(await listen(door, ann!))).toEqual(['connected'])
  expect(door.server.app.chat.sessions.count().get('groupware')).toBe(1)
})

test('[P3] no ping comes before `connected`, however long it takes to enter', async () => {
  const storage = createMemoryDatabase().openStorage()
  const door = await open({ storage, clock: fastClock })
  const [ann, bob] = await door.people('ann', 'bob')
  const witness = await listen(door, bob!)
  const { listMembershipsOf } = storage.log
  let release = () => {}
  const gate = new Promise<void>((resolve) => (release = resolve))
  storage.log.listMembershipsOf = (userId) => gate.then(() => listMembershipsOf(userId))
  const coming = listen(door, ann!)
  const pings = async () => (await witness.frames()).filter(({ frame }) => frame.type === 'ping').length
  await until('the time of two pings', async () => (await pings()) >= 2)
  release()
  expect(brief((await (await coming).frames())[0]!)).toBe('connected')
})

test('[A15] a stream whose token is revoked just ends', async () => {
  const door = await open()
  const [ann] = await door.people('ann')
  const stream = await listen(door, ann!)
  await door.done('POST /api/auth/logout', ann!.bearer)
  const received = await stream.client.closed
  expect(withoutPings(parseFrames(received)).map(brief)).toEqual(['connected'])
  expect(received.endsWith('\n\n')).toBe(true)
})

test('[A15] a client that does not read is ended, and the others miss nothing', async () => {
  const door = await open()
  const [ann, bob, cat] = await door.people('ann', 'bob', 'cat')
  const roomId = await door.group([ann!, bob!, cat!])
  const [deaf, reader] = [await listen(door, bob!), await listen(door, cat!)]
  const { sessions } = door.server.app.chat
  deaf.client.socket.pause()
  const author = await door.server.app.chat.accounts.getOrMake(ann!.id)
  const post = (content: string) => door.server.app.chat.messages.post(author, roomId, { content })
  const text = '가'.repeat(2_000)
  let sent = 0
  while (sessions.count().get('groupware') === 2 && sent < 5_000) {
    await Promise.all(Array.from({ length: 50 }, () => post(text)))
    sent += 50
    // Those who read get their turn.
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect(sessions.count().get('groupware')).toBe(1)
  await post('the end')
  await reader.until('the end')
  expect((await told(reader)).length).toBe(sent + 2)
}, 60_000)

test('[P3][A7] over a restart of the server an EventSource goes on by itself, with nothing lost and nothing twice', async () => {
  const database = createMemoryDatabase()
  const env = { PORT: String(await findPort()) }
  let door = await openGroupware({ storage: database.openStorage(), env })
  stops.push(() => door.stop())
  const [ann, bob] = await door.people('ann', 'bob')
  const roomId = await door.group([ann!, bob!])
  const token = await signToken({ username: 'bob', id: bob!.id })
  const source = new EventSource(`${door.server.url}/api/chats/stream?token=${token}`)
  stops.push(() => source.close())
  const seen: string[] = []
  source.addEventListener('message', ({ data }) => void seen.push(brief({ frame: frameShape.parse(JSON.parse(data)) })))
  await until('its opening', () => seen.includes('connected'))
  await door.send(roomId, ann!, 'before')
  await until('the first', () => seen.includes(`${roomId}: before`))
  await door.stop()
  door = await openGroupware({ storage: database.openStorage(), env })
  const author = await door.server.app.chat.accounts.getOrMake(ann!.id)
  await door.server.app.chat.messages.post(author, roomId, { content: 'meanwhile' })
  await until('its return', () => seen.includes('resumed'), 15_000)
  await door.server.app.chat.messages.post(author, roomId, { content: 'after' })
  await until('the last', () => seen.includes(`${roomId}: after`))
  const texts = seen.filter((line) => line.startsWith(`${roomId}:`))
  expect(texts).toEqual([`${roomId}: before`, `${roomId}: meanwhile`, `${roomId}: after`])
}, 30_000)
