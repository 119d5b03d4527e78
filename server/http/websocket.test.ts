import { once } from 'node:events'
import type { Socket } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { frameTexts } from './frames.ts'
import { createKeeper } from './keeper.ts'
import type { Keeper } from './keeper.ts'
import { clientFrame, openRaw, upgradeRequest } from './raw-client.fixture.ts'
import type { RawClient } from './raw-client.fixture.ts'
import { createHttpServer } from './server.ts'
import type { HttpServer } from './server.ts'
import { createTestClock } from './test-clock.fixture.ts'
import type { TestClock } from './test-clock.fixture.ts'
import { createWebSockets } from './websocket.ts'
import type { Connection } from './websocket.ts'

/** A connection as its owner sees it, and all that it told. */
interface Opened {
  connection: Connection
  socket: Socket
  told: string[]
  /** Once that was told. */
  until(text: string): Promise<string[]>
}

let server: HttpServer
let clock: TestClock
let keeper: Keeper
let port: number
let opened: Opened[]
let tellOpened: () => void
/** What a test does at the moment of opening. */
let atOpen: (connection: Connection) => void
/** What a test does with each text. */
let atText: (text: string, connection: Connection) => void

beforeEach(async () => {
  opened = []
  tellOpened = () => {}
  atOpen = () => {}
  atText = () => {}
  clock = createTestClock()
  keeper = createKeeper({ clock })
  server = createHttpServer()
  const websockets = createWebSockets({ keeper, closeTimeoutMs: 50 })
  const patient = createWebSockets({ keeper, closeTimeoutMs: 60_000 })
  server.onUpgrade((request, socket, head) => {
    const kind = request.url === '/patient' ? patient : websockets
    kind.accept(request, socket, head, (connection) => open(connection, socket))
  })
  port = (await server.listen([{ host: '127.0.0.1', port: 0 }]))[0] as number
})

afterEach(async () => {
  for (const one of opened) one.socket.destroy()
  await server.close({ graceMs: 0 })
})

function open(connection: Connection, socket: Socket) {
  const told: string[] = []
  let check = () => {}
  const until = (text: string) =>
    new Promise<string[]>((resolve) => {
      check = () => told.includes(text) && resolve(told)
      check()
    })
  const tell = (text: string) => {
    told.push(text)
    check()
  }
  opened.push({ connection, socket, told, until })
  tellOpened()
  atOpen(connection)
  return {
    onText(text: string) {
      tell(text)
      atText(text, connection)
    },
    onBinary: (bytes: Buffer) => tell(`binary ${bytes.toString('hex')}`),
    onClose: () => tell('closed'),
  }
}

function nextOpened(): Promise<Opened> {
  return new Promise((resolve) => (tellOpened = () => resolve(opened.at(-1)!)))
}

/** For tests that do not look at a peer who leaves a close unanswered: nobody is cut for being late on a busy machine. */
async function connectWs(): Promise<[Opened, WebSocket]> {
  const next = nextOpened()
  const socket = new WebSocket(`ws://127.0.0.1:${port}/patient`)
  await once(socket, 'open')
  return [await next, socket]
}

async function connectRaw(): Promise<[Opened, RawClient]> {
  const next = nextOpened()
  const client = await openRaw(port)
  client.send(upgradeRequest('/'))
  await client.until('\r\n\r\n')
  return [await next, client]
}

function closeCodeOf(all: string): number {
  const at = all.lastIndexOf('\x88')
  return at === -1 ? 0 : Buffer.from(all, 'latin1').readUInt16BE(at + 2)
}

test('[fan-out] bytes written to many connections arrive at each, whole and in order, with ws’s own frames between', async () => {
  const pairs: [Opened, WebSocket][] = []
  for (let turn = 0; turn < 10; turn++) pairs.push(await connectWs())
  const received = pairs.map(
    ([, client]) =>
      new Promise<string[]>((resolve) => {
        const texts: string[] = []
        client.on('message', (data) => texts.push(String(data)) === 300 && resolve(texts))
      }),
  )
  const expected = Array.from({ length: 300 }, (_, at) => `${at} 안녕 ${'x'.repeat(at * 3)}`)
  for (let at = 0; at < 300; at += 3) {
    const bytes = frameTexts(expected.slice(at, at + 3))
    for (const [{ connection }] of pairs) connection.write(bytes)
    if (at % 30 === 0) clock.pass(1_000)
    for (const [, client] of pairs) if (at % 60 === 0) client.ping('x')
  }
  for (const texts of await Promise.all(received)) expect(texts).toEqual(expected)
})

