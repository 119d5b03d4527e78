/** Servers, channels and messages over REST, and who calls, over a real server. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { testServiceKey } from '../../../test/harness.ts'
import { newName, openGuild, type Guild } from './guild.fixture.ts'

let guild: Guild
let call: Guild['call']

beforeAll(async () => {
  guild = await openGuild()
  call = guild.call
})
afterAll(() => guild.server.stop())

const serverKeys = ['id', 'name', 'description', 'icon_url', 'owner_id', 'created_at', 'updated_at']
const channelKeys = ['id', 'name', 'description', 'server_id', 'created_at', 'updated_at']

describe('servers', () => {
  test('[G6] both /servers/ and /servers answer, without a redirect, and so do the channels', async () => {
    const token = await guild.tokenFor(newName())
    for (const path of ['/servers/', '/servers']) {
      const { status, body } = await call(`POST ${path}`, { token, body: { name: 'My Server', description: 'My first server' } })
      expect(status).toBe(201)
      expect(Object.keys(body)).toEqual(serverKeys)
      expect(body).toMatchObject({ name: 'My Server', description: 'My first server', icon_url: null })
      expect(
        (await call(`POST /channels${path.endsWith('/') ? '/' : ''}`, { token, body: { name: 'c', server_id: body.id } })).status,
      ).toBe(201)
    }
    const [slash, bare] = [await call('GET /servers/', { token }), await call('GET /servers', { token })]
    expect(slash.body).toHaveLength(2)
    expect(bare.text).toBe(slash.text)
  })

  test('[G3] the detail has the channels; join answers with the server, leave and delete with nothing', async () => {
    const { serverId, channelId, owner } = await guild.makeChannel()
    const detail = await call(`GET /servers/${serverId}`, { token: owner })
    expect(Object.keys(detail.body)).toEqual([...serverKeys, 'channels'])
    expect(Object.keys(detail.body.channels[0])).toEqual(channelKeys)
    expect(detail.body.channels).toMatchObject([{ id: channelId, server_id: serverId, name: 'general' }])
    const token = await guild.tokenFor(newName())
    const joined = await call(`POST /servers/${serverId}/join`, { token })
    expect(joined.status).toBe(200)
    expect(Object.keys(joined.body)).toEqual(serverKeys)
    expect(await call(`POST /servers/${serverId}/leave`, { token })).toMatchObject({ status: 204, text: '' })
    expect(await call(`DELETE /servers/${serverId}`, { token: owner })).toMatchObject({ status: 204, text: '' })
    expect(await call(`GET /channels/${channelId}`, { token: owner })).toMatchObject({
      status: 404,
      body: { detail: 'Channel not found' },
    })
  })

  test('[G3] PUT leaves absent and null fields alone', async () => {
    const { serverId, channelId, owner } = await guild.makeChannel()
    const fields = { name: 'renamed', description: 'what it is', icon_url: '/i.png' }
    expect(await call(`PUT /servers/${serverId}`, { token: owner, body: fields })).toMatchObject({ status: 200, body: fields })
    expect((await call(`PUT /servers/${serverId}`, { token: owner, body: { name: null, icon_url: null } })).body).toMatchObject(
      fields,
    )
    const texts = { name: '잡담', description: '무엇이든' }
    expect((await call(`PUT /channels/${channelId}`, { token: owner, body: texts })).body).toMatchObject(texts)
    expect((await call(`PUT /channels/${channelId}`, { token: owner, body: { name: null } })).body).toMatchObject(texts)
    expect((await call(`PUT /channels/${channelId}`, { token: owner, body: { name: 'x' } })).body).toMatchObject({
      name: 'x',
      description: '무엇이든',
    })
  })

  test('[G2] first the 404, then the owner rules, then the membership', async () => {
    const { serverId, channelId, owner, member } = await guild.makeChannel()
    const stranger = await guild.tokenFor(newName())
    const body = { name: 'x', server_id: serverId }
    const table: [route: string, token: string, status: number, detail: string][] = [
      ['GET /servers/999', owner, 404, 'Server not found'],
      ['PUT /servers/999', owner, 404, 'Server not found'],
      ['DELETE /servers/999', owner, 404, 'Server not found'],
      ['POST /servers/999/join', owner, 404, 'Server not found'],
      ['POST /servers/999/leave', owner, 404, 'Server not found'],
      [`GET /servers/${serverId}`, stranger, 403, 'You are not a member of this server'],
      [`PUT /servers/${serverId}`, member, 403, 'Only the server owner can update the server'],
      [`PUT /servers/${serverId}`, stranger, 403, 'Only the server owner can update the server'],
      [`DELETE /servers/${serverId}`, member, 403, 'Only the server owner can delete the server'],
      [`POST /servers/${serverId}/join`, member, 400, 'You are already a member of this server'],
      [`POST /servers/${serverId}/join`, owner, 400, 'You are already a member of this server'],
      [`POST /servers/${serverId}/leave`, owner, 400, 'Server owner cannot leave. Transfer ownership or delete the server.'],
      [`POST /servers/${serverId}/leave`, stranger, 400, 'You are not a member of this server'],
      ['POST /channels/', member, 403, 'Only the server owner can create channels'],
      ['POST /channels/', stranger, 403, 'Only the server owner can create channels'],
      ['GET /channels/999', owner, 404, 'Channel not found'],
      ['PUT /channels/999', owner, 404, 'Channel not found'],
      ['DELETE /channels/999', owner, 404, 'Channel not found'],
      ['GET /channels/999/messages', owner, 404, 'Channel not found'],
      [`GET /channels/${channelId}`, stranger, 403, 'You are not a member of this server'],
      [`GET /channels/${channelId}/messages`, stranger, 403, 'You are not a member of this server'],
      [`PUT /channels/${channelId}`, member, 403, 'Only the server owner can update channels'],
      [`PUT /channels/${channelId}`, stranger, 403, 'Only the server owner can update channels'],
      [`DELETE /channels/${channelId}`, member, 403, 'Only the server owner can delete channels'],
    ]
    for (const [route, token, status, detail] of table) {
      const reply = await call(route, { token, ...(/^(PUT|POST \/channels)/.test(route) && { body }) })
      expect({ route, status: reply.status, body: reply.body }).toEqual({ route, status, body: { detail } })
    }
    const unknown = await call('POST /channels/', { token: owner, body: { name: 'x', server_id: 999 } })
    expect(unknown).toMatchObject({ status: 404, body: { detail: 'Server not found' } })
  })
})

describe('messages', () => {
  test('[G4] are newest first, 50 where no limit is given', async () => {
    const { channelId, owner } = await guild.makeChannel()
    const client = await guild.connect(channelId, owner)
    for (let number = 1; number <= 60; number++) client.send(`${number}`)
    await client.have(60)
    const { body } = await call(`GET /channels/${channelId}/messages`, { token: owner })
    expect(Object.keys(body[0])).toEqual([
      'id',
      'content',
      'channel_id',
      'author_id',
      'author_username',
      'created_at',
      'updated_at',
    ])
    expect(body.map((message: { content: string }) => Number(message.content))).toEqual(
      Array.from({ length: 50 }, (_, index) => 60 - index),
    )
    const page = await call(`GET /channels/${channelId}/messages?limit=2&offset=1`, { token: owner })
    expect(page.body.map((message: { content: string }) => message.content)).toEqual(['59', '58'])
    expect((await call(`GET /channels/${channelId}/messages?offset=60`, { token: owner })).body).toEqual([])
    expect(JSON.stringify(body[0])).toBe(JSON.stringify(client.frames.at(-1)))
  })

  test('[A14] a deleted message is in no list, an edited one shows its present text and when', async () => {
    const { channelId, owner } = await guild.makeChannel()
    const client = await guild.connect(channelId, owner)
    client.send('stays')
    client.send('goes')
    const [stays, goes] = await client.have(2)
    const { chat } = guild.server.app
    const author = await chat.accounts.get(stays!['author_id'] as number)
    await chat.messages.edit(author, channelId, stays!.id!, 'stays, edited')
    await chat.messages.remove(author, channelId, goes!.id!)
    const { body } = await call(`GET /channels/${channelId}/messages`, { token: owner })
    expect(body).toMatchObject([{ id: stays!.id, content: 'stays, edited', created_at: stays!['created_at'] }])
    await client.settled()
    expect(client.contents()).toEqual(['stays', 'goes'])
  })
})

describe('who calls', () => {
  test('[G1] all but register, login and the documents needs a token', async () => {
    const routes = [
      'GET /users/me',
      'PUT /users/me',
      'GET /users/1',
      'POST /servers/',
      'GET /servers',
      'GET /servers/1',
      'PUT /servers/1',
      'DELETE /servers/1',
    ]
    routes.push(
      'POST /servers/1/join',
      'POST /servers/1/leave',
      'POST /channels',
      'GET /channels/1',
      'PUT /channels/1',
      'DELETE /channels/1',
    )
    for (const route of [...routes, 'GET /channels/1/messages']) {
      for (const [token, detail] of [
        [undefined, 'Not authenticated'] as const,
        ['garbage', 'Could not validate credentials'] as const,
      ]) {
        const reply = await call(route, { ...(token && { token }), ...(route.startsWith('P') && { body: '{' }) })
        expect({ route, status: reply.status, body: reply.body }).toEqual({ route, status: 401, body: { detail } })
        expect(reply.headers.get('www-authenticate')).toBe('Bearer')
      }
    }
  })

  test('[M3] a service key acts for the user in X-User-Id; without one, where one is needed, it is a 401', async () => {
    const { serverId, owner } = await guild.makeChannel()
    const me = (await call('GET /users/me', { token: owner })).body
    const named = { 'x-user-id': String(me.id) }
    expect((await call('GET /users/me', { token: testServiceKey, headers: named })).body).toEqual(me)
    expect((await call('GET /servers/', { token: testServiceKey, headers: named })).body).toMatchObject([{ id: serverId }])
    expect(await call('GET /users/me', { token: testServiceKey })).toMatchObject({
      status: 401,
      body: { detail: 'Not authenticated' },
    })
    expect(await call('PUT /servers/' + serverId, { token: testServiceKey, body: { name: 'by the host' } })).toMatchObject({
      status: 200,
    })
    const bad = await call('GET /users/me', { token: testServiceKey, headers: { 'x-user-id': 'me' } })
    expect(bad).toMatchObject({
      status: 422,
      body: { detail: [{ type: 'int_parsing', loc: ['header', 'x-user-id'], input: 'me' }] },
    })
    expect((await call('GET /users/me', { token: testServiceKey, headers: { 'x-user-id': '0' } })).body).toEqual({
      detail: 'User not found',
    })
  })

  test('[A5] a cookie counts from the own origin and without one, and a bad one is a 401; a foreign origin may not use it', async () => {
    const cookie = `auth-token=${await guild.tokenFor(newName())}`
    expect((await call('GET /users/me', { headers: { cookie } })).status).toBe(200)
    expect((await call('GET /users/me', { headers: { cookie, origin: guild.server.url } })).status).toBe(200)
    expect((await call('GET /users/me', { headers: { cookie, origin: 'https://evil.example' } })).body).toEqual({
      detail: 'Not authenticated',
    })
    expect((await call('GET /users/me', { headers: { cookie: 'jwt_token=x' } })).body).toEqual({
      detail: 'Could not validate credentials',
    })
  })

  test('[A9][M2] a bearer header without a good token is a bad credential, whatever a cookie holds, in either mode', async () => {
    const cookie = `auth-token=${await guild.tokenFor(newName())}`
    const production = await openGuild({ isProduction: true })
    for (const authorization of ['Bearer', 'bearer ', 'Bearer nonsense', 'BEARER a b', 'Bearer:a.b.c']) {
      for (const mode of [guild, production]) {
        const { status, body } = await mode.call('GET /users/me', { headers: { authorization, cookie } })
        expect([authorization, status, body.detail]).toEqual([authorization, 401, 'Could not validate credentials'])
      }
    }
    await production.server.stop()
  })

  test('[A9] another scheme, as a proxy adds it, is no credential: the cookie decides', async () => {
    const headers = { authorization: 'Basic c3RhZ2luZzpwYXNz' }
    const cookie = `auth-token=${await guild.tokenFor(newName())}`
    expect((await call('GET /users/me', { headers: { ...headers, cookie } })).status).toBe(200)
    expect(await call('GET /users/me', { headers })).toMatchObject({ status: 401, body: { detail: 'Not authenticated' } })
  })

  test('[A5] a loopback page may use the cookie in development alone', async () => {
    const production = await openGuild({ isProduction: true })
    const sent = { headers: { cookie: `auth-token=${await guild.tokenFor(newName())}`, origin: 'http://localhost:5173' } }
    expect((await call('GET /users/me', sent)).status).toBe(200)
    expect((await production.call('GET /users/me', sent)).status).toBe(401)
    await production.server.stop()
  })

  test('[A5] any page may call, without credentials, and is told of the methods and headers', async () => {
    const { status, headers } = await call('OPTIONS /servers/1', {
      headers: { origin: 'https://shop.example', 'access-control-request-method': 'PUT' },
    })
    expect(status).toBe(204)
    expect(headers.get('access-control-allow-origin')).toBe('*')
    expect(headers.get('access-control-allow-credentials')).toBeNull()
    expect(headers.get('access-control-allow-methods')).toMatch(/PUT.*DELETE/)
    expect(headers.get('access-control-allow-headers')).toBe('Content-Type, Authorization, Idempotency-Key')
    const refused = await call('GET /users/me', { headers: { origin: 'https://shop.example' } })
    expect(refused.headers.get('access-control-expose-headers')).toContain('Retry-After')
  })
})
