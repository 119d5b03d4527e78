/** A socket that comes while its user is being bound to another room, or is removed from one (C1, C12). */
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { fastClock, until } from '../../../test/chat.ts'
import { createMemoryRegistry } from '../../registry/memory/memory-registry.ts'
import { openMemoryStorage } from '../../storage/memory/memory.ts'
import { chatrooms, type Person } from './chatroom.fixture.ts'
import { openLive, type Live } from './live.fixture.ts'

/** Before the registry says that a record was changed. */
let beforeAnswer = async (_name: string) => {}
let live: Live
let ann: Person, bob: Person

beforeEach(async () => {
  const storage = openMemoryStorage()
  const registry = new Proxy(createMemoryRegistry(storage.directory), {
    get(target, kind) {
      const method = Reflect.get(target, kind) as (...values: unknown[]) => unknown
      return async (...values: unknown[]) => {
        const answer = await Reflect.apply(method, target, values)
        if (kind === 'replaceRecord') await beforeAnswer(values[0] as string)
        return answer
      }
    },
  })
  const env = { LIMIT_SENDS: 'off', LIMIT_CONNECTS: 'off' }
  live = await openLive({ storage, registry, clock: fastClock, isProduction: true, env })
  ;[ann, bob] = (await live.signedIn('ann', 'bob')) as [Person, Person]
})
afterEach(async () => {
  beforeAnswer = async () => {}
  await live.stop()
})

/** The answer to the next change of this record waits until it is released. */
function hold(record: string): { held: () => Promise<void>; release: () => void } {
  let isHeld = false
  let release = () => {}
  const released = new Promise<void>((resolve) => (release = resolve))
  beforeAnswer = async (name) => {
    if (isHeld || name !== record) return
    isHeld = true
    await released
  }
  return { held: () => until('the answer is held', () => isHeld), release }
}

async function removeAndAdd(roomId: string): Promise<void> {
  await live.done(`DELETE ${chatrooms}/${roomId}/participants/${bob.username}`, ann.bearer)
  await live.done(`POST ${chatrooms}/${roomId}/participants`, ann.bearer, { userId: bob.username })
}

test('[C12] a resume beside a connect gets all that it missed, and needs no reload', async () => {
  beforeAnswer = () => delay(20)
  const [old, added] = [await live.room([ann, bob]), await live.room([ann, bob])]
  await live.connect(old, bob)
  const first = await live.open(bob, '?since=')
  await live.send(old, ann, 'seen')
  await first.have('message')
  await first.close()
  const missed = Array.from({ length: 30 }, (_, nth) => `${nth}`)
  for (const text of missed) await live.send(old, ann, text)
  const connecting = live.connect(added, bob)
  const back = await live.open(bob, `?since=${encodeURIComponent(first.cursor())}`)
  await connecting
  await back.have('message', missed.length)
  await live.connect(added, bob)
  expect(back.frames.flatMap(({ type, content }) => (type === 'message' ? [content] : []))).toEqual(missed)
  expect(back.frames.map(({ type }) => type)).not.toContain('reload')
})

test('[C1] who is removed and added again while a socket of his is let in is bound no more, until he connects', async () => {
  const roomId = await live.room([ann, bob])
  const first = await live.open(bob)
  await live.connect(roomId, bob)
  const { held, release } = hold(`bound:${bob.id}`)
  const opening = live.open(bob)
  await held()
  await removeAndAdd(roomId)
  await first.have('participant_removed')
  release()
  const second = await opening
  await live.send(roomId, ann, 'not for him')
  await live.connect(roomId, bob)
  await live.send(roomId, ann, 'for him')
  for (const client of [first, second]) await client.have('message')
  expect(first.frames.map(({ type }) => type)).toEqual(['history', 'participant_removed', 'history', 'message'])
  expect(second.frames.map(({ type }) => type)).toEqual(['history', 'message'])
})

test.each(['he is bound to', 'he enters'])(
  '[C12] a resume beside the removal from a room that %s ends with that',
  async (when) => {
    const [left, kept] = [await live.room([ann, bob]), await live.room([ann, bob])]
    for (const roomId of [left, kept]) await live.connect(roomId, bob)
    const first = await live.open(bob, '?since=')
    for (const roomId of [left, kept]) await live.send(roomId, ann, 'seen')
    await first.have('message', 2)
    await first.close()
    for (const roomId of [left, kept]) await live.send(roomId, ann, 'missed')
    const watching = await live.open(ann)
    await live.connect(kept, ann)
    const { held, release } = hold(when === 'he enters' ? `room:${left}` : `bound:${bob.id}`)
    const opening = live.open(bob, `?since=${encodeURIComponent(first.cursor())}`)
    await held()
    await live.done(`DELETE ${chatrooms}/${left}/participants/${bob.username}`, ann.bearer)
    for (const roomId of [left, kept]) await live.send(roomId, ann, 'last')
    await watching.have('message')
    release()
    const back = await opening
    await back.have('message', 3)
    expect(back.textsIn(left)).toEqual(['missed'])
    expect(back.textsIn(kept)).toEqual(['missed', 'last'])
    expect(back.frames.map(({ type, roomId }) => [type, roomId])).toContainEqual(['participant_removed', left])
    expect(back.frames.map(({ type }) => type)).not.toContain('reload')
  },
)