test('[C3] texts and binary frames come as they were sent, in fragments too', async () => {
  const [one, client] = await connectRaw()
  client.send(clientFrame(1, '안녕\0'))
  client.send(Buffer.concat([clientFrame(1, '조', false), clientFrame(9, 'ping between'), clientFrame(0, '각')]))
  client.send(clientFrame(2, Buffer.from([1, 255])))
  client.send(clientFrame(1, ''))
  client.send(clientFrame(1, 'end'))
  expect(await one.until('end')).toEqual(['안녕\0', '조각', 'binary 01ff', '', 'end'])
  expect(await client.until('ping between')).toContain('\x8a\x0cping between')
})

test('[A17] frames that break the protocol close that connection with its code, and nothing else', async () => {
  const [bystander, bystanderClient] = await connectWs()
  const bad: [string, Buffer, number][] = [
    ['over 64 KiB', clientFrame(1, 'x'.repeat(65_537)), 1009],
    [
      'over 64 KiB in fragments',
      Buffer.concat([clientFrame(1, 'x'.repeat(40_000), false), clientFrame(0, 'x'.repeat(40_000))]),
      1009,
    ],
    ['bad UTF-8', clientFrame(1, Buffer.from([0xff])), 1007],
    ['a surrogate', clientFrame(1, Buffer.from([0xed, 0xa0, 0x80])), 1007],
    ['not masked', Buffer.from([0x81, 1, 0x61]), 1002],
    ['reserved bits', Buffer.from([0xf1, 0x80, 0, 0, 0, 0]), 1002],
    ['an unknown opcode', clientFrame(3, ''), 1002],
    ['a continuation of nothing', clientFrame(0, 'x'), 1002],
    ['a fragmented ping', clientFrame(9, 'x', false), 1002],
    ['a bad close code', clientFrame(8, Buffer.from([0x03, 0xed])), 1002],
    [
      'fragments without end',
      Buffer.concat(Array.from({ length: 2_000 }, (_, at) => clientFrame(at === 0 ? 1 : 0, '', false))),
      1008,
    ],
  ]
  for (const [name, bytes, code] of bad) {
    const [one, client] = await connectRaw()
    client.send(bytes)
    expect(closeCodeOf(await client.closed), name).toBe(code)
    expect(await one.until('closed'), name).toEqual(['closed'])
  }
  expect(keeper.count).toBe(1)
  bystanderClient.send('still here')
  await bystander.until('still here')
})

test('[A17] random bytes harm nobody', async () => {
  let state = 1
  const random = () => (state = (state * 48_271) % 2_147_483_647)
  for (let turn = 0; turn < 60; turn++) {
    const [one, client] = await connectRaw()
    client.send(Buffer.from(Array.from({ length: 200 }, () => random() & 255)))
    client.socket.end()
    await one.until('closed')
  }
  expect(keeper.count).toBe(0)
})

test('[A17] a message of exactly 64 KiB is read', async () => {
  const [one, client] = await connectWs()
  client.send('x'.repeat(65_536))
  client.send('end')
  expect((await one.until('end'))[0]).toHaveLength(65_536)
})

test('[A12] frames over a limit wait and are not dropped: reading pauses, and what was read already comes after resume', async () => {
  let isLimited = true
  atText = (_text, connection) => isLimited && connection.pause()
  const [one, client] = await connectRaw()
  client.send(Buffer.concat(Array.from({ length: 50 }, (_, at) => clientFrame(1, String(at)))))
  await one.until('0')
  await new Promise(setImmediate)
  expect(one.told).toEqual(['0'])
  one.connection.resume()
  one.connection.resume()
  expect(one.told).toEqual(['0', '1', '2'])
  client.send(clientFrame(1, '50'))
  isLimited = false
  one.connection.resume()
  expect(await one.until('50')).toEqual(Array.from({ length: 51 }, (_, at) => String(at)))
})

