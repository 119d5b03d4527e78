/** What goes out by socket.io, in which order, how much may wait, and how it ends. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { until } from '../../test/chat.ts'
import {
  budgetBytes,
  engineOf,
  events,
  finalTransports,
  openScene,
  tcpBelow,
  tcpOf,
  transportsEach,
  type Scene,
} from './socketio.fixture.ts'

let scene: Scene
beforeEach(async () => {
  scene = await openScene()
})
afterEach(() => scene.close())

describe('what goes out', () => {
  it.each(transportsEach)('comes whole and in order with acks and pings, by %j', async (transports) => {
    const { socket, heard, connection } = await scene.connect(transports)
    scene.onEvent = (_name, _args, ack) => {
      connection.write(events('before'))
      ack?.({ ok: true })
      connection.write(events('behind', '한글'.repeat(50), 'x'.repeat(70_000)))
    }
    const order: unknown[] = []
    socket.onAny((_name, data) => order.push(String(data).slice(0, 6)))
    socket.emit('ask', () => order.push('ack'))
    await until('all', () => heard.length === 4 && order.includes('ack'))
    expect(order.filter((one) => ['before', 'ack', 'behind'].includes(String(one)))).toEqual(['before', 'ack', 'behind'])
    expect(heard.slice(2)).toEqual(['한글'.repeat(50), 'x'.repeat(70_000)])
  })

  it('is in order before, during and after the upgrade', async () => {
    const socket = scene.start()
    const heard: unknown[] = []
    socket.onAny((_name, data) => heard.push(data))
    await until('the connection', () => scene.opened.length === 1)
    let sent = 0
    const { connection } = scene.opened[0]!
    await until('the upgrade', () => {
      connection.write(events(sent++, sent++, sent++))
      return socket.io.engine.transport.name === 'websocket'
    })
    for (let more = 0; more < 10; more++) connection.write(events(sent++, sent++))
    await until('all', () => heard.length === sent)
    expect(heard).toEqual(Array.from({ length: sent }, (_, nth) => nth))
  })

  it('leaves by a WebSocket as the very bytes that were handed over, in one write', async () => {
    const { connection } = await scene.connect(['websocket'])
    const bytes = events(1, 2, 3)
    const written: Uint8Array[] = []
    const tcp = tcpOf(engineOf(connection).transport.socket)
    const write = tcp.write.bind(tcp)
    tcp.write = (...chunk) => {
      written.push(chunk[0] as Uint8Array)
      return write(...chunk)
    }
    connection.write(bytes)
    await connection.drained()
    expect(written.filter((chunk) => chunk.length > 0)).toHaveLength(1)
    expect(written[0]).toBe(bytes)
    tcp.write = write
  })

  it.each(finalTransports)('is counted while it waits, and ends a reader past the budget, by %j', async (transports) => {
    const { socket, connection, closedCount } = await scene.connect(transports)
    expect(connection.queuedBytes).toBe(0)
    // The client's side reads nothing more.
    if (socket.io.engine.transport.name === 'websocket') tcpBelow(socket).pause()
    else socket.io.engine.transport.pause(() => {})
    const big = events('x'.repeat(100 * 1024))
    let writes = 0
    for (; connection.isOpen && writes < 500; writes++) {
      connection.write(big)
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect([connection.isOpen, connection.fault]).toEqual([false, 'too_slow'])
    expect(writes).toBeGreaterThan(1)
    await until('the end', () => closedCount() === 1)
  })

  it.each(finalTransports)('may be of any size, of several events too, where nothing waits, by %j', async (transports) => {
    const { heard, connection } = await scene.connect(transports)
    await connection.drained()
    connection.write(events('first', 'x'.repeat(4 * budgetBytes), 'y'.repeat(4 * budgetBytes)))
    await connection.drained()
    expect(connection.isOpen).toBe(true)
    await until('all', () => heard.length === 3)
  })

  it('may be of any size also where the kernel does not take it all at once: to wait for it does not end it', async () => {
    const { socket, heard, connection } = await scene.connect(['websocket'])
    const tcp = tcpBelow(socket)
    tcp.pause()
    connection.write(events('x'.repeat(16 * 1024 * 1024)))
    expect(connection.queuedBytes).toBeGreaterThan(budgetBytes)
    const drained = connection.drained()
    tcp.resume()
    await drained
    expect([connection.isOpen, connection.fault, connection.queuedBytes]).toEqual([true, null, 0])
    await until('it', () => heard.length === 1)
  })
})

describe('how it ends', () => {
  it.each(finalTransports)('one that is closed as it is opened is told of its end, by %j', async (transports) => {
    scene.onOpen = (connection) => connection.close(4001, 'revoked')
    scene.start({ transports, reconnection: false })
    await until('the end', () => scene.opened[0]?.closed === 1)
    expect([scene.keeper.count, scene.abandoned, scene.lines]).toEqual([0, 0, []])
  })

  it.each(finalTransports)('a close comes behind what was written, without a DISCONNECT, by %j', async (transports) => {
    await scene.close()
    scene = await openScene({ closeTimeoutMs: 60_000 })
    const { socket, heard, connection, reasons, closedCount } = await scene.connect(transports)
    connection.write(events('last'))
    connection.close(1012, 'over')
    connection.write(events('too late'))
    await until('the end', () => reasons.length === 1)
    expect([heard, reasons, socket.active]).toEqual([['last'], ['transport close'], true])
    expect(closedCount()).toBe(1)
    await until('coming back', () => scene.opened.length === 2)
  })

  it("a client's own leaving is told once", async () => {
    const { socket, closedCount } = await scene.connect()
    socket.disconnect()
    await until('the end', () => closedCount() === 1)
    expect(scene.keeper.count).toBe(0)
  })

  it("what a listener throws ends this client's connection alone", async () => {
    const [one, other] = [await scene.connect(['websocket']), await scene.connect(['websocket'])]
    scene.onEvent = (name) => {
      if (name === 'bad') throw new Error('a fault')
    }
    one.socket.emit('bad')
    await until('the end', () => one.closedCount() === 1)
    expect([other.closedCount(), scene.lines]).toEqual([0, ['an event could not be taken']])
  })

  it('a reader that takes nothing for too long is ended by the keeper', async () => {
    const line = await scene.greet()
    await fetch(line, { method: 'POST', body: '40' })
    expect(await (await fetch(line)).text()).toMatch(/^40/)
    await until('the connection', () => scene.opened.length === 1)
    // It does not poll again.
    const { connection } = scene.opened[0]!
    connection.write(events('x'))
    scene.clock.pass(14_000)
    expect([connection.isOpen, connection.queuedBytes > 0]).toEqual([true, true])
    scene.clock.pass(3_000)
    expect([connection.isOpen, connection.fault, scene.opened[0]!.closed]).toEqual([false, 'too_slow', 1])
  })

  it('a client that asks and never reads the answers is ended as well', async () => {
    const { ws } = await scene.openRaw()
    scene.onEvent = (_name, _args, ack) => ack?.({ answer: 'x'.repeat(60_000) })
    ws.send('40')
    await until('the connection', () => scene.opened.length === 1)
    ws.pause()
    await until('the end', () => {
      if (ws.bufferedAmount < 10_000) for (let nth = 0; nth < 100; nth++) ws.send('421["ask"]')
      return scene.opened[0]!.closed === 1
    })
    expect(scene.opened[0]!.connection.fault).toBe('too_slow')
  })

  it('a client that answers no ping is ended as one that is silent', async () => {
    const { connection } = await scene.connect(['websocket'])
    engineOf(connection).server.opts.pingInterval = 5
    engineOf(connection).server.opts.pingTimeout = 500
    const { ws } = await scene.openRaw()
    ws.send('40')
    await until('the end', () => scene.opened[1]?.closed === 1)
    expect(scene.opened[1]!.connection.fault).toBe('silent')
  })
})
