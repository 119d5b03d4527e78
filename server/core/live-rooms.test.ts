import { expect, it } from 'vitest'
import { settle } from '../../test/manual-clock.ts'
import { ChatError } from './errors.ts'
import { createYard } from './registered.fixture.ts'

const fail = () => {
  throw new Error('for a test')
}

it('[C10] a Room is made for the first who comes, is one for all nodes, and is made anew only after it was closed', async () => {
  const yard = createYard(60_000)
  const [one, two] = [await yard.open(), await yard.open()]
  expect(await one.rooms.stateOf(7)).toBe('closed')
  expect([await one.rooms.enter(7, 'a'), await two.rooms.enter(7, 'b')]).toEqual([true, true])
  await Promise.all([one.rooms.leave(7, 'a'), two.rooms.leave(7, 'b')])
  expect(await two.rooms.stateOf(7)).toBe('idle')
  await yard.clock.advance(59_999)
  expect(await one.rooms.enter(7, 'c')).toBe(true)
  expect(await two.rooms.stateOf(7)).toBe('active')
  await one.rooms.leave(7, 'c')
  await yard.clock.advance(60_000)
  expect(await two.rooms.stateOf(7)).toBe('closed')
  await two.rooms.enter(7, 'd')
  expect(one.heard).toEqual(['Room created successfully. 7', 'Room closed. 7'])
  expect(two.heard).toEqual(['Room created successfully. 7'])
})

it('[C10] nobody enters a Room that is closing, which is closed after 5 s, whoever died over it', async () => {
  const yard = createYard(1_000)
  const [one, two] = [await yard.open(), await yard.open()]
  await one.rooms.enter(7, 'a')
  await one.rooms.leave(7, 'a')
  await one.kill()
  await yard.clock.advance(1_000)
  expect([await two.rooms.stateOf(7), await two.rooms.enter(7, 'b'), two.rooms.seatsIn(7)]).toEqual(['closing', false, []])
  await yard.clock.advance(4_999)
  expect(await two.rooms.enter(7, 'b')).toBe(false)
  await yard.clock.advance(1)
  expect(await two.rooms.stateOf(7)).toBe('closed')
  expect(await two.rooms.enter(7, 'b')).toBe(true)
})

it('[C10] an error inside a Room ends it with a log line, its members are carried into a new one, and no other Room notices', async () => {
  const yard = createYard()
  const node = await yard.open()
  for (const [roomId, seat] of [
    [7, 'a'],
    [7, 'b'],
    [8, 'c'],
  ] as const)
    await node.rooms.enter(roomId, seat)
  node.heard.length = 0
  await Promise.all([node.rooms.run(7, fail), node.rooms.run(8, () => {})])
  expect(node.heard).toEqual(['Room ended by an error. 7', 'carry 7: a b'])
  expect([await node.rooms.stateOf(7), await node.rooms.stateOf(8)]).toEqual(['active', 'active'])
  expect([node.rooms.seatsIn(7), node.rooms.seatsIn(8)]).toEqual([['a', 'b'], ['c']])
})

it('[C10] a Room that is being made anew is creating', async () => {
  const yard = createYard()
  const states: string[] = []
  const node = await yard.open({ carry: async () => void states.push(await node.rooms.stateOf(7)) })
  await node.rooms.enter(7, 'a')
  await node.rooms.run(7, fail)
  expect([...states, await node.rooms.stateOf(7)]).toEqual(['creating', 'active'])
})

it('[C10] what failed in a Room that has ended by then does not end the next one', async () => {
  const yard = createYard()
  const node = await yard.open()
  await node.rooms.enter(7, 'a')
  node.heard.length = 0
  await Promise.all([1, 2, 3, 4, 5].map(() => node.rooms.run(7, async () => fail())))
  expect(node.heard.filter((line) => line.startsWith('carry'))).toEqual(['carry 7: a'])
})

it('[C10] a refusal inside a Room is no error of the Room', async () => {
  const yard = createYard()
  const node = await yard.open()
  await node.rooms.enter(7, 'a')
  const refused = node.rooms.run(7, () => {
    throw new ChatError('forbidden')
  })
  await expect(refused).rejects.toMatchObject({ code: 'forbidden' })
  expect(node.heard).toEqual(['Room created successfully. 7'])
})

it('[C10] a Room that fails again and again is given up', async () => {
  const yard = createYard()
  const node = await yard.open({ carry: async () => fail() })
  await node.rooms.enter(7, 'a')
  await node.rooms.run(7, fail)
  expect(node.heard.filter((line) => line.startsWith('carry'))).toHaveLength(3)
  expect(node.heard.at(-1)).toBe('drop 7: a')
  expect([await node.rooms.stateOf(7), node.rooms.seatsIn(7)]).toEqual(['closed', []])
})

