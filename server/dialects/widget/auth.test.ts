/** Who may come, who may join, and how a connection ends (W2, W6, A5, A12, A15). */
import jwt from 'jsonwebtoken'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { until } from '../../../test/chat.ts'
import { asHost, call, refusal, signToken } from '../../../test/clients.ts'
import { startServer, testSecret, type TestServer } from '../../../test/harness.ts'
import { createManualClock } from '../../../test/manual-clock.ts'
import { createLog } from '../../app/log.ts'
import { sha256Hex } from '../../http/tokens.ts'
import { openMemoryStorage } from '../../storage/memory/memory.ts'
import { withFaults } from '../../storage/faulty.ts'
import { closeGuests, enterGuest, openGuest, signGuest, type Guest } from './widget.fixture.ts'

const ownSecret = 'Ks8-only-the-shop-has-this-one-0123456789'
const polling = '/socket.io/?EIO=4&transport=polling'
const websocket = '/socket.io/?EIO=4&transport=websocket'
const origin = 'https://shop.test'

let server: TestServer
beforeAll(async () => {
  const env = { PROJECT_SECRETS: JSON.stringify({ shop: ownSecret }), ALLOWED_ORIGINS: `${origin},https://other.test` }
  server = await startServer({ isProduction: true, env: { ...env, LIMIT_CONNECTS: 'off', LIMIT_SENDS: 'off' } })
})
afterEach(() => {
  closeGuests()
  expect(server.logged).toEqual([])
})
afterAll(() => server.stop())

async function refused(guest: Guest): Promise<string> {
  await until('a refusal', () => guest.refusals.length > 0)
  expect([guest.socket.active, guest.connects]).toEqual([false, 0])
  return guest.refusals[0]!
}

describe('tokens', () => {
  const inAnHour = () => Math.floor(Date.now() / 1000) + 3600
  it.each<[what: string, words: string, token: unknown]>([
    ['none', 'token missing', ''],
    ['absent', 'token missing', undefined],
    ['a number', 'token missing', 5],
    ['garbage', 'token invalid', 'x.y.z'],
    ["another host's", 'token invalid', signGuest('Ann', 'x', {}, 'another secret')],
    ['unsigned', 'token invalid', jwt.sign({ username: 'Ann', projectId: 'x' }, null, { algorithm: 'none' })],
    ['HS512', 'token invalid', jwt.sign({ username: 'Ann', projectId: 'x' }, testSecret, { algorithm: 'HS512' })],
    ['not yet valid', 'token invalid', signGuest('Ann', 'x', { nbf: inAnHour() })],
    ['expired', 'token expired', signGuest('Ann', 'x', { exp: 1_700_000_000 })],
    ['without a project', 'token has no projectId', jwt.sign({ username: 'Ann' }, testSecret)],
    ['with a number for a project', 'token has no projectId', jwt.sign({ username: 'Ann', projectId: 5 }, testSecret)],
    ['without a name', 'token has no username', jwt.sign({ projectId: 'x' }, testSecret)],
    ['with a long name', 'username is too long or has control characters', signGuest('a'.repeat(101), 'x')],
    ['with a control character', 'projectId is too long or has control characters', signGuest('Ann', 'a\u0000')],
  ])('[W2] a token that is %s: "%s"', async (_what, words, token) => {
    expect(await refused(openGuest(server, '', { auth: { token } }))).toBe(words)
  })

  it("[A9] an account's token is refused here, and a guest's at the other doors", async () => {
    expect(await refused(openGuest(server, await signToken({ username: 'ann', id: 1 })))).toBe('token has no projectId')
    const bearer = { authorization: `Bearer ${signGuest('ann', 'x', { sub: 'ann', exp: inAnHour() })}` }
    for (const route of ['GET /users/me', 'GET /api/v1/chat/rooms', 'GET /api/chats']) {
      expect((await call(server, route, undefined, bearer)).status).toBe(401)
    }
  })

  it('[W6] a project with a secret of its own is opened by that one alone, and that one opens no other', async () => {
    expect(await refused(openGuest(server, signGuest('Ann', 'shop')))).toBe('token invalid')
    expect(await refused(openGuest(server, signGuest('Ann', 'blog', {}, ownSecret)))).toBe('token invalid')
    await enterGuest(server, signGuest('Ann', 'shop', {}, ownSecret))
    await enterGuest(server, signGuest('Ann', 'blog'))
    for (const [projectId, secret] of [
      ['shop', ownSecret],
      ['blog', testSecret],
    ] as const) {
      const { body } = await call(server, 'POST /api/generate-token', { username: 'Ann', projectId }, asHost)
      expect(jwt.verify(body.token, secret)).toMatchObject({ projectId })
    }
  })

  it('[W6] where * is listed, JWT_SECRET opens no project', async () => {
    const closed = await startServer({ env: { PROJECT_SECRETS: JSON.stringify({ shop: ownSecret, '*': '' }) } })
    expect(await refused(openGuest(closed, signGuest('Ann', 'blog')))).toBe('token invalid')
    expect(await refused(openGuest(closed, signGuest('Ann', '*')))).toBe('token invalid')
    expect((await call(closed, 'POST /api/generate-token', { username: 'Ann', projectId: 'blog' })).status).toBe(403)
    await enterGuest(closed, signGuest('Ann', 'shop', {}, ownSecret))
    closeGuests()
    await closed.stop()
  })

  it('[M3] production gives tokens and room numbers to a service key alone', async () => {
    for (const route of ['POST /api/generate-token', 'GET /api/projects/x']) {
      const body = route.startsWith('POST') ? { username: 'Ann', projectId: 'x' } : undefined
      expect((await call(server, route, body)).status).toBe(401)
      expect((await call(server, route, body, { authorization: 'Bearer x' })).status).toBe(401)
      expect((await call(server, route, body, asHost)).status).toBe(200)
    }
  })

  it('[W2][A15] a revoked token ends its connection without a DISCONNECT, and is then refused', async () => {
    // A host's token has no jti: two for one name in one second are one.
    const token = signGuest('Revoked', 'x')
    const ann = await enterGuest(server, token)
    const reasons: string[] = []
    ann.socket.on('disconnect', (reason) => reasons.push(reason))
    await server.app.chat.accounts.revokeToken(sha256Hex(token), Date.now() + 3_600_000)
    await until('the refusal', () => ann.refusals.length > 0)
    expect([reasons, ann.refusals, ann.socket.active]).toEqual([['transport close'], ['token revoked'], false])
  })
})

