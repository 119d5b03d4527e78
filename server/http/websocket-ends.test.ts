/** How connections end (A15): closed by us, too slow, silent, stopped. */
import { once } from 'node:events'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { WebSocket } from 'ws'
import { frameTexts } from './frames.ts'
import { clientFrame, openRaw, upgradeRequest } from './raw-client.fixture.ts'
import { closeCodeOf, Scene } from './websocket.fixture.ts'

let scene: Scene
beforeEach(() => {
  scene = new Scene()
  return scene.listen()
})
afterEach(() => scene.close())

test('[A15] a close has its code and reason, nothing is received or written after it', async () => {
  const [one, client] = await scene.connectWs()
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
  const [paused, pausedClient] = await scene.connectRaw()
  paused.connection.pause()
  pausedClient.send(clientFrame(1, 'never heard'))
  paused.connection.close(4001, 'credential revoked')
  expect(closeCodeOf(await pausedClient.closed)).toBe(4001)
  expect(await paused.until('closed')).toEqual(['closed'])
  scene.atOpen = (connection) => connection.close(4001, 'credential revoked')
  const next = scene.nextOpened()
  const client = await openRaw(scene.port)
  client.send(upgradeRequest('/'))
  expect(closeCodeOf(await client.closed)).toBe(4001)
  expect(await (await next).until('closed')).toEqual(['closed'])
  expect(scene.keeper.count).toBe(0)
})

test('[A15] a paused peer’s answer to the close is read', async () => {
  const [one, client] = await scene.connectWs()
  one.connection.pause()
  client.send('never heard')
  one.connection.close(4001, 'credential revoked')
  expect((await once(client, 'close'))[0]).toBe(4001)
  expect(await one.until('closed')).toEqual(['closed'])
})

test('[A15] a peer that does not answer the close is cut', async () => {
  const [one, client] = await scene.connectRaw()
  one.connection.close(1012, 'server restart')
  await client.until('server restart')
  await one.until('closed')
})

test('[A15] a reader who takes nothing ends with 1013 at its budget, others go on', async () => {
  const [slow, slowClient] = await scene.connectRaw()
  const [, quickClient] = await scene.connectWs()
  const quick = scene.opened[1]!
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
  const [one, client] = await scene.connectWs()
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
  const [one, client] = await scene.connectWs()
  const length = new Promise((resolve) => client.on('message', (data) => resolve(String(data).length)))
  one.connection.write(frameTexts(['x'.repeat(20_000_000)]))
  // The client's own limit is 100 MB.
  expect(await length).toBe(20_000_000)
  expect(one.connection.isOpen).toBe(true)
})

test('[A15] a queue that has not emptied for 15 s ends with 1013', async () => {
  const [one, client] = await scene.connectRaw()
  client.socket.pause()
  const bytes = frameTexts(['x'.repeat(60_000)])
  while (one.connection.queuedBytes === 0) one.connection.write(bytes)
  scene.clock.pass(14_000)
  expect(one.connection.isOpen).toBe(true)
  scene.clock.pass(2_000)
  expect(one.connection.isOpen).toBe(false)
  await one.until('closed')
})

test('[A15] drained waits for the kernel, and for no closed connection', async () => {
  const [one, client] = await scene.connectRaw()
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
  const [, client] = await scene.connectWs()
  const pings: string[] = []
  client.on('ping', (data) => pings.push(String(data)))
  for (let round = 0; round < 4; round++) {
    const pinged = once(client, 'ping')
    scene.clock.pass(25_000)
    await pinged
    // Its pong has been read when the server has read what the client sent after it.
    client.send(`round ${round}`)
    await scene.opened[0]!.until(`round ${round}`)
  }
  const [silent, silentClient] = await scene.connectRaw()
  scene.clock.pass(25_000)
  await silentClient.until('\x89\0')
  scene.clock.pass(50_000)
  await silentClient.closed
  await silent.until('closed')
  client.terminate()
})

test('[A15] a stop closes all with 1012', async () => {
  const clients: WebSocket[] = []
  for (let turn = 0; turn < 10; turn++) clients.push((await scene.connectWs())[1])
  const codes = Promise.all(clients.map(async (client) => (await once(client, 'close'))[0] as number))
  const done = scene.keeper.closeAll(1012, 'server restart', 200)
  scene.clock.pass(200)
  expect(await codes).toEqual(Array.from({ length: 10 }, () => 1012))
  await done
  expect(scene.keeper.count).toBe(0)
})

test('[A15] a ping flood that is never read is bounded as all else', async () => {
  const [one, client] = await scene.connectRaw()
  client.socket.pause()
  const pings = Buffer.concat(Array.from({ length: 5_000 }, () => clientFrame(9, 'x'.repeat(125))))
  const flood = () => void (client.socket.writable && client.socket.write(pings, flood))
  flood()
  await one.until('closed')
})
