/** Bindings at two nodes (C1), one of which hears late how a membership ended: what is bound for a later one is let be. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Person } from './chatroom.fixture.ts'
import { openYard, type HeldNode, type Yard } from './held.fixture.ts'

let yard: Yard
let one: HeldNode, two: HeldNode
let ann: Person, bob: Person
let roomId: string

beforeEach(async () => {
  yard = openYard()
  ;[one, two] = [await yard.open(), await yard.open()]
  ;[ann, bob] = (await one.signedIn('ann', 'bob')) as [Person, Person]
  roomId = await one.room([ann, bob])
})
afterEach(() => yard.stop())

const add = () => one.add(roomId, ann, bob)
const remove = () => one.remove(roomId, ann, bob)

async function addAndConnect(): Promise<void> {
  await add()
  expect((await one.connect(roomId, bob)).status).toBe(200)
}

/** Binds Bob for a membership that has ended, of whose end nobody is told any more; the node finds out when that is called. */
async function bindLate(): Promise<() => Promise<number>> {
  const asking = one.hold('findMember')
  const connecting = one.connect(roomId, bob)
  await asking.held()
  const watching = await two.open(ann)
  await two.connect(roomId, ann)
  await remove()
  await watching.have('participant_removed')
  const askingAgain = one.hold('findMember')
  asking.release()
  await askingAgain.held()
  return async () => {
    askingAgain.release()
    return (await connecting).status
  }
}

async function recordOf({ id }: Person): Promise<unknown> {
  const { values } = await yard.database.openStorage().directory.readRecords([`bound:${id}`])
  return JSON.parse(values[0]!)
}

/** What a node that stops had to say it has said. */
async function expectBound(): Promise<void> {
  await two.stop()
  const client = await one.open(bob)
  await client.settled()
  expect(client.frames.map(({ type }) => type)).toEqual(['history'])
}

test('[C1] a removal that another node acts upon late takes no binding of the membership after it', async () => {
  await one.connect(roomId, bob)
  const elsewhere = await two.open(bob)
  const { release } = two.hold('findMember')
  await remove()
  await elsewhere.have('participant_removed')
  await addAndConnect()
  release()
  await expectBound()
})

test('[C1] a binding that was made late, for a membership that has ended, goes with the first socket', async () => {
  const findOut = await bindLate()
  const client = await two.open(bob)
  await client.settled()
  expect(client.frames).toEqual([])
  await two.stop()
  expect(await findOut()).toBe(403)
  expect(await recordOf(bob)).toMatchObject({ rooms: [], lost: [{ roomId: Number(roomId) }] })
})

test('[C1] and goes where the connect finds out itself', async () => {
  const findOut = await bindLate()
  expect(await recordOf(bob)).toMatchObject({ rooms: [[Number(roomId), 1]] })
  expect(await findOut()).toBe(403)
  expect(await recordOf(bob)).toMatchObject({ rooms: [] })
})

test('[C1] a socket that finds late that its user was removed takes no binding of the membership after it', async () => {
  const findOut = await bindLate()
  const entering = two.hold('listMembershipsOf', { nth: 2 })
  const opening = two.open(bob)
  await entering.held()
  await addAndConnect()
  entering.release()
  await opening
  await findOut()
  await expectBound()
})

test('[C1] a connect during which he is removed and added again binds him as the member that he is then', async () => {
  const { held, release } = one.hold('findMember')
  const connecting = one.connect(roomId, bob)
  await held()
  await remove()
  await add()
  release()
  expect((await connecting).status).toBe(200)
  await expectBound()
})

test('[C1] who is removed and added again while a socket enters his room is bound no more, until he connects', async () => {
  const watching = await two.open(ann)
  for (const person of [ann, bob]) await one.connect(roomId, person)
  await watching.have('history')
  const entering = two.hold('listMembershipsOf')
  const opening = two.open(bob)
  await entering.held()
  await remove()
  await add()
  await watching.have('participant_added')
  entering.release()
  const client = await opening
  await one.send(roomId, ann, 'not for him')
  await watching.have('message')
  await client.settled()
  expect(client.frames).toEqual([])
  await one.connect(roomId, bob)
  await client.have('history')
})

test('[C1] a second socket at a node brings the first one what was bound at another', async () => {
  const first = await two.open(bob)
  await one.connect(roomId, bob)
  const second = await two.open(bob)
  await second.have('history')
  await first.have('history')
})

test.each([false, true])(
  '[C12] a node that hears late of a removal resumes him all the same (connects again: %s)',
  async (again) => {
    await one.connect(roomId, bob)
    const first = await two.open(bob, '?since=')
    await one.send(roomId, ann, 'seen')
    await first.have('message')
    await first.close()
    const hear = two.deafen()
    await one.send(roomId, ann, 'missed')
    await remove()
    if (again) await addAndConnect()
    await one.send(roomId, ann, 'later')
    const { held, release } = two.hold('listMembershipsOf')
    const opening = two.open(bob, `?since=${encodeURIComponent(first.cursor())}`)
    if (again) await held()
    release()
    hear()
    const client = await opening
    await client.settled()
    const shown = client.frames.map(({ type, content }) => content ?? type)
    expect(shown).toEqual(['missed', 'participant_removed', ...(again ? ['participant_added', 'later'] : [])])
  },
)
