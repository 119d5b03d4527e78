import { expect, test } from 'vitest'
import { createKeeper } from './keeper.ts'
import type { Kept } from './keeper.ts'
import { createTestClock } from './test-clock.fixture.ts'

function keep(name: string, told: string[]) {
  const connection: Kept & { queuedBytes: number; isPaused: boolean } = {
    queuedBytes: 0,
    isPaused: false,
    unanswered: 0,
    waitingSinceMs: 0,
    slice: -1,
    place: -1,
    ping: () => void told.push(`ping ${name}`),
    terminate: () => void told.push(`terminate ${name}`),
    endSlow: () => void told.push(`slow ${name}`),
    close: (code: number) => void told.push(`close ${name} ${code}`),
  }
  return connection
}

function start(count: number) {
  const clock = createTestClock()
  const told: string[] = []
  const keeper = createKeeper({ clock })
  const all = Array.from({ length: count }, (_, at) => keep(String(at), told))
  for (const connection of all) keeper.add(connection)
  return { clock, told, keeper, all, take: () => told.splice(0) }
}

test('[A15] in 25 s each connection is pinged once, a twenty-fifth of them a second', () => {
  const { clock, take } = start(1000)
  const pinged: string[] = []
  for (let second = 0; second < 25; second++) {
    clock.pass(1_000)
    const now = take()
    expect(now).toHaveLength(40)
    pinged.push(...now)
  }
  expect(new Set(pinged).size).toBe(1000)
})

test('[A15] who is silent for two rounds is given up at the third, who answers is not', () => {
  const { clock, all, take } = start(2)
  const rounds = () => {
    all[1]!.unanswered = 0
    clock.pass(25_000)
    return take().sort()
  }
  expect([rounds(), rounds(), rounds()]).toEqual([
    ['ping 0', 'ping 1'],
    ['ping 0', 'ping 1'],
    ['ping 1', 'terminate 0'],
  ])
})

test('[A12] whoever is not read for the moment is not given up for his silence', () => {
  const { clock, all, take } = start(1)
  all[0]!.isPaused = true
  clock.pass(250_000)
  expect(take()).toEqual([])
})

test('[A15] connections that come and go leave the others their one ping a round', () => {
  const { clock, keeper, all, take } = start(500)
  for (let turn = 0; turn < 500; turn += 3) keeper.remove(all[turn]!)
  keeper.remove(all[0]!)
  keeper.remove(keep('never added', []))
  expect(keeper.count).toBe(333)
  clock.pass(25_000)
  const pinged = take()
  expect([pinged.length, new Set(pinged).size]).toEqual([333, 333])
})

test('[A15] connections that end in their own turn, or while others are closed, do no harm', async () => {
  const { clock, keeper, all, take } = start(100)
  for (const connection of all) {
    connection.terminate = connection.close = () => {
      keeper.remove(connection)
    }
  }
  for (const connection of all.slice(0, 50)) connection.unanswered = 2
  clock.pass(25_000)
  expect([keeper.count, take().length]).toEqual([50, 50])
  const closed = keeper.closeAll(1012, '', 0)
  await closed
  expect(keeper.count).toBe(0)
})

test('[A15] a queue that has not emptied for 15 s ends its connection, one that has does not', () => {
  const { clock, keeper, all, take } = start(3)
  for (const connection of all) {
    connection.queuedBytes = 10
    keeper.watch(connection)
  }
  clock.pass(10_000)
  all[1]!.queuedBytes = 0
  // Emptied between two looks and waiting again.
  keeper.watch(all[2]!)
  clock.pass(6_000)
  expect(take().filter((text) => text.startsWith('slow'))).toEqual(['slow 0'])
  expect(all[1]!.waitingSinceMs).toBe(0)
  clock.pass(9_000)
  expect(take().filter((text) => text.startsWith('slow'))).toEqual(['slow 2'])
  clock.pass(60_000)
  expect(take().filter((text) => text.startsWith('slow'))).toEqual([])
})

test('[A15] a stop closes all, paced, and is done when the last has gone', async () => {
  const { clock, keeper, all, take } = start(1000)
  let isDone = false
  const done = keeper.closeAll(1012, 'server restart', 1_000).then(() => (isDone = true))
  expect(take()).toHaveLength(50)
  clock.pass(450)
  expect(take()).toHaveLength(450)
  clock.pass(500)
  expect(take().every((text) => text.endsWith('1012'))).toBe(true)
  for (const connection of all.slice(1)) keeper.remove(connection)
  await Promise.resolve()
  expect(isDone).toBe(false)
  keeper.remove(all[0]!)
  await done
  await keeper.closeAll(1012, '', 1_000)
})
