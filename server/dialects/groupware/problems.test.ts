/** Errors have this door's shape, whoever makes them (P2, A3); the fixture holds every one against it. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bodyOf, exchange } from '../../http/raw-client.fixture.ts'
import { asHost, openGroupware, type Credential, type Groupware, type Person } from './groupware.fixture.ts'

let door: Groupware
let ann: Person
let roomId: number

beforeAll(async () => {
  door = await openGroupware({ isProduction: true, env: { LIMIT_SENDS: 'off' } })
  const people = (await door.people('ann', 'bob')) as [Person, Person]
  ann = people[0]
  roomId = await door.group(people)
})
afterAll(() => door.stop())

describe('what the framework refuses', () => {
  test.each([
    '/api/chats/1',
    '/api/chats/1/nothing',
    '/api/auth',
    '/api/auth/nothing',
    '/api/org',
    '/api/departments/1',
    '/api/users/1/x',
  ])('[P2][A3] GET %s is a 404', async (path) => {
    const { status, body } = await door.call(`GET ${path}?token=secret`, ann.bearer)
    expect([status, body]).toEqual([
      404,
      { error: true, url: path, statusCode: 404, statusMessage: 'Not Found', message: '찾을 수 없습니다.' },
    ])
  })

  test.each([
    ['PUT /api/chats', 'GET, HEAD'],
    ['GET /api/chats/start', 'POST'],
    ['POST /api/chats/1/messages', 'GET, HEAD'],
    ['DELETE /api/auth/login', 'POST'],
    ['PATCH /api/users/1', 'PUT'],
    ['POST /api/org/tree', 'GET, HEAD'],
  ])('[A3] %s is a 405 with Allow: %s', async (route, allow) => {
    const { status, headers } = await door.call(route, ann.bearer)
    expect([status, headers.get('allow')]).toEqual([405, allow])
  })

  test('[P2] broken JSON and broken UTF-8 are a 400, a body over 256 KiB a 413', async () => {
    const post = (body: unknown) => door.call(`POST /api/chats/${roomId}/message`, ann.bearer, body)
    expect((await post('{"content":')).status).toBe(400)
    expect((await post(Uint8Array.from([0x7b, 0x22, 0xff, 0x22, 0x7d]))).status).toBe(400)
    expect((await post(JSON.stringify({ content: 'x'.repeat(300_000) }))).status).toBe(413)
  })

  test('[P2] the reason phrase is ASCII, on the wire too', async () => {
    const answer = await exchange(door.server.port, 'GET /api/chats?x=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    expect(answer.split('\r\n', 1)[0]).toBe('HTTP/1.1 401 Unauthorized')
    expect(Buffer.from(bodyOf(answer), 'latin1').toString('utf8')).toContain('로그인이 필요합니다.')
  })
})

describe('what the door refuses', () => {
  test('[A8] a key comes with the same answer again, and with a 409 for another body', async () => {
    const key = { 'idempotency-key': 'once' }
    const [first, again] = [await door.send(roomId, ann, '한 번', key), await door.send(roomId, ann, '한 번', key)]
    expect(again).toEqual(first)
    const other = await door.call(`POST /api/chats/${roomId}/message`, ann.bearer, { content: '두 번' }, key)
    expect([other.status, other.body.message]).toEqual([409, '같은 Idempotency-Key로 다른 요청을 보냈습니다.'])
    const { data } = await door.done(`GET /api/chats/${roomId}/messages`, ann.bearer)
    expect(data).toHaveLength(1)
  })

  test('[A12] sends are limited, for a user and for an address, with Retry-After; a service key’s are not', async () => {
    const limited = await openGroupware({ isProduction: true, env: { LIMIT_SENDS: '2/60', TRUSTED_PROXIES: '127.0.0.1' } })
    const [kim, lee, cho] = (await limited.people('kim', 'lee', 'cho')) as [Person, Person, Person]
    const id = await limited.group([kim, lee, cho])
    const send = async (as: Credential, address: string) => {
      const reply = await limited.call(`POST /api/chats/${id}/message`, as, { content: '글' }, { 'x-forwarded-for': address })
      if (reply.status === 429) expect(Number(reply.headers.get('retry-after'))).toBeGreaterThan(0)
      return reply.status
    }
    const byUser = [await send(kim.bearer, '10.0.0.1'), await send(kim.bearer, '10.0.0.2'), await send(kim.bearer, '10.0.0.3')]
    expect(byUser).toEqual([200, 200, 429])
    const byAddress = [await send(lee.bearer, '10.1.0.1'), await send(cho.bearer, '10.1.0.1'), await send(lee.bearer, '10.1.0.1')]
    expect(byAddress).toEqual([200, 200, 429])
    const asKim = { ...asHost, 'x-user-id': String(kim.id) }
    for (let nth = 0; nth < 4; nth++) expect(await send(asKim, '10.2.0.1')).toBe(200)
    await limited.stop()
  })

  test('[P2] what is wrong is named', async () => {
    const { body } = await door.call('POST /api/chats/start', ann.bearer, { targetUserId: 'abc' })
    expect(body.message).toBe('요청 값이 올바르지 않습니다. (targetUserId)')
  })
})
