/** A binding is of one membership (C1). */
import { describe, expect, it } from 'vitest'
import { createYard, cursorAt, exitFrom, memberOf } from './registered.fixture.ts'

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
  await one.bindings.reread()
  expect(one.heard).toEqual(['bound 5: 7'])
  await two.bindings.bind(kim, memberOf(7, 6))
  expect((await one.arrive(kim, false)).rooms).toEqual([7])
})

it('[C10] who was taken out of a Room that fails, and is a member all the same, may be bound again', async () => {
  const node = await createYard().open()
  await node.bindings.open(kim, false)
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

describe('[C12] a record says since when it is whole', () => {
  it('since it was made, and of more ends than are remembered, since the last that was forgotten', async () => {
    const yard = createYard()
    const node = await yard.open()
    const startMs = yard.clock.now()
    for (let roomId = 1; roomId <= 1_001; roomId++) {
      await node.bindings.bind(kim, memberOf(roomId))
      if (roomId === 1_001) expect((await node.bindings.open(kim, true)).from).toBe(cursorAt(startMs))
      await yard.clock.advance(1)
      await node.bindings.unbind(kim, exitFrom(roomId))
    }
    const { lost, from } = await node.bindings.open(kim, true)
    expect([lost.length, from]).toEqual([1_000, cursorAt(startMs + 1)])
  })

  it('since the registry was emptied', async () => {
    const yard = createYard()
    const node = await yard.open()
    await node.bindings.open(kim, true)
    for (const roomId of [7, 8]) await node.bindings.bind(kim, memberOf(roomId))
    const from = cursorAt(yard.clock.now())
    await yard.clock.advance(1)
    await node.bindings.unbind(kim, exitFrom(7))
    expect(await node.bindings.open(kim, true)).toEqual({ rooms: [[8, 3]], lost: [exitFrom(7)], from })
    const { directory } = yard.database.openStorage()
    const [record = null] = (await directory.readRecords(['bound:5'])).values
    await directory.replaceRecord('bound:5', { from: record, to: null, beforeMs: null, keepMs: null })
    await node.bindings.restore()
    const now = cursorAt(yard.clock.now())
    expect(await node.bindings.open(kim, true)).toEqual({ rooms: [[8, 3]], lost: [], from: now })
  })

  it.each([7, 9])('since bindings are remembered no more, where other ends are, or bindings (room %i)', async (roomId) => {
    const yard = createYard()
    const node = await yard.open()
    await node.bindings.open(kim, true)
    for (const one of [7, 8]) await node.bindings.bind(kim, memberOf(one))
    await node.bindings.close(kim)
    await yard.clock.advance(10 * hourMs)
    await node.bindings.unbind(kim, exitFrom(7))
    await yard.clock.advance(15 * hourMs)
    if (roomId === 9) await node.bindings.bind(kim, memberOf(9))
    const { rooms, from } = await node.bindings.open(kim, true)
    expect({ rooms, from }).toEqual({ rooms: roomId === 9 ? [[9, 3]] : [], from: cursorAt(yard.clock.now()) })
  })

  it('since they are forgotten with the node at which they were', async () => {
    const yard = createYard()
    const [one, two] = [await yard.open(), await yard.open()]
    await one.bindings.open(kim, true)
    await one.bindings.bind(kim, memberOf(7))
    await one.kill()
    await yard.clock.advance(25 * hourMs)
    await two.bindings.bind(kim, memberOf(8))
    const { rooms, from } = await two.bindings.open(kim, true)
    expect({ rooms, from }).toEqual({ rooms: [[8, 3]], from: cursorAt(yard.clock.now()) })
  })

  it('since an end that is remembered no more, while another socket of his is open', async () => {
    const yard = createYard()
    const node = await yard.open()
    await node.bindings.open(kim, true)
    for (const roomId of [7, 8]) await node.bindings.bind(kim, memberOf(roomId))
    await yard.clock.advance(hourMs)
    const then = cursorAt(yard.clock.now())
    await node.bindings.unbind(kim, exitFrom(7))
    await yard.clock.advance(25 * hourMs)
    expect(await node.bindings.open(kim, true)).toEqual({ rooms: [[8, 3]], lost: [], from: then })
  })

  it('since an end was heard of, where it was put down before', async () => {
    const yard = createYard()
    const node = await yard.open()
    await node.bindings.open(kim, true)
    await node.bindings.bind(kim, memberOf(7))
    await node.bindings.bind(kim, memberOf(7, 6))
    await yard.clock.advance(hourMs)
    const then = cursorAt(yard.clock.now())
    await node.bindings.unbind(kim, exitFrom(7))
    await yard.clock.advance(25 * hourMs)
    expect(await node.bindings.open(kim, true)).toEqual({ rooms: [[7, 6]], lost: [], from: then })
  })

  it('never since an earlier time than before', async () => {
    const yard = createYard()
    const [one, two] = [await yard.open(), await yard.open()]
    await one.bindings.open(kim, true)
    await one.bindings.bind(kim, memberOf(7))
    await one.bindings.close(kim)
    await yard.clock.advance(hourMs)
    await two.bindings.open(kim, false)
    await two.bindings.bind(kim, memberOf(9))
    await yard.clock.advance(hourMs)
    await two.bindings.unbind(kim, exitFrom(9))
    await yard.clock.advance(23 * hourMs)
    await two.bindings.bind(kim, memberOf(8))
    const { from } = await two.bindings.open(kim, true)
    await yard.clock.advance(2 * hourMs)
    expect(await two.bindings.open(kim, true)).toEqual({ rooms: [[8, 3]], lost: [], from })
  })

  it('never since an earlier time than before, where an end is heard of late', async () => {
    const yard = createYard()
    const node = await yard.open()
    await node.bindings.open(kim, true)
    for (const roomId of [7, 8]) await node.bindings.bind(kim, memberOf(roomId))
    await node.bindings.bind(kim, memberOf(7, 6))
    const times: string[] = []
    for (const roomId of [8, 7]) {
      await yard.clock.advance(hourMs)
      times.push(cursorAt(yard.clock.now()))
      await node.bindings.unbind(kim, exitFrom(roomId))
    }
    await yard.clock.advance(22.5 * hourMs)
    const froms: string[] = []
    for (let nth = 0; nth < 3; nth++) {
      froms.push((await node.bindings.open(kim, true)).from)
      await yard.clock.advance(hourMs)
    }
    expect(froms.slice(1)).toEqual(times)
    expect(froms[0]! < froms[1]!).toBe(true)
  })

  it('since now, where since when it was so is said to be of no use', async () => {
    const yard = createYard()
    const node = await yard.open()
    await node.bindings.open(kim, true)
    for (const roomId of [7, 8]) await node.bindings.bind(kim, memberOf(roomId))
    await node.bindings.unbind(kim, exitFrom(7))
    const { from: useless } = await node.bindings.open(kim, true)
    await yard.clock.advance(hourMs)
    const from = cursorAt(yard.clock.now())
    for (const cursor of [from, 'of who comes later']) await node.bindings.dateAnew(kim, useless, cursor)
    await yard.clock.advance(24 * hourMs)
    expect(await node.bindings.open(kim, true)).toEqual({ rooms: [[8, 3]], lost: [], from })
  })
})

it('[C12] so is a binding that is only remembered, and one that is made late', async () => {
  const yard = createYard()
  const node = await yard.open()
  await node.bindings.open(kim, false)
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
  const opened = await node.bindings.open(kim, true)
  expect({ lost: opened.lost, rooms: opened.rooms.toSorted(([a], [b]) => a - b) }).toEqual({
    rooms: [
      [7, 6],
      [8, 6],
    ],
    lost,
  })
})
