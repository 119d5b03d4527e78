import { expect, it } from 'vitest'
import { createManualClock, settle } from '../../test/manual-clock.ts'
import { post } from '../storage/contract/entries.ts'
import { WriteQueue } from './write-queue.ts'

/** So many of these are a little over 64 MiB, with which no more is taken in. */
const fitting = 16
const content = 'x'.repeat(4 * 1024 * 1024)

it('[A15] what waits is bounded by its size, and what was taken or given up makes room', async () => {
  const clock = createManualClock()
  const queue = new WriteQueue(clock)
  let refused = 0
  const fill = async () => {
    for (let count = 0; count <= fitting; count++) queue.add(post(7, 1, content), null).catch(() => (refused += 1))
    await settle()
  }
  await fill()
  expect(refused).toBe(1)
  let taken = 0
  while (!queue.isEmpty) taken += queue.take().length
  expect(taken).toBe(fitting)
  await fill()
  expect(refused).toBe(2)
  await clock.advance(5_001)
  queue.giveUpLateHere()
  await settle()
  expect(refused).toBe(2 + fitting)
  await fill()
  expect(refused).toBe(3 + fitting)
})
