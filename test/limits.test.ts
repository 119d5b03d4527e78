/** A12: rates are limited, a refusal says when to come back, and a socket's frames wait. */
import { describe, expect, it, onTestFinished } from 'vitest'
import { until } from './chat.ts'
import {
  addressOf,
  asHost,
  call,
  enrollAll,
  feedHistory,
  makeChannel,
  open,
  post,
  refusal,
  rooms,
  type Door,
  type Person,
  type Reply,
} from './clients.ts'
import { startServer, type TestServer } from './harness.ts'

const proxied = { TRUSTED_PROXIES: '127.0.0.1' }

async function start(env: Record<string, string>, isProduction = true): Promise<TestServer> {
  const server = await startServer({ isProduction, env })
  onTestFinished(() => server.stop())
  return server
}

async function startYard(env: Record<string, string>): Promise<{ server: TestServer; roomId: number; ann: Person; bob: Person }> {
  const server = await start(env)
  const [ann, bob] = (await enrollAll(server, 'person', 2)) as [Person, Person]
  const { roomId } = await makeChannel(server, [ann, bob])
  return { server, roomId, ann, bob }
}

function expectRefused({ status, headers, body }: Reply, door: Door): void {
  expect(status).toBe(429)
  expect(Number(headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
  expect(body).toEqual(door === 'feed' ? { success: false, error: expect.any(String) } : { detail: expect.any(String) })
}

const from = (address: string) => ({ 'x-forwarded-for': address })
const form = { 'content-type': 'application/x-www-form-urlencoded' }
const login = (server: TestServer, username: string, address: string) =>
  call(server, 'POST /auth/login', `username=${username}&password=wrong`, { ...form, ...from(address) })
const register = (server: TestServer, username: string, address: string) =>
  call(server, 'POST /auth/register', { username, email: `${username}@example.com`, password: 'password123' }, from(address))

describe('limits on rates', () => {
  it('[A12] login is limited by address and by username', async () => {
    const server = await start({ ...proxied, LIMIT_LOGIN: '2/600' })
    for (const name of ['a', 'b']) expect((await login(server, name, '10.0.0.1')).status).toBe(401)
    expectRefused(await login(server, 'c', '10.0.0.1'), 'guild')
    expect((await login(server, 'd', '10.0.0.2')).status).toBe(401)
    expect((await login(server, 'd', '10.0.0.3')).status).toBe(401)
    expectRefused(await login(server, 'd', '10.0.0.4'), 'guild')
  })

  it('[A12] register is limited by address', async () => {
    const server = await start({ ...proxied, LIMIT_REGISTER: '2/600' })
    for (const name of ['a', 'b']) expect((await register(server, name, '10.0.0.1')).status).toBe(201)
    expectRefused(await register(server, 'c', '10.0.0.1'), 'guild')
    expect((await register(server, 'c', '10.0.0.2')).status).toBe(201)
  })

  it('[A12] X-Forwarded-For of one who is no trusted proxy counts for nothing', async () => {
    const server = await start({ LIMIT_LOGIN: '2/600' })
    for (const address of ['10.0.0.1', '10.0.0.2']) expect((await login(server, address, address)).status).toBe(401)
    expectRefused(await login(server, 'x', '10.0.0.3'), 'guild')
  })

  it('[A12] sends count frames and requests alike, each user for himself', async () => {
    const { server, roomId, ann, bob } = await startYard({ ...proxied, LIMIT_SENDS: '4/600' })
    const client = await open(server, ['guild', roomId], ann)
    for (const text of ['one', 'two']) client.socket.send(text)
    await until('both', () => client.seen.length === 2)
    for (const text of ['3', '4']) expect((await post(server, roomId, ann, text)).status).toBe(201)
    expectRefused(await post(server, roomId, ann, '5'), 'feed')
    const bobs = { ...bob.bearer, ...from('10.0.0.9') }
    expect((await call(server, `POST ${rooms}/${roomId}/messages`, { user_id: bob.id, message: '5' }, bobs)).status).toBe(201)
    expect((await feedHistory(server, roomId, ann)).map(({ text }) => text)).toEqual(['one', 'two', '3', '4', '5'])
  })

  it('[A12] sends are limited by address too', async () => {
    const { server, roomId, ann, bob } = await startYard({ ...proxied, LIMIT_SENDS: '4/600' })
    const send = ({ id, bearer }: Person, address: string) =>
      call(server, `POST ${rooms}/${roomId}/messages`, { user_id: id, message: 'x' }, { ...bearer, ...from(address) })
    for (const author of [ann, bob, ann, bob]) expect((await send(author, '10.0.0.1')).status).toBe(201)
    expectRefused(await send(ann, '10.0.0.1'), 'feed')
    expect((await send(ann, '10.0.0.2')).status).toBe(201)
  })

  it.each<Door>(['feed', 'guild'])('[A12] connects at %s are limited by address and by user', async (door) => {
    const { server, roomId, ann, bob } = await startYard({ ...proxied, LIMIT_CONNECTS: '2/600' })
    const enter = async (person: Person, address: string) => {
      const refused = await refusal(addressOf(server, door, roomId, person), from(address)).catch((error: Error) => error)
      return refused instanceof Error ? refused.message : refused
    }
    expect(await enter(ann, '10.0.0.1')).toBe('was let in')
    expect(await enter(bob, '10.0.0.1')).toBe('was let in')
    expectRefused((await enter(bob, '10.0.0.1')) as Reply, door)
    expect(await enter(ann, '10.0.0.2')).toBe('was let in')
    expectRefused((await enter(ann, '10.0.0.3')) as Reply, door)
  })

  it('[A12] frames over the limit wait, in order, and none is dropped', async () => {
    const { server, roomId, ann } = await startYard({ LIMIT_SENDS: '5/1' })
    const client = await open(server, ['guild', roomId], ann)
    const texts = Array.from({ length: 15 }, (_, index) => `frame ${index + 1}`)
    for (const text of texts) client.socket.send(text)
    await until('all', () => client.seen.length === texts.length, 30_000)
    expect(client.seen.map(({ text }) => text)).toEqual(texts)
    expect(client.closedWith).toBe(null)
  })

  it.each<Door>(['feed', 'guild'])('[A12] a service key has no limits at %s', async (door) => {
    const tight = { LIMIT_SENDS: '1/600', LIMIT_CONNECTS: '1/600' }
    const { server, roomId, ann } = await startYard(tight)
    const asAnn = { ...asHost, 'x-user-id': String(ann.id) }
    for (let number = 1; number <= 5; number++) {
      const body = { user_id: ann.id, message: `${number}` }
      expect((await call(server, `POST ${rooms}/${roomId}/messages`, body, asHost)).status).toBe(201)
    }
    const path = door === 'feed' ? `/ws/chat/${roomId}?user_id=${ann.id}` : `/ws/${roomId}`
    for (let number = 1; number <= 3; number++) await expect(refusal(server.wsUrl + path, asAnn)).rejects.toThrow('was let in')
  })

  it('[A12] at most two password hashes at once and a short queue; the rest come back after a second, in development too', async () => {
    const server = await start({}, false)
    const replies = await Promise.all(Array.from({ length: 30 }, (_, index) => register(server, `user${index}`, '10.0.0.1')))
    const refused = replies.filter(({ status }) => status === 429)
    expect(replies.filter(({ status }) => status === 201).length + refused.length).toBe(30)
    expect(refused.length).toBeGreaterThan(0)
    for (const reply of refused) expect(reply.headers.get('retry-after')).toBe('1')
    for (const reply of refused) expectRefused(reply, 'guild')
  })
})
