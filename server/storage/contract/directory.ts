/** The directory: accounts, spaces, revoked tokens, the mark of development. */
import { expect, it } from 'vitest'
import type { User } from '../../core/model.ts'
import type { Directory, NewUser } from '../storage.ts'
import { openWriter, type Contract } from './harness.ts'

export function directoryContract(contract: Contract): void {
  creationContract(contract)
  lookupContract(contract)
  updateContract(contract)
  spaceRowContract(contract)
  tokenContract(contract)
}

function account(name: string, more: Partial<NewUser> = {}): NewUser {
  const email = `${name}@example.com`
  return { id: null, username: name, email, fullName: name, passwordHash: null, origin: 'registered', ...more }
}

export async function create(directory: Directory, name: string, more: Partial<NewUser> = {}): Promise<User> {
  const result = await directory.createUser(account(name, more))
  if ('taken' in result) throw new Error(`taken: ${result.taken}`)
  return result.user
}

function creationContract({ open }: Contract): void {
  it('makes an account with what was given', async () => {
    const { directory } = (await open()).storage
    const user = await create(directory, 'mina', { fullName: '미나', origin: 'host', passwordHash: 'hash' })
    expect(user).toEqual({
      ...{ id: 1, username: 'mina', email: 'mina@example.com', fullName: '미나', bio: null, avatarUrl: null },
      ...{ origin: 'host', departmentId: null, isActive: true, createdAt: expect.any(Number), updatedAt: user.createdAt },
    })
    expect(await directory.findUser(1)).toEqual(user)
    expect(await directory.findUserByName('mina')).toEqual(user)
    expect(await directory.findPasswordHash(1)).toBe('hash')
  })

  it('[A2] numbers accounts from 1, skips ids that requests made up, and is not moved by them', async () => {
    const { directory } = (await open()).storage
    const ids = [await create(directory, 'a', { id: 2 }), await create(directory, 'b', { id: 100 })]
    const counted = [await create(directory, 'c'), await create(directory, 'd'), await create(directory, 'e')]
    expect([...ids, ...counted].map((user) => user.id)).toEqual([2, 100, 1, 3, 4])
  })

  it('names the first of id, username and e-mail that is taken', async () => {
    const { directory } = (await open()).storage
    await create(directory, 'a')
    expect(await directory.createUser(account('a', { id: 1 }))).toEqual({ taken: 'id' })
    expect(await directory.createUser(account('a'))).toEqual({ taken: 'username' })
    expect(await directory.createUser(account('b', { email: 'a@example.com' }))).toEqual({ taken: 'email' })
    expect(await directory.listUsers({ offset: 0, limit: 9 })).toHaveLength(1)
  })

  it('[A17] takes two spellings of one name for the same, after NFC', async () => {
    const { directory } = (await open()).storage
    const composed = '한글'.normalize('NFC')
    const decomposed = '한글'.normalize('NFD')
    const user = await create(directory, decomposed, { email: 'x@example.com' })
    expect(await directory.createUser(account(composed))).toEqual({ taken: 'username' })
    expect(await directory.findUserByName(composed)).toEqual(user)
    expect(await directory.findUserByName(decomposed)).toEqual(user)
    expect(await directory.findUserByName('한')).toBeNull()
  })

  it('lets one of many calls at once have a name, an address or an id', async () => {
    const { storage, second } = await open()
    const stores = [storage.directory, (await second()).directory]
    const race = (make: (i: number) => NewUser) =>
      Promise.all(Array.from({ length: 8 }, (_, i) => stores[i % 2]?.createUser(make(i))))
    const winners = (results: unknown[]) => results.filter((result) => Object.hasOwn(Object(result), 'user')).length
    expect(winners(await race((i) => account('same', { email: `${i}@example.com` })))).toBe(1)
    expect(winners(await race((i) => account(`n${i}`, { email: 'same@example.net' })))).toBe(1)
    expect(winners(await race((i) => account(`m${i}`, { id: 500 })))).toBe(1)
    expect(winners(await race((i) => account(`o${i}`)))).toBe(8)
    const users = await storage.directory.listUsers({ offset: 0, limit: 100 })
    expect(new Set(users.map((user) => user.id)).size).toBe(11)
  })
}

