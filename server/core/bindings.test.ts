import { expect, it } from 'vitest'
import { settle } from '../../test/manual-clock.ts'
import { createYard, exitFrom, memberOf, type Yard } from './registered.fixture.ts'

const hourMs = 3_600_000
const dayMs = 24 * hourMs
const kim = 5

async function recordOf(yard: Yard, userId = kim): Promise<string | null | undefined> {
  return (await yard.database.openStorage().directory.readRecords([`bound:${userId}`])).values[0]
}

it('[C1] binds the sockets that are open and those opened later, at every node', async () => {
  const yard = createYard()
  const [one, two] = [await yard.open(), await yard.open()]
  expect((await two.arrive(kim, false)).rooms).toEqual([])
  await one.bindings.bind(kim, memberOf(7))
  expect((await one.arrive(kim, false)).rooms).toEqual([7])
  await yard.clock.advance(30_000)
  expect(two.heard).toEqual(['bound 5: 7'])
  await two.bindings.bind(kim, memberOf(8))
  expect((await two.arrive(kim, false)).rooms).toEqual([7, 8])
  expect(two.heard).toEqual(['bound 5: 7', 'bound 5: 8', 'bound 5: 7 8'])
})

it('[C1] tells of a binding once, also of one that is made again', async () => {
  const yard = createYard()
  const node = await yard.open()
  await node.arrive(kim, false)
  await node.bindings.bind(kim, memberOf(7))
  await node.bindings.bind(kim, memberOf(7))
  await node.bindings.reread()
  expect(node.heard).toEqual(['bound 5: 7'])
})

it('[C1] a binding outlasts the last socket by 30 s, at whichever node that was', async () => {
  const yard = createYard()
  const [one, two] = [await yard.open(), await yard.open()]
  await one.arrive(kim, false)
  await two.arrive(kim, false)
  await one.bindings.bind(kim, memberOf(7))
  await one.bindings.close(kim)
  await yard.clock.advance(120_000)
  expect((await one.arrive(kim, false)).rooms).toEqual([7])
  await two.bindings.close(kim)
  await one.bindings.close(kim)
  await yard.clock.advance(29_999)
  expect((await two.arrive(kim, false)).rooms).toEqual([7])
  await two.bindings.close(kim)
  await yard.clock.advance(30_000)
  expect((await two.arrive(kim, false)).rooms).toEqual([])
})

it('[C1] a binding made before there is a socket waits for it', async () => {
  const yard = createYard()
  const node = await yard.open()
  await node.bindings.bind(kim, memberOf(7))
  await yard.clock.advance(10 * 60_000)
  expect((await node.arrive(kim, false)).rooms).toEqual([7])
})

it('[C1] a binding outlives a process', async () => {
  const yard = createYard()
  const one = await yard.open()
  await one.arrive(kim, false)
  await one.bindings.bind(kim, memberOf(7))
  await yard.clock.advance(hourMs)
  await one.kill()
  const two = await yard.open()
  await yard.clock.advance(29_000)
  expect((await two.arrive(kim, false)).rooms).toEqual([7])
})

it('[C1] the sockets of a process that died count as closed when its lease has run out', async () => {
  const yard = createYard()
  const one = await yard.open()
  await one.arrive(kim, false)
  await one.bindings.bind(kim, memberOf(7))
  await one.kill()
  const two = await yard.open()
  await yard.clock.advance(60_000)
  expect((await two.arrive(kim, false)).rooms).toEqual([])
})

it('[C12] a binding that ended is remembered for 24 h for sockets with a cursor, which bring it back', async () => {
  const yard = createYard()
  const node = await yard.open()
  await node.arrive(kim, false)
  await node.bindings.bind(kim, memberOf(7))
  await node.bindings.close(kim)
  await yard.clock.advance(hourMs)
  expect((await node.arrive(kim, false)).rooms).toEqual([])
  await node.bindings.close(kim)
  await yard.clock.advance(22 * hourMs)
  expect((await node.arrive(kim, true)).rooms).toEqual([7])
  expect((await node.arrive(kim, false)).rooms).toEqual([7])
  await node.bindings.close(kim)
  await node.bindings.close(kim)
  await yard.clock.advance(24 * hourMs + 1)
  expect((await node.arrive(kim, true)).rooms).toEqual([])
})

it('[C1] who was removed is bound no more, and the binding is not remembered', async () => {
  const yard = createYard()
  const [one, two] = [await yard.open(), await yard.open()]
  await one.arrive(kim, false)
  for (const roomId of [7, 8]) await one.bindings.bind(kim, memberOf(roomId))
  await two.bindings.unbind(kim, exitFrom(7))
  await one.bindings.unbind(kim, exitFrom(7))
  expect((await two.arrive(kim, true)).rooms).toEqual([8])
  await one.bindings.bind(kim, memberOf(7, 6))
  expect(one.heard).toEqual(['bound 5: 7', 'bound 5: 8', 'bound 5: 7'])
})

