/** A socket that comes back while its user is being bound to another room (C1, C12). */
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { fastClock } from '../../../test/chat.ts'
import { createMemoryRegistry } from '../../registry/memory/memory-registry.ts'
import type { Registry } from '../../registry/registry.ts'
import { openMemoryStorage } from '../../storage/memory/memory.ts'
import type { Person } from './chatroom.fixture.ts'
import { openLive } from './live.fixture.ts'

/** Takes its time to say that a record was changed, so that who asks next stands behind. */
function slowed(registry: Registry, ms: number): Registry {
  return new Proxy(registry, {
    get(target, name) {
      const method = Reflect.get(target, name) as (...values: unknown[]) => unknown
      return async (...values: unknown[]) => {
        const answer = await Reflect.apply(method, target, values)
        if (name === 'replaceRecord') await delay(ms)
        return answer
      }
    },
  })
}

test('[C12] a resume beside a connect gets all that it missed, and needs no reload', async () => {
  const storage = openMemoryStorage()
  const registry = slowed(createMemoryRegistry(storage.directory), 20)
  const env = { LIMIT_SENDS: 'off', LIMIT_CONNECTS: 'off' }
  const live = await openLive({ storage, registry, clock: fastClock, isProduction: true, env })
  const [ann, bob] = (await live.signedIn('ann', 'bob')) as [Person, Person]
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
  await live.stop()
})
