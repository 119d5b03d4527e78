/** Registering, signing in and profiles, over a real server. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openMemoryStorage } from '../../storage/memory/memory.ts'
import { newName, openGuild, type Guild } from './guild.fixture.ts'

const storage = openMemoryStorage()
let guild: Guild
let call: Guild['call']

beforeAll(async () => {
  guild = await openGuild({ storage })
  call = guild.call
})
afterAll(() => guild.server.stop())

const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?$/
const userKeys = ['id', 'username', 'email', 'display_name', 'bio', 'avatar_url', 'created_at', 'updated_at']

/** Of "password123", by passlib 1.7.4: `bcrypt.using(rounds=10, ident=...).hash(...)`. */
const passlibHashes = [
  '$2a$10$I5w7xX2fTk2saKhHI00y7.v1l3PsJpS0.kzpyhtEpOKQWazC9fW7q',
  '$2b$10$n943GNAXZnuxDVBxRVW.lO/.HxgG89L1TNIXsKso2l2I34xYwrdKi',
  '$2y$10$98YP0Qi.sjRdFmDmgW/8Nelc4S8FquLFfyCRxiAEdFAMCHb.Q55x2',
]

function register(username: string, fields: object = {}) {
  return call('POST /auth/register', { body: { username, email: `${username}@example.com`, password: 'password123', ...fields } })
}

function signIn(form: Record<string, string>) {
  return call('POST /auth/login', {
    body: new URLSearchParams(form).toString(),
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  })
}

