import { afterEach, describe, expect, it } from 'vitest'
import {
  connect,
  openTestChat,
  testFormat,
  until,
  type TestChatOptions,
  type TestClient,
  type TestFrame,
} from '../../test/chat.ts'
import { createManualClock, settle, type ManualClock } from '../../test/manual-clock.ts'
import { createMemoryBus } from '../bus/memory/memory-bus.ts'
import { createMemoryDatabase, openMemoryStorage } from '../storage/memory/memory.ts'
import type { Storage } from '../storage/storage.ts'
import type { Chat } from './chat.ts'
import type { User } from './model.ts'
import type { Connection } from './session.ts'

const roomId = 7
const chats: Chat[] = []

afterEach(async () => {
  for (const chat of chats.splice(0)) await chat.close()
})

async function openChat(storage: Storage, options: TestChatOptions = {}): Promise<Chat> {
  const chat = await openTestChat(storage, options)
  chats.push(chat)
  return chat
}

interface World {
  chat: Chat
  clock: ManualClock
  storage: Storage
  users: User[]
}

/** A node with users 1 to 3 in an open room. */
async function open(options: TestChatOptions = {}, storage = openMemoryStorage()): Promise<World> {
  const clock = createManualClock()
  const chat = await openChat(storage, { clock, ...options })
  const users: User[] = []
  for (const id of [1, 2, 3]) {
    const user = await chat.accounts.getOrMake(id)
    await chat.rooms.touchOpen(user, roomId)
    users.push(user)
  }
  await settle()
  return { chat, clock, storage, users }
}

/** A session whose connection shows how it ended; `enter` puts it into the room. */
function openSession(chat: Chat, user: User, tokenHash: string | null = null, hasOneRoom = true) {
  const state = { code: null as number | null, written: '' }
  const connection: Connection = {
    queuedBytes: 0,
    drained: async () => {},
    write: (bytes) => void (state.written += state.code === null ? Buffer.from(bytes).toString() : ''),
    close(code) {
      state.code ??= code
      chat.sessions.close(session)
    },
  }
  const session = chat.sessions.open({ user, format: testFormat(true), tokenHash, hasOneRoom })
  session.connect(connection)
  const enter = (since: string | null = '', id = roomId) => chat.sessions.enterRoom(session, id, since)
  return { session, state, enter, story: () => storyOf({ frames: parseFrames(state.written) }) }
}

const nobody = { kind: 'nobody' } as const

/** User 2 enters and goes at the nth look-up of it; null where there are fewer. */
async function enterAsHeGoes(way: 'enterRoom' | 'enterAll' | 'enterRooms' | 'enterAsGuest', call: number) {
  const told: string[] = []
  const storage = openMemoryStorage()
  const watch = { onEnter: () => void told.push('entered'), onLeave: () => void told.push('left') }
  const { chat, users } = await open(watch, storage)
  const { sessions } = chat
  const cursor = sessions.cursorIn(roomId)
  await chat.messages.post(users[0]!, roomId, { content: 'missed' })
  await settle()
  const { session } = openSession(chat, users[1]!)
  const { joinedSeq } = await chat.queries.getMember(roomId, 2)
  let calls = 0
  for (const lookUp of ['findMember', 'findRoom', 'listMembershipsOf', 'readMarkers', 'readLog'] as const) {
    const real: (...about: never[]) => Promise<unknown> = storage.log[lookUp].bind(storage.log)
    const going = async (...about: never[]) => {
      const answer = await real(...about)
      if (calls++ === call) sessions.close(session)
      return answer
    }
    Object.assign(storage.log, { [lookUp]: going })
  }
  const since = cursor.slice(cursor.indexOf('.') + 1)
  const enter = {
    enterRoom: () => sessions.enterRoom(session, roomId, cursor),
    enterAll: () => sessions.enterAll(session, since),
    enterRooms: () => sessions.enterRooms(session, { bindings: [[roomId, joinedSeq]], lost: [], since, from: since }, () => true),
    enterAsGuest: () => sessions.enterAsGuest(session, roomId, null),
  }
  const code = await enter[way]().then(
    () => 'entered',
    (error: { code?: string }) => error.code,
  )
  return session.isOpen ? null : { code, told, rooms: session.rooms.size }
}

