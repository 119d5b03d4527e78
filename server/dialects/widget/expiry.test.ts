import { beforeEach, describe, expect, it } from 'vitest'
import { createManualClock, type ManualClock } from '../../../test/manual-clock.ts'
import { Expiry, type Expiring } from './expiry.ts'

let clock: ManualClock
let expiry: Expiry
let ended: string[]

beforeEach(() => {
  clock = createManualClock()
  expiry = new Expiry(clock)
  ended = []
})

function visit(name: string, leftMs: number | null): Expiring {
  return { endsAt: leftMs === null ? null : clock.now() + leftMs, expire: () => void ended.push(name) }
}

describe('the ends of visits', () => {
  it('[W2] come once for each, within a second of its time and not before', async () => {
    for (const [name, leftMs] of [
      ['late', 5_500],
      ['never', null],
      ['soon', 2_000],
    ] as const)
      expiry.add(visit(name, leftMs))
    await clock.advance(1_999)
    expect(ended).toEqual([])
    await clock.advance(1)
    expect(ended).toEqual(['soon'])
    await clock.advance(3_499)
    expect(ended).toEqual(['soon'])
    await clock.advance(60_000)
    expect(ended).toEqual(['soon', 'late'])
  })

  it('[W2] take one timer, however many there are', async () => {
    let timers = 0
    const after: ManualClock['after'] = (ms, call) => {
      timers++
      return clock.after(ms, call)
    }
    const counted = new Expiry({ now: clock.now, after })
    for (let nth = 0; nth < 100; nth++) counted.add(visit(`${nth}`, 500 + nth))
    await clock.advance(5_000)
    expect([timers, ended.length]).toEqual([1, 100])
  })

  it('[W2] come at once where the time is up, and not to who has left', async () => {
    expiry.add(visit('past', 0))
    expect(ended).toEqual(['past'])
    const left = visit('left', 2_000)
    expiry.add(left)
    expiry.remove(left)
    await clock.advance(5_000)
    expect(ended).toEqual(['past'])
  })

  it('[W2] come also to who enters after all others have gone', async () => {
    const first = visit('first', 2_000)
    expiry.add(first)
    expiry.remove(first)
    expiry.add(visit('while it waits', 3_000))
    await clock.advance(10_000)
    expiry.add(visit('after a rest', 1_000))
    await clock.advance(2_000)
    expect(ended).toEqual(['while it waits', 'after a rest'])
  })
})
