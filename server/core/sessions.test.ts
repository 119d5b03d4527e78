import { afterEach, describe, expect, it } from 'vitest'
import { connect, openTestChat, testFormat, until, type TestChatOptions, type TestClient } from '../../test/chat.ts'
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
function openSession(chat: Chat, user: User, tokenHash: string | null = null) {
  const state = { code: null as number | null, written: '' }
  const connection: Connection = {
    queuedBytes: 0,
    drained: async () => {},
    write: (bytes) => void (state.written += Buffer.from(bytes).toString()),
    close(code) {
      state.code ??= code
      chat.sessions.close(session)
    },
  }
  const session = chat.sessions.open({ user, format: testFormat(true), connection, tokenHash, hasOneRoom: true })
  return { session, state, enter: (since: string | null = '') => chat.sessions.enterRoom(session, roomId, since) }
}

const presenceOf = ({ frames }: TestClient) =>
  frames.flatMap(({ event }) => (event.type === 'presence.changed' ? [`${event.online ? '+' : '-'}${event.userId}`] : []))
const shownIn = ({ frames }: TestClient) =>
  frames.flatMap(({ event }) => {
    if (event.type === 'presence.changed') return []
    return 'message' in event ? [`${event.type} ${event.message.content}`] : [`${event.type} ${event.userId}`]
  })
/** Without the markers that posting moves. */
const storyOf = (client: TestClient) => shownIn(client).filter((line) => !line.startsWith('read.advanced'))

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
    await chat.accounts.deactivate(2)
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
      await elsewhere.accounts.deactivate(2)
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

describe('entering a room', () => {
  it('[A15] refuses who was removed after he was checked and before he was entered, and leaves no trace of him', async () => {
    const database = createMemoryDatabase()
    const storage = database.openStorage()
    const { chat, clock, users } = await open({}, storage)
    const watcher = await connect(chat, users[0]!, roomId)
    await clock.advance(50)
    const { findMember } = storage.log
    storage.log.findMember = async (...asked) => {
      storage.log.findMember = findMember
      await chat.members.remove({ kind: 'nobody' }, roomId, 2)
      return findMember(...asked)
    }
    const { session, state, enter } = openSession(chat, users[1]!)
    await expect(enter()).rejects.toMatchObject({ code: 'not_a_member' })
    session.release()
    await say({ chat, clock, storage, users }, 'after him')
    await clock.advance(10_000)
    expect(state.written).not.toContain('after him')
    expect([session.rooms.size, presenceOf(watcher)]).toEqual([0, ['+1']])
  })

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

  it('throws and leaves the room where storage is away', async () => {
    const storage = openMemoryStorage()
    const { chat, users } = await open({}, storage)
    storage.log.readLog = async () => Promise.reject(new Error('away'))
    const { session, enter } = openSession(chat, users[1]!)
    await expect(enter(chat.sessions.cursorIn(roomId))).rejects.toThrow('away')
    expect(session.rooms.size).toBe(0)
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
    const deaf = { publish() {}, listen() {}, close: async () => {} }
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
