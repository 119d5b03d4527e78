/** Cursors on `/chat` (C12, A7): one for the socket over all of its rooms. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { fastClock, until } from '../../../test/chat.ts'
import { parseCursor } from '../../core/cursor.ts'
import { openMemoryStorage } from '../../storage/memory/memory.ts'
import { asHost, chatrooms, type Person } from './chatroom.fixture.ts'
import { openLive, type Client, type Frame, type Live } from './live.fixture.ts'

const storage = openMemoryStorage()
let live: Live

beforeAll(async () => {
  const env = { LIMIT_REGISTER: 'off', LIMIT_SENDS: 'off', LIMIT_CONNECTS: 'off', REPLAY_MAX: '100' }
  live = await openLive({ storage, clock: fastClock, isProduction: true, env })
})
afterAll(() => live.stop())

const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => `${from + index}`)

let lastName = 0
/** Ann's socket with cursors, bound to two rooms of hers and Bob's. */
async function scene() {
  const nth = ++lastName
  const [ann, bob] = (await live.signedIn(`ann${nth}`, `bob${nth}`)) as [Person, Person]
  const rooms = [await live.room([ann, bob]), await live.room([ann, bob])] as const
  const client = await live.open(ann, '?since=')
  for (const roomId of rooms) await live.connect(roomId, ann)
  await client.have('history', 2)
  return { ann, bob, rooms, client }
}

/** The socket cut, not closed, and the last cursor that it saw. */
function cut(client: Client): string {
  client.socket.terminate()
  return client.cursor()
}

async function post(author: Person, roomId: string, ...texts: string[]): Promise<void> {
  for (const text of texts) await live.send(roomId, author, text)
}

const shownBy = ({ frames }: Client) => frames.map(({ type, roomId, content }) => [type, roomId, content])

