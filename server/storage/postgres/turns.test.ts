import { expect, it } from 'vitest'
import { StorageUnavailable } from '../storage.ts'
import { Turns } from './turns.ts'

it('gives one turn at a time, urgent ones first, else in order', async () => {
  const turns = new Turns()
  const order: string[] = []
  const run = async (name: string, urgent: boolean) => {
    const end = await turns.take(urgent, 1_000)
    order.push(name)
    await Promise.resolve()
    end()
  }
  await Promise.all([run('first', false), run('read', false), run('read 2', false), run('append', true), run('append 2', true)])
  expect(order).toEqual(['first', 'append', 'append 2', 'read', 'read 2'])
})

it('lets who waited too long go, and passes his turn on', async () => {
  const turns = new Turns()
  const end = await turns.take(false, 10)
  await expect(turns.take(false, 10)).rejects.toBeInstanceOf(StorageUnavailable)
  const next = turns.take(false, 1_000)
  end()
  const endNext = await next
  endNext()
  const endLast = await turns.take(false, 10)
  endLast()
})
