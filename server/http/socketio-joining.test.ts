/** Who comes by socket.io before he has joined, and what is kept of him then; and whom we do not read for a while. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { WebSocket } from 'ws'
import { until } from '../../test/chat.ts'
import { budgetBytes, engineOf, events, openScene, transportsEach, type Scene } from './socketio.fixture.ts'

let scene: Scene
beforeEach(async () => {
  scene = await openScene()
})
afterEach(() => scene.close())

describe('who comes', () => {
  it('is told by a connect_error, and may say something else on the same connection', async () => {
    const socket = scene.start({ auth: { name: 'nobody' }, transports: ['websocket'] })
    const words: string[] = []
    socket.on('connect_error', ({ message }) => words.push(message))
    await until('the words', () => words.length === 1)
    socket.auth = { name: 'somebody' }
    socket.connect()
    await until('the connection', () => socket.connected)
    expect([words, scene.opened.length]).toEqual([['not you'], 1])
  })

  it('is closed where it may come later, and comes; a fault of ours is logged', async () => {
    const socket = scene.start({ auth: { name: 'later' }, reconnectionDelay: 10 })
    const lost: string[] = []
    socket.io.on('close', (reason) => lost.push(reason))
    await until('the end', () => lost.length === 1)
    socket.auth = { name: 'fault' }
    await until('a line', () => scene.lines.length > 0)
    expect(scene.lines[0]).toBe('a client could not join')
    socket.auth = {}
    await until('the connection', () => socket.connected)
  })

  it('and has gone before it was let in, is abandoned', async () => {
    let letIn = () => {}
    scene.gate = new Promise<void>((resolve) => (letIn = resolve))
    const socket = scene.start({ transports: ['websocket'] })
    await until('the opening', () => socket.io.engine.readyState === 'open')
    const { ws, isKnown } = await scene.openRaw()
    ws.send('40')
    ws.close()
    await until('the end', async () => !(await isKnown()))
    letIn()
    await until('it was noticed', () => scene.abandoned === 1)
    await until('the other', () => socket.connected)
    expect(scene.opened).toHaveLength(1)
  })

  it('is answered whole before socket.io where it may not come now, and while stopping', async () => {
    const poll = () => fetch(`${scene.url}/socket.io/?EIO=4&transport=polling`, { headers: { 'x-away': '1' } })
    const answer = await poll()
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '7'])
    const { socket } = await scene.connect()
    scene.socketIo.stop()
    const stopping = await fetch(`${scene.url}/socket.io/?EIO=4&transport=polling`)
    expect([stopping.status, stopping.headers.get('retry-after')]).toEqual([503, '1'])
    expect(socket.connected).toBe(true)
  })
})

describe('who has not joined', () => {
  it('[W2] and never reads what answers him is ended past 64 KiB, by WebSocket', async () => {
    const { ws, isKnown } = await scene.openRaw()
    ws.pause()
    const frame = `40/${'n'.repeat(60_000)},`
    await until('the end', async () => {
      if (ws.bufferedAmount < 1_000_000) for (let nth = 0; nth < 20; nth++) ws.send(frame)
      return !(await isKnown())
    })
  })

  it('[W2] and never reads what answers him is ended past 64 KiB, by polling', async () => {
    const line = await scene.greet()
    await fetch(line, {
      method: 'POST',
      body: Array(1_000)
        .fill(`40/${'n'.repeat(50)},`)
        .join('\u001e'),
    })
    expect(await (await fetch(line, { method: 'POST', body: '40' })).json()).toMatchObject({ code: 1 })
  })

  it('[W2] is closed after a while', async () => {
    await scene.close()
    scene = await openScene({ joinTimeoutMs: 20 })
    const { ws } = await scene.openRaw()
    await until('the end', () => ws.readyState === ws.CLOSED)
  })

  it('gets no answer to pings', async () => {
    const { ws, heard } = await scene.openRaw()
    const pongs: string[] = []
    ws.on('pong', (data) => pongs.push(String(data)))
    ws.ping('early')
    ws.send('40')
    await until('the connection', () => heard.length === 2)
    ws.ping('late')
    await until('a pong', () => pongs.length > 0)
    expect(pongs).toEqual(['late'])
  })

  it('[W2] is told five times that he is refused, and then closed', async () => {
    const { ws, heard } = await scene.openRaw()
    for (let nth = 1; nth <= 5; nth++) {
      ws.send('40{"name":"nobody"}')
      await until('a refusal', () => heard.length === 1 + nth)
    }
    expect(heard.slice(1)).toEqual(Array(5).fill('44{"message":"not you"}'))
    ws.send('40{"name":"nobody"}')
    await until('the end', () => ws.readyState === ws.CLOSED)
    expect(heard).toHaveLength(6)
  })
})

describe('whoever has joined', () => {
  it('gets an answer to pings as long as less than the budget waits', async () => {
    const { ws, heard } = await scene.openRaw()
    ws.send('40')
    await until('the connection', () => heard.length === 2)
    const pongs: string[] = []
    ws.on('pong', (data) => pongs.push(String(data)))
    ws.pause()
    const { connection } = scene.opened[0]!
    connection.write(events('x'.repeat(16 * 1024 * 1024)))
    expect(connection.queuedBytes).toBeGreaterThan(budgetBytes)
    ws.ping('unanswered')
    // The server has read the ping as well as this.
    ws.send('42["mark"]')
    await until('the mark', () => scene.opened[0]!.told.length === 1)
    ws.resume()
    await connection.drained()
    ws.ping('answered')
    await until('a pong', () => pongs.length > 0)
    expect(pongs).toEqual(['answered'])
  })

  it('gets an answer to pings behind an upgrade as well', async () => {
    const { socket } = await scene.connect()
    await until('the upgrade', () => socket.io.engine.transport.name === 'websocket')
    const { ws } = socket.io.engine.transport as unknown as { ws: WebSocket }
    const pong = new Promise((resolve) => ws.once('pong', (data) => resolve(String(data))))
    ws.ping('behind it')
    expect(await pong).toBe('behind it')
  })

  it.each([[['websocket']], [['polling', 'websocket']]])('is not kept with his requests, by %j', async (transports) => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    const requests: WeakRef<object>[] = []
    scene.onUpgrade = (request) => void requests.push(new WeakRef(request))
    const { connection, socket } = await scene.connect(transports)
    await until('the WebSocket', () => engineOf(connection).transport.name === 'websocket' && requests.length === 1)
    await until('it has gone', () => {
      collect()
      return requests[0]!.deref() === undefined
    })
    expect(socket.connected).toBe(true)
  })
})

describe('a pause', () => {
  it.each(transportsEach)('keeps what comes unread until it ends, by %j', async (transports) => {
    const { socket, heard, connection, told } = await scene.connect(transports)
    // Before the server has upgraded they could come in one read with the upgrade's last packet, as what had been read already.
    if (transports.length === 2) await until('the upgrade', () => socket.io.engine.transport.name === 'websocket')
    socket.emit('n', -1)
    await until('the first', () => told.splice(0).length === 1)
    connection.pause()
    await expectUnread(socket, told, async () => {
      connection.write(events('still out'))
      await until('it', () => heard.length === 1)
    })
    connection.resume()
    await until('all', () => told.length === 20)
    expect(told.map(([, nth]) => nth)).toEqual(Array.from({ length: 20 }, (_, nth) => nth))
  })

  it('[A12] that began while it polled goes on behind the upgrade', async () => {
    scene.onOpen = (connection) => connection.pause()
    const { socket, connection, told } = await scene.connect()
    scene.onOpen = () => {}
    await until('the upgrade', () => engineOf(connection).transport.name === 'websocket')
    await until('the upgrade there', () => socket.io.engine.transport.name === 'websocket')
    await expectUnread(socket, told)
    connection.resume()
    await until('all', () => told.length === 20)
  })

  it('[A12] ends nobody for pongs that are not read, and his pings go on', async () => {
    const { connection: first } = await scene.connect(['websocket'])
    const { opts } = engineOf(first).server
    opts.pingInterval = 10
    // As one that was sent before the pause.
    for (const transports of [['polling'], ['websocket']]) {
      const { socket, connection, told, closedCount } = await scene.connect(transports)
      let pings = 0
      socket.io.on('ping', () => void pings++)
      const engine = engineOf(connection)
      await new Promise<void>((resolve) => {
        engine.on('packetCreate', ({ type }) => {
          if (type === 'ping') queueMicrotask(resolve)
        })
      })
      connection.pause()
      pings = 0
      await until('pings', () => pings > 3)
      socket.emit('n', 1)
      connection.resume()
      await until('what was not read', () => told.length === 1)
      expect(closedCount()).toBe(0)
    }
  })
})

/** Twenty events come to a server that reads what another client sends later, and does not read them. */
async function expectUnread(socket: { emit(name: string, nth: number): unknown }, told: unknown[][], meanwhile = async () => {}) {
  const other = await scene.connect(['websocket'])
  for (let nth = 0; nth < 20; nth++) socket.emit('n', nth)
  await meanwhile()
  for (let turn = 1; turn <= 3; turn++) {
    other.socket.emit('n', turn)
    await until('another', () => other.told.length === turn)
  }
  expect(told).toEqual([])
}