/** A node as from `open`, and two more on its database. It hears of what they do when it looks, not before. */
async function openThree(): Promise<World & { second: Chat; third: Chat }> {
  const database = createMemoryDatabase()
  const world = await open({}, database.openStorage())
  return { ...world, second: await openChat(database.openStorage()), third: await openChat(database.openStorage()) }
}

type Shown = Pick<TestClient, 'frames'>
const presenceOf = ({ frames }: Shown) =>
  frames.flatMap(({ event }) => (event.type === 'presence.changed' ? [`${event.online ? '+' : '-'}${event.userId}`] : []))
const shownIn = ({ frames }: Shown) =>
  frames.flatMap(({ event }) => {
    if (event.type === 'presence.changed') return []
    return 'message' in event ? [`${event.type} ${event.message.content}`] : [`${event.type} ${event.userId}`]
  })
/** Without the markers that posting moves. */
const storyOf = (client: Shown) => shownIn(client).filter((line) => !line.startsWith('read.advanced'))

function parseFrames(written: string): TestFrame[] {
  const lines = written.split('\n').filter((line) => line !== '')
  return lines.map((line) => JSON.parse(line) as TestFrame)
}

async function say({ chat, users }: World, content: string, by = 0): Promise<number> {
  const { event } = await chat.messages.post(users[by]!, roomId, { content })
  await settle()
  return event.message.id
}

describe('[F4] who is online', () => {
  it('comes with his first session and goes 3 s after his last; the others see each once', async () => {
    const { chat, clock, users } = await open()
    const watcher = await connect(chat, users[0]!, roomId)
    await clock.advance(50)
    const first = await connect(chat, users[1]!, roomId)
    await clock.advance(50)
    const second = await connect(chat, users[1]!, roomId)
    await clock.advance(50)
    first.leave()
    await clock.advance(5_000)
    second.leave()
    await clock.advance(2_999)
    expect(presenceOf(watcher)).toEqual(['+1', '+2'])
    await clock.advance(51)
    expect(presenceOf(watcher)).toEqual(['+1', '+2', '-2'])
  })

  it('is told by `isOnlineAnnounced` whether his own coming is under way', async () => {
    const { chat, clock, users } = await open()
    const [one, two] = [openSession(chat, users[0]!), openSession(chat, users[0]!)]
    expect((await one.enter()).isOnlineAnnounced).toBe(true)
    await clock.advance(50)
    expect((await two.enter()).isOnlineAnnounced).toBe(false)
  })

  it('[F7] is listed for a client that resumes, and for no other', async () => {
    const { chat, clock, users } = await open()
    const cursor = chat.sessions.cursorIn(roomId)
    for (const user of users) await connect(chat, user, roomId)
    await clock.advance(50)
    expect((await openSession(chat, users[0]!).enter(cursor)).onlineIds).toEqual([1, 2, 3])
    expect((await openSession(chat, users[0]!).enter('')).onlineIds).toEqual([])
    expect((await chat.sessions.listOnline(roomId)).map(({ id }) => id)).toEqual([1, 2, 3])
  })

  it('[A19] and is removed is not told to go offline, whether he is live or in his grace', async () => {
    const { chat, clock, users } = await open()
    const watcher = await connect(chat, users[0]!, roomId)
    const live = await connect(chat, users[1]!, roomId)
    const gone = await connect(chat, users[2]!, roomId)
    await clock.advance(50)
    gone.leave()
    for (const id of [2, 3]) await chat.members.remove({ kind: 'nobody' }, roomId, id)
    await settle()
    expect((await chat.sessions.listOnline(roomId)).map(({ id }) => id)).toEqual([1])
    await clock.advance(10_000)
    expect(presenceOf(watcher)).toEqual(['+1', '+2', '+3'])
    expect(live.closedWith).toBe(4003)
  })

  it('[A19] is no stranger: one that is refused is not announced', async () => {
    const { chat, clock, users } = await open()
    const watcher = await connect(chat, users[0]!, roomId)
    await clock.advance(50)
    const stranger = await chat.accounts.getOrMake(9)
    await expect(connect(chat, stranger, roomId)).rejects.toMatchObject({ code: 'not_a_member' })
    await clock.advance(10_000)
    expect(presenceOf(watcher)).toEqual(['+1'])
  })
})

