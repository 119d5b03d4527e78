/** Rooms as they live (C10): their states, what an error inside one ends, and their lines in the log (C11). */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { fastClock, until } from '../../../test/chat.ts'
import { makeEntry } from '../../app/log/entry.ts'
import { formatLine } from '../../app/log/line.ts'
import { createLog } from '../../app/log.ts'
import { createMemoryRegistry } from '../../registry/memory/memory-registry.ts'
import type { Registry } from '../../registry/registry.ts'
import { openMemoryStorage } from '../../storage/memory/memory.ts'
import type { AppendResult, Storage } from '../../storage/storage.ts'
import { chatrooms, type Person } from './chatroom.fixture.ts'
import { poison, withoutTimes } from './held.fixture.ts'
import { openLive, type Client, type Live } from './live.fixture.ts'

const storage = withPoison(openMemoryStorage())
const lines: string[] = []
let live: Live

/** Of this room no history can be read. */
let sickRoom: string | null = null
/** Of this room none is read before `slowness` ends. */
let slowRoom: string | null = null
let slowness: Promise<void> = Promise.resolve()
let slowReads = 0

/** Returns what ends the slowness. */
function holdReads(roomId: string): () => void {
  slowRoom = roomId
  slowReads = 0
  let end = () => {}
  slowness = new Promise((resolve) => (end = resolve))
  return end
}

function withPoison(under: Storage): Storage {
  const log = new Proxy(under.log, {
    get(target, name) {
      const method = Reflect.get(target, name) as (...values: unknown[]) => Promise<unknown>
      return async (...values: unknown[]) => {
        if (name === 'listMessagesBelow' && String(values[0]) === sickRoom) throw new TypeError('a fault of the test')
        if (name === 'listMessagesBelow' && String(values[0]) === slowRoom) {
          slowReads += 1
          await slowness
        }
        const result = await Reflect.apply(method, target, values)
        return name === 'append' ? withoutTimes(result as AppendResult) : result
      }
    },
  })
  return { ...under, log, directory: under.directory, ping: () => under.ping(), close: () => under.close() }
}

/** Holds a Room at its closing, where it is told to. */
let closing: Promise<void> = Promise.resolve()
let goOn = () => {}
/** Names of records that were asked for, and that were to be written. */
const read: string[] = []
const written: string[] = []

function holdClosing(): void {
  closing = new Promise((resolve) => (goOn = resolve))
}

function withHold(registry: Registry): Registry {
  const dropRecent = async (roomId: number) => {
    await closing
    await registry.dropRecent(roomId)
  }
  const readRecords = (names: string[]) => {
    read.push(...names)
    return registry.readRecords(names)
  }
  const replaceRecord: Registry['replaceRecord'] = (name, ...how) => {
    written.push(name)
    return registry.replaceRecord(name, ...how)
  }
  return { ...registry, dropRecent, readRecords, replaceRecord }
}

beforeAll(async () => {
  const log = createLog('info', (level, text, about) => lines.push(formatLine(makeEntry(Date.now(), level, text, about), 2831)))
  const env = { ROOM_IDLE_MINUTES: '0.005', LIMIT_REGISTER: 'off', LIMIT_CONNECTS: 'off' }
  const registry = withHold(createMemoryRegistry(storage.directory))
  live = await openLive({ storage, registry, log, clock: fastClock, isProduction: true, env })
})
afterAll(() => live.stop())

let lastName = 0
async function scene() {
  const nth = ++lastName
  const [ann, bob] = (await live.signedIn(`ann${nth}`, `bob${nth}`)) as [Person, Person]
  return { ann, bob, roomId: await live.room([ann, bob]) }
}

async function open(person: Person, roomIds: string[], query = ''): Promise<Client> {
  const client = await live.open(person, query)
  for (const roomId of roomIds) await live.connect(roomId, person)
  await client.have('history', roomIds.length)
  return client
}

const stateOf = async (roomId: string, { bearer }: Person) =>
  (await live.done(`GET ${chatrooms}/${roomId}`, bearer)).state as string
