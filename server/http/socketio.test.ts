/** socket.io on a port of ours, with stock clients: what goes out, in which order, how much may wait, and how it ends. */
import { io, type Socket } from 'socket.io-client'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { until } from '../../test/chat.ts'
import { createKeeper, type Keeper } from './keeper.ts'
import { ProblemError } from './problems.ts'
import { createProxies } from './proxies.ts'
import { createHttpServer, type HttpServer } from './server.ts'
import { createSocketIo, encodeSocketIoEvent, joinEvents, type Ack, type SocketIo, type SocketIoConnection } from './socketio.ts'
import { createTestClock, type TestClock } from './test-clock.fixture.ts'
import { createUpgrades } from './upgrades.ts'
import { createWebSockets } from './websocket.ts'

const budgetBytes = 256 * 1024
const log = { lines: [] as string[], warn: () => {}, error: (text: string) => void log.lines.push(text) }

let server: HttpServer
let clock: TestClock
let keeper: Keeper
let socketIo: SocketIo
let url: string
let clients: Socket[]
/** Those that joined, each with what it told. */
let opened: { connection: SocketIoConnection; told: unknown[][]; closed: number }[]
let abandoned: number
let onEvent: (name: string, args: unknown[], ack: Ack | null) => void
let onOpen: (connection: SocketIoConnection) => void
/** What the next who joins waits for. */
let gate: Promise<unknown>

beforeEach(async () => {
  ;[clients, opened, abandoned, gate, log.lines] = [[], [], 0, Promise.resolve(), []]
  onEvent = onOpen = () => {}
  clock = createTestClock()
  keeper = createKeeper({ clock })
  server = createHttpServer()
  const proxies = createProxies([])
  const upgrades = createUpgrades({ problems: server.problems, proxies, websockets: createWebSockets({ keeper }), log })
  server.onUpgrade(upgrades.handle)
  socketIo = createSocketIo({ http: server, upgrades, keeper, log, budgetBytes, closeTimeoutMs: 100 })
  socketIo.serve({
    async admit({ headers, remoteAddress }) {
      expect(remoteAddress).toBe('127.0.0.1')
      if (headers['x-away']) throw new ProblemError({ kind: 'unavailable', retryAfterS: 7 })
    },
    async join(auth, remoteAddress) {
      expect(remoteAddress).toBe('127.0.0.1')
      await gate
      const { name } = auth as { name?: string }
      if (name === 'nobody') return { refused: 'not you' }
      if (name === 'later') throw new ProblemError({ kind: 'too_many' })
      if (name === 'fault') throw new Error('a fault')
      return { open, abandon: () => void abandoned++ }
    },
    isPassing: (error) => error instanceof ProblemError,
  })
  url = `http://127.0.0.1:${(await server.listen([{ host: '127.0.0.1', port: 0 }]))[0]!}`
})

afterEach(async () => {
  for (const client of clients) client.disconnect()
  socketIo.stop()
  await keeper.closeAll(1012, 'over', 0)
  await server.close({ graceMs: 0 })
  keeper.stop()
})

function open(connection: SocketIoConnection) {
  const one = { connection, told: [] as unknown[][], closed: 0 }
  opened.push(one)
  onOpen(connection)
  return {
    onEvent(name: string, args: unknown[], ack: Ack | null) {
      one.told.push([name, ...args])
      onEvent(name, args, ack)
    },
    onClose: () => void one.closed++,
  }
}

interface Client {
  socket: Socket
  heard: unknown[]
  connection: SocketIoConnection
  told: unknown[][]
  closedCount(): number
  reasons: string[]
}

async function connect(transports = ['polling', 'websocket'], auth: object = {}): Promise<Client> {
  const socket = io(url, { forceNew: true, transports, auth, reconnectionDelay: 20 })
  clients.push(socket)
  const heard: unknown[] = []
  const reasons: string[] = []
  socket.onAny((name, data) => heard.push(name === 'n' ? data : name))
  socket.on('disconnect', (reason) => reasons.push(reason))
  const before = opened.length
  await until('the connection', () => socket.connected && opened.length > before)
  const one = opened.at(-1)!
  return { socket, heard, connection: one.connection, told: one.told, reasons, closedCount: () => one.closed }
}

interface Tcp {
  write(...chunk: unknown[]): boolean
  pause(): void
  resume(): void
}

/** The socket below a WebSocket of `ws`, which hides it. */
function tcpOf(ws: object): Tcp {
  // oxlint-disable-next-line no-underscore-dangle -- its own name
  return (ws as { _socket: Tcp })._socket
}

const events = (...numbers: unknown[]) => joinEvents(numbers.map((number) => encodeSocketIoEvent('n', number)))

