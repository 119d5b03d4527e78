/** What the registry answers may be from before something that has happened here since (C1). */
import { expect, it } from 'vitest'
import { settle } from '../../test/manual-clock.ts'
import { createYard, exitFrom, memberOf } from './registered.fixture.ts'

const kim = 5

it('[C1] what was read before a socket opened is no news after it', async () => {
  const yard = createYard()
  const [one, two] = [await yard.open(), await yard.open()]
  await one.arrive(kim, false)
  const release = one.hangNext('readRecords')
  const reading = one.bindings.reread()
  await settle()
  await two.bindings.bind(kim, memberOf(7))
  expect((await one.arrive(kim, false)).rooms).toEqual([7])
  release()
  await reading
  await one.bindings.reread()
  expect(one.heard).toEqual(['bound 5: 7'])
})

it('[C1] what another node bound while it was read is heard of, also where this node bound something meanwhile', async () => {
  const yard = createYard()
  const [one, two] = [await yard.open(), await yard.open()]
  await one.arrive(kim, false)
  const releaseOwn = one.hangNext('replaceRecord')
  const binding = one.bindings.bind(kim, memberOf(7))
  await settle()
  const release = one.hangNext('readRecords')
  await two.bindings.bind(kim, memberOf(8))
  const reading = one.bindings.reread()
  releaseOwn()
  await binding
  release()
  await reading
  expect(one.heard).toEqual(['bound 5: 7', 'bound 5: 8'])
})

it('[C1] a socket that opens while its user is being bound is bound, too', async () => {
  const yard = createYard()
  const node = await yard.open()
  const releaseFirst = node.hangNext('replaceRecord')
  const binding = [7, 8].map((roomId) => node.bindings.bind(kim, memberOf(roomId)))
  await settle()
  const release = node.hangNext('readRecords')
  releaseFirst()
  await binding[0]
  const opening = node.arrive(kim, false)
  await settle()
  release()
  await binding[1]
  expect([(await opening).rooms, node.heard]).toEqual([
    [7, 8],
    ['bound 5: 7 8', 'bound 5: 7 8'],
  ])
})

it.each([false, true])(
  '[C1] what the registry answers late brings back no membership that has ended (cursor: %s)',
  async (hasCursor) => {
    const node = await createYard().open()
    await node.arrive(kim, false)
    await node.bindings.bind(kim, memberOf(7))
    const release = node.hangNext('replaceRecord')
    const opening = node.arrive(kim, hasCursor)
    await settle()
    const ending = node.bindings.unbind(kim, exitFrom(7))
    release()
    expect(await opening).toEqual({ rooms: [], lost: [7] })
    await ending
    expect(node.heard).toEqual(['bound 5: 7'])
  },
)

it('[C1] what the registry answers late to a binding tells of no membership that has ended', async () => {
  const node = await createYard().open()
  await node.arrive(kim, false)
  const release = node.hangNext('replaceRecord')
  const binding = node.bindings.bind(kim, memberOf(7))
  await settle()
  const ending = node.bindings.unbind(kim, exitFrom(7))
  release()
  await Promise.all([binding, ending])
  expect(node.heard).toEqual([])
  expect(await node.arrive(kim, false)).toEqual({ rooms: [], lost: [7] })
})

it('[C1] the end of a membership takes its later one from no socket, also where its answer comes late', async () => {
  const node = await createYard().open()
  await node.arrive(kim, false)
  await node.bindings.bind(kim, memberOf(7))
  const release = node.hangNext('replaceRecord')
  const binding = node.bindings.bind(kim, memberOf(7, 6))
  await settle()
  const ending = node.bindings.unbind(kim, exitFrom(7))
  release()
  await Promise.all([binding, ending])
  expect(node.heard).toEqual(['bound 5: 7', 'bound 5: 7'])
  expect((await node.arrive(kim, false)).rooms).toEqual([7])
})

it('[C1] what was read for sockets that have closed since is no news of one that opens', async () => {
  const yard = createYard()
  const [one, two] = [await yard.open(), await yard.open()]
  await two.bindings.open(kim, false)
  await two.bindings.bind(kim, memberOf(7))
  const releaseBinding = one.hangNext('replaceRecord')
  const binding = one.bindings.bind(kim, memberOf(8))
  await settle()
  const releaseReading = one.hangNext('readRecords')
  const reading = one.bindings.reread()
  await settle()
  releaseBinding()
  await binding
  await settle()
  for (const { bindings } of [one, two]) await bindings.unbind(kim, exitFrom(7))
  await settle()
  const releaseOpening = one.hangNext('readRecords')
  const opening = one.arrive(kim, false)
  await settle()
  releaseReading()
  await settle()
  releaseOpening()
  await reading
  expect([(await opening).rooms, one.heard]).toEqual([[8], ['bound 5: 8']])
})

it('[C1] who comes back while thousands are told anew is not forgotten with who he was', async () => {
  const node = await createYard().open()
  const users = Array.from({ length: 201 }, (_, nth) => nth + 1)
  for (const user of users) await node.bindings.open(user, false)
  const last = users.at(-1)!
  const release = node.hangNext('replaceRecord')
  const restoring = node.bindings.restore()
  await settle()
  await node.bindings.close(last)
  await node.bindings.open(last, false)
  release()
  await restoring
  await node.bindings.bind(last, memberOf(7))
  expect(node.heard).toEqual([`bound ${last}: 7`])
})
