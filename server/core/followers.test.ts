/** Sessions of many rooms: entering all at once, and gaining and losing rooms while they are live. */
import { afterEach, describe, expect, it } from 'vitest'
import {
  connect,
  connectAll,
  followingFormat,
  openClient,
  openTestChat,
  type TestChatOptions,
  type TestClient,
} from '../../test/chat.ts'
import { createManualClock, settle } from '../../test/manual-clock.ts'
import { createMemoryDatabase } from '../storage/memory/memory.ts'
import type { LogStore, Storage } from '../storage/storage.ts'
import type { Chat } from './chat.ts'
import type { RoomId, User } from './model.ts'

const nobody = { kind: 'nobody' } as const
const chats: Chat[] = []

afterEach(async () => {
  for (const chat of chats.splice(0)) await chat.close()
})

async function openChat(storage: Storage, options: TestChatOptions = {}): Promise<Chat> {
  const chat = await openTestChat(storage, options)
  chats.push(chat)
  return chat
}

type Watched = (call: keyof LogStore, isAnswered: boolean) => Promise<void> | void

/** A node with users 1 to 3 in the rooms 7 and 8, its clock, and another on the same database; `watch` is told each look-up of the first. */
async function open(options: TestChatOptions & { watch?: Watched } = {}) {
  const database = createMemoryDatabase()
  const clock = createManualClock()
  const storage = database.openStorage()
  const log = new Proxy(storage.log, {
    get(target, name: keyof LogStore) {
      const method = target[name] as (...values: unknown[]) => Promise<unknown>
      return async (...values: unknown[]) => {
        await options.watch?.(name, false)
        const answer: unknown = await Reflect.apply(method, target, values)
        await options.watch?.(name, true)
        return answer
      }
    },
  })
  const chat = await openChat({ ...storage, log }, { clock, ...options })
  const elsewhere = await openChat(database.openStorage())
  const users: User[] = []
  for (const id of [1, 2, 3]) {
    const user = await chat.accounts.getOrMake(id)
    for (const roomId of [7, 8]) await chat.rooms.touchOpen(user, roomId)
    users.push(user)
  }
  await settle()
  const say = async (roomId: RoomId, content: string, by = 0, at = chat) => {
    await at.messages.post(users[by]!, roomId, { content })
    await settle()
  }
  return { chat, elsewhere, clock, storage, users, say, two: users[1]! }
}

type World = Awaited<ReturnType<typeof open>>

const lines = ({ frames }: Pick<TestClient, 'frames'>) =>
  frames.flatMap(({ event }) => {
    if (event.type === 'presence.changed') return [`${event.online ? '+' : '-'}${event.userId}@${event.roomId}`]
    return [`${event.roomId} ${event.type} ${'message' in event ? event.message.content : event.userId}`]
  })
/** Without presence and the markers that posting moves. */
const storyOf = (client: Pick<TestClient, 'frames'>) => lines(client).filter((line) => !/^[+-]|read\.advanced/.test(line))
const nowAt = (chat: Chat) => chat.sessions.cursorIn(1).slice('1.'.length)

