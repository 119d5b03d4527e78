import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { EventSource } from 'eventsource'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { until } from '../../test/chat.ts'
import { createKeeper } from './keeper.ts'
import type { Keeper } from './keeper.ts'
import type { Outlet } from './pipe.ts'
import { openRaw } from './raw-client.fixture.ts'
import { createHttpServer } from './server.ts'
import type { HttpServer } from './server.ts'
import { createStreams } from './sse.ts'
import type { Streams } from './sse.ts'
import { createTestClock } from './test-clock.fixture.ts'
import type { TestClock } from './test-clock.fixture.ts'

let server: HttpServer
let clock: TestClock
let keeper: Keeper
let streams: Streams
let port: number
/** Paths, in order. */
let asked: string[]
let answerLate: (text: string) => void
/** What was opened, each with how often its end was told. */
let opened: { stream: Outlet; closed: number }[]

const budgetBytes = 256 * 1024

beforeEach(async () => {
  opened = []
  asked = []
  clock = createTestClock()
  keeper = createKeeper({ clock })
  server = createHttpServer()
  streams = createStreams({ keeper, budgetBytes, closeTimeoutMs: 100 })
  server.cors.register({ owns: () => true, origins: ['https://chat.example.com'], withCredentials: true })
  server.app.addHook('onRequest', async ({ url }) => void asked.push(url))
  server.app.get('/stream', async (_request, reply) => streams.open(reply, listen))
  const nothing = { ping: () => Buffer.alloc(0), onClose: () => {} }
  server.app.get('/silent', async (_request, reply) => streams.open(reply, () => nothing))
  server.app.get('/busy', async (_request, reply) => streams.turnAway(reply, 7_000))
  const late = new Promise<string>((resolve) => (answerLate = resolve))
  server.app.get('/late', () => late)
  server.app.get('/slow', () => new Promise(() => {}))
  port = (await server.listen([{ host: '127.0.0.1', port: 0 }]))[0]!
})

afterEach(() => server.close({ graceMs: 0 }))

function listen(stream: Outlet) {
  const one = { stream, closed: 0 }
  opened.push(one)
  stream.write(Buffer.from('data: hello\n\n'))
  return { ping: () => Buffer.from(`data: ping ${clock.now()}\n\n`), onClose: () => void one.closed++ }
}

const get = (path: string, version = '1.1', headers = '') => `GET ${path} HTTP/${version}\r\nHost: localhost\r\n${headers}\r\n`

async function openStream(request = get('/stream')) {
  const client = await openRaw(port)
  client.send(request)
  const head = await client.until('data: hello\n\n')
  return { client, head, ...opened.at(-1)! }
}

/** A client that does not read. */
async function openDeaf(): Promise<{ socket: Socket; one: { stream: Outlet; closed: number } }> {
  const socket = connect(port, '127.0.0.1').pause()
  socket.on('error', () => {})
  socket.write(get('/stream'))
  await until('the stream', () => opened.length > 0)
  return { socket, one: opened.at(-1)! }
}

/** Until the kernel takes no more. */
function fill(stream: Outlet): void {
  const bytes = Buffer.from(`data: ${'x'.repeat(60_000)}\n\n`)
  for (let sent = 0; sent < 1_000 && stream.queuedBytes === 0; sent++) stream.write(bytes)
  expect(stream.queuedBytes).toBeGreaterThan(0)
}

const headersIn = (text: string) => text.slice(0, text.indexOf('\r\n\r\n')).toLowerCase().split('\r\n').slice(1)

