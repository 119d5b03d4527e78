import { once } from 'node:events'
import { afterEach, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { until } from '../../test/chat.ts'
import { answerPlainGet } from './answering.ts'
import { createKeeper } from './keeper.ts'
import type { Answer } from './problems.ts'
import { bodyOf, clientFrame, exchange, openRaw, statusOf, upgradeRequest } from './raw-client.fixture.ts'
import { createHttpServer } from './server.ts'
import type { HttpServer } from './server.ts'
import { createTestClock } from './test-clock.fixture.ts'
import { createUpgrades } from './upgrades.ts'
import type { Acceptance, UpgradeRequest, Upgrades } from './upgrades.ts'
import { createWebSockets } from './websocket.ts'

let server: HttpServer
let upgrades: Upgrades
let logged: unknown[]

interface StartOptions {
  checkDeadlineMs?: number
  trustedProxies?: string[]
}

async function start(options: StartOptions, addRoutes: (upgrades: Upgrades) => void): Promise<number> {
  logged = []
  const log = { warn: () => {}, error: (text: string, error: unknown) => void logged.push(text, error) }
  server = createHttpServer({ log, trustedProxies: options.trustedProxies ?? [] })
  server.problems.register({
    name: 'door',
    owns: (path) => path.startsWith('/ws'),
    toAnswer: (problem, place) =>
      problem.kind === 'thrown' ? null : { status: codes[problem.kind] ?? 500, body: { detail: problem.kind, path: place.path } },
  })
  const keeper = createKeeper({ clock: createTestClock() })
  const { checkDeadlineMs = 10_000 } = options
  upgrades = createUpgrades({
    problems: server.problems,
    proxies: server.proxies,
    websockets: createWebSockets({ keeper }),
    log,
    checkDeadlineMs,
  })
  addRoutes(upgrades)
  server.onUpgrade(upgrades.handle)
  server.app.get('/ws/chat/:roomId', answerPlainGet)
  const [port] = await server.listen([{ host: '127.0.0.1', port: 0 }])
  return port as number
}

const codes: Partial<Record<string, number>> = {
  not_found: 404,
  bad_request: 400,
  upgrade_required: 426,
  unavailable: 503,
  validation: 422,
}

afterEach(() => server.close({ graceMs: 0 }))

/** Notes all texts, and tells when one has come. */
function listener() {
  const texts: string[] = []
  let tell = () => {}
  const acceptance: Acceptance = {
    open: () => ({
      onText: (text) => {
        texts.push(text)
        tell()
      },
      onClose: () => {},
    }),
    abandon: () => {},
  }
  const until = (count: number) =>
    new Promise<string[]>((resolve) => {
      tell = () => texts.length >= count && resolve(texts)
      tell()
    })
  return { acceptance, until }
}

function gate() {
  let open = () => {}
  const opened = new Promise<void>((resolve) => (open = resolve))
  return { open, opened }
}

test('[G7] a handler gets path, parameters, query, headers and address', async () => {
  let seen: UpgradeRequest | undefined
  const port = await start({ trustedProxies: ['127.0.0.1'] }, (to) =>
    to.route('/ws/chat/:roomId', async (request) => {
      seen = request
      return listener().acceptance
    }),
  )
  const headers = { 'X-Forwarded-For': '203.0.113.5', 'X-Forwarded-Host': 'chat.example', Cookie: 'a=b' }
  const socket = new WebSocket(`ws://127.0.0.1:${port}/ws/chat/%EB%B0%A9%2F1?token=a%20b&since=`, { headers })
  await once(socket, 'open')
  expect(seen).toMatchObject({
    path: '/ws/chat/%EB%B0%A9%2F1',
    params: { roomId: '방/1' },
    remoteAddress: '203.0.113.5',
    host: 'chat.example',
  })
  expect([seen?.query.get('token'), seen?.query.get('since'), seen?.headers.cookie]).toEqual(['a b', '', 'a=b'])
  socket.terminate()
})

test('[G7] a frame sent before the checks end is kept', async () => {
  const { open, opened } = gate()
  const begun = gate()
  const { acceptance, until } = listener()
  const port = await start({}, (to) =>
    to.route('/ws/:id', async () => {
      begun.open()
      await opened
      return acceptance
    }),
  )
  const client = await openRaw(port)
  client.send(
    Buffer.concat([
      Buffer.from(upgradeRequest('/ws/1')),
      clientFrame(1, 'in the same segment'),
      clientFrame(1, 'half').subarray(0, 4),
    ]),
  )
  await begun.opened
  client.send(clientFrame(1, 'half').subarray(4))
  client.send(clientFrame(1, '나중에'))
  // The server has read them when it answers another client that came later.
  await exchange(port, 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  open()
  expect(await until(3)).toEqual(['in the same segment', 'half', '나중에'])
  client.socket.destroy()
})

test('[F1] a refusal is a whole HTTP answer before 101, also for a client that has sent frames', async () => {
  const answer: Answer = { status: 403, headers: { 'X-Why': 'a\r\nSet-Cookie: b' }, body: { error: '거절' } }
  const port = await start({}, (to) => to.route('/ws/:id', async () => answer))
  const client = await openRaw(port)
  client.socket.pause()
  client.send(upgradeRequest('/ws/1'))
  const frames = Buffer.concat(Array.from({ length: 100 }, () => clientFrame(1, 'x'.repeat(10_000))))
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => client.socket.write(frames, resolve))
  client.socket.resume()
  const got = Buffer.from(await client.closed, 'latin1').toString()
  expect(statusOf(got)).toBe(403)
  expect(got).toMatch(/\r\nConnection: close\r\n/)
  expect(got).not.toMatch(/\r\nSet-Cookie/)
  expect(bodyOf(got)).toBe('{"error":"거절"}')
  expect(got).toMatch(new RegExp(`\\r\\ncontent-length: ${Buffer.byteLength(bodyOf(got))}\\r\\n`))
})

test('[A3] an upgrade to an unknown path, or a path that cannot be decoded, is a 404 of the dialect', async () => {
  const port = await start({}, (to) => to.route('/ws/chat/:roomId', async () => listener().acceptance))
  for (const path of ['/ws/none', '/ws/chat/', '/ws/chat/1/2', '/ws/chat/%', '/ws/chat/%ff', '/ws/chat/%00', '/ws//1']) {
    const answer = await exchange(port, upgradeRequest(path))
    expect([statusOf(answer), JSON.parse(bodyOf(answer))], path).toEqual([404, { detail: 'not_found', path }])
  }
  expect(JSON.parse(bodyOf(await exchange(port, upgradeRequest('/other'))))).toEqual({ error: 'not_found', message: 'Not Found' })
  expect(statusOf(await exchange(port, upgradeRequest('/ws/chat/1?since=%00')))).toBe(422)
})

test('[F1] a bad handshake is a 400, another version a 426, a plain GET a 426', async () => {
  const port = await start({}, (to) => to.route('/ws/chat/:roomId', async () => listener().acceptance))
  const bad = [
    { 'Sec-WebSocket-Key': null },
    { 'Sec-WebSocket-Key': 'short' },
    { 'Sec-WebSocket-Key': 'x'.repeat(24) },
    { 'Sec-WebSocket-Version': null },
  ]
  for (const headers of bad) expect(statusOf(await exchange(port, upgradeRequest('/ws/chat/1', headers)))).toBe(400)
  expect(statusOf(await exchange(port, upgradeRequest('/ws/chat/1').replace('GET', 'POST')))).toBe(400)
  for (const version of ['8', '14', 'x']) {
    const answer = await exchange(port, upgradeRequest('/ws/chat/1', { 'Sec-WebSocket-Version': version }))
    expect(statusOf(answer)).toBe(426)
    expect(answer).toMatch(/\r\nsec-websocket-version: 13\r\n/i)
  }
  for (const headers of [
    { Upgrade: null, Connection: 'close' },
    { Upgrade: 'h2c', Connection: 'Upgrade, close' },
  ]) {
    const client = await openRaw(port)
    client.send(upgradeRequest('/ws/chat/1', headers))
    expect(statusOf(await client.until('upgrade_required'))).toBe(426)
    client.socket.destroy()
  }
})

test('[A15] checks that do not end are a 503, and what they say later is not heard', async () => {
  const { open, opened } = gate()
  const said: string[] = []
  const port = await start({ checkDeadlineMs: 20 }, (to) =>
    to.route('/ws/:id', async () => {
      await opened
      const open = () => (said.push('opened'), { onText: () => {}, onClose: () => {} })
      return { open, abandon: () => void said.push('abandoned') }
    }),
  )
  const answer = await exchange(port, upgradeRequest('/ws/1'))
  expect(statusOf(answer)).toBe(503)
  expect(answer).toMatch(/\r\nretry-after: 1\r\n/)
  open()
  await new Promise(setImmediate)
  expect(said).toEqual(['abandoned'])
})

test('[A3] checks that fail are a 500 that tells nothing, and so is a failing open', async () => {
  const port = await start({}, (to) => {
    to.route('/ws/a', async () => {
      throw new Error('SELECT 1')
    })
    to.route('/ws/sync', () => {
      throw new Error('SELECT 3')
    })
    to.route('/ws/b', async () => ({
      open: () => {
        throw new Error('SELECT 2')
      },
      abandon: () => {},
    }))
  })
  const answer = await exchange(port, upgradeRequest('/ws/a?token=secret'))
  expect(statusOf(answer)).toBe(500)
  expect(answer).not.toContain('SELECT')
  expect(statusOf(await exchange(port, upgradeRequest('/ws/sync')))).toBe(500)
  logged.splice(2)
  await exchange(port, upgradeRequest('/ws/b'))
  expect(logged).toEqual(['GET /ws/a failed', new Error('SELECT 1'), '/ws/b: opening a connection failed', new Error('SELECT 2')])
})

test('[G7] an offer of subprotocols that is none is a 400 after the checks, and what they hold is let go of', async () => {
  let abandons = 0
  const open = () => expect.unreachable('it must not be opened')
  const port = await start({}, (to) => to.route('/ws/:id', async () => ({ open, abandon: () => void (abandons += 1) })))
  for (const offer of [',', 'a,,a', 'a, a', '한']) {
    abandons = 0
    const answer = await exchange(port, upgradeRequest('/ws/1', { 'Sec-WebSocket-Protocol': offer }))
    expect([statusOf(answer), abandons], offer).toEqual([400, 1])
  }
  expect(logged).toEqual([])
})

test('[G7] a client that leaves while its checks run is forgotten, whether it ends, resets or floods', async () => {
  const { open, opened } = gate()
  let begun = () => {}
  const opens: string[] = []
  const ends: string[] = []
  const port = await start({}, (to) =>
    to.route('/ws/:id', async ({ params }) => {
      begun()
      await opened
      const id = params['id'] ?? ''
      const end = () => void ends.push(id)
      return { open: () => (opens.push(id), { onText: () => {}, onClose: end }), abandon: end }
    }),
  )
  const reset = await openRaw(port)
  await new Promise<void>((resolve) => {
    begun = resolve
    reset.send(upgradeRequest('/ws/reset'))
  })
  reset.socket.resetAndDestroy()
  const flood = await openRaw(port)
  await new Promise<void>((resolve) => {
    begun = resolve
    flood.send(upgradeRequest('/ws/flood'))
  })
  // What the server does not read stays here, once the kernels are full.
  const piece = Buffer.alloc(1024 * 1024)
  while (flood.socket.writableLength < 8 * piece.length) {
    flood.socket.write(piece)
    await new Promise(setImmediate)
  }
  await exchange(port, 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  expect(flood.socket.writableLength).toBeGreaterThan(7 * piece.length)
  flood.socket.destroy()
  const ended = await openRaw(port)
  await new Promise<void>((resolve) => {
    begun = resolve
    ended.send(upgradeRequest('/ws/ended'))
  })
  ended.socket.end()
  open()
  await ended.closed
  await until('each end', () => ends.length === 3)
  expect(ends.toSorted()).toEqual(['ended', 'flood', 'reset'])
  expect(opens, 'what was reset is never opened').not.toContain('reset')
  expect(logged).toEqual([])
})

test('[A15] while stopping every upgrade is a 503', async () => {
  const port = await start({}, (to) => to.route('/ws/:id', async () => listener().acceptance))
  upgrades.stop()
  expect(statusOf(await exchange(port, upgradeRequest('/ws/1')))).toBe(503)
})

test('[W2] a raw route gets the socket as it is', async () => {
  const port = await start({}, (to) =>
    to.routeRaw('/socket.io/', (request, socket, head) => void socket.end(`${request.url} ${head.toString()}`)),
  )
  expect(await exchange(port, `${upgradeRequest('/socket.io/?EIO=4')}head`)).toBe('/socket.io/?EIO=4 head')
})