describe('accounts', () => {
  test('[G3] registering is a 201 with the user, whose display_name is his username', async () => {
    const { status, body } = await register('testuser')
    expect(status).toBe(201)
    expect(Object.keys(body)).toEqual(userKeys)
    expect(body).toMatchObject({
      username: 'testuser',
      email: 'testuser@example.com',
      display_name: 'testuser',
      bio: null,
      avatar_url: null,
    })
    expect([body.created_at, body.updated_at]).toEqual([expect.stringMatching(time), expect.stringMatching(time)])
  })

  test('[G2] a name or an address that is taken is a 400', async () => {
    await register('taken')
    expect(await register('taken', { email: 'other@example.com' })).toMatchObject({
      status: 400,
      body: { detail: 'Username already registered' },
    })
    expect(await register('other', { email: 'taken@example.com' })).toMatchObject({
      status: 400,
      body: { detail: 'Email already registered' },
    })
  })

  test('[G2] of two registrations of one name at once one wins, and the other gets its 400', async () => {
    const replies = await Promise.all([register('twins'), register('twins', { email: 'second@example.com' })])
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([201, 400]))
    expect(replies.find(({ status }) => status === 400)!.body).toEqual({ detail: 'Username already registered' })
  })

  test('[A17] a name is one after NFC, and 50 code points long at most', async () => {
    expect((await register('각'.normalize('NFD'), { email: 'nfd@example.com' })).body.username).toBe('각'.normalize('NFC'))
    expect(await register('각'.normalize('NFC'), { email: 'nfc@example.com' })).toMatchObject({ status: 400 })
    expect(await register('😀'.repeat(50), { email: 'emoji@example.com' })).toMatchObject({ status: 201 })
    expect(await register('a'.repeat(51))).toMatchObject({
      status: 422,
      body: { detail: [{ type: 'string_too_long', loc: ['body', 'username'] }] },
    })
  })

  test('[G6] login is a form whose other fields are ignored; the token names its bearer in sub', async () => {
    await register('bearer')
    const { status, body } = await signIn({
      grant_type: 'anything',
      scope: '',
      client_id: 'x',
      username: 'bearer',
      password: 'password123',
    })
    expect(status).toBe(200)
    expect(Object.keys(body)).toEqual(['access_token', 'token_type'])
    expect(body.token_type).toBe('bearer')
    const claims = JSON.parse(Buffer.from(body.access_token.split('.')[1], 'base64url').toString())
    expect(claims).toMatchObject({ sub: 'bearer', username: 'bearer', id: expect.any(Number), exp: expect.any(Number) })
    expect(await call('GET /users/me', { token: body.access_token })).toMatchObject({ status: 200, body: { username: 'bearer' } })
  })

  test('[G1] a wrong password and an unknown name are the same 401', async () => {
    await register('careful')
    for (const username of ['careful', 'nobody-of-that-name']) {
      const { status, body, headers } = await signIn({ username, password: 'wrong' })
      expect({ status, body }).toEqual({ status: 401, body: { detail: 'Incorrect username or password' } })
      expect(headers.get('www-authenticate')).toBe('Bearer')
    }
  })

  test.each(passlibHashes)('[G8] the hash %s that passlib made signs in', async (passwordHash) => {
    const username = newName()
    await storage.directory.createUser({
      id: null,
      username,
      email: `${username}@example.com`,
      fullName: username,
      passwordHash,
      origin: 'registered',
    })
    expect((await signIn({ username, password: 'password123' })).status).toBe(200)
    expect((await signIn({ username, password: 'password124' })).status).toBe(401)
  })

  test('[G8] a password over 72 bytes is a 422 wherever one is given', async () => {
    const password = '비'.repeat(25)
    const detail = [
      {
        type: 'value_error',
        loc: ['body', 'password'],
        msg: 'Value error, password cannot be longer than 72 bytes',
        input: password,
      },
    ]
    expect(await register('long', { password })).toMatchObject({ status: 422, body: { detail } })
    expect(await signIn({ username: 'testuser', password })).toMatchObject({ status: 422, body: { detail } })
    const token = await guild.tokenFor(newName())
    expect(await call('PUT /users/me', { token, body: { password } })).toMatchObject({ status: 422, body: { detail } })
    expect(await register('just-right', { password: '비'.repeat(24) })).toMatchObject({ status: 201 })
  })

  test('[G3] PUT /users/me changes what is given; null and absent stay', async () => {
    await register('changer')
    const token = await guild.tokenFor('nobody')
    const own = (await signIn({ username: 'changer', password: 'password123' })).body.access_token as string
    const fields = { display_name: '바꿈', bio: '안녕하세요', avatar_url: 'https://example.com/a.png' }
    expect(await call('PUT /users/me', { token: own, body: fields })).toMatchObject({ status: 200, body: fields })
    const nulls = { display_name: null, bio: null, avatar_url: null, password: null }
    expect((await call('PUT /users/me', { token: own, body: nulls })).body).toMatchObject(fields)
    expect((await call('PUT /users/me', { token: own, body: {} })).body).toMatchObject(fields)
    expect((await call('PUT /users/me', { token: own, body: { display_name: '' } })).body.display_name).toBe('changer')
    await call('PUT /users/me', { token: own, body: { password: 'another password' } })
    expect((await signIn({ username: 'changer', password: 'password123' })).status).toBe(401)
    expect((await signIn({ username: 'changer', password: 'another password' })).status).toBe(200)
    expect((await call('GET /users/me', { token })).body.bio).toBeNull()
  })

  test("[G2] anyone's profile may be read; an unknown one is a 404", async () => {
    const [token, other] = [await guild.tokenFor(newName()), await guild.tokenFor(newName())]
    const { body } = await call('GET /users/me', { token: other })
    expect((await call(`GET /users/${body.id}`, { token })).body).toEqual(body)
    expect(await call('GET /users/999999', { token })).toMatchObject({ status: 404, body: { detail: 'User not found' } })
  })

  test('[A9] registering can be closed', async () => {
    const closed = await openGuild({ env: { REGISTRATION: 'off' } })
    const body = { username: 'late', email: 'late@example.com', password: 'password123' }
    expect(await closed.call('POST /auth/register', { body })).toMatchObject({
      status: 403,
      body: { detail: 'Registration is closed' },
    })
    await closed.server.stop()
  })

  test('[A12] logins are limited by address and by name, registrations by address', async () => {
    const limited = await openGuild({ env: { LIMIT_LOGIN: '2/3600', LIMIT_REGISTER: '1/3600' } })
    const body = { username: 'quick', email: 'quick@example.com', password: 'password123' }
    expect((await limited.call('POST /auth/register', { body })).status).toBe(201)
    const refused = await limited.call('POST /auth/register', { body })
    expect(refused).toMatchObject({ status: 429, body: { detail: 'Too many requests' } })
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    const form = { body: 'username=quick&password=wrong', headers: { 'content-type': 'application/x-www-form-urlencoded' } }
    const statuses = []
    for (let attempt = 0; attempt < 3; attempt++) statuses.push((await limited.call('POST /auth/login', form)).status)
    expect(statuses).toEqual([401, 401, 429])
    await limited.server.stop()
  })

  test('[A12] at most two passwords are hashed at once, and a few wait; the others get a 429 at once', async () => {
    const forms = Array.from({ length: 60 }, () => signIn({ username: 'nobody', password: 'wrong' }))
    const statuses = (await Promise.all(forms)).map(({ status }) => status)
    expect(new Set(statuses)).toEqual(new Set([401, 429]))
  })
})
