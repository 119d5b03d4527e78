import { beforeEach, describe, expect, it } from 'vitest'
import { listOnline, Yard, type Node } from './presence.fixture.ts'

let yard: Yard
beforeEach(() => {
  yard = new Yard()
})

/** Two nodes, with user 9 in room 7 at both, so that each has somebody to tell. */
async function openTwo(): Promise<[Node, Node]> {
  const [one, two] = [yard.open('one'), yard.open('two')]
  for (const { presence } of [one, two]) presence.enter(7, 9)
  await yard.clock.advance(200)
  for (const { announced } of [one, two]) announced.length = 0
  return [one, two]
}

describe('[A19] a user who is online at one node', () => {
  it('is online at all, and each announces it once', async () => {
    const [one, two] = await openTwo()
    expect(one.presence.enter(7, 1)).toBe(true)
    await yard.clock.advance(200)
    expect([one.announced, two.announced]).toEqual([['+1@7'], ['+1@7']])
    expect([listOnline(one, 7), listOnline(two, 7)]).toEqual([
      [1, 9],
      [1, 9],
    ])
  })

  it('[F4] is no news with a further session elsewhere, and goes with the last of all, after the grace', async () => {
    const [one, two] = await openTwo()
    one.presence.enter(7, 1)
    await yard.clock.advance(200)
    expect(two.presence.enter(7, 1)).toBe(false)
    one.presence.leave([7], 1)
    await yard.clock.advance(10_000)
    expect([one.announced, two.announced]).toEqual([['+1@7'], ['+1@7']])
    two.presence.leave([7], 1)
    await yard.clock.advance(2_990)
    expect([one.announced, two.announced]).toEqual([['+1@7'], ['+1@7']])
    await yard.clock.advance(200)
    expect([one.announced, two.announced]).toEqual([
      ['+1@7', '-1@7'],
      ['+1@7', '-1@7'],
    ])
  })

  it('[F4] stays so for a third while one of two others has him', async () => {
    const [one, two] = await openTwo()
    const three = yard.open('three')
    for (const { presence } of [one, three]) presence.enter(7, 1)
    await yard.clock.advance(200)
    one.presence.leave([7], 1)
    await yard.clock.advance(20_000)
    expect(two.announced).toEqual(['+1@7'])
    three.presence.leave([7], 1)
    await yard.clock.advance(20_000)
    expect(two.announced).toEqual(['+1@7', '-1@7'])
  })

  it('[F4] is no news where he moves to another within the grace', async () => {
    const [one, two] = await openTwo()
    one.presence.enter(7, 1)
    await yard.clock.advance(200)
    for (let nth = 0; nth < 3; nth++) {
      one.presence.leave([7], 1)
      await yard.clock.advance(2_900)
      expect(two.presence.enter(7, 1)).toBe(false)
      await yard.clock.advance(10_000)
      two.presence.leave([7], 1)
      await yard.clock.advance(2_900)
      expect(one.presence.enter(7, 1)).toBe(false)
      await yard.clock.advance(10_000)
    }
    expect([one.announced, two.announced]).toEqual([['+1@7'], ['+1@7']])
  })

  it('is listed for who comes into a room where nobody was at this node', async () => {
    const [one, two] = await openTwo()
    one.presence.enter(8, 1)
    await yard.clock.advance(200)
    expect(two.announced).toEqual([])
    expect(listOnline(two, 8)).toEqual([1])
    expect(two.presence.enter(8, 2)).toBe(true)
    expect(two.presence.enter(8, 1)).toBe(false)
  })

  it('is told to a session that comes while his coming online is about to be announced', async () => {
    const [one, two] = await openTwo()
    one.presence.enter(7, 1)
    await yard.clock.advance(60)
    expect(listOnline(two, 7)).toEqual([9])
    expect(two.presence.enter(7, 1)).toBe(true)
    await yard.clock.advance(200)
    expect(two.announced).toEqual(['+1@7'])
  })
})

describe('[F4] the users of a node', () => {
  it('that was killed are offline within 45 s, but for those who are online elsewhere', async () => {
    const [one, two] = await openTwo()
    one.presence.enter(7, 1)
    // Just behind a beat.
    await yard.clock.advance(20_000)
    one.isAlive = false
    await yard.clock.advance(29_000)
    expect(two.announced).toEqual(['+1@7'])
    await yard.clock.advance(16_000)
    expect(two.announced).toEqual(['+1@7', '-1@7'])
    expect(listOnline(two, 7)).toEqual([9])
  })

  it('that lives are online for as long as it says so, at whatever moment the beats of the two fall', async () => {
    const one = yard.open('one')
    await yard.clock.advance(7_000)
    const two = yard.open('two')
    for (const { presence } of [one, two]) presence.enter(7, 9)
    one.presence.enter(7, 1)
    await yard.clock.advance(600_000)
    expect(listOnline(two, 7)).toEqual([1, 9])
    expect(two.announced.filter((line) => line.startsWith('-'))).toEqual([])
  })

  it('that stops are offline after the grace, or at another node by then', async () => {
    const [one, two] = await openTwo()
    one.presence.enter(7, 1)
    one.presence.enter(7, 2)
    await yard.clock.advance(200)
    one.presence.stop()
    for (const userId of [1, 2, 9]) one.presence.leave([7], userId)
    one.isAlive = false
    await yard.clock.advance(1_000)
    expect(two.presence.enter(7, 1)).toBe(false)
    await yard.clock.advance(5_000)
    expect(two.announced.filter((line) => line.startsWith('-'))).toEqual(['-2@7'])
    expect(listOnline(two, 7)).toEqual([1, 9])
  })

  it('are known to one that starts, at once', async () => {
    const [one] = await openTwo()
    one.presence.enter(7, 1)
    await yard.clock.advance(200)
    const three = yard.open('three')
    await yard.clock.advance(200)
    expect(listOnline(three, 7)).toEqual([1, 9])
  })
})