describe('[A15] a live connection ends', () => {
  it('with 4003 when its user is removed, after his own removal and with nothing behind it', async () => {
    const { chat, users, storage } = await open()
    const [one, two] = [await connect(chat, users[0]!, roomId), await connect(chat, users[1]!, roomId)]
    const { append } = storage.log
    let letGo = () => {}
    const opened = new Promise<void>((resolve) => (letGo = resolve))
    storage.log.append = (...asked) => opened.then(() => append(...asked))
    // While a first commit is under way, the removal and a message gather for the next one.
    const first = chat.messages.post(users[0]!, roomId, { content: 'before it' })
    const removing = chat.members.remove({ kind: 'nobody' }, roomId, 2)
    await settle()
    const behind = chat.messages.post(users[0]!, roomId, { content: 'behind it' })
    letGo()
    await Promise.all([first, removing, behind])
    await settle()
    expect([storyOf(two), two.closedWith]).toEqual([['message.posted before it', 'member.removed 2'], 4003])
    expect(storyOf(one)).toEqual(['message.posted before it', 'member.removed 2', 'message.posted behind it'])
  })

  it('with 4003 when its user is removed while his replay is sent: behind the replay and his own removal', async () => {
    const world = await open()
    const { chat, users } = world
    const cursor = chat.sessions.cursorIn(roomId)
    await say(world, 'missed')
    const { session, state, enter, story } = openSession(chat, users[1]!)
    const { missed } = await enter(cursor)
    await say(world, 'live')
    await chat.members.remove(nobody, roomId, 2)
    await say(world, 'behind it')
    expect([state.code, story()]).toEqual([null, []])
    session.send(missed)
    session.release()
    expect(story()).toEqual(['message.posted missed', 'message.posted live', 'member.removed 2'])
    expect(state.code).toBe(4003)
  })

  it('with 4003 when its user is removed while his replay is read, and the replay is whole', async () => {
    const world = await open()
    const { chat, users, storage } = world
    const cursor = chat.sessions.cursorIn(roomId)
    await say(world, 'missed')
    const { readMarkers } = storage.log
    storage.log.readMarkers = async (...asked) => {
      storage.log.readMarkers = readMarkers
      await chat.members.remove(nobody, roomId, 2)
      await say(world, 'behind it')
      return readMarkers(...asked)
    }
    const { session, state, enter, story } = openSession(chat, users[1]!)
    session.send((await enter(cursor)).missed)
    session.release()
    expect([story(), state.code]).toEqual([['message.posted missed', 'member.removed 2'], 4003])
  })

  it('at once all the same when its token is revoked while it waits for the end of its replay', async () => {
    const { chat, users } = await open()
    const { state, enter } = openSession(chat, users[1]!, 'aa')
    await enter()
    await chat.members.remove(nobody, roomId, 2)
    await settle()
    await chat.accounts.revokeToken('aa', Date.now() + 1e6)
    expect([state.code, state.written]).toEqual([4001, ''])
  })

  it('not for a door with many rooms: its session loses the one, behind the removal, and keeps the others', async () => {
    const world = await open()
    const { chat, users } = world
    for (const user of users) await chat.rooms.touchOpen(user, 8)
    const { session, state, enter, story } = openSession(chat, users[1]!, null, false)
    await enter()
    await enter('', 8)
    await chat.members.remove(nobody, roomId, 2)
    await say(world, 'behind it')
    await chat.messages.post(users[0]!, 8, { content: 'in the other' })
    await settle()
    session.release()
    expect(story()).toEqual(['member.removed 2', 'message.posted in the other'])
    expect([state.code, [...session.rooms]]).toEqual([null, [8]])
  })

  it('with 4003 when the room is deleted', async () => {
    const { chat, users } = await open()
    const client = await connect(chat, users[0]!, roomId)
    await chat.rooms.remove({ kind: 'nobody' }, roomId)
    await settle()
    expect([storyOf(client), client.closedWith]).toEqual([['room.deleted 0'], 4003])
  })

  it('at once when its token is revoked or its user deactivated here, and no other does', async () => {
    const { chat, users } = await open()
    const sessions = [
      openSession(chat, users[0]!, 'aa'),
      openSession(chat, users[0]!, 'bb'),
      openSession(chat, users[1]!),
      openSession(chat, users[2]!),
    ]
    await chat.accounts.revokeToken('aa', Date.now() + 1e6)
    expect(sessions.map(({ state }) => state.code)).toEqual([4001, null, null, null])
    await chat.accounts.change(2, { isActive: false })
    expect(sessions.map(({ state }) => state.code)).toEqual([4001, null, 4001, null])
    expect(chat.sessions.count()).toEqual(new Map([['test', 2]]))
  })

  it('within 30 s when another node did it, also in the first seconds of this one', async () => {
    for (const waitMs of [0, 9_000, 25_000]) {
      const database = createMemoryDatabase()
      const { chat, clock, users } = await open({}, database.openStorage())
      const elsewhere = await openChat(database.openStorage())
      await clock.advance(waitMs)
      const sessions = [openSession(chat, users[0]!, 'aa'), openSession(chat, users[1]!), openSession(chat, users[2]!, 'bb')]
      await elsewhere.accounts.revokeToken('aa', Date.now() + 1e6)
      await elsewhere.accounts.change(2, { isActive: false })
      await clock.advance(29_999)
      expect(sessions.map(({ state }) => state.code)).toEqual([4001, 4001, null])
    }
  })

  it('within 30 s when its token was revoked elsewhere after it was checked and noticed here before it was opened', async () => {
    const database = createMemoryDatabase()
    const { chat, clock, users } = await open({}, database.openStorage())
    await clock.advance(9_990)
    await database.openStorage().directory.revokeToken('aa', Date.now() + 1e6)
    await clock.advance(20)
    const { state } = openSession(chat, users[0]!, 'aa')
    await clock.advance(29_000)
    expect(state.code).toBe(4001)
  })

  it('later where the database was away when it had to look', async () => {
    const storage = openMemoryStorage()
    const { chat, clock, users } = await open({}, storage)
    const { state } = openSession(chat, users[0]!, 'aa')
    const { readEndings } = storage.directory
    storage.directory.readEndings = async () => Promise.reject(new Error('away'))
    await storage.directory.revokeToken('aa', Date.now() + 1e6)
    await clock.advance(60_000)
    expect(state.code).toBeNull()
    storage.directory.readEndings = readEndings
    await clock.advance(10_000)
    expect(state.code).toBe(4001)
  })

  it('with 1012 when the chat closes', async () => {
    const { chat, users } = await open()
    const client = await connect(chat, users[0]!, roomId)
    await chat.close()
    expect(client.closedWith).toBe(1012)
  })

  it('with 1013 when more waits for its replay than may', async () => {
    const world = await open()
    const { session, state, enter } = openSession(world.chat, world.users[0]!)
    await enter()
    for (let i = 0; i < 120 && state.code === null; i++) await say(world, 'x'.repeat(10_000), 1)
    expect([state.code, session.rooms.size, state.written]).toEqual([1013, 0, ''])
  })
})