const linesOf = (roomId: string) => lines.filter((line) => line.includes(`[${roomId}]`)).map((line) => line.split('\n')[0]!)
const shownBy = ({ frames }: Client) => frames.map(({ type, roomId }) => `${type} ${roomId}`)

/** What a socket's frame would do, past the answer that could not be shown either; in one commit with a message elsewhere. */
async function postPoison(author: Person, roomId: string, elsewhere: string): Promise<void> {
  const { chat } = live.server.app
  const user = await chat.accounts.get(author.id)
  await Promise.all([
    chat.messages.post(user, Number(roomId), { content: poison }),
    chat.messages.post(user, Number(elsewhere), { content: 'elsewhere' }),
  ])
}

test('[C10] a Room is active with its first socket, idle with its last gone, and closes when its time has run out', async () => {
  const { ann, bob, roomId } = await scene()
  expect(await stateOf(roomId, ann)).toBe('closed')
  const [one, two] = [await open(ann, [roomId]), await open(bob, [roomId])]
  expect(await stateOf(roomId, ann)).toBe('active')
  await one.close()
  holdClosing()
  await two.close()
  await until('it is idle', async () => (await stateOf(roomId, ann)) !== 'active')
  await until('it is closing', async () => (await stateOf(roomId, ann)) === 'closing')
  goOn()
  await until('it is closed', async () => (await stateOf(roomId, ann)) === 'closed')
})

test('[C10] who would connect while it is closing gets a 409, who is bound waits, and after it a new Room is made', async () => {
  const { ann, bob, roomId } = await scene()
  const one = await open(ann, [roomId])
  holdClosing()
  await one.close()
  await until('it is closing', async () => (await stateOf(roomId, ann)) === 'closing')
  const refused = await live.connect(roomId, bob)
  expect([refused.status, refused.body.error]).toEqual([409, 'room_closing'])
  read.length = 0
  const opening = live.open(ann)
  await until('he has asked to be let in', () => read.includes(`room:${roomId}`))
  goOn()
  const back = await opening
  await back.have('history')
  await live.connect(roomId, bob)
  expect(await stateOf(roomId, ann)).toBe('active')
  expect(linesOf(roomId).filter((line) => line.endsWith('Room created successfully.')).length).toBeGreaterThan(1)
})

test('[C10] connect answers the state of the Room that he enters: one that is still to be made is creating', async () => {
  const { ann, bob, roomId } = await scene()
  const connect = async (person: Person) => {
    const { status, body } = await live.connect(roomId, person)
    return `${status} ${body.state}`
  }
  expect(await connect(ann)).toBe('200 creating')
  expect(await stateOf(roomId, ann)).toBe('closed')
  const one = await live.open(ann)
  expect([await connect(ann), await connect(bob)]).toEqual(['200 active', '200 active'])
  await one.close()
})

test('[C10] a change while it is not active reaches the database alone', async () => {
  const { ann, bob, roomId } = await scene()
  const one = await open(ann, [roomId])
  await one.close()
  await live.done(`PATCH ${chatrooms}/${roomId}/name`, ann.bearer, { name: 'renamed' })
  const two = await open(bob, [roomId])
  await two.settled()
  expect(shownBy(two)).toEqual([`history ${roomId}`])
  expect((await live.done(`GET ${chatrooms}/${roomId}`, bob.bearer)).name).toBe('renamed')
})

test('[C11] its life, and who enters and leaves it, stand in the log as the contract prints lines', async () => {
  const { ann, roomId } = await scene()
  const one = await open(ann, [roomId])
  await one.close()
  await until('it has closed', () => linesOf(roomId).some((line) => line.endsWith('Room closed.')))
  const [time, pid] = [String.raw`\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\]`, String.raw`\[PID:2831\]`]
  for (const line of linesOf(roomId))
    expect(line).toMatch(new RegExp(String.raw`^${time} \[INFO\] ${pid} (\[\w+\] )?\[${roomId}\] - `))
  const told = linesOf(roomId).map((line) => line.slice(line.indexOf('[PID:2831] ') + '[PID:2831] '.length))
  expect(told.filter((line) => /[Rr]oom created|Room\.$|closed\.$/.test(line))).toEqual([
    `[${ann.username}] [${roomId}] - Chat room created.`,
    `[${roomId}] - Room created successfully.`,
    `[${ann.username}] [${roomId}] - User entered the Room.`,
    `[${ann.username}] [${roomId}] - User left the Room.`,
    `[${roomId}] - Room closed.`,
  ])
})