describe('[A19] where the line between nodes is away', () => {
  it('each shows its own after the lease, and all again when it is back', async () => {
    const [one, two] = await openTwo()
    one.presence.enter(7, 1)
    two.presence.enter(7, 2)
    await yard.clock.advance(200)
    yard.isLost = () => true
    await yard.clock.advance(60_000)
    expect([listOnline(one, 7), listOnline(two, 7)]).toEqual([
      [1, 9],
      [2, 9],
    ])
    yard.isLost = () => false
    for (const { presence } of [one, two]) presence.reconnect()
    await yard.clock.advance(200)
    for (const node of [one, two]) expect(listOnline(node, 7)).toEqual([1, 2, 9])
  })

  it('for a moment, what was said meanwhile is asked for', async () => {
    const [one, two] = await openTwo()
    one.presence.enter(7, 1)
    await yard.clock.advance(200)
    yard.isLost = () => true
    one.presence.leave([7], 1)
    one.presence.enter(7, 2)
    await yard.clock.advance(5_000)
    yard.isLost = () => false
    one.presence.enter(7, 3)
    await yard.clock.advance(200)
    expect(two.announced).toEqual(['+1@7', '-1@7', '+2@7', '+3@7'])
    expect(listOnline(two, 7)).toEqual([2, 3, 9])
  })

  it('for one of them, the others have its whole as soon as it is back, and are not asked by others for theirs', async () => {
    const [one, two] = await openTwo()
    const three = yard.open('three')
    await yard.clock.advance(200)
    yard.isLost = (from) => from === 'one'
    one.presence.enter(7, 1)
    await yard.clock.advance(200)
    yard.isLost = (from, to) => from === 'one' && to === 'three'
    one.presence.reconnect()
    await yard.clock.advance(200)
    expect(listOnline(two, 7)).toEqual([1, 9])
    for (const { said } of [two, three]) said.length = 0
    yard.isLost = () => false
    one.presence.enter(7, 2)
    await yard.clock.advance(200)
    expect(listOnline(three, 7)).toEqual([1, 2, 9])
    expect([two.said, three.said]).toEqual([[], [{ kind: 'ask', node: 'one' }]])
  })

  it('says again and again that it wants the whole, not at each change', async () => {
    const [one, two] = await openTwo()
    yard.isLost = (from) => from === 'one'
    one.presence.enter(7, 1)
    await yard.clock.advance(200)
    two.said.length = 0
    yard.isLost = (from) => from === 'two'
    for (let userId = 10; userId < 20; userId++) {
      one.presence.enter(7, userId)
      await yard.clock.advance(100)
    }
    expect(two.said.filter(({ kind }) => kind === 'ask')).toEqual([{ kind: 'ask', node: 'one' }])
    yard.isLost = () => false
    await yard.clock.advance(10_200)
    expect(listOnline(two, 7)).toHaveLength(12)
  })
})

describe('[A19] who is no member any more', () => {
  it('goes without news at every node', async () => {
    const [one, two] = await openTwo()
    one.presence.enter(7, 1)
    await yard.clock.advance(200)
    for (const { presence } of [one, two]) presence.forget(7, 1)
    one.presence.leave([7], 1)
    await yard.clock.advance(20_000)
    expect([one.announced, two.announced]).toEqual([['+1@7'], ['+1@7']])
    expect([listOnline(one, 7), listOnline(two, 7)]).toEqual([[9], [9]])
    expect(two.said.filter(({ kind }) => kind === 'ask')).toHaveLength(1)
  })

  it('is online again where another node has heard before us that he is back', async () => {
    const [one, two] = await openTwo()
    one.presence.enter(7, 1)
    await yard.clock.advance(200)
    one.presence.forget(7, 1)
    await yard.clock.advance(100)
    one.presence.enter(7, 1)
    await yard.clock.advance(200)
    two.presence.forget(7, 1)
    expect(listOnline(two, 7)).toEqual([9])
    await yard.clock.advance(10_200)
    expect(listOnline(two, 7)).toEqual([1, 9])
  })
})