describe('cursors', () => {
  test('[C12] each frame that has a room ends with one, and none without since', async () => {
    const { ann, bob, rooms, client } = await scene()
    const plain = await live.open(ann)
    client.send({ type: 'message', roomId: rooms[0], content: 'own', key: 'k' })
    client.send({ type: 'message', roomId: '999999', content: 'elsewhere' })
    await post(bob, rooms[1], 'other')
    await client.have('message', 2)
    await client.have('sent')
    await client.have('error')
    for (const frame of client.frames) {
      expect(Object.keys(frame).slice(0, 2)).toEqual(['type', 'roomId'])
      expect(Object.keys(frame).at(-1)).toBe('cursor')
    }
    client.send('which room?')
    await client.have('error', 2)
    expect(client.frames.at(-1)).not.toHaveProperty('cursor')
    await plain.have('message', 2)
    expect(plain.frames.some((frame) => 'cursor' in frame)).toBe(false)
  })

  test('[C12] an empty since is bound at once, from now on, and gets no history', async () => {
    const { ann, bob, rooms } = await scene()
    await post(bob, rooms[0], 'before')
    const client = await live.open(ann, '?since=')
    await post(bob, rooms[0], 'after')
    await client.have('message')
    expect(shownBy(client)).toEqual([['message', rooms[0], 'after']])
  })

  test('[C12] who hands back the last gets of each room exactly what was missed, and goes on live', async () => {
    const { ann, bob, rooms, client } = await scene()
    await post(bob, rooms[0], 'seen')
    await client.have('message')
    const since = cut(client)
    for (const text of numbers(0, 20)) await post(bob, rooms[Number(text) % 2]!, text)
    const back = await live.open(ann, `?since=${since}`)
    for (const text of numbers(20, 30)) await post(bob, rooms[Number(text) % 2]!, text)
    await back.have('message', 30)
    expect(back.frames.map(({ content }) => content)).toEqual(numbers(0, 30))
    expect(new Set(back.frames.map(({ type }) => type))).toEqual(new Set(['message']))
  })

  test('[A7] cut after any frame, it ends with what an uncut one has', async () => {
    const { ann, bob, rooms, client } = await scene()
    const start = client.cursor()
    for (const text of numbers(0, 6)) await post(bob, rooms[Number(text) % 2]!, text)
    const { messageId } = await live.send(rooms[0], bob, 'kept')
    await live.done(`POST ${chatrooms}/${rooms[0]}/messages/${messageId}/reactions`, bob.bearer, {
      userId: bob.username,
      reactionType: 'like',
    })
    await live.done(`POST ${chatrooms}/${rooms[0]}/messages/${messageId}/read`, ann.bearer, { userId: ann.username })
    await live.done(`PATCH ${chatrooms}/${rooms[1]}/name`, asHost, { name: 'renamed' })
    await client.have('room_renamed')
    const uncut = client.frames.slice(2)
    const plain = (frame: Frame) => ({ ...frame, cursor: null })
    for (const [at, { cursor }] of [{ cursor: start }, ...uncut].entries()) {
      const back = await live.open(ann, `?since=${cursor}`)
      await back.settled()
      expect(back.frames.map(plain)).toEqual(uncut.slice(at).map(plain))
      // Also in the middle of what was replayed.
      const [again] = back.frames
      if (again) {
        const third = await live.open(ann, `?since=${again.cursor}`)
        await third.settled()
        expect(third.frames.map(plain)).toEqual(uncut.slice(at + 1).map(plain))
        third.socket.terminate()
      }
      back.socket.terminate()
    }
  })

  test('[A7] what was deleted meanwhile is left out, and an edited text comes once as it is', async () => {
    const { ann, bob, rooms, client } = await scene()
    const since = cut(client)
    const [goes, stays] = [await live.send(rooms[0], bob, 'goes'), await live.send(rooms[0], bob, 'stays')]
    const messages = `${chatrooms}/${rooms[0]}/messages`
    await live.done(`DELETE ${messages}/${goes.messageId}`, bob.bearer, { userId: bob.username })
    await live.done(`PATCH ${messages}/${stays.messageId}`, bob.bearer, { userId: bob.username, newContent: 'edited' })
    const back = await live.open(ann, `?since=${since}`)
    await back.settled()
    expect(shownBy(back)).toEqual([['message', rooms[0], 'edited']])
  })

  test('[C12] who was removed while he was away gets that as the last of the room, also when he is in it again', async () => {
    const { ann, bob, rooms, client } = await scene()
    const since = cut(client)
    await post(bob, rooms[0], 'missed')
    const entry = `${chatrooms}/${rooms[0]}/participants`
    await live.done(`DELETE ${entry}/${ann.username}`, asHost)
    await post(bob, rooms[0], 'without her')
    const back = await live.open(ann, `?since=${since}`)
    await post(bob, rooms[1], 'of the other')
    await back.have('message', 2)
    expect(shownBy(back)).toEqual([
      ['message', rooms[0], 'missed'],
      ['participant_removed', rooms[0], undefined],
      ['message', rooms[1], 'of the other'],
    ])
    const later = await live.open(ann, `?since=${cut(back)}`)
    await live.done(`POST ${entry}`, asHost, { userId: ann.username })
    await later.settled()
    expect(later.frames).toEqual([])
  })

  test('[C12] a room bound while it is open comes with its history and a cursor that counts', async () => {
    const { ann, bob, rooms, client } = await scene()
    const third = await live.room([ann, bob])
    await post(bob, third, 'before')
    await live.connect(third, ann)
    await client.have('history', 3)
    expect(client.frames.at(-1)).toMatchObject({ type: 'history', roomId: third })
    const since = cut(client)
    await post(bob, third, 'missed')
    await post(bob, rooms[0], 'missed here')
    const back = await live.open(ann, `?since=${since}`)
    await back.have('message', 2)
    expect(shownBy(back)).toEqual([
      ['message', third, 'missed'],
      ['message', rooms[0], 'missed here'],
    ])
  })

  test('[C12] rooms that are bound at once are entered one after the other, and no cursor goes back', async () => {
    const { ann, bob, rooms, client } = await scene()
    const others = await Promise.all(numbers(0, 8).map(() => live.room([ann, bob])))
    const posting = Promise.all(numbers(0, 40).map((text) => live.send(rooms[0], bob, text)))
    await Promise.all(others.map((roomId) => live.connect(roomId, ann)))
    await posting
    await client.have('message', 40)
    await client.have('history', 10)
    const positions = client.frames.map(({ cursor }) => [...parseCursor(cursor!)!.entries.values()].at(-1)!.position)
    expect(positions).toEqual(positions.toSorted((a, b) => a - b))
    expect(client.textsIn(rooms[0]).toSorted((a, b) => Number(a) - Number(b))).toEqual(numbers(0, 40))
  })

  test('[C12] a binding that has ended is remembered for it, and not for a socket without cursors', async () => {
    const { ann, bob, rooms, client } = await scene()
    const since = cut(client)
    // As it is 30 s after the last socket of hers was closed.
    const name = `bound:${ann.id}`
    const read = async () => (await storage.directory.readRecords([name])).values[0]!
    await until('her leaving is known', async () => JSON.parse(await read()).goneAt !== null)
    const from = await read()
    const to = JSON.stringify({ ...JSON.parse(from), goneAt: JSON.parse(from).goneAt - 60_000 })
    await storage.directory.replaceRecord(name, { from, to, beforeMs: null, keepMs: null })
    const plain = await live.open(ann)
    await plain.close()
    await post(bob, rooms[1], 'missed')
    const back = await live.open(ann, `?since=${since}`)
    await back.have('message')
    expect([plain.frames, shownBy(back)]).toEqual([[], [['message', rooms[1], 'missed']]])
  })

  test('[A7] a cursor outlives the process', async () => {
    const shared = openMemoryStorage()
    const before = await openLive({ storage: shared, clock: fastClock, isProduction: true })
    const [ann, bob] = (await before.signedIn('ann', 'bob')) as [Person, Person]
    const roomId = await before.room([ann, bob])
    const client = await before.open(ann, '?since=')
    await before.connect(roomId, ann)
    await client.have('history')
    await before.send(roomId, bob, 'seen')
    await client.have('message')
    const since = cut(client)
    await before.send(roomId, bob, 'missed')
    await before.stop()
    const after = await openLive({ storage: shared, clock: fastClock, isProduction: true })
    const back = await after.open(ann, `?since=${since}`)
    await after.send(roomId, bob, 'live')
    await back.have('message', 2)
    expect(back.frames.map(({ content }) => content)).toEqual(['missed', 'live'])
    await after.stop()
  })
})