interface Removal {
  /** At which of the look-ups in storage that entering takes. */
  call: number
  hasOneRoom: boolean
  /** He is added again before the look-up goes on. */
  comesBack: boolean
  /** His node hears of it before the look-up goes on, else once he is in. */
  isHeardAtOnce: boolean
}

/** User 2 comes back as he is removed, and is sent what there is for him; null where entering takes fewer look-ups. */
async function enterAsHeIsRemoved({ call, hasOneRoom, comesBack, isHeardAtOnce }: Removal) {
  const database = createMemoryDatabase()
  const { storage, atCall } = interruptible(database.openStorage())
  const world = await open({}, storage)
  const { chat, clock, users } = world
  const elsewhere = await openChat(database.openStorage())
  const cursor = chat.sessions.cursorIn(roomId)
  await say(world, 'missed')
  const { session, state, enter, story } = openSession(chat, users[1]!, null, hasOneRoom)
  const removed = atCall(call, async () => {
    await elsewhere.members.remove(nobody, roomId, 2)
    await elsewhere.messages.post(users[0]!, roomId, { content: 'not for him' })
    if (comesBack) await elsewhere.members.add(nobody, roomId, 2)
    if (isHeardAtOnce) await clock.advance(1_000)
  })
  const entering = enter(cursor).then(
    ({ missed }) => missed,
    () => null,
  )
  if (await Promise.race([removed, entering])) return null
  await clock.advance(200)
  const missed = await entering
  if (missed) session.send(missed)
  if (missed) session.release()
  await clock.advance(5_000)
  await say(world, 'last')
  const online = (await chat.sessions.listOnline(roomId)).map(({ id }) => id)
  return { isRefused: missed === null, isIn: session.rooms.has(roomId), story: story(), code: state.code, online }
}