it('[C12] a room that he was bound to and is out of is named for 24 h, also where he is bound to it again', async () => {
  const yard = createYard()
  const node = await yard.open()
  for (const roomId of [7, 8]) await node.bindings.bind(kim, memberOf(roomId))
  for (const roomId of [7, 8, 9]) await node.bindings.unbind(kim, exitFrom(roomId))
  expect(await node.arrive(kim, true)).toEqual({ rooms: [], lost: [7, 8] })
  await node.bindings.bind(kim, memberOf(7, 6))
  expect(await node.arrive(kim, true)).toEqual({ rooms: [7], lost: [7, 8] })
  await yard.clock.advance(24 * hourMs)
  expect(await node.arrive(kim, true)).toEqual({ rooms: [7], lost: [] })
})

it('[C1] nothing is kept of who was never bound when he is removed', async () => {
  const yard = createYard()
  const node = await yard.open()
  await node.bindings.unbind(kim, exitFrom(7))
  expect(await recordOf(yard)).toBeNull()
})

it('[C2] a node tells its open sockets’ bindings anew when all was lost', async () => {
  const yard = createYard()
  const [one, two] = [await yard.open(), await yard.open()]
  await one.arrive(kim, false)
  await one.bindings.bind(kim, memberOf(7))
  const { directory } = yard.database.openStorage()
  const [record = null] = (await directory.readRecords(['bound:5'])).values
  await directory.replaceRecord('bound:5', { from: record, to: null, beforeMs: null, keepMs: null })
  await one.bindings.restore()
  expect((await two.arrive(kim, false)).rooms).toEqual([7])
  expect(one.heard).toEqual(['bound 5: 7'])
})

it('[C1] a socket that closes while the registry is away has closed once it is back, and one that could not open counts nowhere', async () => {
  const yard = createYard()
  const [one, two] = [await yard.open(), await yard.open()]
  await one.arrive(kim, false)
  await one.bindings.bind(kim, memberOf(7))
  one.setAway(true)
  await expect(one.arrive(kim, false)).rejects.toThrow('away')
  await one.bindings.close(kim)
  one.setAway(false)
  await yard.clock.advance(10_000)
  await yard.clock.advance(30_000)
  expect((await two.arrive(kim, false)).rooms).toEqual([])
})

it('[C1] a socket that closes while the registry is away has closed also where that is told anew', async () => {
  const yard = createYard()
  const [one, two] = [await yard.open(), await yard.open()]
  await one.arrive(kim, false)
  await one.bindings.bind(kim, memberOf(7))
  one.setAway(true)
  await one.bindings.close(kim)
  one.setAway(false)
  await one.reopen()
  await yard.clock.advance(30_000)
  expect((await two.arrive(kim, false)).rooms).toEqual([])
})

it.each(['lost', 'refused'] as const)(
  '[C1] a socket that could not open counts nowhere where the word of it was %s',
  async (is) => {
    const yard = createYard()
    const [one, two] = [await yard.open(), await yard.open()]
    await two.bindings.bind(kim, memberOf(7))
    one.setTrouble({ nth: 1, is })
    await expect(one.arrive(kim, false)).rejects.toThrow('for a test')
    expect(await recordOf(yard)).toMatch(/"nodes":\[\]/)
  },
)

it('[C1] a socket that could not open, and could not be taken back, counts no more once the registry is there', async () => {
  const yard = createYard()
  const [one, two] = [await yard.open(), await yard.open()]
  await two.bindings.bind(kim, memberOf(7))
  const release = one.hangNext('replaceRecord')
  const opening = one.arrive(kim, false)
  await settle()
  one.setAway(true)
  release()
  await expect(opening).rejects.toThrow('away')
  expect(await recordOf(yard)).toMatch(/"nodes":\["n1.1"\]/)
  one.setAway(false)
  await yard.clock.advance(10_000)
  expect(await recordOf(yard)).toMatch(/"nodes":\[\]/)
  await yard.clock.advance(30_000)
  expect((await two.arrive(kim, false)).rooms).toEqual([])
})

it.each([0, 1])('[C1] binds to many rooms at once, with %i sockets', async (sockets) => {
  const yard = createYard()
  const node = await yard.open()
  const roomIds = Array.from({ length: 120 }, (_, nth) => nth + 1)
  if (sockets > 0) await node.arrive(kim, false)
  await Promise.all(roomIds.map((roomId) => node.bindings.bind(kim, memberOf(roomId))))
  await Promise.all(roomIds.slice(1).map((roomId) => node.bindings.unbind(kim, exitFrom(roomId))))
  expect((await node.arrive(kim, false)).rooms).toEqual([1])
})