describe('a session of many rooms', () => {
  it('gets what happens in all rooms of its user and in no other, each event with a cursor that names no room', async () => {
    const { chat, users, say, two } = await open()
    await chat.rooms.touchOpen(users[0]!, 9)
    const client = await connectAll(chat, two)
    for (const roomId of [7, 9, 8]) await say(roomId, `in ${roomId}`)
    expect(storyOf(client)).toEqual(['7 message.posted in 7', '8 message.posted in 8'])
    expect(client.frames.at(-1)!.cursor).toBe(nowAt(chat))
    expect((await connectAll(chat, two, client.frames[0]!.cursor!)).isReload).toBe(false)
  })

  it('[P4] gets a room that its user is let into with the event that lets him in, and nothing from before', async () => {
    const { chat, users, say, two } = await open()
    await chat.rooms.touchOpen(users[0]!, 9)
    const [one, again] = [await connectAll(chat, two), await connectAll(chat, two)]
    await say(9, 'before him')
    await chat.members.add(nobody, 9, 2)
    await say(9, 'after him')
    for (const client of [one, again]) expect(storyOf(client)).toEqual(['9 member.added 2', '9 message.posted after him'])
  })

  it('[P4] of one of many who are invited together gets the whole invitation, as those do who were there', async () => {
    const { chat, users } = await open()
    const { id } = await chat.rooms.createPeers(users[0]!, { title: 'team', memberIds: [3] })
    const four = await chat.accounts.getOrMake(4)
    const clients = [await connectAll(chat, users[0]!), await connectAll(chat, users[1]!), await connectAll(chat, four)]
    await chat.members.invite({ kind: 'user', user: users[0]! }, id, [2, 4])
    await settle()
    for (const client of clients) expect(storyOf(client)).toEqual([`${id} member.added 2`, `${id} member.added 4`])
  })

  it('gets a room that is made with its user in it', async () => {
    const { chat, users, say } = await open()
    const clients = [await connectAll(chat, users[0]!), await connectAll(chat, users[1]!)]
    const { roomId } = await chat.rooms.openDirect(users[0]!, 2)
    await say(roomId, 'hello')
    for (const client of clients) expect(storyOf(client)).toEqual([`${roomId} room.created 1`, `${roomId} message.posted hello`])
  })

  it('[A15] loses a room that its user is removed from behind his removal, or that is deleted, and stays', async () => {
    const { chat, say, two } = await open()
    const client = await connectAll(chat, two)
    await chat.members.remove(nobody, 7, 2)
    await say(7, 'not for him')
    await say(8, 'for him')
    await chat.rooms.remove(nobody, 8)
    await settle()
    expect(storyOf(client)).toEqual(['7 member.removed 2', '8 message.posted for him', '8 room.deleted 0'])
    expect([client.closedWith, [...client.session.rooms]]).toEqual([null, []])
  })

  it('does so also while it is held, in its turn', async () => {
    const { chat, users, say, two } = await open()
    await chat.rooms.touchOpen(users[0]!, 9)
    const since = nowAt(chat)
    await say(7, 'missed')
    const client = openClient(chat, two, { format: followingFormat, hasOneRoom: false })
    const { missed } = await chat.sessions.enterAll(client.session, since)
    await chat.members.remove(nobody, 7, 2)
    await say(7, 'not for him')
    await chat.members.add(nobody, 9, 2)
    await say(9, 'for him')
    expect(client.frames).toEqual([])
    client.session.send(missed)
    client.session.release()
    expect(storyOf(client)).toEqual([
      '7 message.posted missed',
      '7 member.removed 2',
      '9 member.added 2',
      '9 message.posted for him',
    ])
  })

  it('is gone with its connection: what its user enters later finds nobody', async () => {
    const { chat, say, users, two } = await open()
    const client = await connectAll(chat, two)
    await chat.rooms.touchOpen(users[0]!, 9)
    client.leave()
    await chat.members.add(nobody, 9, 2)
    for (const roomId of [7, 9]) await say(roomId, 'after it')
    expect([lines(client), client.session.rooms.size]).toEqual([[], 0])
  })

  it('where storage is away is refused, and leaves no trace', async () => {
    let isAway = false
    const { chat, users, say, two } = await open({
      watch: (call) => (isAway && call !== 'append' ? Promise.reject(new Error('away')) : undefined),
    })
    const since = nowAt(chat)
    await say(7, 'missed')
    const client = openClient(chat, two, { format: followingFormat, hasOneRoom: false })
    isAway = true
    await expect(chat.sessions.enterAll(client.session, since)).rejects.toThrow('away')
    isAway = false
    client.session.release()
    await chat.rooms.touchOpen(users[0]!, 9)
    await chat.members.add(nobody, 9, 2)
    await say(7, 'after it')
    expect([lines(client), client.session.rooms.size]).toEqual([[], 0])
    expect(await chat.sessions.listOnline(7)).toEqual([])
  })

  it('that has gone while it was entered is refused', async () => {
    let act = () => {}
    const { chat, two } = await open({ watch: () => act() })
    const client = openClient(chat, two, { format: followingFormat, hasOneRoom: false })
    act = () => chat.sessions.close(client.session)
    await expect(chat.sessions.enterAll(client.session, '')).rejects.toMatchObject({ code: 'unavailable' })
    expect([client.session.rooms.size, await chat.sessions.listOnline(7)]).toEqual([0, []])
  })
})

