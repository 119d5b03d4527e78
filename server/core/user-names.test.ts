import { expect, it } from 'vitest'
import { createManualClock, settle } from '../../test/manual-clock.ts'
import type { User } from './model.ts'
import { createUserNames } from './user-names.ts'

function userOf(id: number, fullName = `full ${id}`): User {
  const profile = { bio: null, avatarUrl: null, origin: 'host' as const, departmentId: null, isActive: true }
  return { id, username: `u${id}`, email: `u${id}@example.com`, fullName, ...profile, createdAt: 0, updatedAt: 0 }
}

/** A service that a test answers for: by username, each question in its order. */
function createService() {
  const clock = createManualClock()
  const asked: string[] = []
  let answer: (username: string) => Promise<string | null> = async (username) => `service ${username}`
  const names = createUserNames(async (username) => {
    asked.push(username)
    return answer(username)
  }, clock)
  const namesOf = async (...ids: number[]) => [...(await names.namesOf(ids.map((id) => userOf(id)))).values()]
  return { clock, asked, namesOf, setAnswer: (next: typeof answer) => void (answer = next) }
}

it('[C7] a default name is the user service’s, and the users table’s where there is no service', async () => {
  expect(await createService().namesOf(1, 2)).toEqual(['service u1', 'service u2'])
  const names = createUserNames(null, createManualClock())
  expect([...(await names.namesOf([userOf(1)]))]).toEqual([[1, 'full 1']])
})

it('[C7] a name is asked for once, and again when it is a minute old, behind the answer', async () => {
  const { clock, asked, namesOf, setAnswer } = createService()
  await Promise.all([namesOf(1), namesOf(1)])
  await namesOf(1)
  expect(asked).toEqual(['u1'])
  setAnswer(async () => 'new')
  await clock.advance(60_000)
  expect(await namesOf(1)).toEqual(['service u1'])
  await settle()
  expect([await namesOf(1), asked]).toEqual([['new'], ['u1', 'u1']])
})

it.each([
  ['fails', () => Promise.reject(new Error('for a test'))],
  ['knows no such user', async () => null],
  ['answers with a blank name', async () => ' '],
  ['answers with a name that is too long', async () => 'x'.repeat(101)],
])('[C7] where the service %s, the name is the users table’s, and it is asked again after 10 s', async (_, answer) => {
  const { clock, asked, namesOf, setAnswer } = createService()
  setAnswer(answer)
  expect([await namesOf(1), await namesOf(1), asked]).toEqual([['full 1'], ['full 1'], ['u1']])
  setAnswer(async () => 'back')
  await clock.advance(10_000)
  await namesOf(1)
  await settle()
  expect(await namesOf(1)).toEqual(['back'])
})

it('[C7] a service that fails now leaves the name that it gave before', async () => {
  const { clock, namesOf, setAnswer } = createService()
  await namesOf(1)
  setAnswer(() => Promise.reject(new Error('for a test')))
  await clock.advance(60_000)
  await namesOf(1)
  await settle()
  expect(await namesOf(1)).toEqual(['service u1'])
})

it('[C7] nobody waits for a silent service longer than a second, for however many names', async () => {
  const { clock, asked, namesOf, setAnswer } = createService()
  const answers: (() => void)[] = []
  setAnswer((username) => new Promise((resolve) => answers.push(() => resolve(`late ${username}`))))
  const ids = Array.from({ length: 100 }, (_, nth) => nth + 1)
  let got: string[] | null = null
  const asking = namesOf(...ids).then((names) => (got = names))
  await clock.advance(999)
  expect(got).toBeNull()
  await clock.advance(1)
  await asking
  expect(got).toEqual(ids.map((id) => `full ${id}`))
  expect(asked).toHaveLength(32)
  while (answers.length > 0) {
    answers.shift()!()
    await settle()
  }
  expect(asked).toHaveLength(100)
  expect(await namesOf(...ids)).toEqual(ids.map((id) => `late u${id}`))
})

it('[C7] the cache is bounded', async () => {
  const { asked, namesOf } = createService()
  const ids = Array.from({ length: 50_001 }, (_, nth) => nth + 1)
  await namesOf(...ids)
  asked.length = 0
  await namesOf(50_001, 2)
  expect(asked).toEqual([])
  await namesOf(1)
  expect(asked).toEqual(['u1'])
})