test('[A12] a paused client that sends its frames and leaves has them all counted before its end', async () => {
  atText = (text, connection) => text === '0' && connection.pause()
  const [one, client] = await connectRaw()
  const frames = Array.from({ length: 5 }, (_, at) => clientFrame(1, String(at)))
  client.send(Buffer.concat([...frames, clientFrame(8, Buffer.from([0x03, 0xe8]))]))
  await client.closed
  await new Promise((resolve) => (one.socket.destroyed ? resolve(null) : one.socket.once('close', resolve)))
  expect(one.told).toEqual(['0'])
  one.connection.resume()
  expect(one.told).toEqual(['0', '1', '2', '3', '4', 'closed'])
})

test('[A12] who resumes while a held frame is handed over gets each of the others once, in order', async () => {
  atText = (_text, connection) => {
    connection.pause()
    if (isReleasing) connection.resume()
  }
  let isReleasing = false
  const [one, client] = await connectRaw()
  client.send(Buffer.concat(Array.from({ length: 5 }, (_, at) => clientFrame(1, String(at)))))
  await one.until('0')
  isReleasing = true
  one.connection.resume()
  expect(one.told).toEqual(['0', '1', '2', '3', '4'])
})

test('[A15] a listener that throws ends its own connection with 1011, and no other', async () => {
  const [bystander, bystanderClient] = await connectWs()
  atText = (text) => {
    if (text === 'bad') throw new Error('SELECT')
  }
  const [one, client] = await connectWs()
  client.send('bad')
  client.send('never heard')
  const [code, reason] = await once(client, 'close')
  expect([code, String(reason)]).toEqual([1011, 'internal error'])
  expect(await one.until('closed')).toEqual(['bad', 'closed'])
  bystanderClient.send('still here')
  await bystander.until('still here')
})

test('[A12] a client may be paused as soon as it opens', async () => {
  atOpen = (connection) => connection.pause()
  const next = nextOpened()
  const client = await openRaw(port)
  client.send(Buffer.concat([Buffer.from(upgradeRequest('/')), clientFrame(1, 'early')]))
  await client.until('\r\n\r\n')
  const one = await next
  await new Promise(setImmediate)
  expect(one.told).toEqual([])
  one.connection.resume()
  await one.until('early')
})

test('[A15] a close has its code and reason, nothing is received or written after it', async () => {
  const [one, client] = await connectWs()
  const closed = once(client, 'close')
  const messages: string[] = []
  client.on('message', (data) => messages.push(String(data)))
  one.connection.write(frameTexts(['before']))
  one.connection.close(4003, 'no longer a member')
  expect(one.connection.isOpen).toBe(false)
  one.connection.write(frameTexts(['after']))
  one.connection.close(1012, 'again')
  client.send('too late')
  const [code, reason] = await closed
  expect([code, String(reason), messages]).toEqual([4003, 'no longer a member', ['before']])
  expect(await one.until('closed')).toEqual(['closed'])
})

test('[A15] a close in mid-frame of the paused, or at once on opening, ends the connection too', async () => {
  const [paused, pausedClient] = await connectRaw()
  paused.connection.pause()
  pausedClient.send(clientFrame(1, 'never heard'))
  paused.connection.close(4001, 'credential revoked')
  expect(closeCodeOf(await pausedClient.closed)).toBe(4001)
  expect(await paused.until('closed')).toEqual(['closed'])
  atOpen = (connection) => connection.close(4001, 'credential revoked')
  const next = nextOpened()
  const client = await openRaw(port)
  client.send(upgradeRequest('/'))
  expect(closeCodeOf(await client.closed)).toBe(4001)
  expect(await (await next).until('closed')).toEqual(['closed'])
  expect(keeper.count).toBe(0)
})

test('[A15] a paused peer’s answer to the close is read', async () => {
  const [one, client] = await connectWs()
  one.connection.pause()
  client.send('never heard')
  one.connection.close(4001, 'credential revoked')
  expect((await once(client, 'close'))[0]).toBe(4001)
  expect(await one.until('closed')).toEqual(['closed'])
})

test('[A15] a peer that does not answer the close is cut', async () => {
  const [one, client] = await connectRaw()
  one.connection.close(1012, 'server restart')
  await client.until('server restart')
  await one.until('closed')
})

test('[A15] a reader who takes nothing ends with 1013 at its budget, others go on', async () => {
  const [slow, slowClient] = await connectRaw()
  const [, quickClient] = await connectWs()
  const quick = opened[1]!
  slowClient.socket.pause()
  const bytes = frameTexts(['x'.repeat(100_000)])
  let received = 0
  let quickDone = () => {}
  quickClient.on('message', () => (received++, quickDone()))
  let written = 0
  while (slow.connection.isOpen) {
    slow.connection.write(bytes)
    quick.connection.write(bytes)
    written++
    await quick.connection.drained()
    expect(slow.connection.queuedBytes).toBeLessThan(1024 * 1024 + 200)
  }
  await slow.until('closed')
  await new Promise<void>((resolve) => {
    quickDone = () => received === written && resolve()
    quickDone()
  })
  expect(quick.connection.isOpen).toBe(true)
})

