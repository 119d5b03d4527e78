import { createHash } from 'node:crypto'
import { expect, it } from 'vitest'
import { settle } from '../../test/manual-clock.ts'
import { createMemoryRegistry } from '../registry/memory/memory-registry.ts'
import { createLogins } from './logins.ts'
import type { Login } from './model.ts'
import { createYard, type TestNode, type Yard } from './registered.fixture.ts'

function loginOf(yard: Yard, token: string, lifeMs: number | null = 3_600_000): Login {
  const sha256 = createHash('sha256').update(token).digest('hex')
  const expiresAt = lifeMs === null ? null : yard.clock.now() + lifeMs
  return { sha256, token, userId: 7, username: 'mina', subject: 'mina', expiresAt }
}

/** Watches, and resolves with what is said about it. */
function watch(node: TestNode, login: Login): { said: string[]; stop: () => void } {
  const said: string[] = []
  const watcher = { onEnded: () => void said.push('ended'), onAway: () => void said.push('away') }
  return { said, stop: node.logins.watch(login, watcher) }
}

it('[C2] a token counts from its login to its logout, at every node', async () => {
  const yard = createYard()
  const [one, two] = [await yard.open(), await yard.open()]
  const login = loginOf(yard, 'a')
  expect(await two.logins.isIn(login)).toBe(false)
  await one.logins.enter(login)
  expect([await one.logins.isIn(login), await two.logins.isIn(login)]).toEqual([true, true])
  await two.logins.end(login)
  expect([await one.logins.isIn(login), await two.logins.isIn(login)]).toEqual([false, false])
})

it('[A6] the directory keeps no token where the registry needs none', async () => {
  const yard = createYard()
  const node = await yard.open()
  await node.logins.enter(loginOf(yard, 'a'))
  const [kept] = await yard.database.openStorage().directory.listLogins({ after: 0, limit: 9, pending: false })
  expect(kept).toMatchObject({ token: null, isPending: false })
})

it('[C2] a login succeeds while the registry is away, and waits for it', async () => {
  const yard = createYard()
  const node = await yard.open()
  node.setAway(true)
  await node.logins.enter(loginOf(yard, 'a'))
  await expect(node.logins.isIn(loginOf(yard, 'a'))).rejects.toThrow('away')
  const pending = await yard.database.openStorage().directory.listLogins({ after: 0, limit: 9, pending: true })
  expect(pending).toHaveLength(1)
})

it('[C2] an open socket hears at once of its logout here, and within 30 s of one elsewhere', async () => {
  const yard = createYard()
  const [one, two] = [await yard.open(), await yard.open()]
  const [first, second, other] = [loginOf(yard, 'a'), loginOf(yard, 'b'), loginOf(yard, 'c')]
  for (const login of [first, second, other]) await one.logins.enter(login)
  const watched = [first, second, other].map((login) => watch(one, login))
  await one.logins.end(first)
  expect(watched.map(({ said }) => said)).toEqual([['ended'], [], []])
  await two.logins.end(second)
  await yard.clock.advance(30_000)
  expect(watched.map(({ said }) => said)).toEqual([['ended'], ['ended'], []])
})

it('[C2] a word about a token is asked for, not believed', async () => {
  const yard = createYard()
  const node = await yard.open()
  const login = loginOf(yard, 'a')
  await node.logins.enter(login)
  const { said } = watch(node, login)
  node.logins.recheck(login.sha256)
  await settle()
  expect(said).toEqual([])
  await yard.database.openStorage().directory.endLogins([login.sha256])
  node.logins.recheck(login.sha256)
  await settle()
  expect(said).toEqual(['ended'])
})

it('[A15] an open socket ends at its token’s exp also where that is further than a timer runs', async () => {
  const dayMs = 24 * 3_600_000
  const { clock, database } = createYard()
  const { directory } = database.openStorage()
  const said: string[] = []
  const logins = createLogins({ registry: createMemoryRegistry(directory), directory, clock })
  const login: Login = { sha256: 'ab', token: null, userId: 7, username: 'a', subject: 'a', expiresAt: clock.now() + 60 * dayMs }
  logins.watch(login, { onEnded: () => void said.push('ended'), onAway: () => void said.push('away') })
  await clock.advance(60 * dayMs - 1)
  expect(said).toEqual([])
  await clock.advance(1)
  expect(said).toEqual(['ended'])
})

it('[A15] an open socket ends at its token’s exp, and not before', async () => {
  const yard = createYard()
  const node = await yard.open()
  const [soon, never] = [loginOf(yard, 'a', 15_000), loginOf(yard, 'b', null)]
  const far = loginOf(yard, 'c')
  for (const login of [soon, never, far]) await node.logins.enter(login)
  const watched = [soon, never, far].map((login) => watch(node, login))
  await yard.clock.advance(14_999)
  expect(watched[0]!.said).toEqual([])
  await yard.clock.advance(1)
  expect(watched.map(({ said }) => said)).toEqual([['ended'], [], []])
})

it('[C2] an open socket outlives the registry by 60 s and no more', async () => {
  const yard = createYard()
  const node = await yard.open()
  const login = loginOf(yard, 'a')
  await node.logins.enter(login)
  const { said } = watch(node, login)
  await yard.clock.advance(20_000)
  node.setAway(true)
  await yard.clock.advance(59_999)
  expect(said).toEqual([])
  await yard.clock.advance(1)
  expect(said).toEqual(['away'])
})

it('[C2] a registry that is back in time ends nothing', async () => {
  const yard = createYard()
  const node = await yard.open()
  const login = loginOf(yard, 'a')
  await node.logins.enter(login)
  const { said } = watch(node, login)
  node.setAway(true)
  await yard.clock.advance(55_000)
  node.setAway(false)
  await yard.clock.advance(600_000)
  expect(said).toEqual([])
})

it('a socket that has closed hears nothing', async () => {
  const yard = createYard()
  const node = await yard.open()
  const login = loginOf(yard, 'a', 15_000)
  await node.logins.enter(login)
  const { said, stop } = watch(node, login)
  stop()
  await node.logins.end(login)
  await yard.clock.advance(60_000)
  expect(said).toEqual([])
})

it('[C2] nothing is said or asked after the end, also where a question was under way', async () => {
  const yard = createYard()
  const node = await yard.open()
  const login = loginOf(yard, 'a')
  await node.logins.enter(login)
  const { said } = watch(node, login)
  const release = node.hangNext('checkLogins')
  await yard.clock.advance(20_000)
  node.setAway(true)
  await node.kill()
  release()
  await settle()
  node.atOnce = 0
  await yard.clock.advance(120_000)
  expect([said, node.atOnce]).toEqual([[], 0])
})
