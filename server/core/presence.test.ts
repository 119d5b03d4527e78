import { beforeEach, describe, expect, it } from 'vitest'
import { createManualClock, type ManualClock } from '../../test/manual-clock.ts'
import { createPresence, type Presence } from './presence.ts'

let clock: ManualClock
let presence: Presence
/** What was announced, a string for each announcement. */
let announced: string[]

beforeEach(() => {
  clock = createManualClock()
  announced = []
  const show = ({ roomId, userId, online }: { roomId: number; userId: number; online: boolean }) =>
    `${online ? '+' : '-'}${userId}@${roomId}`
  presence = createPresence({
    clock,
    node: 'own',
    tell: () => {},
    announce: (changes) => announced.push(changes.map(show).join(' ')),
  })
})

describe('[F4] presence', () => {
  it('is announced with the first session and taken back 3 s after the last', async () => {
    expect(presence.enter(7, 1)).toBe(true)
    await clock.advance(50)
    expect(presence.enter(7, 1)).toBe(false)
    presence.leave([7], 1)
    await clock.advance(10_000)
    expect(announced).toEqual(['+1@7'])
    presence.leave([7], 1)
    await clock.advance(3_000)
    expect(announced).toEqual(['+1@7'])
    expect(presence.listOnline(7)).toEqual([])
    await clock.advance(50)
    expect(announced).toEqual(['+1@7', '-1@7'])
  })

  it('gathers the changes of 50 ms into one announcement', async () => {
    presence.enter(7, 1)
    await clock.advance(30)
    presence.enter(7, 2)
    presence.enter(8, 1)
    await clock.advance(19)
    expect(announced).toEqual([])
    await clock.advance(1)
    expect(announced).toEqual(['+1@7 +2@7 +1@8'])
  })

  it('of who comes back within the grace is no news, and the grace begins anew', async () => {
    presence.enter(7, 1)
    await clock.advance(50)
    for (let i = 0; i < 5; i++) {
      presence.leave([7], 1)
      await clock.advance(2_999)
      expect(presence.listOnline(7)).toEqual([1])
      expect(presence.enter(7, 1)).toBe(false)
    }
    presence.leave([7], 1)
    await clock.advance(2_999)
    expect(announced).toEqual(['+1@7'])
    await clock.advance(51)
    expect(announced).toEqual(['+1@7', '-1@7'])
  })

  it('of who comes back before his going was announced is no news', async () => {
    presence.enter(7, 1)
    await clock.advance(50)
    presence.leave([7], 1)
    await clock.advance(3_020)
    expect(presence.enter(7, 1)).toBe(false)
    expect(presence.listOnline(7)).toEqual([1])
    await clock.advance(1_000)
    expect(announced).toEqual(['+1@7'])
  })

  it('tells each session that comes before the announcement that it is under way, and lists nobody of whom it is', async () => {
    expect([presence.enter(7, 1), presence.enter(7, 1)]).toEqual([true, true])
    expect(presence.listOnline(7)).toEqual([])
    await clock.advance(50)
    expect([presence.enter(7, 1), presence.listOnline(7)]).toEqual([false, [1]])
    expect(announced).toEqual(['+1@7'])
  })

  it('of who leaves many rooms at once ends in each, but for those that he came back to', async () => {
    for (const roomId of [7, 8, 9]) presence.enter(roomId, 1)
    await clock.advance(50)
    presence.leave([7, 8, 9], 1)
    await clock.advance(1_000)
    presence.enter(8, 1)
    presence.enter(9, 1)
    presence.leave([9], 1)
    await clock.advance(2_050)
    expect(announced).toEqual(['+1@7 +1@8 +1@9', '-1@7'])
    await clock.advance(1_000)
    expect(announced.at(-1)).toBe('-1@9')
  })

  it('is per room', async () => {
    presence.enter(7, 1)
    presence.enter(8, 1)
    await clock.advance(50)
    presence.leave([7], 1)
    await clock.advance(4_000)
    expect(announced).toEqual(['+1@7 +1@8', '-1@7'])
    expect([presence.listOnline(7), presence.listOnline(8)]).toEqual([[], [1]])
  })
})

describe('[A19] who is no member any more', () => {
  it('goes without news, whatever sessions he has', async () => {
    for (let i = 0; i < 3; i++) presence.enter(7, 1)
    await clock.advance(50)
    presence.leave([7], 1)
    presence.forget(7, 1)
    for (let i = 0; i < 2; i++) presence.leave([7], 1)
    await clock.advance(10_000)
    expect([announced, presence.listOnline(7)]).toEqual([['+1@7'], []])
  })

  it('goes without news from his grace, too', async () => {
    presence.enter(7, 1)
    await clock.advance(50)
    presence.leave([7], 1)
    presence.forget(7, 1)
    await clock.advance(10_000)
    expect(announced).toEqual(['+1@7'])
  })

  it('is not announced where nobody had seen him, and is news again when he is back', async () => {
    presence.enter(7, 1)
    presence.forget(7, 1)
    await clock.advance(1_000)
    expect(announced).toEqual([])
    expect(presence.enter(7, 1)).toBe(true)
    await clock.advance(50)
    expect(announced).toEqual(['+1@7'])
  })
})
