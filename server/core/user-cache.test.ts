import { describe, expect, it } from 'vitest'
import { fastClock } from '../../test/chat.ts'
import { openMemoryStorage } from '../storage/memory/memory.ts'
import type { Fact, MemberAdded } from './events.ts'
import { memberOf } from './model.fixture.ts'
import type { UserId } from './model.ts'
import { createUserCache, unknownUser } from './user-cache.ts'

async function open(names: string[]) {
  const { directory } = openMemoryStorage()
  for (const name of names) {
    const account = { id: null, username: name, email: `${name}@h.test`, fullName: name, passwordHash: null }
    await directory.createUser({ ...account, origin: 'registered' })
  }
  return { directory, cache: createUserCache(directory, fastClock) }
}

it('keeps the newer of two readings of an account, however they come', async () => {
  const { cache, directory } = await open(['a'])
  const older = (await directory.findUser(1))!
  const newer = { ...older, fullName: 'A', updatedAt: older.updatedAt + 1 }
  cache.note(newer)
  cache.note(older)
  expect((await cache.find(1))?.fullName).toBe('A')
})

it('shows one who was quiet for long as he was known, without a wait, and from his next event on as he is', async () => {
  const { directory } = await open(['a'])
  let now = 0
  const cache = createUserCache(directory, { ...fastClock, now: () => now })
  await cache.complete([{ ...removed }])
  await directory.updateUser(1, { fullName: 'A' })
  now = 3_600_000
  const [first] = await cache.complete([{ ...removed }])
  await cache.find(1)
  const [second] = await cache.complete([{ ...removed }])
  expect([first?.user.fullName, second?.user.fullName]).toEqual(['a', 'A'])
})

const base = { roomId: 1, at: 0, seq: 1, stamp: { journal: 1, position: 1 } }

function added(userId: UserId, actorId: UserId | null, together: UserId[]): MemberAdded {
  return { ...base, type: 'member.added', userId, actorId, member: memberOf({ roomId: 1, userId }), together }
}

const removed: Fact = { ...base, type: 'member.removed', userId: 1, actorId: 1, joinedSeq: 1 }

describe('[P4] a member.added', () => {
  it('brings the accounts of the inviter and of all whom he invited, in their order', async () => {
    const { cache, directory } = await open(['a', 'b', 'c'])
    const events = await cache.complete([added(3, 1, [3, 2]), added(2, 1, [3, 2])])
    const [a, b, c] = await directory.findUsers([1, 2, 3])
    const invitation = { inviter: a, invited: [c, b] }
    expect(events).toMatchObject([
      { user: c, invitation },
      { user: b, invitation },
    ])
  })

  it('of another invitation brings its own, also where as many came', async () => {
    const { cache } = await open(['a', 'b', 'c'])
    const events = await cache.complete([added(2, 1, [2]), removed, added(3, 2, [3])])
    const told = events.map((event) => [event.invitation?.inviter?.id, event.invitation?.invited.map(({ id }) => id)])
    expect(told).toEqual([
      [1, [2]],
      [undefined, undefined],
      [2, [3]],
    ])
    expect(events[1]).not.toHaveProperty('invitation')
  })

  it('has no inviter where a service key did it, and shows accounts that there are not all the same', async () => {
    const { cache } = await open(['a'])
    const [event] = await cache.complete([added(1, null, [1, 9])])
    expect(event?.invitation).toMatchObject({ inviter: null, invited: [{ username: 'a' }, unknownUser(9)] })
    const [unknown] = await cache.complete([added(1, 8, [1])])
    expect(unknown?.invitation?.inviter).toEqual(unknownUser(8))
  })

  it('reads together with its own account all that it names, once', async () => {
    const { directory } = await open(['a', 'b', 'c'])
    const asked: UserId[][] = []
    const findUsers: typeof directory.findUsers = (userIds) => {
      asked.push(userIds.toSorted((a, b) => a - b))
      return directory.findUsers(userIds)
    }
    const cache = createUserCache({ ...directory, findUsers }, fastClock)
    await cache.complete([added(2, 1, [2, 3]), added(2, 1, [2, 3])])
    expect(asked).toEqual([[1, 2, 3]])
  })
})