function lookupContract({ open }: Contract): void {
  it('finds the accounts that exist, once each, by id', async () => {
    const { directory } = (await open()).storage
    const users = [await create(directory, 'a'), await create(directory, 'b'), await create(directory, 'c')]
    expect(await directory.findUsers([3, 99, 1, 3])).toEqual([users[0], users[2]])
    expect(await directory.findUsers([])).toEqual([])
    expect(await directory.findUser(99)).toBeNull()
    expect(await directory.findPasswordHash(99)).toBeNull()
    expect(await directory.findPasswordHash(1)).toBeNull()
  })

  it('lists accounts by id, by page', async () => {
    const { directory } = (await open()).storage
    for (const [name, id] of [
      ['z', 40],
      ['a', null],
      ['m', 7],
    ] as const)
      await create(directory, name, { id })
    const ids = async (offset: number, limit: number) => (await directory.listUsers({ offset, limit })).map((user) => user.id)
    expect(await ids(0, 10)).toEqual([1, 7, 40])
    expect(await ids(1, 1)).toEqual([7])
    expect(await ids(3, 1)).toEqual([])
  })
}

function updateContract({ open }: Contract): void {
  it('changes the fields that a patch has and no others', async () => {
    const { directory } = (await open()).storage
    const before = await create(directory, 'a', { passwordHash: 'old' })
    const patch = { fullName: '', bio: 'hi', avatarUrl: 'https://a.example/1.png' }
    const result = await directory.updateUser(1, patch)
    const after = { ...before, ...patch, updatedAt: expect.any(Number) }
    expect(result).toEqual({ user: after })
    expect(await directory.findUser(1)).toEqual(after)
    await directory.updateUser(1, { bio: null, isActive: false })
    expect(await directory.findUser(1)).toEqual({ ...after, bio: null, isActive: false })
    expect(await directory.findPasswordHash(1)).toBe('old')
    await directory.updateUser(1, { passwordHash: 'new' })
    expect(await directory.findPasswordHash(1)).toBe('new')
    expect(await directory.updateUser(99, { fullName: 'x' })).toBeNull()
  })

  it('keeps e-mail addresses unique in a change too', async () => {
    const { directory } = (await open()).storage
    await create(directory, 'a')
    const b = await create(directory, 'b')
    expect(await directory.updateUser(2, { email: 'a@example.com', fullName: 'x' })).toEqual({ taken: 'email' })
    expect(await directory.findUser(2)).toEqual(b)
    expect(await directory.updateUser(2, { email: 'b@example.com' })).toMatchObject({ user: { email: 'b@example.com' } })
    await directory.updateUser(1, { email: 'new@example.com' })
    expect(await create(directory, 'c', { email: 'a@example.com' })).toMatchObject({ id: 3 })
    expect(await directory.createUser(account('d', { email: 'new@example.com' }))).toEqual({ taken: 'email' })
  })
}

function spaceRowContract({ open }: Contract): void {
  it('makes a space whose owner is its first member', async () => {
    const { directory } = (await open()).storage
    const space = await directory.createSpace({ name: '마당', description: null, iconUrl: 'https://a.example/i.png', ownerId: 4 })
    expect(space).toEqual({
      ...{ id: 1, name: '마당', description: null, iconUrl: 'https://a.example/i.png', ownerId: 4 },
      ...{ createdAt: expect.any(Number), updatedAt: space.createdAt },
    })
    expect(await directory.findSpace(1)).toEqual(space)
    expect(await directory.isSpaceMember(1, 4)).toBe(true)
    expect(await directory.isSpaceMember(1, 5)).toBe(false)
    expect(await directory.isSpaceMember(9, 4)).toBe(false)
    expect(await directory.findSpace(9)).toBeNull()
  })

  it("changes a space's given fields, and lists someone's spaces by id", async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const { directory } = storage
    const make = (ownerId: number) => directory.createSpace({ name: 'n', description: 'd', iconUrl: null, ownerId })
    const spaces = [await make(1), await make(2), await make(1)]
    await writer.run({ kind: 'space.join', spaceId: 2, userId: 1, actorId: 1 })
    expect(await directory.listSpacesOf(1)).toEqual(spaces)
    expect((await directory.listSpacesOf(2)).map((space) => space.id)).toEqual([2])
    expect(await directory.updateSpace(3, { name: 'x' })).toMatchObject({ id: 3, name: 'x', description: 'd', iconUrl: null })
    expect(await directory.updateSpace(3, { iconUrl: 'i' })).toMatchObject({ name: 'x', description: 'd', iconUrl: 'i' })
    expect(await directory.updateSpace(9, { name: 'x' })).toBeNull()
  })
}