describe('[A19] its user is online', () => {
  it('in all his rooms, for doors with one room as for others, until 3 s after his last session', async () => {
    const { chat, clock, users, two } = await open()
    const watchers = [await connect(chat, users[0]!, 7), await connect(chat, users[0]!, 8), await connectAll(chat, users[2]!)]
    await clock.advance(50)
    const clients = [await connectAll(chat, two), await connect(chat, two, 7)]
    await clock.advance(50)
    clients[0]!.leave()
    await clock.advance(3_050)
    clients[1]!.leave()
    await clock.advance(3_050)
    const of = (client: TestClient) => lines(client).filter((line) => line.slice(1).startsWith('2@'))
    expect(watchers.map(of)).toEqual([
      ['+2@7', '-2@7'],
      ['+2@8', '-2@8'],
      ['+2@7', '+2@8', '-2@8', '-2@7'],
    ])
  })

  it('in a room that he enters, and not in one that he has left', async () => {
    const { chat, clock, users, two } = await open()
    await chat.rooms.touchOpen(users[0]!, 9)
    const client = await connectAll(chat, two)
    await clock.advance(50)
    await chat.members.add(nobody, 9, 2)
    await chat.members.remove(nobody, 7, 2)
    await clock.advance(50)
    const ids = async (roomId: RoomId) => (await chat.sessions.listOnline(roomId)).map(({ id }) => id)
    expect([await ids(7), await ids(8), await ids(9)]).toEqual([[], [2], [2]])
    client.leave()
    await clock.advance(3_000)
    expect([await ids(8), await ids(9)]).toEqual([[], []])
  })

  it('also in a room that he was removed from and added to in one commit', async () => {
    const { chat, clock, storage, two } = await open()
    await connectAll(chat, two)
    await clock.advance(50)
    const about = { roomId: 7, actorId: null, ifMember: null }
    const { number } = await storage.log.openJournal()
    await storage.log.append(number, 1, [
      { kind: 'member.remove', userId: 2, ...about },
      { kind: 'member.add', userIds: [2], role: 'member', read: 'all', ...about },
    ])
    await clock.advance(2_000)
    expect((await chat.sessions.listOnline(7)).map(({ id }) => id)).toEqual([2])
  })
})

