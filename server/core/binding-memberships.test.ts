/** A binding is of one membership (C1). */
import { expect, it } from 'vitest'
import { createYard, cursorAt, exitFrom, memberOf } from './registered.fixture.ts'

const hourMs = 3_600_000
const kim = 5

it('[C1] the end of a membership takes no binding of a later one, which who heard of it late is told of', async () => {
  const yard = createYard()
  const [one, two] = [await yard.open(), await yard.open()]
  for (const { bindings } of [one, two]) await bindings.open(kim, null)
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
  for (const { bindings } of [one, two]) await bindings.open(kim, null)
  await one.bindings.bind(kim, memberOf(7))
  await two.bindings.reread()
  await one.bindings.unbind(kim, exitFrom(7))
  expect(await two.arrive(kim, false)).toEqual({ rooms: [], lost: [7] })
  await two.bindings.restore()
  await one.bindings.reread()
  expect(one.heard).toEqual(['bound 5: 7'])
  await two.bindings.bind(kim, memberOf(7, 6))
  expect((await one.arrive(kim, false)).rooms).toEqual([7])
})

it('[C10] who was taken out of a Room that fails, and is a member all the same, may be bound again', async () => {
  const node = await createYard().open()
  await node.bindings.open(kim, null)
  await node.bindings.bind(kim, memberOf(7))
  await node.bindings.unbind(kim, { ...exitFrom(7), stamp: null })
  expect(await node.arrive(kim, true)).toEqual({ rooms: [], lost: [7] })
  await node.bindings.bind(kim, memberOf(7))
  expect(await node.arrive(kim, true)).toEqual({ rooms: [7], lost: [] })
})

it('[C12] who is bound as a member again has lost the membership before, whose end is known from whoever tells of it', async () => {
  const node = await createYard().open()
  await node.bindings.bind(kim, memberOf(7))
  await node.bindings.bind(kim, memberOf(7, 6))
  expect((await node.bindings.open(kim, '')).lost).toEqual([{ roomId: 7, joinedSeq: 3, stamp: null }])
  await node.bindings.unbind(kim, exitFrom(7))
  const { rooms, lost } = await node.bindings.open(kim, '')
  expect({ rooms, lost }).toEqual({ rooms: [[7, 6]], lost: [exitFrom(7)] })
  await node.bindings.unbind(kim, { ...exitFrom(7), stamp: null })
  expect((await node.bindings.open(kim, '')).lost).toEqual([exitFrom(7)])
})

it('[C12] the end of a membership says of an earlier one that it has ended, and not when', async () => {
  const node = await createYard().open()
  await node.bindings.bind(kim, memberOf(7))
  await node.bindings.unbind(kim, exitFrom(7, 6))
  const { rooms, lost } = await node.bindings.open(kim, '')
  expect({ rooms, lost }).toEqual({ rooms: [], lost: [{ roomId: 7, joinedSeq: 3, stamp: null }] })
})

it('[C12] of who has lost more than is remembered nothing is taken for all that he lost', async () => {
  const yard = createYard()
  const node = await yard.open()
  const since = cursorAt(yard.clock.now())
  for (let roomId = 1; roomId <= 1_001; roomId++) {
    await node.bindings.bind(kim, memberOf(roomId))
    if (roomId === 1_001) expect((await node.bindings.open(kim, since)).isWhole).toBe(true)
    await yard.clock.advance(1)
    await node.bindings.unbind(kim, exitFrom(roomId))
  }
  expect((await node.bindings.open(kim, since)).isWhole).toBe(false)
  expect((await node.bindings.open(kim, cursorAt(yard.clock.now()))).isWhole).toBe(true)
})

it('[C12] nor is it where the registry was emptied since his cursor', async () => {
  const yard = createYard()
  const node = await yard.open()
  await node.bindings.open(kim, '')
  for (const roomId of [7, 8]) await node.bindings.bind(kim, memberOf(roomId))
  const since = cursorAt(yard.clock.now())
  await yard.clock.advance(1)
  await node.bindings.unbind(kim, exitFrom(7))
  expect((await node.bindings.open(kim, since)).lost).toEqual([exitFrom(7)])
  const { directory } = yard.database.openStorage()
  const [record = null] = (await directory.readRecords(['bound:5'])).values
  await directory.replaceRecord('bound:5', { from: record, to: null, beforeMs: null, keepMs: null })
  await node.bindings.restore()
  expect(await node.bindings.open(kim, since)).toEqual({ rooms: [[8, 3]], lost: [], isWhole: false })
  expect(await node.bindings.open(kim, cursorAt(yard.clock.now()))).toEqual({ rooms: [[8, 3]], lost: [], isWhole: true })
})

it.each([7, 9])(
  '[C12] nor is it where bindings are remembered no more, and other ends are known, or bindings (room %i)',
  async (roomId) => {
    const yard = createYard()
    const node = await yard.open()
    await node.bindings.open(kim, '')
    for (const one of [7, 8]) await node.bindings.bind(kim, memberOf(one))
    const since = cursorAt(yard.clock.now())
    await node.bindings.close(kim)
    await yard.clock.advance(10 * hourMs)
    await node.bindings.unbind(kim, exitFrom(7))
    expect((await node.bindings.open(kim, since)).lost).toEqual([exitFrom(7)])
    await node.bindings.close(kim)
    await yard.clock.advance(25 * hourMs)
    if (roomId === 9) await node.bindings.bind(kim, memberOf(9))
    const { rooms, isWhole } = await node.bindings.open(kim, since)
    expect({ rooms, isWhole }).toEqual({ rooms: roomId === 9 ? [[9, 3]] : [], isWhole: false })
  },
)

it('[C12] so is a binding that is only remembered, and one that is made late', async () => {
  const yard = createYard()
  const node = await yard.open()
  await node.bindings.open(kim, null)
  for (const [roomId, joinedSeq] of [
    [7, 3],
    [8, 6],
  ] as const)
    await node.bindings.bind(kim, memberOf(roomId, joinedSeq))
  await node.bindings.close(kim)
  await yard.clock.advance(hourMs)
  await node.bindings.bind(kim, memberOf(7, 6))
  await node.bindings.bind(kim, memberOf(8, 3))
  const lost = [7, 8].map((roomId) => ({ roomId, joinedSeq: 3, stamp: null }))
  const opened = await node.bindings.open(kim, '')
  expect({ lost: opened.lost, rooms: opened.rooms.toSorted(([a], [b]) => a - b) }).toEqual({
    rooms: [
      [7, 6],
      [8, 6],
    ],
    lost,
  })
})
