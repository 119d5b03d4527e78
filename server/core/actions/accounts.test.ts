import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { fastClock } from '../../../test/chat.ts'
import { createMemoryBus } from '../../bus/memory/memory-bus.ts'
import { openMemoryStorage } from '../../storage/memory/memory.ts'
import { openChat, type ChatOptions } from '../chat.ts'
import type { CoreSettings } from '../core.ts'
import type { Claims } from './accounts.ts'

const inAnHour = Math.floor(Date.now() / 1000) + 3_600

async function open(settings: Partial<CoreSettings> = {}) {
  const storage = openMemoryStorage()
  const verified: [string, string][] = []
  const options: ChatOptions = {
    storage,
    bus: createMemoryBus().connect(),
    clock: fastClock,
    replayMax: 100,
    heldBytesMax: 1e6,
    hash: (text) => createHash('sha256').update(text).digest('hex'),
    passwords: {
      hash: async (password) => `plain ${password}`,
      async verify(password, hash) {
        verified.push([password, hash])
        return hash === `plain ${password.slice(0, 72)}`
      },
    },
    settings: {
      isDevelopment: false,
      isRegistrationOpen: true,
      makesHostAccounts: true,
      ...settings,
    },
    observer: {
      onCommit: () => {},
      onTrouble: () => {},
      onFanOut: () => {},
    },
  }
  const chat = await openChat(options)
  const register = (username: string, more: { email?: string; password?: string; fullName?: string } = {}) =>
    chat.accounts.register({ username, email: `${encodeURIComponent(username)}@h.test`, password: 'secret', ...more })
  const authenticate = (claims: Claims, tokenHash = 'aa') => chat.accounts.authenticate({ exp: inAnHour, ...claims }, tokenHash)
  return { ...chat, storage, register, authenticate, verified }
}

const refused = { code: 'bad_credentials' }