describe('[A7] one that comes back', () => {
  it('is handed what it missed in all rooms, each event with an exact cursor', async () => {
    const { chat, say, two } = await open()
    const since = nowAt(chat)
    for (const [index, roomId] of [7, 8, 8, 7, 8].entries()) await say(roomId, `${index}`)
    const back = await connectAll(chat, two, since)
    expect(storyOf(back).length).toBe(5)
    for (const [index, frame] of back.frames.entries())
      expect(lines(await connectAll(chat, two, frame.cursor!))).toEqual(lines(back).slice(index + 1))
  })

  it('[A19] is shown the last move of each marker, once, also one that posting made', async () => {
    const { chat, say, users, two } = await open()
    await say(7, 'old')
    const since = nowAt(chat)
    await chat.reads.advance(users[2]!, 7, null)
    await say(7, 'over others', 2)
    await say(7, 'own again', 2)
    const { frames } = await connectAll(chat, two, since)
    const reads = frames.flatMap(({ event }) => (event.type === 'read.advanced' ? [event] : []))
    expect(reads.map(({ userId, passed, messageId }) => [userId, passed, messageId])).toEqual([[3, true, 3]])
    expect(lines({ frames }).at(-1)).toBe('7 read.advanced 3')
  })

  it('gets of a room left since all up to his removal and nothing after, of one entered since all from what let him in', async () => {
    const { chat, users, say, two } = await open()
    await chat.rooms.touchOpen(users[0]!, 9)
    const since = nowAt(chat)
    await say(7, 'while in')
    await say(9, 'before him')
    await chat.members.remove(nobody, 7, 2)
    await chat.members.add(nobody, 9, 2)
    for (const roomId of [7, 9]) for (let i = 0; i < 100; i++) await say(roomId, 'after')
    const shown = storyOf(await connectAll(chat, two, since))
    expect(shown.filter((line) => line.startsWith('7'))).toEqual(['7 message.posted while in', '7 member.removed 2'])
    expect(shown.filter((line) => line.startsWith('9')).slice(0, 2)).toEqual(['9 member.added 2', '9 message.posted after'])
    expect(shown).toHaveLength(2 + 101)
  })

  it('hears no more of a room that he had left before', async () => {
    const { chat, say, two } = await open()
    await chat.members.remove(nobody, 7, 2)
    await settle()
    const since = nowAt(chat)
    await say(7, 'not for him')
    expect(lines(await connectAll(chat, two, since))).toEqual([])
  })

  it('is told to reload where it missed more in all than may be replayed, and where its cursor is none of ours', async () => {
    const { chat, say, two } = await open({ replayMax: 5 })
    const since = nowAt(chat)
    for (const roomId of [7, 8, 8]) await say(roomId, 'missed')
    const within = await connectAll(chat, two, since)
    expect([storyOf(within).length, within.isReload]).toEqual([3, false])
    await say(7, 'one more')
    for (const cursor of [since, 'garbage', `7.${since}`, '0', ' ', `${since}zzzz`, '1_1-00000000-1']) {
      const beyond = await connectAll(chat, two, cursor)
      expect([cursor, beyond.isReload, beyond.frames, beyond.cursor]).toEqual([cursor, true, [], nowAt(chat)])
      await say(8, 'live')
      expect(storyOf(beyond)).toEqual(['8 message.posted live'])
    }
  })

  it('of a thousand chats costs two queries where nothing was missed, few timers, and a cursor under 200 bytes', async () => {
    const calls: string[] = []
    const { chat, clock, users, two } = await open({ watch: (call, isAnswered) => void (isAnswered || calls.push(call)) })
    for (let id = 1_000; id < 2_000; id++) {
      await chat.rooms.touchOpen(users[0]!, id)
      await chat.rooms.touchOpen(two, id)
    }
    await settle()
    const since = nowAt(chat)
    expect(since.length).toBeLessThan(200)
    const { after } = clock
    let timers = 0
    clock.after = (...asked) => (timers++, after(...asked))
    calls.length = 0
    const back = await connectAll(chat, two, since)
    expect([calls, back.isReload, back.frames, back.session.rooms.size]).toEqual([
      ['listMembershipsOf', 'listMembershipsOf'],
      false,
      [],
      1_002,
    ])
    back.leave()
    expect(timers).toBeLessThan(5)
    clock.after = after
  })
})

interface Change {
  /** What another node does to user 2 and his rooms meanwhile. */
  does: 'removes him' | 'adds him' | 'makes a room' | 'deletes a room' | 'removes and adds him'
  /** His node hears of it before the look-up goes on, else once he is in. */
  isHeardAtOnce: boolean
  /** It happens between the look-up's answer and what is made of it, else before the answer. */
  isAnswered: boolean
}