test('[A15] what had been written reaches a reader that was too slow, whole frames and then the 1013', async () => {
  const [one, client] = await connectWs()
  client.pause()
  const closed = once(client, 'close')
  let written = 0
  while (one.connection.isOpen) {
    one.connection.write(frameTexts([`${written++} ${'x'.repeat(50_000)}`]))
  }
  const numbers: number[] = []
  client.on('message', (data) => numbers.push(Number.parseInt(String(data), 10)))
  client.resume()
  expect((await closed)[0]).toBe(1013)
  // The last write was the one too many.
  expect(numbers).toEqual(Array.from({ length: written - 1 }, (_, at) => at))
})

test('[A15] an empty queue takes one write beyond the budget', async () => {
  const [one, client] = await connectWs()
  const length = new Promise((resolve) => client.on('message', (data) => resolve(String(data).length)))
  one.connection.write(frameTexts(['x'.repeat(20_000_000)]))
  // The client's own limit is 100 MB.
  expect(await length).toBe(20_000_000)
  expect(one.connection.isOpen).toBe(true)
})

test('[A15] a queue that has not emptied for 15 s ends with 1013', async () => {
  const [one, client] = await connectRaw()
  client.socket.pause()
  const bytes = frameTexts(['x'.repeat(60_000)])
  while (one.connection.queuedBytes === 0) one.connection.write(bytes)
  clock.pass(14_000)
  expect(one.connection.isOpen).toBe(true)
  clock.pass(2_000)
  expect(one.connection.isOpen).toBe(false)
  await one.until('closed')
})

test('[A15] drained waits for the kernel, and for no closed connection', async () => {
  const [one, client] = await connectRaw()
  await one.connection.drained()
  client.socket.pause()
  const bytes = frameTexts(['x'.repeat(60_000)])
  while (one.connection.queuedBytes === 0) one.connection.write(bytes)
  let isDrained = false
  const drained = one.connection.drained().then(() => (isDrained = true))
  await new Promise(setImmediate)
  expect(isDrained).toBe(false)
  client.socket.resume()
  await drained
  expect(one.connection.queuedBytes).toBe(0)
  client.socket.pause()
  while (one.connection.queuedBytes === 0) one.connection.write(bytes)
  const cut = one.connection.drained()
  client.socket.resetAndDestroy()
  await cut
  await one.connection.drained()
})

test('[A15] a peer that answers pings stays, one that does not is gone after two', async () => {
  const [, client] = await connectWs()
  const pings: string[] = []
  client.on('ping', (data) => pings.push(String(data)))
  for (let round = 0; round < 4; round++) {
    const pinged = once(client, 'ping')
    clock.pass(25_000)
    await pinged
    // Its pong has been read when the server has read what the client sent after it.
    client.send(`round ${round}`)
    await opened[0]!.until(`round ${round}`)
  }
  const [silent, silentClient] = await connectRaw()
  clock.pass(25_000)
  await silentClient.until('\x89\0')
  clock.pass(50_000)
  await silentClient.closed
  await silent.until('closed')
  client.terminate()
})

test('[A15] a stop closes all with 1012', async () => {
  const clients: WebSocket[] = []
  for (let turn = 0; turn < 10; turn++) clients.push((await connectWs())[1])
  const codes = Promise.all(clients.map(async (client) => (await once(client, 'close'))[0] as number))
  const done = keeper.closeAll(1012, 'server restart', 200)
  clock.pass(200)
  expect(await codes).toEqual(Array.from({ length: 10 }, () => 1012))
  await done
  expect(keeper.count).toBe(0)
})

test('[A15] a ping flood that is never read is bounded as all else', async () => {
  const [one, client] = await connectRaw()
  client.socket.pause()
  const pings = Buffer.concat(Array.from({ length: 5_000 }, () => clientFrame(9, 'x'.repeat(125))))
  const flood = () => void (client.socket.writable && client.socket.write(pings, flood))
  flood()
  await one.until('closed')
})
