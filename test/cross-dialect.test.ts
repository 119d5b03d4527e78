/** People behind different front ends meet in the same room: what comes in by one door goes out by both, the same and in one order. */
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { openMemoryStorage } from '../server/storage/memory/memory.ts'
import type { OpenStorage } from '../server/storage/storage.contract.ts'
import { describeServer, openServer, shareEmbedded } from '../server/storage/postgres/testing.ts'
import { until } from './chat.ts'
import {
  asHost,
  call,
  done,
  enroll,
  enrollAll,
  feedHistory,
  guildHistory,
  makeChannel,
  makeGroup,
  open,
  post,
  refusal,
  rooms,
  addressOf,
  type Client,
  type Person,
  type Seen,
} from './clients.ts'
import { startServer, type TestServer } from './harness.ts'

const openMemory: OpenStorage = async () => {
  const storage = openMemoryStorage()
  return { storage, second: async () => storage, close: () => storage.close() }
}
const embedded = shareEmbedded()
afterAll(embedded.close, 30_000)

let server: TestServer
let closeStorage = async () => {}
let clients: Client[] = []

async function start(openStorage: OpenStorage, isProduction: boolean): Promise<void> {
  const { storage, close } = await openStorage()
  server = await startServer({ storage, isProduction, env: { LIMIT_SENDS: 'off', LIMIT_CONNECTS: 'off' } })
  closeStorage = close
}

async function join(door: 'feed' | 'guild', roomId: number, person: Person, since: string | null = null): Promise<Client> {
  const client = await open(server, [door, roomId], person, since)
  clients.push(client)
  return client
}

afterEach(async () => {
  for (const client of clients.splice(0)) client.socket.terminate()
  expect(server.logged).toEqual([])
  await server.stop()
  await closeStorage()
})

function crossing(name: string, openStorage: OpenStorage): void {
  describe(`two doors over ${name}`, () => {
    meeting(openStorage)
    membership(openStorage)
    crowd(openStorage)
  })
}

// --------------------------------------------------------------------------------------------------------------- meeting