describe('[A9] an account token', () => {
  it('names its account with `username` or `sub`, the first wins', async () => {
    const { authenticate } = await open()
    const lea = await authenticate({ username: 'lea', sub: 'max' })
    expect([lea.username, lea.origin]).toEqual(['lea', 'host'])
    expect((await authenticate({ sub: 'lea' })).id).toBe(lea.id)
  })

  it('makes an account on first touch from what it says, and leaves out what is not fit', async () => {
    const { authenticate } = await open()
    expect(await authenticate({ sub: 'lea', id: 77, email: 'lea@h.test', full_name: 'Lea Ko' })).toMatchObject({
      id: 77,
      email: 'lea@h.test',
      fullName: 'Lea Ko',
    })
    const bare = await authenticate({ sub: 'max', email: 'no address', full_name: '  ' })
    expect(bare).toMatchObject({ fullName: 'max', email: `user${bare.id}@example.com` })
    const taken = await authenticate({ sub: 'eve', email: 'lea@h.test', full_name: 7 })
    expect(taken).toMatchObject({ fullName: 'eve', email: `user${taken.id}@example.com` })
    expect(await authenticate({ sub: 'lea', id: 77, email: 'other@h.test' })).toMatchObject({ email: 'lea@h.test' })
  })

  it('makes one account where two come at once', async () => {
    const { authenticate, queries } = await open()
    const users = await Promise.all(Array.from({ length: 10 }, () => authenticate({ sub: 'lea', email: 'lea@h.test' })))
    expect(new Set(users.map(({ id }) => id)).size).toBe(1)
    expect(await queries.listUsers({ offset: 0, limit: 99 })).toHaveLength(1)
  })

  it('makes none where that is off, and opens the known ones all the same', async () => {
    const { authenticate, storage, queries } = await open({ makesHostAccounts: false })
    await expect(authenticate({ sub: 'lea' })).rejects.toMatchObject(refused)
    await expect(authenticate({ sub: 'lea', id: 5 })).rejects.toMatchObject(refused)
    expect(await queries.listUsers({ offset: 0, limit: 9 })).toEqual([])
    await storage.directory.createUser({
      id: null,
      username: 'max',
      email: 'm@h.test',
      fullName: 'max',
      passwordHash: null,
      origin: 'host',
    })
    expect((await authenticate({ sub: 'max' })).username).toBe('max')
  })

  it("without `id` opens only accounts that a host made, with the account's own `id` also a registered one", async () => {
    const { authenticate, register } = await open()
    const { id } = await register('lea')
    await expect(authenticate({ sub: 'lea' })).rejects.toMatchObject(refused)
    expect((await authenticate({ sub: 'lea', id })).id).toBe(id)
  })

  it('whose `id` and name do not belong together is refused, and makes nobody', async () => {
    const { authenticate, queries } = await open()
    const lea = await authenticate({ sub: 'lea' })
    const max = await authenticate({ sub: 'max' })
    for (const claims of [
      { sub: 'lea', id: max.id },
      { sub: 'eve', id: lea.id },
      { sub: 'lea', id: 999 },
    ]) {
      await expect(authenticate(claims)).rejects.toMatchObject(refused)
    }
    expect(await queries.listUsers({ offset: 0, limit: 9 })).toHaveLength(2)
  })

  it('without `exp` is refused in production, not in development', async () => {
    await expect((await open()).authenticate({ sub: 'lea', exp: undefined })).rejects.toMatchObject(refused)
    expect((await (await open({ isDevelopment: true })).authenticate({ sub: 'lea', exp: undefined })).username).toBe('lea')
  })

  it('with a claim `projectId`, whatever it is, is a widget token and refused', async () => {
    const { authenticate } = await open()
    for (const projectId of ['shop', '', null, 0])
      await expect(authenticate({ sub: 'lea', projectId })).rejects.toMatchObject(refused)
  })

  it.each([
    [{}],
    [{ sub: '' }],
    [{ sub: 7 }],
    [{ sub: ['lea'] }],
    [{ username: '', sub: 'lea' }],
    [{ sub: 'guest:shop:lea' }],
    [{ sub: 'a/b' }],
    [{ sub: 'a\0' }],
    [{ sub: '\ud800' }],
    [{ sub: 'a'.repeat(51) }],
    [{ sub: 'lea', id: '7' }],
    [{ sub: 'lea', id: 0 }],
    [{ sub: 'lea', id: -1 }],
    [{ sub: 'lea', id: 1.5 }],
    [{ sub: 'lea', id: 2 ** 53 }],
    [{ sub: 'lea', id: null }],
  ])('with %j is refused', async (claims) => {
    const { authenticate, queries } = await open()
    await expect(authenticate(claims)).rejects.toMatchObject(refused)
    expect(await queries.listUsers({ offset: 0, limit: 9 })).toEqual([])
  })

  it('[A15] that was revoked, or whose user was deactivated, is refused', async () => {
    const { authenticate, accounts } = await open()
    const lea = await authenticate({ sub: 'lea' }, 'aa')
    await accounts.revokeToken('aa', Date.now() + 1e6)
    await expect(authenticate({ sub: 'lea' }, 'aa')).rejects.toMatchObject(refused)
    expect((await authenticate({ sub: 'lea' }, 'bb')).id).toBe(lea.id)
    await accounts.change(lea.id, { isActive: false })
    await expect(authenticate({ sub: 'lea' }, 'bb')).rejects.toMatchObject(refused)
  })

  it('[A17] opens one account for both spellings of a name, however long the other one is', async () => {
    const { authenticate } = await open()
    const name = '각'.repeat(50)
    expect(name.normalize('NFD').length).toBe(150)
    const lea = await authenticate({ sub: name.normalize('NFD') })
    expect(lea.username).toBe(name)
    expect((await authenticate({ sub: name })).id).toBe(lea.id)
    // Each of these is two code points after NFC.
    await expect(authenticate({ sub: '\u0958'.repeat(50) })).rejects.toMatchObject(refused)
  })
})

