import { expect, test } from 'vitest'
import { addressKey, createGate, createLimit } from './limits.ts'
import { ProblemError } from './problems.ts'

function at(startMs: number) {
  let nowMs = startMs
  return { now: () => nowMs, pass: (ms: number) => void (nowMs += ms) }
}

test('[A12] n may come at once, the next is told when', () => {
  const clock = at(1_000_000)
  const limit = createLimit('3/60', clock.now)
  expect([1, 2, 3].map(() => limit.take('a').ok)).toEqual([true, true, true])
  expect(limit.take('a')).toEqual({ ok: false, retryAfterS: 20 })
  expect(limit.take('b').ok).toBe(true)
})

test('[A12] whoever waits as long as he was told gets in', () => {
  for (const text of ['3/60', '7/10', '20/60', '1/1', '1000/3']) {
    const clock = at(1_234_567)
    const limit = createLimit(text, clock.now)
    let taken = limit.take('a')
    while (taken.ok) taken = limit.take('a')
    clock.pass(taken.retryAfterS * 1000)
    expect(limit.take('a').ok, text).toBe(true)
  }
})

test('[A12] who keeps to the rate never waits, and what was refused is not counted', () => {
  const clock = at(5)
  const limit = createLimit('7/10', clock.now)
  for (let turn = 0; turn < 1000; turn++) {
    expect(limit.take('a').ok).toBe(true)
    clock.pass(10_000 / 7)
  }
  for (let turn = 0; turn < 50; turn++) limit.take('a')
  clock.pass(10_000 / 7 + 1)
  expect(limit.take('a').ok).toBe(true)
})

test('[A12] off never refuses, and a limit that is no limit is told at once', () => {
  const limit = createLimit('off', () => 0)
  for (let turn = 0; turn < 1000; turn++) expect(limit.take('a').ok).toBe(true)
  for (const text of ['5', '0/10', '5/0', '-1/5', '5/10s', '1.5/2']) expect(() => createLimit(text, () => 0), text).toThrow(text)
})

test('[A12] the addresses of one IPv6 network count as one', () => {
  expect(addressKey('2001:db8:1:2:3:4:5:6')).toBe('2001:db8:1:2')
  expect(addressKey('2001:db8:1:2::9')).toBe('2001:db8:1:2')
  expect(addressKey('2001:0db8::1')).toBe('2001:db8:0:0')
  expect(addressKey('::1')).toBe('0:0:0:0')
  expect(addressKey('192.0.2.7')).toBe('192.0.2.7')
})

test('[A12] two hashes run at once, eight wait in order, the next is a 429 with Retry-After 1', async () => {
  const gate = createGate({ atOnce: 2, waiting: 8 })
  const begun: number[] = []
  const ends: (() => void)[] = []
  const work = (id: number) => () =>
    new Promise<number>((resolve) => {
      begun.push(id)
      ends.push(() => resolve(id))
    })
  const runs = Array.from({ length: 10 }, (_, id) => gate.run(work(id)))
  await expect(gate.run(work(99))).rejects.toThrow(ProblemError)
  await expect(gate.run(work(99))).rejects.toMatchObject({ problem: { kind: 'too_many', retryAfterS: 1 } })
  expect(begun).toEqual([0, 1])
  for (let turn = 0; turn < 10; turn++) {
    ends[turn]!()
    await runs[turn]
    await new Promise(setImmediate)
    expect(begun.length).toBe(Math.min(10, turn + 3))
  }
  expect(await Promise.all(runs)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
})

test('[A12] work that fails frees its place', async () => {
  const gate = createGate({ atOnce: 1, waiting: 0 })
  await expect(gate.run(() => Promise.reject(new Error('no')))).rejects.toThrow('no')
  expect(await gate.run(() => Promise.resolve(1))).toBe(1)
})
