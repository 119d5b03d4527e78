/** Who was in a room several times gets of each time what he missed, whoever has told of its end, and nothing of between (C1, C12). */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { until } from '../../../test/chat.ts'
import { chatrooms, type Person } from './chatroom.fixture.ts'
import { openYard, poison, type HeldNode, type Yard } from './held.fixture.ts'
import type { Client } from './live.fixture.ts'

let yard: Yard
let one: HeldNode, two: HeldNode
let ann: Person, bob: Person
let left: string, kept: string

beforeEach(async () => {
  yard = openYard()
  ;[one, two] = [await yard.open(), await yard.open()]
  ;[ann, bob] = (await one.signedIn('ann', 'bob')) as [Person, Person]
  ;[left, kept] = [await one.room([ann, bob]), await one.room([ann, bob])]
})
afterEach(() => yard.stop())

const bobs = () => `bound:${bob.id}`
const framesOf = ({ frames }: Client) => frames.map(({ type, roomId }) => `${type} ${roomId}`)
const shown = ({ frames }: Client) => frames.flatMap(({ type, roomId, content }) => (roomId === kept ? [] : [content ?? type]))

/** What a socket of his has that resumes from what an earlier one has seen. */
async function backFrom(seen: Pick<Client, 'cursor'>, node = one): Promise<Client> {
  const client = await node.open(bob, `?since=${encodeURIComponent(seen.cursor())}`)
  await one.send(kept, ann, 'last')
  await until('the last', () => client.textsIn(kept).includes('last'))
  return client
}

/** The cursor of one who is bound to these rooms, and away since. */
async function seenIn(...roomIds: string[]): Promise<Client> {
  for (const roomId of roomIds) await one.connect(roomId, bob)
  const client = await one.open(bob, '?since=')
  for (const roomId of roomIds) await one.send(roomId, ann, 'seen')
  await client.have('message', roomIds.length)
  await client.close()
  return client
}

async function hasLost(count = 1): Promise<boolean> {
  const { values } = await yard.database.openStorage().directory.readRecords([bobs()])
  return (JSON.parse(values[0]!) as { lost: unknown[] }).lost.length >= count
}

/** What the registry holds of his bindings; null: nothing, as after it was emptied. */
async function rewrite(change: (record: string) => string | null): Promise<void> {
  const { directory } = yard.database.openStorage()
  await until('it is rewritten', async () => {
    const from = (await directory.readRecords([bobs()])).values[0]!
    return directory.replaceRecord(bobs(), { from, to: change(from), beforeMs: null, keepMs: 60_000 })
  })
}

/** A socket that has what this node has handed out of a room, as a rule the one that he loses. */
async function watch(node: HeldNode, roomId = left): Promise<Client> {
  const client = await node.open(ann)
  await node.connect(roomId, ann)
  await client.have('history')
  return client
}

/** He is out, a member again, and bound as that, all at this node. */
async function removeAndBind(node: HeldNode): Promise<void> {
  await node.remove(left, ann, bob)
  await node.add(left, ann, bob)
  expect((await node.connect(left, bob)).status).toBe(200)
}

async function seesLive(client: Client): Promise<void> {
  await one.send(left, ann, 'live')
  await until('what is live', () => client.textsIn(left).includes('live'))
}

/** He is removed while `connect` has still to bind him, and its node has heard of that. */
async function connectAndRemove(watching: Client): Promise<{ release(): void; connecting: Promise<{ status: number }> }> {
  const { held, release } = one.hold('findMember', { nth: 1 })
  const connecting = one.connect(left, bob)
  await held()
  await one.remove(left, ann, bob)
  await watching.have('participant_removed')
  return { release, connecting }
}

test('[C12] what he missed of two memberships of a room comes in its order, through whichever journals it went', async () => {
  const seen = await seenIn(left, kept)
  await one.send(left, ann, 'missed')
  await two.send(left, ann, 'missed at two')
  await two.remove(left, ann, bob)
  await one.send(left, ann, 'not for him')
  await one.add(left, ann, bob)
  await one.connect(left, bob)
  await one.send(left, ann, 'later')
  const expected = ['missed', 'missed at two', 'participant_removed', 'participant_added', 'later']
  expect(shown(await backFrom(seen))).toEqual(expected)
})

test('[C12] who connects again before the registry is told of his removal gets what he missed before it', async () => {
  const seen = await seenIn(left, kept)
  await one.send(left, ann, 'missed')
  const hear = two.deafen()
  const telling = one.hold('replaceRecord', { about: bobs(), isUnasked: true })
  await one.remove(left, ann, bob)
  await telling.held()
  await one.add(left, ann, bob)
  expect((await two.connect(left, bob)).status).toBe(200)
  telling.release()
  hear()
  await one.send(left, ann, 'later')
  expect(shown(await backFrom(seen))).toEqual(['missed', 'participant_removed', 'participant_added', 'later'])
})