describe('[P3] a stream', () => {
  it('answers 200 at once, with what no proxy holds back or transforms, and neither length nor chunks', async () => {
    const { head } = await openStream()
    expect(head.startsWith('HTTP/1.1 200 OK\r\n')).toBe(true)
    expect(headersIn(head)).toEqual(
      expect.arrayContaining([
        'content-type: text/event-stream; charset=utf-8',
        'cache-control: no-cache, no-transform',
        'x-accel-buffering: no',
        'connection: close',
        'x-content-type-options: nosniff',
      ]),
    )
    expect(headersIn(head).filter((line) => /^(content-length|transfer-encoding|keep-alive)/.test(line))).toEqual([])
    expect(head.slice(head.indexOf('\r\n\r\n') + 4)).toBe('data: hello\n\n')
  })

  it('is flushed before anything is written to it', async () => {
    const client = await openRaw(port)
    client.send(get('/silent'))
    expect(await client.until('\r\n\r\n')).toContain('text/event-stream')
    client.socket.destroy()
  })

  it('is the same for a client of HTTP/1.0', async () => {
    const { client, stream, head } = await openStream(get('/stream', '1.0'))
    expect(headersIn(head).filter((line) => /^(content-length|transfer-encoding)/.test(line))).toEqual([])
    stream.write(Buffer.from('data: 안녕\n\n'))
    stream.close(1012, 'server restart')
    const all = Buffer.from(await client.closed, 'latin1').toString('utf8')
    expect(all.endsWith('\r\n\r\ndata: hello\n\ndata: 안녕\n\n')).toBe(true)
  })

  it('[A5] carries the headers of the path for foreign pages', async () => {
    const { head } = await openStream(get('/stream', '1.1', 'Origin: https://chat.example.com\r\n'))
    expect(headersIn(head)).toEqual(
      expect.arrayContaining(['access-control-allow-origin: https://chat.example.com', 'access-control-allow-credentials: true']),
    )
  })

  it('of a HEAD request is its head alone', async () => {
    const client = await openRaw(port)
    client.send(get('/stream').replace('GET', 'HEAD'))
    const all = await client.closed
    expect([all.endsWith('\r\n\r\n'), headersIn(all).includes('x-accel-buffering: no'), opened]).toEqual([true, true, []])
  })

  it('pipelined behind a request that is not answered yet is not opened', async () => {
    const client = await openRaw(port)
    client.send(get('/slow') + get('/stream') + get('/busy'))
    const { client: other } = await openStream()
    expect(opened.length).toBe(1)
    for (const { socket } of [client, other]) socket.destroy()
  })

  it('pipelined behind another request is opened once that is answered', async () => {
    const client = await openRaw(port)
    client.send(get('/late') + get('/stream'))
    await until('the stream is asked for', () => asked.includes('/stream'))
    expect(opened).toEqual([])
    answerLate('late')
    expect(await client.until('data: hello\n\n')).toMatch(
      /^HTTP\/1\.1 200 [^]*\r\n\r\nlateHTTP\/1\.1 200 [^]*\r\n\r\ndata: hello\n\n$/,
    )
    opened[0]!.stream.write(Buffer.from('data: more\n\n'))
    await client.until('data: more\n\n')
    client.socket.destroy()
    await until('its end', () => opened[0]!.closed === 1)
  })

  it('that waits for such an answer while the server stops is told when to come back', async () => {
    const client = await openRaw(port)
    client.send(get('/late') + get('/stream'))
    await until('the stream is asked for', () => asked.includes('/stream'))
    streams.stop()
    answerLate('late')
    expect((await client.closed).endsWith('\r\n\r\nretry: 1000\n\n')).toBe(true)
    expect(opened).toEqual([])
  })

  it('that is not to be opened now is a 200 that says when to come back, and ends', async () => {
    for (const version of ['1.0', '1.1']) {
      const client = await openRaw(port)
      client.send(get('/busy', version))
      const all = await client.closed
      expect(headersIn(all)).toEqual(
        expect.arrayContaining(['content-type: text/event-stream; charset=utf-8', 'connection: close']),
      )
      expect(all.slice(all.indexOf('\r\n\r\n') + 4)).toBe('retry: 7000\n\n')
    }
  })

  it('is turned away while the server is stopping', async () => {
    streams.stop()
    const client = await openRaw(port)
    client.send(get('/stream'))
    expect(await client.closed).toMatch(/^HTTP\/1\.1 200 [^]*\r\n\r\nretry: 1000\n\n$/)
    expect(opened).toEqual([])
  })

  it('gets a sign of life every 25 s, and needs not answer it', async () => {
    const { client } = await openStream()
    const pings = async () => [...(await client.until('')).matchAll(/data: ping (\d+)\n\n/g)].map(([, ms]) => Number(ms))
    for (let round = 1; round <= 6; round++) {
      clock.pass(25_000)
      await until('the ping', async () => (await pings()).length === round)
    }
    const times = await pings()
    expect(times.map((ms) => ms - times[0]!)).toEqual([0, 25_000, 50_000, 75_000, 100_000, 125_000])
    expect(keeper.count).toBe(1)
    client.socket.destroy()
  })

  it('writes the very bytes it is given, in order, to each', async () => {
    const [one, two] = [await openStream(), await openStream()]
    const events = Array.from({ length: 200 }, (_, at) => `id: ${at}\ndata: ${'x'.repeat(at * 13)}\n\n`)
    for (const event of events) {
      const bytes = Buffer.from(event)
      for (const { stream } of [one, two]) stream.write(bytes)
    }
    for (const { stream } of [one, two]) stream.close(1012, '')
    for (const { client } of [one, two]) expect((await client.closed).endsWith(`data: hello\n\n${events.join('')}`)).toBe(true)
  })

  it('reaches a stock EventSource', async () => {
    const source = new EventSource(`http://127.0.0.1:${port}/stream`)
    const seen: string[] = []
    source.addEventListener('message', ({ data, lastEventId }) => void seen.push(`${lastEventId}:${data}`))
    await until('hello', () => seen.length === 1)
    opened[0]!.stream.write(Buffer.from('id: 7\ndata: {"a":"가"}\n\n'))
    await until('the event', () => seen.length === 2)
    expect(seen).toEqual([':hello', '7:{"a":"가"}'])
    source.close()
    await until('its end', () => opened[0]!.closed === 1)
  })
})

