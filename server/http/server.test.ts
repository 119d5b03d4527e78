import { request } from 'node:http'
import { createServer } from 'node:net'
import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import { exchange, openRaw, statusOf } from './raw-client.fixture.ts'
import { createHttpServer } from './server.ts'

const loopback = { host: '127.0.0.1', port: 0 }

test('[A3] the same app answers on every address', async () => {
  const server = createHttpServer()
  server.app.get('/', async () => 'here')
  const ports = await server.listen([loopback, loopback, { host: '::1', port: 0 }])
  expect(new Set(ports).size).toBe(3)
  const urls = [`http://127.0.0.1:${ports[0]}`, `http://127.0.0.1:${ports[1]}`, `http://[::1]:${ports[2]}`]
  for (const url of urls) expect(await (await fetch(url)).text()).toBe('here')
  await server.close({ graceMs: 1000 })
  for (const url of urls) await expect(fetch(url)).rejects.toThrow()
})

test('[M1] where one address cannot be had, none is kept', async () => {
  const taken = createServer()
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
  const { port } = taken.address() as { port: number }
  const server = createHttpServer()
  await expect(server.listen([loopback, { host: '127.0.0.1', port }])).rejects.toMatchObject({ code: 'EADDRINUSE' })
  const ports = await server.listen([loopback])
  expect(ports).toHaveLength(1)
  await server.close({ graceMs: 0 })
  taken.close()
})

test('[A15] a stop lets running requests end, ends idle connections and takes no new ones', async () => {
  const server = createHttpServer()
  let finish = () => {}
  const started = new Promise<void>((resolve) => {
    server.app.get('/slow', () => {
      resolve()
      return new Promise((answer) => (finish = () => answer('done')))
    })
  })
  server.app.get('/', async () => 'here')
  const [port] = (await server.listen([loopback])) as [number]
  const idle = await openRaw(port)
  idle.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  await idle.until('here')
  const running = await openRaw(port)
  running.send('GET /slow HTTP/1.1\r\nHost: x\r\n\r\n')
  await started
  const stopped = server.close({ graceMs: 60_000 })
  await idle.closed
  await expect(fetch(`http://127.0.0.1:${port}/`)).rejects.toThrow()
  finish()
  const answer = await running.closed
  expect(answer).toContain('done')
  expect(answer).toMatch(/\r\nconnection: close\r\n/i)
  await stopped
})

test('[A15] after the grace a request that does not end is cut', async () => {
  const server = createHttpServer()
  const started = new Promise<void>((resolve) =>
    server.app.get('/for-ever', () => {
      resolve()
      return new Promise(() => {})
    }),
  )
  const [port] = (await server.listen([loopback])) as [number]
  const client = await openRaw(port)
  client.send('GET /for-ever HTTP/1.1\r\nHost: x\r\n\r\n')
  await started
  await server.close({ graceMs: 10 })
  expect(await client.closed).toBe('')
})

test('[A3] a slow-loris is cut, in the head and in the body', async () => {
  const server = createHttpServer({ timeouts: { headersMs: 20, requestMs: 40, checkEveryMs: 10 } })
  server.app.post('/', async () => 'never')
  const [port] = (await server.listen([loopback])) as [number]
  for (const start of [
    'GET / HT',
    'GET / HTTP/1.1\r\nHost: x\r\nX-A',
    'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{',
  ]) {
    expect(statusOf(await exchange(port, start)), start).toBe(408)
  }
  await server.close({ graceMs: 0 })
})

test('[A12] the address of a client behind a trusted proxy is the forwarded one', async () => {
  const server = createHttpServer({ trustedProxies: ['127.0.0.0/8'] })
  server.app.get('/', async (request) => `${request.ip} ${request.protocol} ${request.host}`)
  const [port] = (await server.listen([loopback])) as [number]
  const headers = { 'X-Forwarded-For': '6.6.6.6, 203.0.113.5', 'X-Forwarded-Proto': 'https', 'X-Forwarded-Host': 'chat.example' }
  expect(await (await fetch(`http://127.0.0.1:${port}`, { headers })).text()).toBe('203.0.113.5 https chat.example')
  await server.close({ graceMs: 0 })
})

test('[A3] without an upgrade handler, and for what is no WebSocket, a request is served as if it asked for no upgrade', async () => {
  for (const hasHandler of [false, true]) {
    const server = createHttpServer()
    server.app.post('/echo', async (request) => request.body)
    if (hasHandler) server.onUpgrade((_request, socket) => void socket.destroy())
    const [port] = (await server.listen([loopback])) as [number]
    const body = JSON.stringify({ text: '글'.repeat(1000) })
    const head =
      'POST /echo HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n'
    const client = await openRaw(port)
    client.send(`${head}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body.slice(0, 500)}`)
    client.send(body.slice(500))
    expect(Buffer.from(await client.until('"}'), 'latin1').toString()).toContain(body)
    client.send('GET /none HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    expect(await client.closed).toContain('404 Not Found')
    await server.close({ graceMs: 0 })
  }
})

test('[A3] Expect: 100-continue and pipelined requests are served', async () => {
  const server = createHttpServer()
  server.app.post('/echo', async (message) => message.body)
  const [port] = (await server.listen([loopback])) as [number]
  const answer = await new Promise<string>((resolve) => {
    const sent = request(
      { port, method: 'POST', path: '/echo', headers: { Expect: '100-continue', 'Content-Length': 3 } },
      (response) => {
        response.setEncoding('utf8').on('data', resolve)
      },
    )
    sent.on('continue', () => sent.end('"a"'))
  })
  expect(answer).toBe('a')
  const one = 'POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n'
  const both = await exchange(port, `${one}1${one.replace('Host: x', 'Host: x\r\nConnection: close')}2`)
  expect(both.match(/HTTP\/1.1 200/g)).toHaveLength(2)
  await server.close({ graceMs: 0 })
})

test('[P3] what is no HTTP, sent while an answer streams, puts nothing into that answer', async () => {
  const server = createHttpServer()
  server.app.get('/stream', (_request, reply) => {
    reply.hijack()
    reply.raw.writeHead(200, { 'Content-Type': 'text/event-stream' })
    reply.raw.write('data: 1\n\n')
  })
  const [port] = (await server.listen([loopback])) as [number]
  const client = await openRaw(port)
  client.send('GET /stream HTTP/1.1\r\nHost: x\r\n\r\n')
  await client.until('data: 1')
  client.send('garbage\r\n\r\n')
  expect(await client.closed).not.toContain('400')
  await server.close({ graceMs: 0 })
})

test('[A15] a stop does not wait for the keep-alive connection of an answer that was going out', async () => {
  const server = createHttpServer()
  const body = new PassThrough()
  server.app.get('/slow', async (_request, reply) => reply.header('content-length', 4).send(body))
  const [port] = (await server.listen([loopback])) as [number]
  const client = await openRaw(port)
  client.send('GET /slow HTTP/1.1\r\nHost: x\r\n\r\n')
  body.write('ab')
  await client.until('ab')
  // Longer than this test may take.
  const closed = server.close({ graceMs: 600_000 })
  body.end('cd')
  await client.until('cd')
  await closed
})