/** A storage whose log lets something happen before it answers one of its calls, counted from now. */
function interruptible(storage: Storage) {
  let left = -1
  let happen = async () => {}
  const log = new Proxy(storage.log, {
    get(target, name) {
      const method = Reflect.get(target, name) as (...values: unknown[]) => Promise<unknown>
      return async (...values: unknown[]) => {
        if (left-- === 0) await happen()
        return Reflect.apply(method, target, values)
      }
    },
  })
  const atCall = (call: number, act: () => Promise<void>) =>
    new Promise<void>((resolve) => {
      left = call
      happen = async () => act().then(resolve)
    })
  return { storage: { ...storage, log }, atCall }
}

describe('entering a room', () => {
  it('[A15] refuses who was removed after he was checked and before he was entered, and leaves no trace of him', async () => {
    const database = createMemoryDatabase()
    const storage = database.openStorage()
    const { chat, clock, users } = await open({}, storage)
    const watcher = await connect(chat, users[0]!, roomId)
    await clock.advance(50)
    const { readLog } = storage.log
    storage.log.readLog = async (...asked) => {
      storage.log.readLog = readLog
      await chat.members.remove(nobody, roomId, 2)
      await settle()
      return readLog(...asked)
    }
    const { session, state, enter } = openSession(chat, users[1]!)
    await expect(enter()).rejects.toMatchObject({ code: 'not_a_member' })
    session.release()
    await say({ chat, clock, storage, users }, 'after him')
    await clock.advance(10_000)
    expect(state.written).not.toContain('after him')
    expect([session.rooms.size, presenceOf(watcher)]).toEqual([0, ['+1']])
  })

  it('[A15] lets one stay who was removed and added again before his node heard of either, wherever that was done', async () => {
    for (const adds of ['chat', 'second', 'third'] as const) {
      const world = await openThree()
      const { chat, clock, users, second } = world
      const watcher = await connect(chat, users[0]!, roomId)
      await clock.advance(50)
      await second.members.remove(nobody, roomId, 2)
      await second.messages.post(users[0]!, roomId, { content: 'while he was out' })
      await world[adds].members.add(nobody, roomId, 2)
      const coming = connect(chat, users[1]!, roomId)
      await clock.advance(5_000)
      const back = await coming
      await say(world, 'live')
      expect([adds, storyOf(back), back.closedWith]).toEqual([adds, ['message.posted live'], null])
      expect((await chat.sessions.listOnline(roomId)).map(({ id }) => id)).toEqual([1, 2])
      expect(presenceOf(watcher)).toEqual(['+1', '+2'])
    }
  })

  it('[A15] of him who is back takes out his session of before, and counts the new one alone', async () => {
    const { chat, clock, users, second } = await openThree()
    const watcher = await connect(chat, users[0]!, roomId)
    const before = await connect(chat, users[1]!, roomId)
    await clock.advance(50)
    await second.members.remove(nobody, roomId, 2)
    await second.members.add(nobody, roomId, 2)
    const coming = connect(chat, users[1]!, roomId)
    await clock.advance(5_000)
    const after = await coming
    expect([storyOf(before), before.closedWith]).toEqual([['member.removed 2'], 4003])
    expect([storyOf(after), after.closedWith]).toEqual([[], null])
    after.leave()
    await clock.advance(5_000)
    expect(presenceOf(watcher)).toEqual(['+1', '+2', '+2', '-2'])
  })

  const flags = [false, true]
  const removals = flags.flatMap((hasOneRoom) =>
    flags.flatMap((comesBack) => flags.map((isHeardAtOnce) => ({ hasOneRoom, comesBack, isHeardAtOnce }))),
  )
  it.each(removals)(
    '[A15] leaves him in, or out behind his own removal, at whichever look-up he is removed: %j',
    async (removal) => {
      const { hasOneRoom, comesBack } = removal
      for (let call = 0; ; call++) {
        const after = await enterAsHeIsRemoved({ call, ...removal })
        if (after === null) return expect(call, 'twice his membership, how he joined, rows and markers').toBeGreaterThanOrEqual(5)
        const { isRefused, isIn, story, code, online } = after
        // Who comes back may be in, or out as one who was live; who does not may also come too late.
        expect(comesBack ? isRefused : isIn).toBe(false)
        expect(online).toEqual(isIn ? [2] : [])
        expect(story).not.toContain('message.posted not for him')
        const removedAt = story.indexOf('member.removed 2')
        if (isIn) expect([removedAt, story.at(-1), code]).toEqual([-1, 'message.posted last', null])
        else if (isRefused) expect(story).toEqual([])
        else expect([removedAt, code]).toEqual([story.length - 1, hasOneRoom ? 4003 : null])
      }
    },
  )

  it('refuses a session that has gone meanwhile, and does not keep it', async () => {
    const database = createMemoryDatabase()
    const { chat, users } = await open({}, database.openStorage())
    const other = await openChat(database.openStorage())
    await other.messages.post(users[0]!, roomId, { content: 'ahead' })
    const ahead = other.sessions.cursorIn(roomId)
    const { session, enter } = openSession(chat, users[1]!)
    const entering = enter(ahead)
    chat.sessions.close(session)
    await expect(entering).rejects.toMatchObject({ code: 'unavailable' })
    expect([session.rooms.size, await chat.sessions.listOnline(roomId)]).toEqual([0, []])
  })

  it.each(['enterRoom', 'enterAll', 'enterRooms', 'enterAsGuest'] as const)(
    'tells of nobody that he has come who has gone, at whichever look-up he goes: %s',
    async (way) => {
      for (let call = 0; ; call++) {
        const after = await enterAsHeGoes(way, call)
        if (after === null) return expect(call).toBeGreaterThan(0)
        expect(after).toEqual({ code: 'unavailable', told: ['left'], rooms: 0 })
      }
    },
  )

  it('throws and leaves the room where storage is away', async () => {
    const storage = openMemoryStorage()
    const { chat, users } = await open({}, storage)
    const log = { ...storage.log }
    for (const lookUp of ['findMember', 'readMarkers', 'readLog'] as const) {
      Object.assign(storage.log, log, { [lookUp]: async () => Promise.reject(new Error('away')) })
      const { session, enter } = openSession(chat, users[1]!)
      await expect(enter(chat.sessions.cursorIn(roomId))).rejects.toThrow('away')
      expect(session.rooms.size).toBe(0)
    }
  })

  it('[A7] holds what comes live until the missed was sent, so that the order is one', async () => {
    const world = await open()
    const { chat, users } = world
    const cursor = chat.sessions.cursorIn(roomId)
    await say(world, 'missed')
    const { session, state, enter } = openSession(chat, users[1]!)
    const { missed } = await enter(cursor)
    await say(world, 'live')
    expect([missed.length, state.written]).toEqual([1, ''])
    session.send(missed)
    session.release()
    expect(state.written.indexOf('"missed"')).toBeLessThan(state.written.indexOf('"live"'))
    await say(world, 'later')
    expect(state.written).toContain('"later"')
  })
})