describe('what goes out', () => {
  it.each([[['polling']], [['websocket']], [['polling', 'websocket']]])(
    'comes whole and in order with acks and pings, by %j',
    async (transports) => {
      const { socket, heard, connection } = await connect(transports)
      onEvent = (_name, _args, ack) => {
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
    },
  )

  it('is in order before, during and after the upgrade', async () => {
    const socket = io(url, { forceNew: true })
    clients.push(socket)
    const heard: unknown[] = []
    socket.onAny((_name, data) => heard.push(data))
    await until('the connection', () => opened.length === 1)
    let sent = 0
    const { connection } = opened[0]!
    await until('the upgrade', () => {
      connection.write(events(sent++, sent++, sent++))
      return socket.io.engine.transport.name === 'websocket'
    })
    for (let more = 0; more < 10; more++) connection.write(events(sent++, sent++))
    await until('all', () => heard.length === sent)
    expect(heard).toEqual(Array.from({ length: sent }, (_, nth) => nth))
  })

  it('leaves by a WebSocket as the very bytes that were handed over, in one write', async () => {
    const { connection } = await connect(['websocket'])
    const bytes = events(1, 2, 3)
    const written: Uint8Array[] = []
    const tcp = tcpOf((connection as unknown as { engine: { transport: { socket: object } } }).engine.transport.socket)
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

  it.each([[['polling']], [['websocket']]])(
    'is counted while it waits, and ends a reader past the budget, by %j',
    async (transports) => {
      const { socket, connection, closedCount } = await connect(transports)
      expect(connection.queuedBytes).toBe(0)
      // The client's side reads nothing more.
      const { transport } = socket.io.engine
      if (transport.name === 'websocket') tcpOf((transport as unknown as { ws: object }).ws).pause()
      else transport.pause(() => {})
      const big = events('x'.repeat(100 * 1024))
      let writes = 0
      for (; connection.isOpen && writes < 500; writes++) {
        connection.write(big)
        await new Promise((resolve) => setImmediate(resolve))
      }
      expect([connection.isOpen, connection.fault]).toEqual([false, 'too_slow'])
      expect(writes).toBeGreaterThan(1)
      await until('the end', () => closedCount() === 1)
    },
  )

  it('may be of any size where nothing waits, and drained tells when that is', async () => {
    for (const transports of [['polling'], ['websocket']]) {
      const { heard, connection } = await connect(transports)
      await connection.drained()
      connection.write(events('x'.repeat(4 * budgetBytes)))
      await connection.drained()
      expect(connection.isOpen).toBe(true)
      await until('it', () => heard.length === 1)
    }
  })

  it('may be of any size also where the kernel does not take it all at once: to wait for it does not end it', async () => {
    const { socket, heard, connection } = await connect(['websocket'])
    const tcp = tcpOf((socket.io.engine.transport as unknown as { ws: object }).ws)
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
  it.each([[['polling']], [['websocket']]])(
    'one that is closed as it is opened is told of its end, by %j',
    async (transports) => {
      onOpen = (connection) => connection.close(4001, 'revoked')
      clients.push(io(url, { forceNew: true, transports, reconnection: false }))
      await until('the end', () => opened[0]?.closed === 1)
      expect([keeper.count, abandoned, log.lines]).toEqual([0, 0, []])
    },
  )

  it.each([[['polling']], [['websocket']]])(
    'a close comes behind what was written, without a DISCONNECT, by %j',
    async (transports) => {
      const { socket, heard, connection, reasons, closedCount } = await connect(transports)
      connection.write(events('last'))
      connection.close(1012, 'over')
      connection.write(events('too late'))
      await until('the end', () => reasons.length === 1)
      expect([heard, reasons, socket.active]).toEqual([['last'], ['transport close'], true])
      expect(closedCount()).toBe(1)
      await until('coming back', () => opened.length === 2)
    },
  )

  it("a client's own leaving is told once", async () => {
    const { socket, closedCount } = await connect()
    socket.disconnect()
    await until('the end', () => closedCount() === 1)
    expect(keeper.count).toBe(0)
  })

  it("what a listener throws ends this client's connection alone", async () => {
    const [one, other] = [await connect(['websocket']), await connect(['websocket'])]
    onEvent = (name) => {
      if (name === 'bad') throw new Error('a fault')
    }
    one.socket.emit('bad')
    await until('the end', () => one.closedCount() === 1)
    expect([other.closedCount(), log.lines]).toEqual([0, ['an event could not be taken']])
  })

  it('a reader that takes nothing for too long is ended by the keeper', async () => {
    const first = await (await fetch(`${url}/socket.io/?EIO=4&transport=polling`)).text()
    const line = `${url}/socket.io/?EIO=4&transport=polling&sid=${JSON.parse(first.slice(1)).sid}`
    await fetch(line, { method: 'POST', body: '40' })
    expect(await (await fetch(line)).text()).toMatch(/^40/)
    await until('the connection', () => opened.length === 1)
    // It does not poll again.
    const { connection } = opened[0]!
    connection.write(events('x'))
    clock.pass(14_000)
    expect([connection.isOpen, connection.queuedBytes > 0]).toEqual([true, true])
    clock.pass(3_000)
    expect([connection.isOpen, connection.fault, opened[0]!.closed]).toEqual([false, 'too_slow', 1])
  })

  it('a client that asks and never reads the answers is ended as well', async () => {
    const ws = new WebSocket(`${url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`)
    await new Promise((resolve) => ws.once('message', resolve))
    onEvent = (_name, _args, ack) => ack?.({ answer: 'x'.repeat(60_000) })
    ws.send('40')
    await until('the connection', () => opened.length === 1)
    ws.pause()
    await until('the end', () => {
      if (ws.bufferedAmount < 10_000) for (let nth = 0; nth < 100; nth++) ws.send('421["ask"]')
      return opened[0]!.closed === 1
    })
    expect(opened[0]!.connection.fault).toBe('too_slow')
    ws.terminate()
  })
})

describe('who comes', () => {
  it('is told by a connect_error, and may say something else on the same connection', async () => {
    const socket = io(url, { forceNew: true, auth: { name: 'nobody' }, transports: ['websocket'] })
    clients.push(socket)
    const words: string[] = []
    socket.on('connect_error', ({ message }) => words.push(message))
    await until('the words', () => words.length === 1)
    socket.auth = { name: 'somebody' }
    socket.connect()
    await until('the connection', () => socket.connected)
    expect([words, opened.length]).toEqual([['not you'], 1])
  })

  it('is closed where it may come later, and comes; a fault of ours is logged', async () => {
    const socket = io(url, { forceNew: true, auth: { name: 'later' }, reconnectionDelay: 10 })
    clients.push(socket)
    const lost: string[] = []
    socket.io.on('close', (reason) => lost.push(reason))
    await until('the end', () => lost.length === 1)
    socket.auth = { name: 'fault' }
    await until('a line', () => log.lines.length > 0)
    expect(log.lines[0]).toBe('a client could not join')
    socket.auth = {}
    await until('the connection', () => socket.connected)
  })

  it('and has gone before it was let in, is abandoned', async () => {
    let letIn = () => {}
    gate = new Promise<void>((resolve) => (letIn = resolve))
    const socket = io(url, { forceNew: true, transports: ['websocket'] })
    clients.push(socket)
    await until('the opening', () => socket.io.engine.readyState === 'open')
    const ws = new WebSocket(`${url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`)
    await new Promise((resolve) => ws.once('message', resolve))
    ws.send('40')
    ws.close()
    await new Promise((resolve) => ws.once('close', resolve))
    letIn()
    await until('it was noticed', () => abandoned === 1)
    await until('the other', () => socket.connected)
    expect(opened).toHaveLength(1)
  })

  it('is answered whole before socket.io where it may not come now, and while stopping', async () => {
    const poll = () => fetch(`${url}/socket.io/?EIO=4&transport=polling`, { headers: { 'x-away': '1' } })
    const answer = await poll()
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '7'])
    const { socket } = await connect()
    socketIo.stop()
    const stopping = await fetch(`${url}/socket.io/?EIO=4&transport=polling`)
    expect([stopping.status, stopping.headers.get('retry-after')]).toEqual([503, '1'])
    expect(socket.connected).toBe(true)
  })
})

describe('a pause', () => {
  it.each([[['polling']], [['websocket']], [['polling', 'websocket']]])(
    'keeps what comes unread until it ends, by %j',
    async (transports) => {
      const { socket, heard, connection, told } = await connect(transports)
      // Before the server has upgraded they could come in one read with the upgrade's last packet, as what had been read already.
      if (transports.length === 2) await until('the upgrade', () => socket.io.engine.transport.name === 'websocket')
      socket.emit('n', -1)
      await until('the first', () => told.splice(0).length === 1)
      connection.pause()
      for (let nth = 0; nth < 20; nth++) socket.emit('n', nth)
      connection.write(events('still out'))
      await until('it', () => heard.length === 1)
      expect(told).toEqual([])
      connection.resume()
      await until('all', () => told.length === 20)
      expect(told.map(([, nth]) => nth)).toEqual(Array.from({ length: 20 }, (_, nth) => nth))
    },
  )
})