test('[C12] a membership whose end the registry was not told of is not taken for one that ended later', async () => {
  const seen = await seenIn(left, kept)
  await one.send(left, ann, 'missed')
  const watchings = [await watch(one), await watch(two)]
  for (const node of [one, two]) node.setAway(true)
  await one.remove(left, ann, bob)
  for (const watching of watchings) await watching.have('participant_removed')
  for (const node of [one, two]) node.setAway(false)
  expect(await hasLost()).toBe(false)
  await one.send(left, ann, 'while he is out')
  await one.add(left, ann, bob)
  await one.send(left, ann, 'never connected')
  await one.remove(left, ann, bob)
  expect(shown(await backFrom(seen))).toEqual(['missed', 'participant_removed'])
})

test('[C12] nor is one by which he was bound after it had ended', async () => {
  const seen = await seenIn(kept)
  const { release, connecting } = await connectAndRemove(await watch(one))
  release()
  expect((await connecting).status).toBe(403)
  await one.send(left, ann, 'while he is out')
  await one.add(left, ann, bob)
  await one.send(left, ann, 'never connected')
  await one.remove(left, ann, bob)
  expect(shown(await backFrom(seen))).toEqual(['participant_removed'])
})

test('[C12] what he missed comes once, also where he is bound and removed while his socket opens', async () => {
  const seen = await seenIn(kept)
  await one.send(left, ann, 'missed')
  const hear = two.deafen()
  const binding = two.hold('replaceRecord', { about: bobs() })
  const connecting = two.connect(left, bob)
  await binding.held()
  const opening = two.open(bob, `?since=${encodeURIComponent(seen.cursor())}`)
  await until('its session', () => two.server.app.chat.sessions.count().get('chatroom') === 1)
  await one.remove(left, ann, bob)
  await until('the end of his binding', hasLost)
  const entering = two.hold('listMembershipsOf', { about: bob.id })
  binding.release()
  await entering.held()
  entering.release()
  hear()
  await connecting
  const client = await opening
  await client.settled()
  expect(shown(client)).toEqual(['missed', 'participant_removed'])
})

test.each(['', '?since='])(
  '[C1] who is bound late, of a membership that has ended, is shown nothing live (%s)',
  async (query) => {
    const client = await one.open(bob, query)
    const watching = await watch(one)
    const { release, connecting } = await connectAndRemove(watching)
    const entering = one.hold('listMembershipsOf', { about: bob.id, nth: 2 })
    release()
    await entering.held()
    await one.send(left, ann, 'while he is out')
    await watching.have('message')
    entering.release()
    expect((await connecting).status).toBe(403)
    await one.connect(kept, bob)
    await one.send(kept, ann, 'last')
    await client.have('message')
    expect(shown(client)).toEqual([])
  },
)

test.each([1, 2])('[C1] who is bound late, is out and is added again, is in no room until he connects (%s)', async (nth) => {
  const client = await one.open(bob)
  const watching = await watch(one)
  const { release, connecting } = await connectAndRemove(watching)
  const entering = one.hold('listMembershipsOf', { about: bob.id, nth, isUnasked: true })
  release()
  await entering.held()
  await one.add(left, ann, bob)
  await watching.have('participant_added')
  entering.release()
  await connecting
  await one.send(left, ann, 'never connected')
  await watching.have('message')
  await one.connect(kept, bob)
  await one.send(kept, ann, 'last')
  await client.have('message')
  expect(shown(client)).toEqual([])
  expect((await one.connect(left, bob)).status).toBe(200)
  await client.have('history', 2)
})

test('[C12] an end in the registry that the database does not hold keeps nobody out', async () => {
  const seen = await seenIn(left, kept)
  await one.remove(left, ann, bob)
  await one.add(left, ann, bob)
  await until('the end of his binding', hasLost)
  // As after the database went back.
  await rewrite((record) => {
    const to = record.replace(/"position":\d+/, '"position":1000000')
    expect(to).not.toBe(record)
    return to
  })
  expect(shown(await backFrom(seen))).toEqual([])
})

test('[C12] who is cut while he is told, and connects again before he resumes, gets the rest of what he missed before', async () => {
  const other = await one.room([ann, bob])
  const seen = await seenIn(other, left, kept)
  const watching = await watch(one, kept)
  await two.remove(other, ann, bob)
  await until('the end of one binding', hasLost)
  await one.send(left, ann, 'missed')
  await one.remove(left, ann, bob)
  await until('the end of both', () => hasLost(2))
  await two.add(left, ann, bob)
  await two.send(left, ann, 'of the second')
  await two.send(kept, ann, 'kept one')
  await watching.have('message')
  const { frames, close } = await backFrom(seen)
  const told = frames.map(({ type, content }) => content ?? type)
  expect(told).toEqual(['participant_removed', 'kept one', 'missed', 'participant_removed', 'last'])
  await close()
  expect((await one.connect(left, bob)).status).toBe(200)
  // It covers all of the later membership, and of the earlier only what it had seen.
  const { cursor } = frames[1]!
  expect(shown(await backFrom({ cursor: () => cursor! }))).toEqual(['missed', 'participant_removed'])
})