describe('origins', () => {
  it('[A5][W6] a page of another origin than ALLOWED_ORIGINS gets no handshake, by polling and by WebSocket', async () => {
    for (const foreign of ['https://evil.test', 'null', 'http://shop.test']) {
      const answer = await call(server, `GET ${polling}`, undefined, { origin: foreign })
      expect([answer.status, answer.body, answer.headers.get('access-control-allow-origin')]).toEqual([
        403,
        { error: 'Not allowed' },
        null,
      ])
      expect((await refusal(server.wsUrl + websocket, { origin: foreign })).status).toBe(403)
    }
  })

  it('[A5] its own pages and the listed ones get it, and who names none', async () => {
    const own = server.url
    for (const headers of [{ origin }, { origin: own }, {}]) {
      expect((await call(server, `GET ${polling}`, undefined, headers)).status).toBe(200)
      await enterGuest(server, signGuest('Ann', 'x'), { by: 'websocket', headers })
    }
    const { headers } = await call(server, `GET ${polling}`, undefined, { origin })
    expect([headers.get('access-control-allow-origin'), headers.get('access-control-expose-headers')]).toEqual([
      origin,
      'Retry-After',
    ])
    expect(headers.get('access-control-allow-credentials')).toBeNull()
    const preflight = await call(server, 'OPTIONS /api/generate-token', undefined, {
      origin,
      'access-control-request-method': 'POST',
    })
    expect([preflight.status, preflight.headers.get('access-control-allow-origin')]).toEqual([204, origin])
  })

  it.each([
    ['sid=', 403],
    ['sid=x&sid=', 403],
    ['sid=&sid=x', 400],
  ])('[A5] a handshake does not pass for a known client with ?%s', async (query, status) => {
    expect((await refusal(`${server.wsUrl}${websocket}&${query}`, { origin: 'https://evil.test' })).status).toBe(status)
  })
})

