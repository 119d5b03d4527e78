import { expect, it } from 'vitest'
import { StorageUnavailable } from '../storage.ts'
import type { Database } from './database.ts'
import { gather, shareEqual } from './gathering.ts'

/** As many connections as are given back; `isAway` refuses them. */
function open() {
  const lines: (() => void)[] = []
  const state = { isAway: false }
  const db = {
    connection: () => ({
      execute: async <T>(run: (db: Database) => Promise<T>): Promise<T> => {
        await new Promise<void>((resolve) => lines.push(resolve))
        if (state.isAway) throw new StorageUnavailable('away, for a test')
        return run(db as unknown as Database)
      },
    }),
  }
  const asked: number[][] = []
  const ask = async (_: Database, keys: number[]) => {
    asked.push(keys)
    return keys.map((key) => key * 10)
  }
  const give = async () => {
    lines.shift()?.()
    await new Promise((resolve) => setImmediate(resolve))
  }
  return { db: db as unknown as Database, ask, asked, give, state, lines }
}

it('asks together what waits for a connection, and answers each by its own key', async () => {
  const { db, ask, asked, give } = open()
  const find = gather(db, ask)
  const answers = Promise.all([find(1), find(2), find(1)])
  await give()
  expect(await answers).toEqual([10, 20, 10])
  expect(asked).toEqual([[1, 2, 1]])
})

it('asks for none that comes once a statement is under way', async () => {
  const { db, asked, give, lines } = open()
  let end = () => {}
  const slow = async (_: Database, keys: number[]) => {
    asked.push(keys)
    await new Promise<void>((resolve) => (end = resolve))
    return keys
  }
  const find = gather(db, slow)
  const first = find(1)
  await give()
  const second = find(2)
  expect([asked, lines.length]).toEqual([[[1]], 1])
  end()
  expect(await first).toBe(1)
  await give()
  end()
  expect(await second).toBe(2)
})

it('takes a thousand keys into a statement, and the others into the next', async () => {
  const { db, ask, asked, give } = open()
  const find = gather(db, ask)
  const answers = Promise.all(Array.from({ length: 2_001 }, (_, key) => find(key)))
  for (let turn = 0; turn < 3; turn++) await give()
  expect((await answers).at(-1)).toBe(20_000)
  expect(asked.map(({ length }) => length)).toEqual([1_000, 1_000, 1])
})

it('tells all who waited where there is no connection, and goes on with the next', async () => {
  const { db, ask, give, state } = open()
  const find = gather(db, ask)
  state.isAway = true
  const answers = Promise.allSettled([find(1), find(2)])
  await give()
  expect((await answers).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  state.isAway = false
  const later = find(3)
  await give()
  expect(await later).toBe(30)
})

it('asks once what equal callers wait for, and others on their own', async () => {
  const { db, give, lines } = open()
  const asked: number[][] = []
  const read = shareEqual(db, async (_, ...question: [number, number]) => {
    asked.push(question)
    return question.join()
  })
  const answers = Promise.all([read(1, 12), read(1, 12), read(11, 2), read(1, 12)])
  expect(lines.length).toBe(2)
  for (let turn = 0; turn < 2; turn++) await give()
  expect(await answers).toEqual(['1,12', '1,12', '11,2', '1,12'])
  expect(asked).toEqual([
    [1, 12],
    [11, 2],
  ])
})

it('shares nothing that was asked before its caller asked', async () => {
  const { db, give, lines } = open()
  let times = 0
  let end = () => {}
  const read = shareEqual(db, async (_db, _key: number) => {
    const nth = ++times
    await new Promise<void>((resolve) => (end = resolve))
    return nth
  })
  const first = read(1)
  await give()
  const second = read(1)
  expect(lines.length).toBe(1)
  end()
  expect(await first).toBe(1)
  const third = read(1)
  await give()
  end()
  expect(await Promise.all([second, third])).toEqual([2, 2])
})

it('asks anew after a failure, with or without a connection', async () => {
  const { db, give, state } = open()
  let isFaulty = false
  const read = shareEqual(db, async (_, key: number) => {
    if (isFaulty) throw new Error('faulty, for a test')
    return key
  })
  state.isAway = true
  const away = Promise.allSettled([read(1), read(1)])
  await give()
  expect((await away).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  state.isAway = false
  isFaulty = true
  const faulty = Promise.allSettled([read(1)])
  await give()
  expect((await faulty)[0]).toMatchObject({ reason: { message: 'faulty, for a test' } })
  isFaulty = false
  const later = read(1)
  await give()
  expect(await later).toBe(1)
})