describe('[A15] a stream ends', () => {
  it('behind what was written, with nothing after it, and that is told once', async () => {
    const { client, stream } = await openStream()
    stream.write(Buffer.from('data: last\n\n'))
    stream.close(4001, 'credential revoked')
    stream.write(Buffer.from('data: after it\n\n'))
    stream.close(1012, 'again')
    expect((await client.closed).endsWith('data: hello\n\ndata: last\n\n')).toBe(true)
    await until('the end', () => opened[0]!.closed === 1)
    expect([stream.isOpen, opened[0]!.closed, keeper.count]).toEqual([false, 1, 0])
  })

  it('when its client has gone, whether it resets, closes, or only stops to send', async () => {
    for (const leave of ['resetAndDestroy', 'destroy', 'end'] as const) {
      const { client } = await openStream()
      client.socket[leave]()
      await until(`the end after ${leave}`, () => opened.at(-1)!.closed === 1)
    }
    expect(keeper.count).toBe(0)
  })

  it('when its client sends what is no HTTP behind its request', async () => {
    const { client } = await openStream()
    client.send('\x00\x01 no request\r\n\r\n')
    await client.closed
    await until('the end', () => opened[0]!.closed === 1)
  })

  it('past its byte budget, and holds no more than that', async () => {
    const { socket, one } = await openDeaf()
    fill(one.stream)
    const bytes = Buffer.alloc(10_000, 'x')
    let highest = 0
    for (let sent = 0; sent < 100 && one.stream.isOpen; sent++) {
      one.stream.write(bytes)
      highest = Math.max(highest, one.stream.queuedBytes)
    }
    expect(one.stream.isOpen).toBe(false)
    expect(highest).toBeLessThanOrEqual(budgetBytes)
    await until('the end', () => one.closed === 1)
    socket.destroy()
  })

  it('when what waits does not leave within 15 s', async () => {
    const { socket, one } = await openDeaf()
    fill(one.stream)
    clock.pass(14_000)
    expect(one.stream.isOpen).toBe(true)
    clock.pass(2_000)
    expect(one.stream.isOpen).toBe(false)
    await until('the end', () => one.closed === 1)
    socket.destroy()
  })

  it('soon after it was closed, though its client does not read', async () => {
    const { socket, one } = await openDeaf()
    fill(one.stream)
    const drained = one.stream.drained()
    one.stream.close(1012, 'server restart')
    await until('the end', () => one.closed === 1)
    await drained
    socket.destroy()
  })

  it('with all others when the server stops, and the stop waits for no client', async () => {
    const clients = [await openStream(), await openStream()]
    streams.stop()
    const deadline = Date.now() + 4_000
    await Promise.all([keeper.closeAll(1012, 'server restart', 0), server.close({ graceMs: 5_000 })])
    expect(Date.now()).toBeLessThan(deadline)
    for (const { client } of clients) expect((await client.closed).endsWith('data: hello\n\n')).toBe(true)
    expect(opened.map(({ closed }) => closed)).toEqual([1, 1])
  })
})