/** Room 9 is another's at first. What is said in it before user 2 is let in, and in 7 while he is out, is not for him. */
async function change({ does }: Change, { elsewhere, users }: World): Promise<void> {
  const say = (roomId: RoomId, content: string) => elsewhere.messages.post(users[0]!, roomId, { content })
  if (does === 'removes him' || does === 'removes and adds him') {
    await elsewhere.members.remove(nobody, 7, 2)
    await say(7, 'not for him')
  }
  if (does === 'removes and adds him') await elsewhere.members.add(nobody, 7, 2)
  if (does === 'adds him') {
    await say(9, 'not for him')
    await elsewhere.members.add(nobody, 9, 2)
  }
  if (does === 'deletes a room') await elsewhere.rooms.remove(nobody, 7)
  if (does === 'makes a room') await elsewhere.rooms.openDirect(users[0]!, 2)
  const { id } = (await elsewhere.queries.listRoomsOf(2)).at(-1)!
  await say(id, 'for him')
}

/** User 2 comes back as something changes at the `call`th look-up, and is sent what there is for him; null where it takes fewer. */
async function enterAsItChanges(call: number, now: Change, isResuming: boolean) {
  let left = -1
  let happen = async () => {}
  const world = await open({
    watch: (_call, isAnswered) => (isAnswered === now.isAnswered && left-- === 0 ? happen() : undefined),
  })
  const { chat, clock, elsewhere, users, say, two } = world
  await chat.rooms.touchOpen(users[0]!, 9)
  await settle()
  const since = isResuming ? nowAt(chat) : ''
  await say(7, 'missed')
  left = call
  let hasHappened = false
  happen = async () => {
    hasHappened = true
    await change(now, world)
    if (now.isHeardAtOnce) await clock.advance(1_000)
  }
  const entering = connectAll(chat, two, since)
  await clock.advance(200)
  const client = await entering
  left = -1
  await clock.advance(5_000)
  if (!hasHappened) return null
  const rooms = (await elsewhere.queries.listRoomsOf(2)).map(({ id }) => id)
  for (const { id } of await elsewhere.queries.listRoomsOf(1)) await say(id, 'last', 0)
  return { story: storyOf(client), rooms, isIn: [...client.session.rooms].toSorted((a, b) => a - b), code: client.closedWith }
}

const flags = [false, true]
const changes = (['removes him', 'adds him', 'makes a room', 'deletes a room', 'removes and adds him'] as const).flatMap((does) =>
  flags.flatMap((isHeardAtOnce) =>
    flags.flatMap((isAnswered) => flags.map((isResuming) => ({ does, isHeardAtOnce, isAnswered, isResuming }))),
  ),
)

describe('while it is entered', () => {
  it.each(changes)(
    '[A7][A15] loses nothing, gets nothing twice and nothing that is not his, at whichever look-up: %j',
    async (now) => {
      for (let call = 0; ; call++) {
        const after = await enterAsItChanges(call, now, now.isResuming)
        if (after === null)
          return expect(call, 'its rooms, again, rows and markers').toBeGreaterThanOrEqual(now.isResuming ? 4 : 1)
        const { story, rooms, isIn, code } = after
        expect(isIn).toEqual(rooms)
        expect(code).toBeNull()
        expect(new Set(story).size).toBe(story.length)
        expect(story).not.toContain('7 message.posted not for him')
        expect(story).not.toContain('9 message.posted not for him')
        for (const id of rooms) expect(story.filter((line) => line.startsWith(`${id} `)).at(-1)).toBe(`${id} message.posted last`)
        if (now.isResuming) expect(story).toContain(`${rooms.at(-1)} message.posted for him`)
        if (now.isResuming && now.does === 'removes him')
          expect(story.filter((line) => line.startsWith('7'))).toEqual(['7 message.posted missed', '7 member.removed 2'])
        if (now.isResuming && rooms.includes(7) && now.does !== 'removes and adds him')
          expect(story).toContain('7 message.posted missed')
      }
    },
  )
})