it('[C1] what is read under a lease that ran out takes no binding from open sockets', async () => {
  const yard = createYard()
  const [one, two] = [await yard.open(), await yard.open()]
  await one.arrive(kim, false)
  await one.bindings.bind(kim, memberOf(7))
  one.setAway(true)
  await yard.clock.advance(65_000)
  one.setAway(false)
  await one.bindings.reread()
  await one.bindings.bind(kim, memberOf(8))
  await yard.clock.advance(10_000)
  expect((await two.arrive(kim, false)).rooms).toEqual([8, 7])
  expect(one.heard).toEqual(['bound 5: 7', 'bound 5: 8'])
})

it('[C2] a node tells what is so there in batches, and open sockets’ bindings are there then', async () => {
  const yard = createYard()
  const [one, two] = [await yard.open(), await yard.open()]
  const userIds = Array.from({ length: 500 }, (_, nth) => nth + 1)
  for (const userId of userIds) await one.arrive(userId, false)
  await one.bindings.bind(500, memberOf(7))
  const { directory } = yard.database.openStorage()
  for (const userId of userIds) {
    const from = (await recordOf(yard, userId)) ?? null
    await directory.replaceRecord(`bound:${userId}`, { from, to: null, beforeMs: null, keepMs: null })
  }
  one.atOnce = 0
  await one.reopen()
  expect(one.atOnce).toBe(200)
  expect(one.heard).toEqual(['bound 500: 7'])
  expect((await two.arrive(500, false)).rooms).toEqual([7])
})

it('[C1] nothing is held by a process whose lease was never entered', async () => {
  const yard = createYard()
  const two = await yard.open()
  await two.bindings.bind(kim, memberOf(7))
  const one = await yard.open({ isAway: true })
  one.setAway(false)
  await expect(one.arrive(kim, false)).rejects.toThrow('counts as dead')
  await expect(one.rooms.enter(7, 'a')).rejects.toThrow('counts as dead')
  await yard.clock.advance(10_000)
  expect((await one.arrive(kim, false)).rooms).toEqual([7])
})

it('[C1] nothing is held by a process whose lease ran out, until it lives under another name', async () => {
  const yard = createYard()
  const one = await yard.open()
  one.setAway(true)
  await yard.clock.advance(65_000)
  one.setAway(false)
  await expect(one.arrive(kim, false)).rejects.toThrow('counts as dead')
  await Promise.all([one.reopen(), one.reopen()])
  await one.arrive(kim, false)
  expect(await recordOf(yard)).toMatch(/"nodes":\["n1.2"\]/)
})

it('[C2] what was under way when the registry was emptied is told anew', async () => {
  const yard = createYard()
  const one = await yard.open()
  const release = one.hangNext('replaceRecord')
  const opening = one.arrive(kim, false)
  await settle()
  const from = (await recordOf(yard)) ?? null
  const { directory } = yard.database.openStorage()
  await directory.replaceRecord('bound:5', { from, to: null, beforeMs: null, keepMs: null })
  const reopening = one.reopen()
  await settle()
  release()
  await Promise.all([opening, reopening])
  expect(await recordOf(yard)).toMatch(/"nodes":\["n1.1"\]/)
})

it('[C1] the lease of a process waits for nothing else that it asks', async () => {
  const yard = createYard()
  const [one, two] = [await yard.open(), await yard.open()]
  await one.arrive(kim, false)
  await one.bindings.bind(kim, memberOf(7))
  one.hangNext('readRecords')
  await yard.clock.advance(180_000)
  expect((await two.arrive(kim, false)).rooms).toEqual([7])
})

it('[C1] a record outlives its process by days, and not for ever; that of a living process stays', async () => {
  const yard = createYard()
  const [one, two] = [await yard.open(), await yard.open()]
  await one.arrive(kim, false)
  await one.rooms.enter(7, 'a')
  const { directory } = yard.database.openStorage()
  const areThere = async () => (await directory.readRecords(['bound:5', 'room:7'])).values.map((value) => value !== null)
  await two.kill()
  await yard.clock.advance(10 * dayMs)
  expect(await areThere()).toEqual([true, true])
  await one.kill()
  await yard.clock.advance(7 * dayMs)
  expect(await areThere()).toEqual([true, true])
  await yard.clock.advance(3 * dayMs)
  expect(await areThere()).toEqual([false, false])
})
