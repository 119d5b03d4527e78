/** A binding is of one membership (C1). */
import { expect, it } from 'vitest'
import { createYard, exitFrom, memberOf } from './registered.fixture.ts'

const hourMs = 3_600_000
const kim = 5

it('[C1] the end of a membership takes no binding of a later one, which who heard of it late is told of', async () => {
  const yard = createYard()
  const [one, two] = [await yard.open(), await yard.open()]
  for (const { bindings } of [one, two]) await bindings.open(kim, false)
  await one.bindings.bind(kim, memberOf(7))
  await two.bindings.reread()
  await one.bindings.unbind(kim, exitFrom(7))
  await one.bindings.bind(kim, memberOf(7, 6))
  await two.bindings.unbind(kim, exitFrom(7))
  expect([one.heard, two.heard]).toEqual([
    ['bound 5: 7', 'bound 5: 7'],
    ['bound 5: 7', 'bound 5: 7'],
  ])
  expect((await two.arrive(kim, false)).rooms).toEqual([7])
  for (const { bindings } of [one, two]) await bindings.unbind(kim, exitFrom(7, 6))
  expect((await one.arrive(kim, true)).rooms).toEqual([])
})

it('[C1] a binding of an earlier membership that is made late leaves that of the later one', async () => {
  const yard = createYard()
  const node = await yard.open()
  for (const joinedSeq of [6, 3]) await node.bindings.bind(kim, memberOf(7, joinedSeq))
  await node.bindings.unbind(kim, exitFrom(7))
  expect((await node.arrive(kim, false)).rooms).toEqual([7])
})

it('[C12] of a binding that is remembered the end of an earlier membership takes nothing either', async () => {
  const yard = createYard()
  const node = await yard.open()
  await node.arrive(kim, false)
  await node.bindings.bind(kim, memberOf(7, 6))
  await node.bindings.close(kim)
  await yard.clock.advance(hourMs)
  await node.bindings.unbind(kim, exitFrom(7))
  expect(await node.arrive(kim, true)).toEqual({ rooms: [7], lost: [] })
})

it('[C1] a node that has not heard of the end of a membership brings it back to none', async () => {
  const yard = createYard()
  const [one, two] = [await yard.open(), await yard.open()]
  for (const { bindings } of [one, two]) await bindings.open(kim, false)
  await one.bindings.bind(kim, memberOf(7))
  await two.bindings.reread()
  await one.bindings.unbind(kim, exitFrom(7))
  expect(await two.arrive(kim, false)).toEqual({ rooms: [], lost: [7] })
  await two.bindings.restore()
  await two.bindings.bind(kim, memberOf(7))
  await one.bindings.reread()
  expect(one.heard).toEqual(['bound 5: 7'])
  await two.bindings.bind(kim, memberOf(7, 6))
  expect((await one.arrive(kim, false)).rooms).toEqual([7])
})

it('[C10] who was taken out of a Room that fails, and is a member all the same, may be bound again', async () => {
  const node = await createYard().open()
  await node.bindings.open(kim, false)
  await node.bindings.bind(kim, memberOf(7))
  await node.bindings.unbind(kim, { roomId: 7, joinedSeq: Infinity, stamp: null })
  await node.bindings.bind(kim, memberOf(7))
  expect(await node.arrive(kim, true)).toEqual({ rooms: [7], lost: [] })
})

it('[C12] who is bound as a member again has lost the membership before, whose end is known from whoever tells of it', async () => {
  const node = await createYard().open()
  await node.bindings.bind(kim, memberOf(7))
  await node.bindings.bind(kim, memberOf(7, 6))
  expect((await node.bindings.open(kim, true)).lost).toEqual([{ roomId: 7, joinedSeq: 3, stamp: null }])
  await node.bindings.unbind(kim, exitFrom(7))
  const { rooms, lost } = await node.bindings.open(kim, true)
  expect({ rooms, lost }).toEqual({ rooms: [[7, 6]], lost: [exitFrom(7)] })
  await node.bindings.unbind(kim, { ...exitFrom(7), stamp: null })
  expect((await node.bindings.open(kim, true)).lost).toEqual([exitFrom(7)])
})

it('[C12] the end of a membership says of an earlier one that it has ended, and not when', async () => {
  const node = await createYard().open()
  await node.bindings.bind(kim, memberOf(7))
  await node.bindings.unbind(kim, exitFrom(7, 6))
  const { rooms, lost } = await node.bindings.open(kim, true)
  expect({ rooms, lost }).toEqual({ rooms: [], lost: [{ roomId: 7, joinedSeq: 3, stamp: null }] })
})

it('[C12] of who has lost more than is remembered nothing is taken for all that he lost', async () => {
  const node = await createYard().open()
  for (let roomId = 1; roomId <= 1_000; roomId++) {
    await node.bindings.bind(kim, memberOf(roomId))
    if (roomId === 1_000) expect((await node.bindings.open(kim, true)).lost).toHaveLength(999)
    await node.bindings.unbind(kim, exitFrom(roomId))
  }
  expect((await node.bindings.open(kim, true)).lost).toBeNull()
})
