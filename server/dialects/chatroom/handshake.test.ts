/** Who is let in at `/chat` (C2, A5, A9, A12), byte for byte as the contract prints it. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import jwt from 'jsonwebtoken'
import { fastClock } from '../../../test/chat.ts'
import { done, signToken } from '../../../test/clients.ts'
import { testSecret, testServiceKey } from '../../../test/harness.ts'
import { bodyOf, exchange, openRaw, statusOf, upgradeRequest } from '../../http/raw-client.fixture.ts'
import { asHost, type Person } from './chatroom.fixture.ts'
import { openLive, type Live } from './live.fixture.ts'

let live: Live
let ann: Person

beforeAll(async () => {
  live = await openLive({ clock: fastClock, isProduction: true, env: { COOKIE_ORIGINS: 'https://chat.example' } })
  ;[ann] = (await live.signedIn('ann')) as [Person]
})
afterAll(() => live.stop())

const printed = '{"error": "invalid_token", "message": "JWT token is invalid"}'
const cookie = (token: string) => ({ Cookie: `theme=dark; jwt_token=${token}; lang=ko` })

describe('the handshake', () => {
  test('[C2] with a good cookie among others is answered as the contract prints it', async () => {
    const raw = await openRaw(live.server.port)
    const lines = [
      'GET /chat HTTP/1.1',
      'Host: chat-service:8080',
      'Upgrade: websocket',
      'Connection: Upgrade',
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
      'Sec-WebSocket-Version: 13',
      `Cookie: jwt_token=${ann.token}`,
    ]
    raw.send(`${lines.join('\r\n')}\r\n\r\n`)
    // A first ping may stand behind it.
    const answer = await raw.until('\r\n\r\n')
    expect(answer.slice(0, answer.indexOf('\r\n\r\n') + 4)).toBe(
      [
        'HTTP/1.1 101 Switching Protocols',
        'Upgrade: websocket',
        'Connection: Upgrade',
        'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=',
        '\r\n',
      ].join('\r\n'),
    )
    raw.socket.destroy()
  })

  const sign = (claims: object, secret = testSecret, options: jwt.SignOptions = {}) =>
    jwt.sign(claims, secret, { algorithm: 'HS256', expiresIn: 600, ...options })
  const unsigned = (claims: object) => {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    return `${part({ alg: 'none', typ: 'JWT' })}.${part(claims)}.`
  }

  test.each<[string, () => Promise<string> | string]>([
    ['no token', () => ''],
    ['garbage', () => 'garbage'],
    ['the token cut', () => ann.token.slice(0, -4)],
    ['a forged signature', () => sign({ username: 'ann' }, 'another-secret-of-somebody-else-0123456789')],
    ['another key under the same name', () => `${ann.token.split('.').slice(0, 2).join('.')}.${'A'.repeat(43)}`],
    ['alg=none', () => unsigned({ username: 'ann', exp: 4_000_000_000 })],
    ['another algorithm', () => sign({ username: 'ann' }, testSecret, { algorithm: 'HS512' })],
    ['an expired token', () => sign({ username: 'ann' }, testSecret, { expiresIn: -10 })],
    ['a token without exp', () => jwt.sign({ username: 'ann' }, testSecret)],
    ['a visitor’s token', () => sign({ username: 'ann', projectId: 'shop' })],
    ['a good token that nobody entered into the registry', () => signToken({ username: 'ann' })],
    ['a service key as cookie', () => testServiceKey],
  ])('[C2] with %s is the documented 401, byte for byte', async (_, tokenOf) => {
    const answer = await exchange(live.server.port, upgradeRequest('/chat', cookie(await tokenOf())))
    expect(answer.split('\r\n')[0]).toBe('HTTP/1.1 401 Unauthorized')
    expect(bodyOf(answer)).toBe(printed)
    expect(answer).toContain('content-type: application/json')
  })

  test('[C2] with a service key as bearer is a 401: a token and nothing else lets in', async () => {
    const reply = await live.refuse('/chat', { ...asHost, 'x-user-id': 'ann' })
    expect([reply.status, reply.text]).toEqual([401, printed])
  })

  test('[A9] takes a bearer before ?token= before the cookies, its own first, and the first found decides', async () => {
    const [bad, good] = ['bad', ann.token]
    const statusWith = async (query: string, headers: Record<string, string>) => {
      const raw = await openRaw(live.server.port)
      raw.send(upgradeRequest(`/chat${query}`, headers))
      const answer = await raw.until('\r\n\r\n')
      raw.socket.destroy()
      return statusOf(answer)
    }
    const bearer = (token: string) => ({ Authorization: `Bearer ${token}` })
    expect(await statusWith(`?token=${bad}`, { ...bearer(good), ...cookie(bad) })).toBe(101)
    expect(await statusWith(`?token=${good}`, { ...bearer(bad), ...cookie(good) })).toBe(401)
    expect(await statusWith(`?token=${good}`, cookie(bad))).toBe(101)
    expect(await statusWith(`?token=${bad}`, cookie(good))).toBe(401)
    expect(await statusWith('', { Cookie: `auth-token=${bad}; jwt_token=${good}` })).toBe(101)
    expect(await statusWith('', { Cookie: `auth-token=${good}; jwt_token=${bad}` })).toBe(401)
    expect(await statusWith('', { Cookie: `auth-token=${good}` })).toBe(101)
  })

  test.each([
    ['https://evil.example', 401],
    ['null', 401],
    ['https://chat.example', 101],
    ['http://localhost', 101],
    ['http://localhost:3000', 401],
  ])('[A5] from a page of %s the cookie gives %i', async (origin, status) => {
    const raw = await openRaw(live.server.port)
    raw.send(upgradeRequest('/chat', { ...cookie(ann.token), Origin: origin }))
    expect(statusOf(await raw.until('\r\n\r\n'))).toBe(status)
    raw.socket.destroy()
  })

  test('[A3] a plain GET is a 426, another method a 405, a bad handshake a 400, in this door’s shape', async () => {
    const place = `${live.server.url}/chat`
    const answers = [await fetch(place), await fetch(place, { method: 'POST' })]
    expect(answers.map(({ status }) => status)).toEqual([426, 405])
    for (const answer of answers) {
      expect(await answer.json()).toEqual({ error: expect.any(String) as string, message: expect.any(String) as string })
    }
    const bad = await exchange(live.server.port, upgradeRequest('/chat', { 'Sec-WebSocket-Key': 'short' }))
    expect([statusOf(bad), JSON.parse(bodyOf(bad))]).toEqual([400, { error: 'bad_request', message: 'Bad request' }])
  })

  test('[A6] a token is in no line of the log', async () => {
    await live.refuse(`/chat?token=${await signToken({ username: 'ann' })}`)
    expect(live.server.logged.join('\n')).not.toContain('eyJ')
  })
})

describe('endings', () => {
  async function expectRelogin(end: (token: string) => Promise<unknown>, lifetimeS = 600): Promise<void> {
    const token = await signToken({ username: 'ann' }, lifetimeS)
    await live.done('POST /api/auth/tokens', asHost, { token })
    const [client, other] = [await live.open({ ...ann, token }), await live.open(ann)]
    await end(token)
    expect(await client.closed()).toMatchObject({ code: 4001 })
    expect(client.frames.at(-1)).toEqual({ type: 'relogin_required', roomId: null })
    await other.settled()
    expect([other.closedWith, other.frames]).toEqual([null, []])
    await other.close()
  }

  test('[C2] a token that a host ends closes its sockets with 4001, after a frame that asks for a new login', async () => {
    await expectRelogin((token) => live.done('DELETE /api/auth/tokens', asHost, { token }))
  })

  test('[C2][A10] so does signing out', async () => {
    const signOut = (token: string) => done(live.server, 'POST /api/auth/logout', undefined, { authorization: `Bearer ${token}` })
    await expectRelogin(signOut)
  })

  test('[C2][A15] so does its exp', async () => {
    // Its timer runs twenty times as fast as the clock that judges a token at the handshake.
    await expectRelogin(async () => {}, 20)
  })

  test('[A15] so does deactivating the account', async () => {
    const [dan] = await live.signedIn('dan')
    const client = await live.open(dan!)
    await done(live.server, `PUT /api/users/${dan!.id}`, { is_active: false }, asHost)
    expect(await client.closed()).toMatchObject({ code: 4001 })
    expect((await live.refuse('/chat', { cookie: `jwt_token=${dan!.token}` })).text).toBe(printed)
  })
})

test('[A12] who connects too often gets a 429 with Retry-After in this door’s shape', async () => {
  const own = await openLive({ clock: fastClock, isProduction: true, env: { LIMIT_CONNECTS: '2/60' } })
  const [bob] = await own.signedIn('bob')
  for (let nth = 0; nth < 2; nth++) await own.open(bob!)
  const reply = await own.refuse('/chat', { cookie: `jwt_token=${bob!.token}` })
  expect([reply.status, reply.body.error]).toEqual([429, 'too_many'])
  expect(Number(reply.headers.get('retry-after'))).toBeGreaterThan(0)
  await own.stop()
})

test('[A12] frames over the limit wait, and none is lost', async () => {
  const own = await openLive({ clock: fastClock, isProduction: true, env: { LIMIT_SENDS: '5/2' } })
  const [bob, cho] = await own.signedIn('bob', 'cho')
  const roomId = await own.room([bob!, cho!])
  const client = await own.open(bob!)
  await own.connect(roomId, bob!)
  const texts = Array.from({ length: 12 }, (_, nth) => `${nth}`)
  for (const text of texts) client.send(text)
  await client.have('message', 12)
  expect(client.textsIn(roomId)).toEqual(texts)
  await own.stop()
})
