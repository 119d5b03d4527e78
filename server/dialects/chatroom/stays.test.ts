/** Who was in a room several times gets of each time what he missed, whoever has told of its end, and nothing of between (C1, C12). */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { until } from '../../../test/chat.ts'
import type { Person } from './chatroom.fixture.ts'
import { openYard, type HeldNode, type Yard } from './held.fixture.ts'
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
const shown = ({ frames }: Client) => frames.flatMap(({ type, roomId, content }) => (roomId === kept ? [] : [content ?? type]))

/** What a socket of his has that resumes from what an earlier one has seen. */
async function backFrom(seen: Client): Promise<Client> {
  const client = await one.open(bob, `?since=${encodeURIComponent(seen.cursor())}`)
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

async function hasLost(): Promise<boolean> {
  const { values } = await yard.database.openStorage().directory.readRecords([bobs()])
  return (JSON.parse(values[0]!) as { lost: unknown[] }).lost.length > 0
}

/** A socket that has what this node has handed out of the room that he loses. */
async function watch(node: HeldNode): Promise<Client> {
  const client = await node.open(ann)
  await node.connect(left, ann)
  await client.have('history')
  return client
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
  for (const node of [one, two]) node.setAway(true)
  const watching = await one.open(ann).catch(() => null)
  expect(watching).toBeNull()
  await one.remove(left, ann, bob)
  for (const node of [one, two]) node.setAway(false)
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
  const texts = shown(await backFrom(seen))
  expect(texts.filter((text) => text !== 'participant_removed')).toEqual([])
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

test('[C1] who is bound late, is out and is added again, is in no room until he connects', async () => {
  const client = await one.open(bob)
  const watching = await watch(one)
  const { release, connecting } = await connectAndRemove(watching)
  const entering = one.hold('listMembershipsOf', { about: bob.id, nth: 2, isUnasked: true })
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
  const { directory } = yard.database.openStorage()
  const { values } = await directory.readRecords([bobs()])
  // As after the database went back.
  const to = values[0]!.replace(/"position":\d+/, '"position":1000000')
  expect(to).not.toBe(values[0])
  await directory.replaceRecord(bobs(), { from: values[0]!, to, beforeMs: null, keepMs: 60_000 })
  expect(shown(await backFrom(seen))).toEqual([])
})