describe('reloads', () => {
  async function expectReload({ ann, bob, rooms }: Awaited<ReturnType<typeof scene>>, since: string): Promise<void> {
    const client = await live.open(ann, `?since=${since}`)
    await client.have('history', 2)
    expect(client.frames.map(({ type, roomId }) => [type, roomId])).toEqual([
      ['reload', rooms[0]],
      ['history', rooms[0]],
      ['reload', rooms[1]],
      ['history', rooms[1]],
    ])
    await post(bob, rooms[0], 'live')
    await client.have('message')
    const last = cut(client)
    await post(bob, rooms[1], 'missed')
    const back = await live.open(ann, `?since=${last}`)
    await back.have('message')
    expect(shownBy(back)).toEqual([['message', rooms[1], 'missed']])
    // Who was cut between the first frames had not been told of every room.
    for (const { cursor } of client.frames.slice(0, 3)) {
      const other = await live.open(ann, `?since=${cursor}`)
      await other.have('reload', 2)
      other.socket.terminate()
    }
  }

  test.each(['0', 'garbage', '1_1-zzzzzzzz-1', '1.1_1-00000000-1', 'x'.repeat(5000), '1_1-00000000-zzzzzzzzzz'])(
    '[C12] %s is a reload of each room with its history and a fresh cursor, and the socket goes on',
    async (since) => expectReload(await scene(), since),
  )

  test('[A7] more missed events than the limit are a reload', async () => {
    const at = await scene()
    const since = cut(at.client)
    await post(at.bob, at.rooms[0], ...numbers(0, 60))
    await post(at.bob, at.rooms[1], ...numbers(0, 60))
    await expectReload(at, since)
  })

  test.each(['2_2-zzzzzzzz-9', 'garbage'])('[C12] where the bindings are known since %s, it is one reload', async (from) => {
    const { ann, bob, rooms, client } = await scene()
    await client.close()
    const key = `bound:${ann.id}`
    const [record = null] = (await storage.directory.readRecords([key])).values
    const to = JSON.stringify({ ...(JSON.parse(record!) as object), from })
    expect(await storage.directory.replaceRecord(key, { from: record, to, beforeMs: null, keepMs: null })).toBeTruthy()
    const reloaded = await live.open(ann, `?since=${client.cursor()}`)
    await reloaded.have('history', 2)
    expect(reloaded.frames[0]).toMatchObject({ type: 'reload' })
    const since = cut(reloaded)
    await post(bob, rooms[0], 'missed')
    const back = await live.open(ann, `?since=${since}`)
    await back.have('message')
    expect(shownBy(back)).toEqual([['message', rooms[0], 'missed']])
  })

  test('[C12] where no room is known any more, the reload has none', async () => {
    const [dan] = (await live.signedIn('dan')) as [Person]
    for (const since of ['garbage', (await scene()).client.cursor()]) {
      const client = await live.open(dan, `?since=${since}`)
      const [frame] = await client.have('reload')
      expect(frame).toEqual({ type: 'reload', roomId: null, cursor: expect.any(String) as string })
    }
    const fresh = await live.open(dan, '?since=')
    await fresh.settled()
    expect(fresh.frames).toEqual([])
  })

  test('[C12] a room that he is out of meanwhile has a reload of its own, without a history', async () => {
    const { ann, bob, rooms, client } = await scene()
    await client.close()
    await live.done(`DELETE ${chatrooms}/${rooms[0]}/participants/${ann.username}`, bob.bearer)
    const back = await live.open(ann, '?since=garbage')
    await back.have('history')
    expect(back.frames.map(({ type, roomId }) => [type, roomId])).toEqual([
      ['reload', rooms[0]],
      ['reload', rooms[1]],
      ['history', rooms[1]],
    ])
  })

  test('[C12] so it is for who is out of all his rooms, where the cursor does not tell what he missed', async () => {
    const [ann, dan] = (await live.signedIn('ann', 'dan')) as [Person, Person]
    const roomId = await live.room([ann, dan])
    await live.connect(roomId, dan)
    await live.done(`DELETE ${chatrooms}/${roomId}/participants/${dan.username}`, ann.bearer)
    for (let opened = 0; opened < 2; opened++) {
      const client = await live.open(dan, '?since=garbage')
      expect(await client.have('reload')).toMatchObject([{ roomId: null }])
      await client.close()
    }
  })
})
