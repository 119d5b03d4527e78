import { expect, it } from 'vitest'
import { createYard } from './registered.fixture.ts'

const hourMs = 3_600_000
const kim = 5

it('[C1] binds the sockets that are open and those opened later, at every node', async () => {
  const yard = createYard()
  const [one, two] = [await yard.open(), await yard.open()]
  expect(await two.bindings.open(kim, false)).toEqual([])
  await one.bindings.bind(kim, 7)
  expect(await one.bindings.open(kim, false)).toEqual([7])
  await yard.clock.advance(30_000)
  expect(two.heard).toEqual(['bound 5: 7'])
  await two.bindings.bind(kim, 8)
  expect(await two.bindings.open(kim, false)).toEqual([7, 8])
  expect(two.heard).toEqual(['bound 5: 7', 'bound 5: 8'])
})

it('[C1] tells of a binding once, also of one that is made again', async () => {
  const yard = createYard()
  const node = await yard.open()
  await node.bindings.open(kim, false)
  await node.bindings.bind(kim, 7)
  await node.bindings.bind(kim, 7)
  await node.bindings.reread()
  expect(node.heard).toEqual(['bound 5: 7'])
})

it('[C1] a binding outlasts the last socket by 30 s, at whichever node that was', async () => {
  const yard = createYard()
  const [one, two] = [await yard.open(), await yard.open()]
  await one.bindings.open(kim, false)
  await two.bindings.open(kim, false)
  await one.bindings.bind(kim, 7)
  await one.bindings.close(kim)
  await yard.clock.advance(120_000)
  expect(await one.bindings.open(kim, false)).toEqual([7])
  await two.bindings.close(kim)
  await one.bindings.close(kim)
  await yard.clock.advance(29_999)
  expect(await two.bindings.open(kim, false)).toEqual([7])
  await two.bindings.close(kim)
  await yard.clock.advance(30_000)
  expect(await two.bindings.open(kim, false)).toEqual([])
})

it('[C1] a binding made before there is a socket waits for it', async () => {
  const yard = createYard()
  const node = await yard.open()
  await node.bindings.bind(kim, 7)
  await yard.clock.advance(10 * 60_000)
  expect(await node.bindings.open(kim, false)).toEqual([7])
})

it('[C1] a binding outlives a process', async () => {
  const yard = createYard()
  const one = await yard.open()
  await one.bindings.open(kim, false)
  await one.bindings.bind(kim, 7)
  await yard.clock.advance(hourMs)
  await one.kill()
  const two = await yard.open()
  await yard.clock.advance(29_000)
  expect(await two.bindings.open(kim, false)).toEqual([7])
})

it('[C1] the sockets of a process that died count as closed when its lease has run out', async () => {
  const yard = createYard()
  const one = await yard.open()
  await one.bindings.open(kim, false)
  await one.bindings.bind(kim, 7)
  await one.kill()
  const two = await yard.open()
  await yard.clock.advance(60_000)
  expect(await two.bindings.open(kim, false)).toEqual([])
})

it('[C12] a binding that ended is remembered for 24 h for sockets with a cursor, which bring it back', async () => {
  const yard = createYard()
  const node = await yard.open()
  await node.bindings.open(kim, false)
  await node.bindings.bind(kim, 7)
  await node.bindings.close(kim)
  await yard.clock.advance(hourMs)
  expect(await node.bindings.open(kim, false)).toEqual([])
  await node.bindings.close(kim)
  await yard.clock.advance(22 * hourMs)
  expect(await node.bindings.open(kim, true)).toEqual([7])
  expect(await node.bindings.open(kim, false)).toEqual([7])
  await node.bindings.close(kim)
  await node.bindings.close(kim)
  await yard.clock.advance(24 * hourMs + 1)
  expect(await node.bindings.open(kim, true)).toEqual([])
})

it('[C1] who was removed is bound no more, and the binding is not remembered', async () => {
  const yard = createYard()
  const [one, two] = [await yard.open(), await yard.open()]
  await one.bindings.open(kim, false)
  for (const roomId of [7, 8]) await one.bindings.bind(kim, roomId)
  await two.bindings.unbind(kim, 7)
  await one.bindings.unbind(kim, 7)
  expect(await two.bindings.open(kim, true)).toEqual([8])
  await one.bindings.bind(kim, 7)
  expect(one.heard).toEqual(['bound 5: 7', 'bound 5: 8', 'bound 5: 7'])
})

it('[C1] nothing is kept of who was never bound when he is removed', async () => {
  const yard = createYard()
  const node = await yard.open()
  await node.bindings.unbind(kim, 7)
  expect((await yard.database.openStorage().directory.readRecords(['bindings:5'])).values).toEqual([null])
})

it('[C2] a node tells its open sockets’ bindings anew when all was lost', async () => {
  const yard = createYard()
  const [one, two] = [await yard.open(), await yard.open()]
  await one.bindings.open(kim, false)
  await one.bindings.bind(kim, 7)
  const { directory } = yard.database.openStorage()
  const [record = null] = (await directory.readRecords(['bindings:5'])).values
  await directory.replaceRecord('bindings:5', { from: record, to: null, beforeMs: null, keepMs: null })
  await one.bindings.restore()
  expect(await two.bindings.open(kim, false)).toEqual([7])
  expect(one.heard).toEqual(['bound 5: 7'])
})

it('[C1] a socket that closes while the registry is away has closed once it is back, and one that could not open counts nowhere', async () => {
  const yard = createYard()
  const [one, two] = [await yard.open(), await yard.open()]
  await one.bindings.open(kim, false)
  await one.bindings.bind(kim, 7)
  one.setAway(true)
  await expect(one.bindings.open(kim, false)).rejects.toThrow('away')
  await one.bindings.close(kim)
  one.setAway(false)
  await yard.clock.advance(10_000)
  await yard.clock.advance(30_000)
  expect(await two.bindings.open(kim, false)).toEqual([])
})
