/** Who is removed and added again gets of each membership what he was bound to, and of none more (C1, C12). */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { until } from '../../../test/chat.ts'
import type { Person } from './chatroom.fixture.ts'
import { openYard, poison, type HeldNode } from './held.fixture.ts'
import type { Client } from './live.fixture.ts'

const yard = openYard()
let live: HeldNode

beforeAll(async () => {
  live = await yard.open()
})
afterAll(() => yard.stop())

let lastName = 0
/** Two rooms of Ann's and Bob's; he is bound to both and away, and has missed a message in each. */
async function scene() {
  const nth = ++lastName
  const [ann, bob] = (await live.signedIn(`ann${nth}`, `bob${nth}`)) as [Person, Person]
  const [left, kept] = [await live.room([ann, bob]), await live.room([ann, bob])]
  const first = await live.open(bob, '?since=')
  for (const roomId of [left, kept]) await live.connect(roomId, bob)
  for (const roomId of [left, kept]) await live.send(roomId, ann, 'seen')
  await first.have('message', 2)
  await first.close()
  for (const roomId of [left, kept]) await live.send(roomId, ann, 'missed')
  return {
    ann,
    bob,
    left,
    kept,
    remove: () => live.remove(left, ann, bob),
    add: () => live.add(left, ann, bob),
    back: () => live.open(bob, `?since=${encodeURIComponent(first.cursor())}`),
  }
}

type Scene = Awaited<ReturnType<typeof scene>>

/** Ann's socket, which shows up to where the events of the rooms have been handed out. */
async function watch({ ann, left, kept }: Scene): Promise<Client> {
  const watching = await live.open(ann)
  for (const roomId of [left, kept]) await live.connect(roomId, ann)
  await watching.have('history', 2)
  return watching
}

const shownOf = ({ frames }: Client, room: string) =>
  frames.flatMap(({ type, roomId, content }) => (roomId === room ? [content ?? type] : []))

async function expectOfLeft(client: Client, { ann, left, kept }: Scene, shown: string[]): Promise<void> {
  await live.send(kept, ann, 'last')
  await until('the last', () => shownOf(client, kept).includes('last'))
  expect([shownOf(client, left), shownOf(client, kept)]).toEqual([shown, ['missed', 'last']])
}

test('[C12] of a membership between, to which he never connected, nothing is shown', async () => {
  const at = await scene()
  await at.remove()
  await at.add()
  await live.send(at.left, at.ann, 'not for him')
  await at.remove()
  await expectOfLeft(await at.back(), at, ['missed', 'participant_removed'])
})

test('[C12] who was removed and added again gets what he missed up to the removal', async () => {
  const at = await scene()
  await at.remove()
  await at.add()
  await live.send(at.left, at.ann, 'not for him')
  await expectOfLeft(await at.back(), at, ['missed', 'participant_removed'])
})

test('[C12] and where he connected since, also all of the membership that he has now', async () => {
  const at = await scene()
  await at.remove()
  await live.send(at.left, at.ann, 'not for him')
  await at.add()
  await live.connect(at.left, at.bob)
  await live.send(at.left, at.ann, 'for him')
  const shown = ['missed', 'participant_removed', 'participant_added', 'for him']
  await expectOfLeft(await at.back(), at, shown)
})

test.each(['his bindings', 'his memberships'])('[C12] so it is where that comes while %s are read', async (what) => {
  const at = await scene()
  const watching = await watch(at)
  const { held, release } =
    what === 'his bindings'
      ? live.hold('replaceRecord', { about: `bound:${at.bob.id}` })
      : live.hold('listMembershipsOf', { about: at.bob.id })
  const opening = at.back()
  await held()
  await at.remove()
  await at.add()
  await live.send(at.left, at.ann, 'not for him')
  await watching.have('message')
  release()
  await expectOfLeft(await opening, at, ['missed', 'participant_removed'])
})

test('[C1] a socket that was about to enter gets nothing that is posted before it has found out', async () => {
  const at = await scene()
  const watching = await watch(at)
  const before = live.hold('listMembershipsOf', { about: at.bob.id })
  const opening = live.open(at.bob)
  await before.held()
  await at.remove()
  await at.add()
  await watching.have('participant_added')
  const after = live.hold('listMembershipsOf', { about: at.bob.id })
  before.release()
  await after.held()
  await live.send(at.left, at.ann, 'not for him')
  await watching.have('message')
  after.release()
  const client = await opening
  await live.send(at.kept, at.ann, 'last')
  await client.have('message')
  expect(shownOf(client, at.left)).toEqual([])
})

test.each(['', '?since='])('[C10] who is removed from a Room that has just failed goes on in his others (%s)', async (query) => {
  const at = await scene()
  const client = await live.open(at.bob, query)
  const watching = await live.open(at.ann)
  await live.connect(at.kept, at.ann)
  const remaking = live.hold('replaceRecord', { about: `room:${at.left}` })
  await live.send(at.left, at.ann, poison)
  await remaking.held()
  await at.remove()
  await live.send(at.kept, at.ann, 'mark')
  await watching.have('message')
  remaking.release()
  await live.send(at.kept, at.ann, 'last')
  await until('the last', () => client.textsIn(at.kept).includes('last'))
  expect(client.textsIn(at.kept).slice(-2)).toEqual(['mark', 'last'])
  // What he did not see of the room that he is out of, and that he is, nothing else tells him.
  const reloads = client.frames.filter(({ type }) => type === 'reload').map((frame) => frame.roomId)
  expect(reloads).toEqual(query === '' ? [] : [at.left, at.kept])
})

test('[C10] a room whose removal he was shown is in no reload after it', async () => {
  const at = await scene()
  const client = await at.back()
  await at.remove()
  await client.have('participant_removed')
  await live.send(at.kept, at.ann, poison)
  await client.have('history')
  const reloads = client.frames.filter(({ type }) => type === 'reload').map((frame) => frame.roomId)
  expect(reloads).toEqual([at.kept])
})