test('[C10] an event that cannot be shown ends its Room alone: its sockets stay and get history again, no other Room notices', async () => {
  const { ann, bob, roomId } = await scene()
  const other = await live.room([ann, bob])
  const [one, both] = [await open(ann, [roomId, other]), await open(bob, [other])]
  const with1 = await open(bob, [roomId])
  await both.have('history', 2)
  await postPoison(ann, roomId, other)
  for (const [client, count] of [
    [one, 3],
    [with1, 3],
  ] as const)
    await client.have('history', count)
  await live.send(roomId, ann, 'after it')
  for (const client of [one, both, with1]) {
    await client.have('message', 2)
    expect(client.closedWith).toBe(null)
    expect(client.textsIn(roomId)).toEqual([poison, 'after it'])
    expect(client.textsIn(other)).toEqual(['elsewhere'])
    expect(shownBy(client).filter((frame) => frame === `history ${other}`)).toHaveLength(1)
  }
  expect(linesOf(roomId).filter((line) => line.includes('ERROR'))).toHaveLength(1)
  expect(lines.find((line) => line.includes(`[${roomId}] - Room ended by an error.`))).toMatch(/\n {4}RangeError.*\n {4}.*at /s)
  expect(await stateOf(roomId, ann)).toBe('active')
})

test('[C10][C12] a socket with cursors is told to reload then, and no cursor passes over what it was not handed', async () => {
  const { ann, bob, roomId } = await scene()
  const other = await live.room([ann, bob])
  const client = await open(ann, [roomId, other], '?since=')
  const before = client.frames.length
  await postPoison(bob, roomId, other)
  await client.have('reload', 2)
  await client.have('history', 4)
  await live.send(roomId, bob, 'after it')
  await client.have('message')
  const rest = client.frames.slice(before)
  expect(rest.map(({ type }) => type)).toEqual(['reload', 'history', 'reload', 'history', 'message'])
  expect([client.textsIn(roomId), client.textsIn(other)]).toEqual([[poison, 'after it'], ['elsewhere']])
  const back = await live.open(ann, `?since=${client.cursor()}`)
  await back.settled()
  expect(back.frames).toEqual([])
})

test('[C10][C12] a socket with cursors of which two Rooms end at once is in both again', async () => {
  const { ann, bob, roomId } = await scene()
  const other = await live.room([ann, bob])
  const client = await open(ann, [roomId, other], '?since=')
  const { chat } = live.server.app
  const user = await chat.accounts.get(bob.id)
  await Promise.all([roomId, other].map((id) => chat.messages.post(user, Number(id), { content: poison })))
  await client.have('reload', 2)
  for (const id of [roomId, other]) await live.send(id, bob, 'after it')
  await client.have('message', 2)
  expect([client.textsIn(roomId), client.textsIn(other)]).toEqual([
    [poison, 'after it'],
    [poison, 'after it'],
  ])
})