describe('what may pass', () => {
  it('[W2][A12] too many connects are a 429 with Retry-After before socket.io, and stock clients come in later', async () => {
    const clock = createManualClock()
    const limited = await startServer({ clock, env: { LIMIT_CONNECTS: '2/1' } })
    for (let nth = 0; nth < 2; nth++) expect((await call(limited, `GET ${polling}`)).status).toBe(200)
    const answers = [await call(limited, `GET ${polling}`), await refusal(limited.wsUrl + websocket)]
    for (const answer of answers) {
      expect([answer.status, answer.headers.get('retry-after'), answer.body]).toEqual([429, '1', { error: 'Too many requests' }])
    }
    const guest = openGuest(limited, signGuest('Ann', 'x'))
    let failures = 0
    guest.socket.io.on('error', () => void failures++)
    await until('a 429', () => failures > 0)
    await clock.advance(1_000)
    await guest.have(1)
    closeGuests()
    await limited.stop()
  })

  it('[W2] while the database is away a handshake is a 503 with Retry-After, and a client that had come comes back', async () => {
    const faulty = withFaults(openMemoryStorage())
    const away = await startServer({ storage: faulty.storage })
    faulty.setAway(true)
    const guest = openGuest(away, signGuest('Ann', 'x'))
    const answers = [await call(away, `GET ${polling}`), await refusal(away.wsUrl + websocket)]
    for (const answer of answers) {
      expect([answer.status, answer.headers.get('retry-after'), Object.keys(answer.body)]).toEqual([503, '1', ['error']])
    }
    faulty.setAway(false)
    await guest.have(1)
    closeGuests()
    await away.stop()
  })

  it('[W2][A15] a message that cannot be stored ends the connection; the client comes back', async () => {
    const faulty = withFaults(openMemoryStorage())
    const away = await startServer({ storage: faulty.storage })
    const ann = await enterGuest(away, signGuest('Ann', 'x'), { since: 0 })
    faulty.failEntries('rejected', (entry) => entry.kind === 'post' && entry.content === 'bad')
    expect(await ann.send('bad')).toEqual({ error: expect.any(String) })
    faulty.failEntries('unavailable', (entry) => entry.kind === 'post')
    const lost = ann.send('lost')
    expect(await lost).toEqual({ error: expect.any(String) })
    faulty.failEntries('unavailable', () => false)
    await until('coming back', () => ann.connects === 2)
    await ann.send('again')
    expect(ann.contents()).toEqual(['again'])
    closeGuests()
    await away.stop()
  })

  it('[W2] at a stop clients are closed without a DISCONNECT, by every transport, and quickly', async () => {
    const stopping = await startServer()
    const guests = [
      await enterGuest(stopping, signGuest('Ann', 'x'), { by: 'polling' }),
      await enterGuest(stopping, signGuest('Ann', 'x')),
    ]
    const reasons: string[] = []
    for (const { socket } of guests) socket.on('disconnect', (reason) => reasons.push(reason))
    await stopping.stop()
    await until('the ends', () => reasons.length === 2)
    expect(guests.map(({ socket }) => socket.active)).toEqual([true, true])
    expect(reasons.every((reason) => reason.startsWith('transport'))).toBe(true)
  })
})

describe('the log', () => {
  it('[A15] tells of faults in storing and reading, and names a guest as the other doors do', async () => {
    const storage = openMemoryStorage()
    const lines: unknown[] = []
    const log = createLog('error', (_level, text, about) => void lines.push([text, about?.userId, about?.error instanceof Error]))
    const logged = await startServer({ storage, log })
    const token = signGuest('Ann', 'x')
    const ann = await enterGuest(logged, token)
    const { id } = await ann.send('once', { key: 'k' })
    const fail = async () => {
      throw new TypeError('a fault, for a test')
    }
    storage.log.listMessagesBelow = fail
    expect(await ann.ask('older', { before: id })).toEqual({ error: 'The messages could not be read' })
    storage.log.findMessageAt = fail
    expect(await ann.send('once', { key: 'k' })).toEqual({ error: 'The message was not stored' })
    await logged.app.chat.accounts.revokeToken(sha256Hex(token), Date.now() + 3_600_000)
    await until('the refusal', () => ann.refusals.length > 0)
    expect(lines).toEqual(
      ['Older messages could not be read.', 'A message could not be stored.', 'Authentication failed.'].map((text) => [
        ...[text, 'guest:x:Ann', true],
      ]),
    )
    closeGuests()
    await logged.stop()
  })
})

describe('the end of a token', () => {
  it('[W2] ends the connection at its exp, not before, without a DISCONNECT; without exp it goes on', async () => {
    const clock = createManualClock()
    const timed = await startServer({ clock })
    const ann = await enterGuest(timed, signGuest('Ann', 'x', { exp: Math.floor(clock.now() / 1000) + 10 }))
    const eve = await enterGuest(timed, signGuest('Eve', 'x'))
    const reasons: string[] = []
    ann.socket.on('disconnect', (reason) => reasons.push(reason))
    await clock.advance(9_000)
    await ann.settled()
    expect(reasons).toEqual([])
    await clock.advance(1_000)
    await until('the end', () => ann.refusals.length > 0)
    expect([reasons, ann.refusals]).toEqual([['transport close'], ['token expired']])
    await eve.settled()
    closeGuests()
    await timed.stop()
  })

  it('[W2] may be further away than a timer reaches', async () => {
    const warnings: string[] = []
    const note = ({ name }: Error) => void warnings.push(name)
    process.on('warning', note)
    const ann = await enterGuest(server, signGuest('Ann', 'x', { exp: Math.floor(Date.now() / 1000) + 365 * 24 * 3600 }))
    for (let nth = 0; nth < 5; nth++) await ann.settled()
    process.off('warning', note)
    expect([ann.connects, warnings]).toEqual([1, []])
  })
})
