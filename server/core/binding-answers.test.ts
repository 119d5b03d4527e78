/** What the registry answers may be from before something that has happened here since (C1). */
import { expect, it } from 'vitest'
import { settle } from '../../test/manual-clock.ts'
import { createYard, exitFrom, memberOf } from './registered.fixture.ts'

const kim = 5

it('[C1] what was read before a socket opened is no news after it', async () => {
  const yard = createYard()
  const [one, two] = [await yard.open(), await yard.open()]
  await one.bindings.open(kim, false)
  const release = one.hangNext('readRecords')
  const reading = one.bindings.reread()
  await settle()
  await two.bindings.bind(kim, memberOf(7))
  expect((await one.bindings.open(kim, false)).rooms).toEqual([7])
  release()
  await reading
  await one.bindings.reread()
  expect(one.heard).toEqual(['bound 5: 7'])
})

it('[C1] what another node bound while it was read is heard of, also where this node bound something meanwhile', async () => {
  const yard = createYard()
  const [one, two] = [await yard.open(), await yard.open()]
  await one.bindings.open(kim, false)
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
  const opening = node.bindings.open(kim, false)
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
    await node.bindings.open(kim, false)
    await node.bindings.bind(kim, memberOf(7))
    const release = node.hangNext('replaceRecord')
    const opening = node.bindings.open(kim, hasCursor)
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
  await node.bindings.open(kim, false)
  const release = node.hangNext('replaceRecord')
  const binding = node.bindings.bind(kim, memberOf(7))
  await settle()
  const ending = node.bindings.unbind(kim, exitFrom(7))
  release()
  await Promise.all([binding, ending])
  expect(node.heard).toEqual([])
  expect(await node.bindings.open(kim, false)).toEqual({ rooms: [], lost: [7] })
})

it('[C1] the end of a membership takes its later one from no socket, also where its answer comes late', async () => {
  const node = await createYard().open()
  await node.bindings.open(kim, false)
  await node.bindings.bind(kim, memberOf(7))
  const release = node.hangNext('replaceRecord')
  const binding = node.bindings.bind(kim, memberOf(7, 6))
  await settle()
  const ending = node.bindings.unbind(kim, exitFrom(7))
  release()
  await Promise.all([binding, ending])
  expect(node.heard).toEqual(['bound 5: 7', 'bound 5: 7'])
  expect((await node.bindings.open(kim, false)).rooms).toEqual([7])
})