function meeting(openStorage: OpenStorage): void {
  it('[A1][A2] a message posted through either door is seen by both, with one id and in one order', async () => {
    await start(openStorage, true)
    const [ann, bob] = (await enrollAll(server, 'person', 2)) as [Person, Person]
    const { roomId } = await makeChannel(server, [ann, bob])
    const feed = await join('feed', roomId, ann)
    const guild = await join('guild', roomId, bob)

    guild.socket.send(JSON.stringify({ content: '길드에서' }))
    await until('it at feed', () => feed.seen.length === 1)
    const { body } = await post(server, roomId, ann, 'from feed')
    guild.socket.send('plain text')
    await until('all at both', () => feed.seen.length === 3 && guild.seen.length === 3)

    expect(feed.seen).toEqual([
      { id: 1, text: '길드에서', authorId: bob.id },
      { id: 2, text: 'from feed', authorId: ann.id },
      { id: 3, text: 'plain text', authorId: bob.id },
    ])
    expect(body.data.id).toBe(2)
    expect(guild.seen).toEqual(feed.seen)
    expect(await feedHistory(server, roomId, bob)).toEqual(feed.seen)
    expect(await guildHistory(server, roomId, ann)).toEqual(feed.seen)
  })

  it('[A1][A13][M2] an open room that feed made up is a channel without a server at guild', async () => {
    await start(openStorage, false)
    const ann = await enroll(server, 'ann')
    expect((await call(server, 'GET /channels/77', undefined, ann.bearer)).status).toBe(404)
    const feed = await join('feed', 77, ann)
    expect(await done(server, 'GET /channels/77', undefined, ann.bearer)).toMatchObject({ id: 77, server_id: null })
    const guild = await join('guild', 77, ann)
    guild.socket.send('both')
    await until('it at both', () => feed.seen.length === 1 && guild.seen.length === 1)
    expect(guild.seen).toEqual(feed.seen)
  })

  it('[A1][A13] a group of feed is a channel without a server at guild, where its admin alone renames and deletes it', async () => {
    await start(openStorage, true)
    const [admin, member, stranger] = (await enrollAll(server, 'person', 3)) as [Person, Person, Person]
    const roomId = await makeGroup(server, [admin, member])
    const channel = `/channels/${roomId}`
    expect(await done(server, `GET ${channel}`, undefined, member.bearer)).toMatchObject({
      id: roomId,
      name: '마당',
      server_id: null,
    })
    expect((await call(server, `GET ${channel}`, undefined, stranger.bearer)).status).toBe(403)
    expect((await call(server, `PUT ${channel}`, { name: 'mine' }, member.bearer)).status).toBe(403)
    expect((await call(server, `PUT ${channel}`, { name: 'new' }, admin.bearer)).status).toBe(200)
    expect((await done(server, `GET ${rooms}/${roomId}`, undefined, member.bearer)).data.name).toBe('new')
    const [feed, guild] = [await join('feed', roomId, member), await join('guild', roomId, member)]
    expect((await call(server, `DELETE ${channel}`, undefined, member.bearer)).status).toBe(403)
    expect((await call(server, `DELETE ${channel}`, undefined, admin.bearer)).status).toBe(204)
    await until('both ends', () => feed.closedWith === 4003 && guild.closedWith === 4003)
    expect((await call(server, `GET ${rooms}/${roomId}`, undefined, member.bearer)).status).toBe(404)
  })

  it('[A16][A17] what one door takes and the other has no words for is shown all the same', async () => {
    await start(openStorage, true)
    const ann = await enroll(server, 'ann')
    const { roomId } = await makeChannel(server, [ann])
    const guild = await join('guild', roomId, ann)
    const body = { user_id: ann.id, message: '', message_type: 'image', file_url: 'https://files.example/a/%ED%95%9C.png' }
    await done(server, `POST ${rooms}/${roomId}/messages`, body, ann.bearer)
    await done(server, `POST ${rooms}/${roomId}/messages`, { user_id: ann.id, message: '가'.repeat(10_000) }, ann.bearer)
    await until('both at guild', () => guild.seen.length === 2)
    expect(guild.seen[0]!.text).toContain('.png')
    expect(guild.seen[1]!.text).toBe('가'.repeat(10_000))
  })

  it('[A7] one who was away resumes at his door with what came in by the other', async () => {
    await start(openStorage, true)
    const [ann, bob] = (await enrollAll(server, 'person', 2)) as [Person, Person]
    const { roomId } = await makeChannel(server, [ann, bob])
    const feed = await join('feed', roomId, ann, '')
    const guild = await join('guild', roomId, bob, '')
    await post(server, roomId, ann, 'seen')
    await until('it at both', () => feed.seen.length === 1 && guild.seen.length === 1)
    await Promise.all([feed.close(), guild.close()])
    const writer = await join('guild', roomId, bob)
    writer.socket.send('missed 1')
    await until('it stored', () => writer.seen.length === 1)
    await post(server, roomId, ann, 'missed 2')
    const feedAgain = await join('feed', roomId, ann, feed.cursor)
    const guildAgain = await join('guild', roomId, bob, guild.cursor)
    await post(server, roomId, ann, 'live')
    await until('the live one', () => [feedAgain, guildAgain].every(({ seen }) => seen.at(-1)?.text === 'live'))
    for (const { seen } of [feedAgain, guildAgain]) expect(seen.map(({ text }) => text)).toEqual(['missed 1', 'missed 2', 'live'])
  })
}

// ------------------------------------------------------------------------------------------------------------ membership

