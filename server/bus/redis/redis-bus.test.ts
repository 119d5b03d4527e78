import { createServer, type AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { until } from '../../../test/chat.ts'
import { commitOf, everyFact, listenOn, postAt, testBus } from '../bus.contract.ts'
import type { Bus } from '../bus.ts'
import { openRedisBus } from './redis-bus.ts'
import { openTcpProxy } from '../../../test/tcp-proxy.ts'
import { describeRedis, startRedis, type TestRedis } from './testing.ts'
import { decodeCommit, encodeCommit, encodePresence, readHead } from './wire.ts'

const opened: Bus[] = []
let notices: string[] = []

function open(url: string, how: { probeMs?: number } = {}): Bus {
  const bus = openRedisBus({ url, ...how, onNotice: (text) => notices.push(text) })
  opened.push(bus)
  return bus
}

afterEach(async () => {
  await Promise.all(opened.splice(0).map((bus) => bus.close()))
  notices = []
})

describeRedis('the bus over Redis', () => {
  let redis: TestRedis
  beforeAll(async () => {
    redis = await startRedis()
  })
  afterAll(() => redis.stop())

  testBus(() => open(redis.url))

  it('finds a Redis that was killed and started again, and says both once', async () => {
    const [one, two] = [await listenOn(open(redis.url)), await listenOn(open(redis.url))]
    await redis.kill()
    await until('the notices', () => notices.length === 2)
    for (let position = 1; position <= 1_000; position++) one.bus.publish(commitOf([postAt(position)]))
    await redis.start()
    await until('both lines', () => one.opened === 2 && two.opened === 2)
    one.bus.publish(commitOf([postAt(2_000)]))
    await until('a commit', () => two.commits.length > 0)
    // What was published while it was away is gone: the log has it.
    expect(two.heard).toEqual(['commit 2000'])
    expect(notices.toSorted()).toEqual([
      expect.stringMatching(/^Redis is away \(\w+\)/),
      expect.stringMatching(/^Redis is away \(\w+\)/),
      'Redis is there again',
      'Redis is there again',
    ])
  })

  it('drops what a paused Redis does not take, in bounded memory and without a wait, and goes on when it is back', async () => {
    const [one, two] = [await listenOn(open(redis.url)), await listenOn(open(redis.url))]
    const text = 'x'.repeat(10_000)
    const commits = Array.from({ length: 10_000 }, (_, nth) => commitOf([postAt(nth + 1, text)]))
    redis.pause()
    const before = process.memoryUsage()
    const start = performance.now()
    for (const commit of commits) {
      one.bus.publish(commit)
      if (commit.firstPosition % 100 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    const [tookMs, after] = [performance.now() - start, process.memoryUsage()]
    redis.resume()
    // 100 MB were published, of which 16 MiB may wait; the rest is the heap's own.
    expect(after.external + after.arrayBuffers - before.external - before.arrayBuffers).toBeLessThan(64 * 1024 * 1024)
    expect(tookMs).toBeLessThan(5_000)
    let position = 20_000
    await until('a commit that was published after it', () => {
      one.bus.publish(commitOf([postAt(++position)]))
      return two.commits.some(({ firstPosition }) => firstPosition > 20_000)
    })
    const positions = two.commits.map(({ firstPosition }) => firstPosition)
    expect(positions).toEqual(positions.toSorted((a, b) => a - b))
    expect(new Set(positions).size).toBe(positions.length)
    expect(positions.length).toBeLessThan(5_000)
  })

  it('does not let a paused Redis keep a stop for longer than a second or so', async () => {
    const one = await listenOn(open(redis.url))
    redis.pause()
    one.bus.publish(commitOf([postAt(1)]))
    const start = performance.now()
    await one.bus.close()
    redis.resume()
    expect(performance.now() - start).toBeLessThan(3_000)
  })

  it.each(['mute', 'freeze'] as const)('makes another connection where a network does this to it: %s', async (weather) => {
    const proxy = await openTcpProxy(redis.port)
    const [one, two] = [
      await listenOn(open(redis.url)),
      await listenOn(open(redis.url.replace(/\d+$/, `${proxy.port}`), { probeMs: 250 })),
    ]
    proxy.set(weather)
    await until('the notice', () => notices.length === 1)
    proxy.set('fine')
    await until('another connection', () => two.opened === 2)
    one.bus.publish(commitOf([postAt(1)]))
    await until('it', () => two.commits.length === 1)
    expect(notices).toEqual(['Redis is away (silent): what other nodes do shows later', 'Redis is there again'])
    await proxy.close()
  })

  it('loses nothing when Redis is emptied', async () => {
    const [one, two] = [await listenOn(open(redis.url)), await listenOn(open(redis.url))]
    one.bus.publish(commitOf([postAt(1)]))
    await redis.command('FLUSHALL')
    one.bus.publish(commitOf([postAt(2)]))
    await until('both', () => two.commits.length === 2)
    expect([two.opened, notices]).toEqual([1, []])
  })

  it('passes over what is not of its format, and says of what it cannot read nothing but that', async () => {
    const two = await listenOn(open(redis.url))
    const sound = encodeCommit('abcdefabcdef', commitOf([postAt(1, 'a secret')]))
    const channel = 'madang:x7k2p9qa'
    const otherVersion = Buffer.from(sound.toString().replace(/^1/, '2').replace('a secret', 'another'))
    for (const payload of [otherVersion, Buffer.alloc(0), Buffer.from([255, 0, 1]), Buffer.from('1abcdefabcdefz{}')])
      await redis.command('PUBLISH', channel, payload)
    for (const body of [
      '',
      '{',
      'null',
      '{}',
      '{"facts":[]}',
      '{"journal":1,"firstPosition":"a","lastPosition":2,"after":[],"facts":[]}',
      '{"facts":[3]}',
    ])
      await redis.command('PUBLISH', channel, `1abcdefabcdefc${body}`)
    for (const body of ['null', '{"kind":"whole","number":1}']) await redis.command('PUBLISH', channel, `1abcdefabcdefp${body}`)
    await redis.command('PUBLISH', channel, sound.subarray(0, sound.byteLength - 5))
    await redis.command('PUBLISH', channel, sound)
    await until('the sound one', () => two.commits.length > 0)
    expect(two.commits).toEqual([commitOf([postAt(1, 'a secret')])])
    expect(notices).toEqual(['a message on the bus cannot be read; what it told is read from storage'])
  })

  it('[A6] says without the password why Redis refuses it, and goes on trying', async () => {
    const refused = open(`redis://:wrong-password@127.0.0.1:${redis.port}`)
    refused.listen('x', { onOpen() {}, onCommit() {}, onPresence() {} })
    await until('a notice', () => notices.length > 0)
    expect(notices).toEqual(['Redis is away (WRONGPASS): what other nodes do shows later'])
  })
})

describe('the bus over a Redis that', () => {
  it('is not there is closed at once, and costs nothing meanwhile', async () => {
    const bus = open('redis://127.0.0.1:1')
    bus.listen('x', { onOpen() {}, onCommit() {}, onPresence() {} })
    await until('a notice', () => notices.length === 1)
    const commit = commitOf(Array.from({ length: 1_000 }, (_, nth) => postAt(nth + 1)))
    const start = performance.now()
    for (let nth = 0; nth < 5_000; nth++) bus.publish(commit)
    await bus.close()
    expect(performance.now() - start).toBeLessThan(1_500)
    expect(notices).toEqual(['Redis is away (ECONNREFUSED): what other nodes do shows later'])
  })

  it('ends every link is sought again and again, and that is said once', async () => {
    let links = 0
    const server = createServer((link) => {
      links += 1
      link.destroy()
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const bus = open(`redis://127.0.0.1:${(server.address() as AddressInfo).port}`)
    bus.listen('x', { onOpen() {}, onCommit() {}, onPresence() {} })
    await until('four links', () => links === 4)
    expect(notices).toHaveLength(1)
    server.close()
  })
})

describe('what goes over Redis', () => {
  it('is told by its head, and takes a third of the room that its facts take as they are', () => {
    const commit = commitOf(Array.from({ length: 100 }, (_, nth) => postAt(nth + 1)))
    const payload = encodeCommit('0123456789ab', commit)
    expect(readHead(payload)).toEqual({ node: '0123456789ab', kind: 'commit' })
    expect(readHead(encodePresence('0123456789ab', { kind: 'end' }))).toEqual({ node: '0123456789ab', kind: 'presence' })
    expect(payload.byteLength).toBeLessThan(JSON.stringify(commit).length / 3)
  })

  it('leaves out the accounts that the tail put into the facts: each node has its own view of them', () => {
    const facts = everyFact()
    const commit = structuredClone(commitOf(facts))
    for (const fact of facts)
      Object.assign(fact, { user: { email: 'kim@example.com' }, invitation: { inviter: null, invited: [] } })
    expect(decodeCommit(encodeCommit('0123456789ab', commitOf(facts)))).toEqual(commit)
    expect(encodeCommit('0123456789ab', commitOf(facts)).includes('kim')).toBe(false)
  })
})