function tokenContract({ open }: Contract): void {
  it('[A15] knows a revoked token at every process until its end, also when it is revoked again', async () => {
    const { storage, second } = await open()
    const { directory, log } = storage
    const [here, ended] = ['a'.repeat(64), 'b'.repeat(64)]
    await directory.revokeToken(here, Date.now() + 3_600_000)
    await directory.revokeToken(here, Date.now() + 3_600_000)
    await directory.revokeToken(ended, Date.now() - 3_600_000)
    await log.prune()
    expect(await directory.isTokenRevoked(here)).toBe(true)
    expect(await (await second()).directory.isTokenRevoked(here)).toBe(true)
    expect(await directory.isTokenRevoked(ended)).toBe(false)
    expect(await directory.isTokenRevoked('c'.repeat(64))).toBe(false)
  })

  it('[A15] tells of a token and of its bearer at once', async () => {
    const { directory } = (await open()).storage
    const [revoked, good] = ['a'.repeat(64), 'b'.repeat(64)]
    const user = await create(directory, '\u1112\u1161\u11ab')
    await directory.revokeToken(revoked, Date.now() + 3_600_000)
    expect(await directory.findTokenUser(good, '한')).toEqual({ isRevoked: false, user })
    expect(await directory.findTokenUser(revoked, '한')).toEqual({ isRevoked: true, user })
    expect(await directory.findTokenUser(good, '하')).toEqual({ isRevoked: false, user: null })
    expect(await directory.findTokenUser(revoked, '하')).toEqual({ isRevoked: true, user: null })
  })

  it('[A15] tells each of many who ask at once of his own token and his own name', async () => {
    const { directory } = (await open()).storage
    const [revoked, good] = ['a'.repeat(64), 'b'.repeat(64)]
    const [ann, bob] = [await create(directory, 'ann'), await create(directory, 'bob')]
    await directory.revokeToken(revoked, Date.now() + 3_600_000)
    const names = ['bob', 'nobody', 'ann', 'bob']
    expect(await Promise.all(names.map((name) => directory.findUserByName(name)))).toEqual([bob, null, ann, bob])
    const answers = Promise.all([good, revoked, good].map((sha256) => directory.isTokenRevoked(sha256)))
    expect(await answers).toEqual([false, true, false])
    const asked = names.map((name, nth) => directory.findTokenUser(nth === 2 ? revoked : good, name))
    expect(await Promise.all(asked)).toEqual([
      { isRevoked: false, user: bob },
      { isRevoked: false, user: null },
      { isRevoked: true, user: ann },
      { isRevoked: false, user: bob },
    ])
  })

  it('[A4] knows nobody by a name that cannot be kept, and tells who asks beside it of his own', async () => {
    const { directory } = (await open()).storage
    const [ann, replaced] = [await create(directory, 'ann'), await create(directory, '\ufffd')]
    const names = ['ann', 'ann\0', '\ud800', '\ufffd']
    const found = [ann, null, null, replaced]
    expect(await Promise.all(names.map((name) => directory.findUserByName(name)))).toEqual(found)
    const bearers = names.map((name) => directory.findTokenUser('b'.repeat(64), name))
    expect(await Promise.all(bearers)).toEqual(found.map((user) => ({ isRevoked: false, user })))
  })

  it('[A15] tells what ends sessions at every process, from now on', async () => {
    const { storage, second } = await open()
    const { directory } = storage
    const [before, after] = ['a'.repeat(64), 'b'.repeat(64)]
    for (const name of ['a', 'b', 'c']) await create(directory, name)
    await directory.revokeToken(before, Date.now() + 3_600_000)
    const start = await (await second()).directory.readEndings(null)
    expect(start).toMatchObject({ tokenHashes: [], userIds: [] })
    await directory.revokeToken(after, Date.now() + 3_600_000)
    await directory.updateUser(2, { isActive: false })
    await directory.updateUser(3, { bio: 'still here' })
    const next = await (await second()).directory.readEndings(start.upTo)
    expect(next.tokenHashes).toContain(after)
    expect(next.userIds).toEqual([2])
  })

  it('[A15] misses no ending, however the readings fall', async () => {
    const { storage, second } = await open()
    const reader = (await second()).directory
    const hashes = Array.from({ length: 30 }, (_, i) => `${i}`.padStart(64, '0'))
    let { upTo } = await reader.readEndings(null)
    const heard = new Set<string>()
    const listen = async () => {
      const found = await reader.readEndings(upTo)
      upTo = found.upTo
      for (const hash of found.tokenHashes) heard.add(hash)
    }
    for (const hash of hashes) {
      await Promise.all([storage.directory.revokeToken(hash, Date.now() + 3_600_000), listen()])
    }
    await listen()
    expect([...heard].toSorted()).toEqual(hashes)
  })

  it("[M1] marks a database as development's for good", async () => {
    const { storage, second } = await open()
    expect(await storage.directory.isDevelopment()).toBe(false)
    await storage.directory.markDevelopment()
    await storage.directory.markDevelopment()
    expect(await (await second()).directory.isDevelopment()).toBe(true)
  })
}