function membership(openStorage: OpenStorage): void {
  const add = (roomId: number, target: Person, as: Record<string, string>) =>
    call(server, `POST ${rooms}/${roomId}/members`, { user_id: target.id }, as)
  const remove = (roomId: number, target: Person, as: Record<string, string>) =>
    call(server, `DELETE ${rooms}/${roomId}/members/${target.id}`, undefined, as)
  const namesOf = async (roomId: number, reader: Person): Promise<string[]> => {
    const { data } = await done(server, `GET ${rooms}/${roomId}/members`, undefined, reader.bearer)
    return data.map(({ role, user_id }: { role: string; user_id: number }) => `${user_id} ${role}`)
  }

  it("[A11][A13] a guild channel seen in feed has the server's members, its owner as admin", async () => {
    await start(openStorage, true)
    const [owner, member] = (await enrollAll(server, 'person', 2)) as [Person, Person]
    const { roomId } = await makeChannel(server, [owner, member])
    expect(await namesOf(roomId, member)).toEqual([`${owner.id} admin`, `${member.id} member`])
    const room = await done(server, `GET ${rooms}/${roomId}`, undefined, owner.bearer)
    expect(room.data).toMatchObject({ id: roomId, name: 'general', room_type: 'channel' })
  })

  it("[A11] adding a member to a channel's room through feed joins the server with all its channels", async () => {
    await start(openStorage, true)
    const [owner, guest] = (await enrollAll(server, 'person', 2)) as [Person, Person]
    const { serverId, roomId } = await makeChannel(server, [owner])
    const { id: otherId } = await done(server, 'POST /channels/', { name: 'other', server_id: serverId }, owner.bearer)
    const watchers = [await join('feed', roomId, owner), await join('feed', otherId, owner)]

    expect((await call(server, `GET /servers/${serverId}`, undefined, guest.bearer)).status).toBe(403)
    expect((await add(roomId, guest, owner.bearer)).status).toBe(201)
    for (const watcher of watchers) expect(await watcher.find('member_join')).toMatchObject({ user_id: guest.id })
    expect((await done(server, 'GET /servers/', undefined, guest.bearer)).map(({ id }: { id: number }) => id)).toEqual([serverId])
    expect(await namesOf(otherId, guest)).toEqual([`${owner.id} admin`, `${guest.id} member`])
    expect((await add(otherId, guest, owner.bearer)).status).toBe(409)
    expect((await call(server, `POST /servers/${serverId}/join`, undefined, guest.bearer)).status).toBe(400)

    const sockets = [await join('guild', roomId, guest), await join('feed', otherId, guest)]
    expect((await remove(otherId, guest, owner.bearer)).status).toBe(200)
    await until('his sockets end', () => sockets.every(({ closedWith }) => closedWith === 4003))
    for (const watcher of watchers) expect(await watcher.find('member_leave')).toMatchObject({ user_id: guest.id })
    expect((await call(server, `GET /servers/${serverId}`, undefined, guest.bearer)).status).toBe(403)
    expect((await post(server, roomId, guest, 'from outside')).status).toBe(403)
  })

  it('[A11][A13] only the owner, the person himself and a service key change who is in a channel; the owner stays', async () => {
    await start(openStorage, true)
    const [owner, member, stranger] = (await enrollAll(server, 'person', 3)) as [Person, Person, Person]
    const { serverId, roomId } = await makeChannel(server, [owner, member])
    const refused = {
      'a member adds': await add(roomId, stranger, member.bearer),
      'a stranger adds himself': await add(roomId, stranger, stranger.bearer),
    }
    for (const [what, { status }] of Object.entries(refused)) expect([what, status]).toEqual([what, 403])
    expect((await remove(roomId, owner, member.bearer)).status).toBe(403)
    expect((await remove(roomId, owner, owner.bearer)).status).toBe(403)
    expect((await add(roomId, stranger, asHost)).status).toBe(201)
    expect((await remove(roomId, stranger, member.bearer)).status).toBe(403)
    expect((await remove(roomId, stranger, asHost)).status).toBe(200)
    expect((await remove(roomId, member, member.bearer)).status).toBe(200)
    expect((await call(server, `POST /servers/${serverId}/leave`, undefined, member.bearer)).status).toBe(400)
    expect(await namesOf(roomId, owner)).toEqual([`${owner.id} admin`])
    expect(await refusal(addressOf(server, 'guild', roomId, member))).toMatchObject({ status: 403 })
  })

  it('[A11] joining and leaving at guild is coming and going at feed', async () => {
    await start(openStorage, true)
    const [owner, member] = (await enrollAll(server, 'person', 2)) as [Person, Person]
    const { serverId, roomId } = await makeChannel(server, [owner])
    const feed = await join('feed', roomId, owner)
    await done(server, `POST /servers/${serverId}/join`, undefined, member.bearer)
    expect(await feed.find('member_join')).toMatchObject({ user_id: member.id, data: { role: 'member' } })
    await done(server, `POST /servers/${serverId}/leave`, undefined, member.bearer)
    expect(await feed.find('member_leave')).toMatchObject({ user_id: member.id })
  })
}

