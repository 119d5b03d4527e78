import { beforeEach, describe, expect, it } from 'vitest'
import { createManualClock, type ManualClock } from '../../../test/manual-clock.ts'
import { createLimit } from '../../http/limits.ts'
import type { SocketIoConnection } from '../../http/socketio.ts'
import { SendLine } from './send-line.ts'

let clock: ManualClock
let taken: string[]
let isReading: boolean
let line: SendLine<string>
let costs: Map<string, number>
let openLine: (connection: Pick<SocketIoConnection, 'pause' | 'resume'>) => SendLine<string>

beforeEach(() => {
  clock = createManualClock()
  taken = []
  isReading = true
  const off = createLimit('off', () => 0)
  costs = new Map()
  const limits = { sends: createLimit('2/2', () => clock.now()), login: off, register: off, connects: off }
  const connection = { pause: () => void (isReading = false), resume: () => void (isReading = true) }
  const shared = {
    door: { limits, clock },
    keys: ['address', 'user'],
    costs,
    take: (send: string) => taken.push(send),
  }
  openLine = (of) => new SendLine({ ...shared, connection: of })
  line = openLine(connection)
})

describe('the line of one client', () => {
  it('[A12] takes what is within the limit at once, and the rest in order as its turn comes', async () => {
    for (const text of ['a', 'b', 'c', 'd']) line.add(text, 1)
    expect([taken, isReading]).toEqual([['a', 'b'], true])
    await clock.advance(1_000)
    expect(taken).toEqual(['a', 'b', 'c'])
    line.add('e', 1)
    await clock.advance(2_000)
    expect(taken).toEqual(['a', 'b', 'c', 'd', 'e'])
  })

  it('[A12] counts what waits of one sender over all his connections, also when they are gone', async () => {
    for (const text of ['a', 'b', 'c', 'd', 'e']) line.add(text, 100_000)
    let isOtherRead = true
    const other = openLine({ pause: () => void (isOtherRead = false), resume: () => void (isOtherRead = true) })
    other.add('f', 1)
    expect(isOtherRead).toBe(false)
    await clock.advance(10_000)
    expect([taken.length, isOtherRead]).toEqual([6, true])
  })

  it('[A12] goes on reading a connection whose sends pass, however much waits at another', () => {
    for (const text of ['a', 'b', 'c', 'd', 'e']) line.add(text, 100_000)
    let isOtherRead = true
    const connection = { pause: () => void (isOtherRead = false), resume: () => void (isOtherRead = true) }
    const off = createLimit('off', () => 0)
    const limits = { sends: off, login: off, register: off, connects: off }
    new SendLine({ door: { limits, clock }, connection, keys: ['user'], costs, take: () => {} }).add('passes', 1)
    expect(isOtherRead).toBe(true)
  })

  it('[A12] stops reading while much waits, and takes it up again', async () => {
    for (const text of ['a', 'b', 'c', 'd', 'e']) line.add(text, 100_000)
    expect(isReading).toBe(false)
    await clock.advance(1_000)
    expect([taken.length, isReading]).toEqual([3, false])
    await clock.advance(1_000)
    expect([taken.length, isReading]).toEqual([4, true])
    await clock.advance(1_000)
    expect([taken.length, isReading]).toEqual([5, true])
  })
})