describe('registering', () => {
  it('makes an account that its password opens', async () => {
    const { register, accounts } = await open()
    const lea = await register('lea', { fullName: 'Lea' })
    expect(lea).toMatchObject({ username: 'lea', fullName: 'Lea', origin: 'registered', isActive: true })
    expect((await accounts.signIn('lea', 'secret')).id).toBe(lea.id)
  })

  it('[A18] names the account by its username where no other name is given', async () => {
    expect((await (await open()).register('lea')).fullName).toBe('lea')
  })

  it('[A9] is closed by REGISTRATION=off', async () => {
    const { register, queries } = await open({ isRegistrationOpen: false })
    await expect(register('lea')).rejects.toMatchObject({ code: 'registration_closed' })
    expect(await queries.listUsers({ offset: 0, limit: 9 })).toEqual([])
  })

  it('of one name twice at once lets one win, also in its two spellings, and of one address too', async () => {
    const { register } = await open()
    const names = await Promise.allSettled([
      register('한글', { email: 'a@h' }),
      register('한글'.normalize('NFD'), { email: 'b@h' }),
    ])
    expect(names.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
    expect(names.find((one) => one.status === 'rejected')!.reason).toMatchObject({ code: 'username_taken' })
    const emails = await Promise.allSettled(['eve', 'max'].map((name) => register(name, { email: 'same@h' })))
    expect(emails.find((one) => one.status === 'rejected')!.reason).toMatchObject({ code: 'email_taken' })
  })

  it.each([
    ['username', { username: 'guest:x' }],
    ['username', { username: '' }],
    ['username', { username: ' lea' }],
    ['username', { username: '😀'.repeat(51) }],
    ['username', { username: '\u0958'.repeat(50) }],
    ['email', { email: '' }],
    ['email', { email: 'a@b@c' }],
    ['email', { email: 'a b@c' }],
    ['email', { email: `${'a'.repeat(253)}@h` }],
    ['email', { email: 'a\0@h' }],
    ['password', { password: '' }],
    ['password', { password: 'a'.repeat(73) }],
    ['password', { password: '가'.repeat(25) }],
    ['password', { password: '😀'.repeat(18) + 'a' }],
    ['password', { password: 'a\0b' }],
  ])('[A17] refuses the field %s of %j', async (field, given) => {
    const { accounts } = await open()
    const whole = { username: 'lea', email: 'lea@h.test', password: 'secret', ...given }
    await expect(accounts.register(whole)).rejects.toMatchObject({ code: 'invalid_field', field })
  })

  it('[A17] takes passwords of 72 bytes', async () => {
    const { register } = await open()
    for (const [index, password] of ['a'.repeat(72), '가'.repeat(24), '😀'.repeat(18)].entries())
      await register(`lea${index}`, { password })
  })
})

describe('signing in', () => {
  it('is one answer for a wrong password, an unknown name, a name that cannot be, a host’s account and a deactivated one', async () => {
    const { register, accounts, authenticate } = await open()
    const lea = await register('lea')
    await authenticate({ sub: 'hosted' })
    for (const [name, password] of [
      ['lea', 'wrong'],
      ['nobody', 'secret'],
      ['', 'secret'],
      ['a\0', 'secret'],
      ['hosted', ''],
      ['hosted', 'secret'],
    ] as const) {
      await expect(accounts.signIn(name, password)).rejects.toMatchObject({ code: 'wrong_password' })
    }
    await accounts.change(lea.id, { isActive: false })
    await expect(accounts.signIn('lea', 'secret')).rejects.toMatchObject({ code: 'wrong_password' })
  })

  it('verifies a hash also for a name that nobody has, so that names cannot be told apart by time', async () => {
    const { accounts, verified } = await open()
    for (const name of ['nobody', 'guest:x', '']) await accounts.signIn(name, 'secret').catch(() => {})
    expect(verified.map(([, hash]) => hash)).toEqual(
      Array.from({ length: 3 }, () => expect.stringMatching(/^\$2b\$12\$[./A-Za-z0-9]{53}$/)),
    )
  })

  it('does not take a password that only begins with the right 72 bytes', async () => {
    const { accounts, register } = await open()
    await register('lea', { password: 'a'.repeat(72) })
    expect((await accounts.signIn('lea', 'a'.repeat(72))).username).toBe('lea')
    await expect(accounts.signIn('lea', 'a'.repeat(73))).rejects.toMatchObject({ code: 'wrong_password' })
  })

  it('[A17] knows both spellings of a name, however long the other one is', async () => {
    const { accounts, register } = await open()
    const name = '각'.repeat(50)
    const { id } = await register(name, { email: 'k@h.test' })
    expect((await accounts.signIn(name.normalize('NFD'), 'secret')).id).toBe(id)
  })
})

describe('users', () => {
  it('[A18] are made up in development on first touch, and a taken name gets `-2`', async () => {
    const { accounts, register } = await open({ isDevelopment: true })
    expect(await accounts.getOrMake(5)).toMatchObject({
      id: 5,
      username: 'user5',
      email: 'user5@example.com',
      fullName: 'user5',
      origin: 'development',
    })
    await register('user9')
    await register('other', { email: 'user10@example.com' })
    expect(await accounts.getOrMake(9)).toMatchObject({ id: 9, username: 'user9-2', email: 'user9-2@example.com' })
    expect(await accounts.getOrMake(10)).toMatchObject({ id: 10, username: 'user10-2' })
    const once = await Promise.all([accounts.getOrMake(11), accounts.getOrMake(11)])
    expect(once.map(({ username }) => username)).toEqual(['user11', 'user11'])
  })

  it('[M2][A18] is made up by its name: user<id> under that id where it is free, others under the next', async () => {
    const { accounts } = await open({ isDevelopment: true })
    const { id } = await accounts.getOrMakeNamed('민준'.normalize('NFD'))
    expect(await accounts.get(id)).toMatchObject({ id: 1, username: '민준', fullName: '민준', email: 'user1@example.com' })
    expect((await accounts.getOrMakeNamed('민준')).id).toBe(1)
    expect(await accounts.getOrMakeNamed('user123')).toMatchObject({ id: 123, email: 'user123@example.com' })
    expect((await accounts.getOrMake(123)).username).toBe('user123')
    expect(await accounts.getOrMakeNamed('user1')).toMatchObject({ id: 2, username: 'user1', email: 'user2@example.com' })
    expect((await accounts.getOrMakeNamed('user007')).id).toBe(3)
    const once = await Promise.all([accounts.getOrMakeNamed('both'), accounts.getOrMakeNamed('both')])
    expect(once[0].id).toBe(once[1].id)
    for (const name of ['', 'a/b', 'guest:shop:a', 'x'.repeat(51)])
      await expect(accounts.getOrMakeNamed(name)).rejects.toMatchObject({ code: 'user_not_found' })
    await accounts.change(id, { isActive: false })
    await expect(accounts.getOrMakeNamed('민준')).rejects.toMatchObject({ code: 'user_not_found' })
    expect((await accounts.findNamed('민준'))?.id).toBe(1)
  })

  it('[A18] is not made up by its name in production', async () => {
    const { accounts, register } = await open()
    await register('kim')
    expect((await accounts.getOrMakeNamed('kim')).username).toBe('kim')
    await expect(accounts.getOrMakeNamed('user5')).rejects.toMatchObject({ code: 'user_not_found' })
    expect(await accounts.findNamed('user5')).toBeNull()
  })

  it('[A18] are not made up in production, and a deactivated one is not found in development either', async () => {
    await expect((await open()).accounts.getOrMake(5)).rejects.toMatchObject({ code: 'user_not_found' })
    const { accounts } = await open({ isDevelopment: true })
    await accounts.getOrMake(5)
    await accounts.change(5, { isActive: false })
    await expect(accounts.getOrMake(5)).rejects.toMatchObject({ code: 'user_not_found' })
  })

  it('change what they give and keep the rest; an empty name is the username again', async () => {
    const { accounts, register } = await open()
    let lea = await register('lea', { fullName: 'Lea' })
    lea = await accounts.update(lea, { bio: 'hello', password: 'another' })
    expect(lea).toMatchObject({ fullName: 'Lea', bio: 'hello', avatarUrl: null })
    expect((await accounts.signIn('lea', 'another')).id).toBe(lea.id)
    expect(await accounts.update(lea, { fullName: '  ' })).toMatchObject({ fullName: 'lea', bio: 'hello' })
    expect(await accounts.get(lea.id)).toMatchObject({ fullName: 'lea' })
  })

  it.each([
    ['display_name', { fullName: 'a'.repeat(101) }],
    ['display_name', { fullName: '\0' }],
    ['bio', { bio: 'a'.repeat(1_001) }],
    ['avatar_url', { avatarUrl: 'a'.repeat(2_049) }],
    ['avatar_url', { avatarUrl: '\ud800' }],
    ['password', { password: '' }],
  ])('[A17] refuse the field %s of %j', async (field, patch) => {
    const { accounts, register } = await open()
    await expect(accounts.update(await register('lea'), patch)).rejects.toMatchObject({ code: 'invalid_field', field })
  })

  it('[F6] are made for a host under a name from their address', async () => {
    const { accounts } = await open()
    expect(await accounts.create('lea@h.test', 'Lea Ko')).toMatchObject({ username: 'lea', fullName: 'Lea Ko', origin: 'host' })
    expect((await accounts.create('lea@other.test', 'Lea Mo')).username).toBe('lea-2')
    expect((await accounts.create('guest:x@h.test', 'Guest')).username).toBe('user')
    await expect(accounts.create('lea@h.test', 'Lea')).rejects.toMatchObject({ code: 'email_taken' })
    await expect(accounts.create('lea', 'Lea')).rejects.toMatchObject({ field: 'email' })
    await expect(accounts.create('a@h', ' ')).rejects.toMatchObject({ field: 'name' })
  })
})