// ----------------------------------------------------------------------------------------------------------------- crowd

const writerCount = 20
/** Of each writer: one request, or so many frames, which together cost as much, most of it in the test's own client. */
const rounds = 100
const burst = 9
const messageCount = (writerCount / 2) * rounds * (burst + 1)

function crowd(openStorage: OpenStorage): void {
  it(
    '[A1] 10,000 messages of 20 writers at both doors reach every reader once, in one order, which is that of the history',
    { timeout: 400_000 },
    async () => {
      await start(openStorage, true)
      const people = await enrollAll(server, 'person', writerCount + 1)
      const { roomId } = await makeChannel(server, people)
      const [reader, ...writers] = people as [Person, ...Person[]]
      const readers = await Promise.all([
        join('feed', roomId, reader),
        join('feed', roomId, reader, ''),
        join('feed', roomId, writers[0]!),
        join('guild', roomId, reader),
        join('guild', roomId, reader, ''),
        join('guild', roomId, writers[1]!),
      ])
      const half = writerCount / 2
      await Promise.all([
        ...writers.slice(0, half).map((writer) => writeFrames(roomId, writer)),
        ...writers.slice(half).map((writer) => writePosts(roomId, writer)),
      ])
      await until('all at every reader', () => readers.every(({ seen }) => seen.length >= messageCount), 60_000)
      await Promise.all(readers.map((one) => one.settled()))

      const [first, ...others] = readers.map(({ seen }) => seen)
      expectWhole(first!, writers)
      for (const other of others) expectSame(other, first!)
      expectSame(await feedHistory(server, roomId, reader), first!)
      expectSame(await guildHistory(server, roomId, reader), first!)
    },
  )
}

async function writeFrames(roomId: number, writer: Person): Promise<void> {
  const client = await join('guild', roomId, writer)
  let heard = 0
  client.onMessage = ({ authorId }) => void (heard += Number(authorId === writer.id))
  for (let number = 1; number <= rounds * burst; number++) {
    client.socket.send(JSON.stringify({ content: `${writer.username}: ${number}` }))
    if (number % burst === 0) await until('his own', () => heard === number, 30_000)
  }
}

async function writePosts(roomId: number, writer: Person): Promise<void> {
  for (let number = 1; number <= rounds; number++) {
    const { status } = await post(server, roomId, writer, `${writer.username}: ${number}`)
    expect(status).toBe(201)
  }
}

/** Every message once, ids rising, and each writer's in the order in which he wrote them. */
function expectWhole(seen: Seen[], writers: Person[]): void {
  expect(seen.length).toBe(messageCount)
  expect(seen.every(({ id }, index) => index === 0 || id > seen[index - 1]!.id)).toBe(true)
  for (const [nth, { id, username }] of writers.entries()) {
    const count = nth < writerCount / 2 ? rounds * burst : rounds
    const expected = Array.from({ length: count }, (_, index) => `${username}: ${index + 1}`)
    expect(seen.filter(({ authorId }) => authorId === id).map(({ text }) => text)).toEqual(expected)
  }
}

/** Not one `toEqual` on 10,000 objects: a difference would be printed whole. */
function expectSame(seen: Seen[], expected: Seen[]): void {
  const different = expected.findIndex((one, index) => JSON.stringify(one) !== JSON.stringify(seen[index]))
  expect({ count: seen.length, different }).toEqual({ count: expected.length, different: -1 })
}

crossing('memory', openMemory)
crossing('PGlite', embedded.open)
describeServer('two doors over PostgreSQL', () => crossing('PostgreSQL', openServer))