test('[C12] an edit that he missed is shown, also of a message of while he was out', async () => {
  const seen = await seenIn(left, kept)
  await one.send(left, ann, 'missed')
  await one.remove(left, ann, bob)
  const { messageId } = await one.send(left, ann, 'while he is out')
  await one.add(left, ann, bob)
  await one.connect(left, bob)
  const edit = { userId: ann.username, newContent: 'edited' }
  await one.done(`PATCH ${chatrooms}/${left}/messages/${messageId}`, ann.bearer, edit)
  const expected = ['missed', 'participant_removed', 'participant_added', 'edited']
  expect(shown(await backFrom(seen))).toEqual(expected)
})

test('[C12] who is out while another socket of his is open, and the registry is emptied then, is told to reload', async () => {
  const seen = await seenIn(left, kept)
  const device = await one.open(bob)
  await one.send(left, ann, 'missed')
  await device.have('message')
  await one.remove(left, ann, bob)
  await until('the end of his binding', hasLost)
  await rewrite(() => null)
  await one.reopen()
  const expected = ['reload', 'history', 'message'].map((type) => `${type} ${kept}`)
  expect(framesOf(await backFrom(seen))).toEqual(expected)
})

test('[C1] a socket that opens while he is bound late, of a membership that has ended, is in the room by his later one', async () => {
  const { release, connecting } = await connectAndRemove(await watch(one))
  const binding = one.hold('replaceRecord', { about: bobs() })
  release()
  await binding.held()
  const opening = one.open(bob)
  await until('its session', () => one.server.app.chat.sessions.count().get('chatroom') === 2)
  const admitting = one.hold('replaceRecord', { about: bobs(), isUnasked: true })
  binding.release()
  await admitting.held()
  await one.add(left, ann, bob)
  expect((await two.connect(left, bob)).status).toBe(200)
  admitting.release()
  expect((await connecting).status).toBe(403)
  await seesLive(await opening)
})

test('[C1] a removal that a node hears of late ends no later binding there, also where the registry is emptied meanwhile', async () => {
  const client = await two.open(bob)
  await two.connect(left, bob)
  await client.have('history')
  const hear = two.deafen()
  await removeAndBind(one)
  // Its answer tells the node of both bindings.
  await two.connect(kept, bob)
  two.setAway(true)
  hear()
  await client.have('participant_removed')
  await rewrite(() => null)
  two.setAway(false)
  await two.reopen()
  await seesLive(client)
})

/** He resumes at node two, which hears of his removal late, and has no registry since then. */
async function backLate(): Promise<Client> {
  const seen = await seenIn(left, kept)
  const hear = two.deafen()
  await removeAndBind(one)
  await one.send(left, ann, 'later')
  const entering = two.hold('listMembershipsOf', { about: bob.id })
  const opening = two.open(bob, `?since=${encodeURIComponent(seen.cursor())}`)
  await entering.held()
  two.setAway(true)
  entering.release()
  hear()
  return opening
}

test('[C12] nor does it keep from him what he missed of the later membership, where he resumes at that node', async () => {
  const client = await backLate()
  await seesLive(client)
  expect(shown(client)).toEqual(['participant_removed', 'participant_added', 'later', 'live'])
})

test('[C10] nor does it take him out of the Room there: where that ends by an error he is told', async () => {
  const watching = await watch(two, kept)
  const client = await backLate()
  await one.send(left, ann, poison)
  await one.send(kept, ann, 'mark')
  await until('the mark', () => watching.textsIn(kept).includes('mark'))
  two.setAway(false)
  await client.have('history', 2)
  await seesLive(client)
  expect(shown(client).slice(3)).toEqual(['reload', 'history', 'live'])
})

test('[C10][C12] who resumes at any node after his Room was given up is told to reload, and may connect again', async () => {
  const seen = await seenIn(left, kept)
  const device = await one.open(bob)
  for (const nth of [1, 2, 3, 4]) {
    await device.have('history', nth + 1)
    await one.send(left, ann, poison)
  }
  expect(await device.have('error')).toMatchObject([{ roomId: left, error: 'room_failed' }])
  await until('the end of his binding', hasLost)
  const expected = [`reload ${left}`, `reload ${kept}`, `history ${kept}`]
  for (const node of [one, two]) expect(framesOf(await backFrom(seen, node)).slice(0, 3)).toEqual(expected)
  expect((await one.connect(left, bob)).status).toBe(200)
  await device.have('history', 6)
})