describe('[A7] a client that comes back', () => {
  it('is handed what it missed once, and nothing where it missed nothing', async () => {
    const world = await open()
    const { chat, users } = world
    const client = await connect(chat, users[1]!, roomId, '')
    await say(world, 'seen')
    const cursor = client.frames.at(-1)!.cursor!
    client.leave()
    expect(storyOf(await connect(chat, users[1]!, roomId, cursor))).toEqual([])
    await say(world, 'a')
    await say(world, 'b')
    const back = await connect(chat, users[1]!, roomId, cursor)
    expect([storyOf(back), back.isReload]).toEqual([['message.posted a', 'message.posted b'], false])
    expect(storyOf(await connect(chat, users[1]!, roomId, back.frames[0]!.cursor))).toEqual(['message.posted b'])
  })

  it('gets frames with a cursor that covers each, whose last leaves nothing', async () => {
    const world = await open()
    const cursor = world.chat.sessions.cursorIn(roomId)
    for (const content of ['a', 'b', 'c']) await say(world, content)
    const back = await connect(world.chat, world.users[1]!, roomId, cursor)
    for (const [index, frame] of back.frames.entries()) {
      const rest = await connect(world.chat, world.users[1]!, roomId, frame.cursor)
      expect(storyOf(rest)).toEqual(storyOf(back).slice(index + 1))
    }
  })

  it('is shown messages as they are now: deleted ones not at all, edited ones once', async () => {
    const world = await open()
    const { chat, users } = world
    const [early, gone, kept] = [
      await say(world, 'early'),
      await say(world, 'early, to be deleted'),
      await say(world, 'untouched'),
    ]
    const cursor = chat.sessions.cursorIn(roomId)
    await say(world, 'new')
    const edited = await say(world, 'new, to be edited')
    const deleted = await say(world, 'new, to be deleted')
    const author = users[0]!
    await chat.messages.edit(author, roomId, edited, 'first edit')
    await chat.messages.edit(author, roomId, edited, 'new, edited')
    await chat.messages.edit(author, roomId, deleted, 'edited, then deleted')
    await chat.messages.remove(author, roomId, deleted)
    await chat.messages.edit(author, roomId, early, 'one')
    await chat.messages.edit(author, roomId, early, 'early, edited')
    await chat.messages.edit(author, roomId, gone, 'edited, then deleted')
    await chat.messages.remove(author, roomId, gone)
    await settle()
    const back = await connect(chat, users[1]!, roomId, cursor)
    expect(storyOf(back)).toEqual([
      'message.posted new',
      'message.posted new, edited',
      'message.edited early, edited',
      'message.deleted ',
    ])
    expect(JSON.stringify(back.frames)).not.toContain('edited, then deleted')
    expect(kept).toBe(gone + 1)
  })

  it('gets a room that he entered after his cursor from the event that let him in', async () => {
    const world = await open()
    const { chat } = world
    const cursor = chat.sessions.cursorIn(roomId)
    await say(world, 'before him')
    const late = await chat.accounts.getOrMake(5)
    await chat.rooms.touchOpen(late, roomId)
    await say(world, 'after him')
    expect(storyOf(await connect(chat, late, roomId, cursor))).toEqual(['member.added 5', 'message.posted after him'])
  })

  it('gets a room that he left and came back to from his coming back', async () => {
    const world = await open()
    const { chat, users } = world
    const cursor = chat.sessions.cursorIn(roomId)
    await say(world, 'while he was in')
    await chat.members.remove({ kind: 'nobody' }, roomId, 2)
    await say(world, 'while he was out')
    await chat.members.add({ kind: 'nobody' }, roomId, 2)
    await say(world, 'while he is back')
    const shown = storyOf(await connect(chat, users[1]!, roomId, cursor))
    expect(shown).not.toContain('message.posted while he was out')
    expect(shown.slice(-2)).toEqual(['member.added 2', 'message.posted while he is back'])
  })

  it('gets later reads once per member, the last of each', async () => {
    const world = await open()
    const { chat, users } = world
    await say(world, 'a')
    const cursor = chat.sessions.cursorIn(roomId)
    for (let i = 0; i < 3; i++) for (const user of users.slice(1)) await chat.reads.advance(user, roomId, null)
    await settle()
    expect(shownIn(await connect(chat, users[0]!, roomId, cursor))).toEqual(['read.advanced 2', 'read.advanced 3'])
  })

  it('is replayed exactly as much as may be, and told to reload beyond it, with a fresh cursor, and goes on live', async () => {
    const world = await open({ replayMax: 3 })
    const { chat, users } = world
    const cursor = chat.sessions.cursorIn(roomId)
    for (const content of ['a', 'b', 'c']) await say(world, content)
    const within = await connect(chat, users[1]!, roomId, cursor)
    expect([storyOf(within).length, within.isReload]).toEqual([3, false])
    await say(world, 'd')
    const beyond = await connect(chat, users[1]!, roomId, cursor)
    expect([storyOf(beyond), beyond.isReload]).toEqual([[], true])
    expect(beyond.cursor).toBe(chat.sessions.cursorIn(roomId))
    await say(world, 'live')
    expect(storyOf(beyond)).toEqual(['message.posted live'])
    expect(storyOf(await connect(chat, users[1]!, roomId, beyond.cursor))).toEqual(['message.posted live'])
  })

  it('is told to reload with a cursor of another room, of another database, of the future and with garbage', async () => {
    const { chat, users } = await open()
    const own = chat.sessions.cursorIn(roomId)
    const foreign = (await open()).chat.sessions.cursorIn(roomId)
    const [, journal, tag] = /_(\w+)-(\w+)-/.exec(own) ?? []
    const future = `7.1_${journal}-${tag}-zz`
    const laterJournal = `7.9_9-${tag}-1`
    for (const since of [chat.sessions.cursorIn(8), foreign, future, laterJournal, 'garbage', '7.', '0', own.slice(0, -1), ' ']) {
      const client = await connect(chat, users[0]!, roomId, since)
      expect([since, client.isReload, client.cursor]).toEqual([since, true, own])
    }
    expect((await connect(chat, users[0]!, roomId, own)).isReload).toBe(false)
    expect((await connect(chat, users[0]!, roomId, '')).isReload).toBe(false)
  })

  it('is served by a node that is behind its cursor, and by one that was started since', async () => {
    const database = createMemoryDatabase()
    const deaf = { node: 'deaf', publish() {}, tell() {}, listen() {}, close: async () => {} }
    const one = await open({ bus: deaf }, database.openStorage())
    const two = await openChat(database.openStorage(), { bus: deaf })
    const client = await connect(one.chat, one.users[1]!, roomId, '')
    await say(one, 'a')
    await say(one, 'b')
    const afterA = client.frames.find(({ event }) => event.type === 'message.posted')!.cursor
    const three = await openChat(database.openStorage(), { bus: deaf })
    for (const chat of [two, three])
      expect(storyOf(await connect(chat, one.users[1]!, roomId, afterA))).toEqual(['message.posted b'])
  })
})

describe('two nodes', () => {
  it('hand each event to the clients of both, in one order', async () => {
    const database = createMemoryDatabase()
    const bus = createMemoryBus()
    const [one, two] = [
      await openChat(database.openStorage(), { bus: bus.connect() }),
      await openChat(database.openStorage(), { bus: bus.connect() }),
    ]
    const users = [await one.accounts.getOrMake(1), await one.accounts.getOrMake(2)]
    for (const user of users) await one.rooms.touchOpen(user, roomId)
    const clients = [await connect(one, users[0]!, roomId), await connect(two, users[1]!, roomId)]
    await Promise.all(
      Array.from({ length: 200 }, (_, i) => (i % 2 ? one : two).messages.post(users[i % 2]!, roomId, { content: `${i}` })),
    )
    const posts = (client: TestClient) => storyOf(client).filter((line) => line.startsWith('message.posted'))
    await until('all of them at both', () => clients.every((client) => posts(client).length === 200))
    expect(posts(clients[0]!)).toEqual(posts(clients[1]!))
    expect(new Set(posts(clients[0]!)).size).toBe(200)
  })
})
