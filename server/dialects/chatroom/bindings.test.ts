/** Bindings at two nodes (C1), one of which hears late how a membership ended: what is bound for a later one is let be. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { fastClock, until } from '../../../test/chat.ts'
import type { Bus } from '../../bus/bus.ts'
import { createMemoryBus } from '../../bus/memory/memory-bus.ts'
import { createMemoryDatabase } from '../../storage/memory/memory.ts'
import type { LogStore, Storage } from '../../storage/storage.ts'
import { chatrooms, type Person } from './chatroom.fixture.ts'
import { openLive, type Live } from './live.fixture.ts'

/** The answer to the nth question of this kind from now on waits until it is released. */
interface Hold {
  kind: keyof LogStore
  nth: number
  isHeld: boolean
  answer: Promise<void>
}

interface Node extends Live {
  hold(kind: keyof LogStore, nth?: number): { held: () => Promise<void>; release: () => void }
  /** It hears of no commit until what this gives is called. */
  deafen(): () => void
}

let database: ReturnType<typeof createMemoryDatabase>
let bus: ReturnType<typeof createMemoryBus>
const nodes = new Set<Node>()
let one: Node, two: Node
let ann: Person, bob: Person
let roomId: string

async function openNode(): Promise<Node> {
  let hold: Hold | null = null
  let deafness = Promise.resolve()
  const storage = withHold(database.openStorage(), async (kind) => {
    if (kind === 'listJournals' || kind === 'readCommits') await deafness
    if (hold?.kind !== kind || --hold.nth !== 0) return
    hold.isHeld = true
    await hold.answer
  })
  const under = bus.connect()
  const listen: Bus['listen'] = (name, listener) =>
    under.listen(name, {
      onOpen: () => listener.onOpen(),
      onPresence: (...about) => listener.onPresence(...about),
      onCommit: (commit) => void deafness.then(() => listener.onCommit(commit)),
    })
  const live = await openLive({ storage, bus: { ...under, listen }, clock: fastClock, isProduction: true })
  const node: Node = {
    ...live,
    hold(kind, nth = 1) {
      let release = () => {}
      const answer = new Promise<void>((resolve) => (release = resolve))
      const next: Hold = { kind, nth, isHeld: false, answer }
      hold = next
      return { held: () => until(`${kind} is held`, () => next.isHeld), release }
    },
    deafen() {
      let hear = () => {}
      deafness = new Promise((resolve) => (hear = resolve))
      return hear
    },
    async stop() {
      if (nodes.delete(node)) await live.stop()
    },
  }
  nodes.add(node)
  return node
}

function withHold(under: Storage, beforeAnswer: (kind: string | symbol) => Promise<void>): Storage {
  const log = new Proxy(under.log, {
    get(target, name) {
      const method = Reflect.get(target, name) as (...values: unknown[]) => Promise<unknown>
      return async (...values: unknown[]) => {
        const result = await Reflect.apply(method, target, values)
        await beforeAnswer(name)
        return result
      }
    },
  })
  return { ...under, log }
}

beforeEach(async () => {
  database = createMemoryDatabase()
  bus = createMemoryBus()
  ;[one, two] = [await openNode(), await openNode()]
  ;[ann, bob] = (await one.signedIn('ann', 'bob')) as [Person, Person]
  roomId = await one.room([ann, bob])
})
afterEach(async () => {
  for (const node of nodes) await node.stop()
})

const participants = () => `${chatrooms}/${roomId}/participants`
const add = () => one.done(`POST ${participants()}`, ann.bearer, { userId: bob.username })
const remove = () => one.done(`DELETE ${participants()}/${bob.username}`, ann.bearer)

async function addAndConnect(): Promise<void> {
  await add()
  expect((await one.connect(roomId, bob)).status).toBe(200)
}

/** Binds Bob for a membership that has ended, of whose end nobody is told any more. */
async function bindLate(): Promise<void> {
  const { held, release } = one.hold('findMember')
  const connecting = one.connect(roomId, bob)
  await held()
  const watching = await two.open(ann)
  await two.connect(roomId, ann)
  await remove()
  await watching.have('participant_removed')
  release()
  expect((await connecting).status).toBe(403)
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
  await bindLate()
  const client = await two.open(bob)
  await client.settled()
  expect(client.frames).toEqual([])
  await two.stop()
  const { values } = await database.openStorage().directory.readRecords([`bound:${bob.id}`])
  expect(JSON.parse(values[0]!)).toMatchObject({ rooms: [], lost: [{ roomId: Number(roomId) }] })
})

test('[C1] a socket that finds late that its user was removed takes no binding of the membership after it', async () => {
  await bindLate()
  const entering = two.hold('listMembershipsOf', 2)
  const opening = two.open(bob)
  await entering.held()
  await addAndConnect()
  entering.release()
  await opening
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
