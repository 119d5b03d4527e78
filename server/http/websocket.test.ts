/** What comes in, who is paused meanwhile, and what goes out to many. */
import { once } from 'node:events'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { WebSocket } from 'ws'
import { frameTexts } from './frames.ts'
import { clientFrame, openRaw, upgradeRequest } from './raw-client.fixture.ts'
import { closeCodeOf, Scene, type Opened } from './websocket.fixture.ts'

let scene: Scene
beforeEach(() => {
  scene = new Scene()
  return scene.listen()
})
afterEach(() => scene.close())

test('[fan-out] bytes written to many connections arrive at each, whole and in order, with ws’s own frames between', async () => {
  const pairs: [Opened, WebSocket][] = []
  for (let turn = 0; turn < 10; turn++) pairs.push(await scene.connectWs())
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
    if (at % 30 === 0) scene.clock.pass(1_000)
    for (const [, client] of pairs) if (at % 60 === 0) client.ping('x')
  }
  for (const texts of await Promise.all(received)) expect(texts).toEqual(expected)
})

test('[C3] texts and binary frames come as they were sent, in fragments too', async () => {
  const [one, client] = await scene.connectRaw()
  client.send(clientFrame(1, '안녕\0'))
  client.send(Buffer.concat([clientFrame(1, '조', false), clientFrame(9, 'ping between'), clientFrame(0, '각')]))
  client.send(clientFrame(2, Buffer.from([1, 255])))
  client.send(clientFrame(1, ''))
  client.send(clientFrame(1, 'end'))
  expect(await one.until('end')).toEqual(['안녕\0', '조각', 'binary 01ff', '', 'end'])
  expect(await client.until('ping between')).toContain('\x8a\x0cping between')
})

test('[A17] frames that break the protocol close that connection with its code, and nothing else', async () => {
  const [bystander, bystanderClient] = await scene.connectWs()
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
    const [one, client] = await scene.connectRaw()
    client.send(bytes)
    expect(closeCodeOf(await client.closed), name).toBe(code)
    expect(await one.until('closed'), name).toEqual(['closed'])
  }
  expect(scene.keeper.count).toBe(1)
  bystanderClient.send('still here')
  await bystander.until('still here')
})

test('[A17] random bytes harm nobody', async () => {
  let state = 1
  const random = () => (state = (state * 48_271) % 2_147_483_647)
  for (let turn = 0; turn < 60; turn++) {
    const [one, client] = await scene.connectRaw()
    client.send(Buffer.from(Array.from({ length: 200 }, () => random() & 255)))
    client.socket.end()
    await one.until('closed')
  }
  expect(scene.keeper.count).toBe(0)
})

test('[A17] a message of exactly 64 KiB is read', async () => {
  const [one, client] = await scene.connectWs()
  client.send('x'.repeat(65_536))
  client.send('end')
  expect((await one.until('end'))[0]).toHaveLength(65_536)
})

test('[A12] frames over a limit wait and are not dropped: reading pauses, and what was read already comes after resume', async () => {
  let isLimited = true
  scene.atText = (_text, connection) => isLimited && connection.pause()
  const [one, client] = await scene.connectRaw()
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
  scene.atText = (text, connection) => text === '0' && connection.pause()
  const [one, client] = await scene.connectRaw()
  const frames = Array.from({ length: 5 }, (_, at) => clientFrame(1, String(at)))
  client.send(Buffer.concat([...frames, clientFrame(8, Buffer.from([0x03, 0xe8]))]))
  await client.closed
  await new Promise((resolve) => (one.socket.destroyed ? resolve(null) : one.socket.once('close', resolve)))
  expect(one.told).toEqual(['0'])
  one.connection.resume()
  expect(one.told).toEqual(['0', '1', '2', '3', '4', 'closed'])
})

test('[A12] who resumes while a held frame is handed over gets each of the others once, in order', async () => {
  scene.atText = (_text, connection) => {
    connection.pause()
    if (isReleasing) connection.resume()
  }
  let isReleasing = false
  const [one, client] = await scene.connectRaw()
  client.send(Buffer.concat(Array.from({ length: 5 }, (_, at) => clientFrame(1, String(at)))))
  await one.until('0')
  isReleasing = true
  one.connection.resume()
  expect(one.told).toEqual(['0', '1', '2', '3', '4'])
})

test('[A15] a listener that throws ends its own connection with 1011, and no other', async () => {
  const [bystander, bystanderClient] = await scene.connectWs()
  scene.atText = (text) => {
    if (text === 'bad') throw new Error('SELECT')
  }
  const [one, client] = await scene.connectWs()
  client.send('bad')
  client.send('never heard')
  const [code, reason] = await once(client, 'close')
  expect([code, String(reason)]).toEqual([1011, 'internal error'])
  expect(await one.until('closed')).toEqual(['bad', 'closed'])
  bystanderClient.send('still here')
  await bystander.until('still here')
})

test('[A12] a client may be paused as soon as it opens', async () => {
  scene.atOpen = (connection) => connection.pause()
  const next = scene.nextOpened()
  const client = await openRaw(scene.port)
  client.send(Buffer.concat([Buffer.from(upgradeRequest('/')), clientFrame(1, 'early')]))
  await client.until('\r\n\r\n')
  const one = await next
  await new Promise(setImmediate)
  expect(one.told).toEqual([])
  one.connection.resume()
  await one.until('early')
})