test('[C3][C12] a socket with cursors gets the answers that it held while a Room ended, behind what it is told anew', async () => {
  const { ann, bob, roomId } = await scene()
  const other = await live.room([ann, bob])
  const client = await open(ann, [roomId], '?since=')
  await live.send(other, bob, 'read slowly')
  const endSlowness = holdReads(other)
  const connecting = live.connect(other, ann)
  await until('it enters the other room', () => slowReads > 0)
  client.send({ type: 'message', roomId, content: 'kept', key: 'k' })
  client.send({ type: 'message', roomId: '999999', content: 'refused' })
  client.send('which room?')
  await client.settled()
  const messages = async () => (await live.done(`GET ${chatrooms}/${roomId}/messages`, bob.bearer)).messages as object[]
  await until('it is stored', async () => (await messages()).length > 0)
  await postPoison(bob, roomId, other)
  endSlowness()
  await connecting
  await client.have('error', 2)
  const rest = client.frames.slice(1)
  expect(rest.map(({ type }) => type).slice(0, 4)).toEqual(['reload', 'history', 'reload', 'history'])
  expect(rest.slice(4).map(({ type, key, error }) => [type, key ?? error])).toEqual(
    expect.arrayContaining([
      ['sent', 'k'],
      ['error', 'forbidden'],
      ['error', 'room_required'],
    ]),
  )
  expect(rest).toHaveLength(7)
  expect(client.textsIn(roomId)).toEqual(['kept', poison])
  // None of their cursors goes back behind what it was told anew.
  for (const { cursor } of rest.slice(4).filter((frame) => frame.cursor)) {
    const back = await live.open(ann, `?since=${cursor}`)
    await back.settled()
    expect(back.frames).toEqual([])
  }
})

test('[C1] who is removed, added and bound again while his socket has still to enter gets one history, and is online once', async () => {
  const { ann, bob, roomId } = await scene()
  const other = await live.room([ann, bob])
  await live.send(roomId, ann, 'read slowly')
  const client = await live.open(bob)
  const endSlowness = holdReads(roomId)
  const connecting = [live.connect(roomId, bob)]
  await until('he enters the first room', () => slowReads > 0)
  for (const nth of [1, 2]) {
    written.length = 0
    connecting.push(live.connect(other, bob))
    await until('he is being bound', () => written.includes(`bound:${bob.id}`))
    if (nth === 2) break
    await live.done(`DELETE ${chatrooms}/${other}/participants/${bob.username}`, ann.bearer)
    await live.done(`POST ${chatrooms}/${other}/participants`, ann.bearer, { userId: bob.username })
  }
  endSlowness()
  for (const reply of await Promise.all(connecting)) expect(reply.status).toBe(200)
  await client.settled()
  expect(shownBy(client)).toEqual([`history ${roomId}`, `history ${other}`])
  await client.close()
  const { sessions } = live.server.app.chat
  await until('he is offline', async () => (await sessions.listOnline(Number(other))).length === 0)
})

test('[C1] who is removed and added in one moment is bound no more, until he connects again', async () => {
  const { ann, bob, roomId } = await scene()
  const client = await open(bob, [roomId])
  const { accounts, members } = live.server.app.chat
  const actor = { kind: 'user' as const, user: await accounts.get(ann.id) }
  // One commit, so both are stored when the first is handed out.
  await Promise.all([members.remove(actor, Number(roomId), bob.id), members.add(actor, Number(roomId), bob.id)])
  await client.have('participant_removed')
  await live.send(roomId, ann, 'in between')
  await live.connect(roomId, bob)
  await live.send(roomId, ann, 'after it')
  await client.have('message')
  expect(shownBy(client)).toEqual(['history', 'participant_removed', 'history', 'message'].map((type) => `${type} ${roomId}`))
  expect(client.textsIn(roomId)).toEqual(['in between', 'after it'])
})

test('[C10] a Room that fails again and again is given up: its sockets stay, are told so, and are bound to it no more', async () => {
  const { ann, bob, roomId } = await scene()
  const other = await live.room([ann, bob])
  const client = await open(ann, [other])
  await live.send(roomId, bob, 'cannot be read')
  sickRoom = roomId
  await live.connect(roomId, ann)
  expect((await client.have('error'))[0]).toMatchObject({ roomId, error: 'room_failed' })
  client.send('bound to the other alone')
  await client.have('message')
  expect(client.textsIn(other)).toEqual(['bound to the other alone'])
  sickRoom = null
  await live.connect(roomId, ann)
  await client.have('history', 2)
  expect(client.textsIn(roomId)).toEqual(['cannot be read'])
})