it('[C10] who leaves while the registry is away has left once it is back', async () => {
  const yard = createYard()
  const [one, two] = [await yard.open(), await yard.open()]
  await one.rooms.enter(7, 'a')
  one.setAway(true)
  await one.rooms.leave(7, 'a')
  await expect(one.rooms.enter(8, 'b')).rejects.toThrow('away')
  expect(one.rooms.seatsIn(8)).toEqual([])
  one.setAway(false)
  expect(await two.rooms.stateOf(7)).toBe('active')
  await yard.clock.advance(10_000)
  expect([await two.rooms.stateOf(7), await two.rooms.stateOf(8)]).toEqual(['idle', 'closed'])
})

it('[C10] a node that was taken for dead comes back under another name, with its Rooms', async () => {
  const yard = createYard(1_000)
  const [one, two] = [await yard.open(), await yard.open()]
  await one.rooms.enter(7, 'a')
  one.setAway(true)
  await yard.clock.advance(40_000)
  expect(await two.rooms.stateOf(7)).toBe('closed')
  one.setAway(false)
  await yard.clock.advance(10_000)
  expect(await two.rooms.stateOf(7)).toBe('active')
  expect(one.heard).toEqual(['Room created successfully. 7', 'Room created successfully. 7'])
})

it('[C2] a node tells its Rooms anew when all was lost', async () => {
  const yard = createYard()
  const [one, two] = [await yard.open(), await yard.open()]
  await one.rooms.enter(7, 'a')
  const { directory } = yard.database.openStorage()
  const [record = null] = (await directory.readRecords(['room:7'])).values
  await directory.replaceRecord('room:7', { from: record, to: null, beforeMs: null, keepMs: null })
  expect(await two.rooms.stateOf(7)).toBe('closed')
  await one.rooms.restore()
  expect(await two.rooms.stateOf(7)).toBe('active')
})

it.each(['lost', 'refused'] as const)('[C10] a Room whose making was %s at first is made by the next who comes', async (is) => {
  const yard = createYard()
  const [one, two] = [await yard.open(), await yard.open()]
  one.setTrouble({ nth: 2, is })
  const entering = await Promise.allSettled([one.rooms.enter(7, 'a'), one.rooms.enter(7, 'b')])
  expect(entering).toMatchObject([{ status: 'rejected' }, { value: true }])
  expect([one.rooms.seatsIn(7), await two.rooms.stateOf(7)]).toEqual([['b'], 'active'])
})

it('[C10] an outage unseats nobody who was in already', async () => {
  const yard = createYard()
  const node = await yard.open()
  await node.rooms.enter(7, 'a')
  node.setAway(true)
  await node.rooms.restore()
  await expect(node.rooms.enter(7, 'a')).rejects.toThrow('away')
  await expect(node.rooms.enter(7, 'b')).rejects.toThrow('away')
  expect(node.rooms.seatsIn(7)).toEqual(['a'])
  node.setAway(false)
  await node.reopen()
  expect([await node.rooms.enter(7, 'a'), await node.rooms.stateOf(7)]).toEqual([true, 'active'])
})

it('[C10] a Room that nobody is in any more is idle also where its leaving was told anew', async () => {
  const yard = createYard()
  const [one, two] = [await yard.open(), await yard.open()]
  await one.rooms.enter(7, 'a')
  one.setAway(true)
  await one.rooms.leave(7, 'a')
  one.setAway(false)
  await one.reopen()
  expect(await two.rooms.stateOf(7)).toBe('idle')
})

it('[C10] a Room that could not be activated anew after an error is activated at the next beat', async () => {
  const yard = createYard()
  const node = await yard.open({ carry: async () => node.setTrouble({ nth: 1, is: 'refused' }) })
  await node.rooms.enter(7, 'a')
  await node.rooms.run(7, fail)
  expect(await node.rooms.stateOf(7)).toBe('creating')
  await yard.clock.advance(10_000)
  expect(await node.rooms.stateOf(7)).toBe('active')
})

it('[C10] a Room that is entered again while hundreds are told anew is not forgotten with the one before it', async () => {
  const node = await createYard().open()
  const roomIds = Array.from({ length: 201 }, (_, nth) => nth + 1)
  for (const roomId of roomIds) await node.rooms.enter(roomId, 'a')
  const last = roomIds.at(-1)!
  const release = node.hangNext('replaceRecord')
  const restoring = node.rooms.restore()
  await settle()
  await node.rooms.leave(last, 'a')
  await node.rooms.enter(last, 'b')
  release()
  await restoring
  expect(node.rooms.seatsIn(last)).toEqual(['b'])
})
