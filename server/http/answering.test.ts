import { afterEach, expect, test } from 'vitest'
import { z } from 'zod'
import { answerPlainGet } from './answering.ts'
import { readForm, readJson, readJsonIfSaid, readRaw } from './bodies.ts'
import { ProblemError } from './problems.ts'
import type { ErrorShape, Problem } from './problems.ts'
import { bodyOf, exchange, openRaw, statusOf } from './raw-client.fixture.ts'
import { createHttpServer } from './server.ts'
import type { HttpServer } from './server.ts'

class OwnError extends Error {}

/** Shows the whole problem, so that a test sees what a dialect would. */
function shapeFor(name: string, prefix: string): ErrorShape {
  return {
    name,
    owns: (path) => path.startsWith(prefix),
    toAnswer(problem, place) {
      const { error, ...rest } = problem
      if (problem.kind === 'thrown')
        return error instanceof OwnError ? { status: 418, headers: { 'X-Own': 'yes' }, body: { own: error.message } } : null
      return { status: statuses[problem.kind], body: { dialect: name, ...rest, place } }
    },
  }
}

const statuses: Record<Problem['kind'], number> = {
  not_found: 404,
  method_not_allowed: 405,
  bad_request: 400,
  bad_body: 400,
  bad_encoding: 400,
  too_large: 413,
  unsupported: 415,
  validation: 422,
  upgrade_required: 426,
  too_many: 429,
  unavailable: 503,
  thrown: 500,
  internal: 500,
}

let server: HttpServer
let logged: unknown[]

/** Two dialects, `/a` and `/b`, with the same routes. */
async function start(): Promise<number> {
  logged = []
  server = createHttpServer({ log: { warn: () => {}, error: (text, error) => void logged.push(text, error) } })
  for (const name of ['a', 'b']) {
    server.problems.register(shapeFor(name, `/${name}`))
    addRoutes(`/${name}`)
  }
  const [port] = await server.listen([{ host: '127.0.0.1', port: 0 }])
  return port as number
}

function addRoutes(prefix: string): void {
  const { app } = server
  const body = z.object({ name: z.string(), list: z.array(z.number()).optional() })
  app.post(`${prefix}/echo`, { config: { readBody: readJson } }, async (request) => ({ got: request.body ?? null }))
  app.post(`${prefix}/said`, { config: { readBody: readJsonIfSaid } }, async (request) => ({ got: request.body ?? null }))
  app.post(`${prefix}/form`, { config: { readBody: readForm } }, async (request) => ({ got: request.body ?? null }))
  app.post(`${prefix}/raw`, { config: { readBody: readRaw } }, async (request) => ({
    got: (request.body as Buffer).toString('hex'),
  }))
  app.post(`${prefix}/checked`, { schema: { body } }, async (request) => ({ got: request.body.name }))
  app.get(
    `${prefix}/items/:id`,
    {
      schema: {
        params: z.object({ id: z.coerce.number() }),
        querystring: z.object({ limit: z.coerce.number().max(100).default(50) }),
      },
    },
    async (request) => request.query.limit,
  )
  app.delete(`${prefix}/items/:id`, async (request) => ({ got: request.body ?? null }))
  app.get(`${prefix}/own`, async () => {
    throw new OwnError('mine')
  })
  app.get(`${prefix}/bug`, async () => {
    throw new Error('SELECT password FROM users')
  })
  app.get(`${prefix}/nothing`, async () => {
    throw null
  })
  app.get(`${prefix}/busy`, async () => {
    throw new ProblemError({ kind: 'too_many', retryAfterS: 7 })
  })
  app.get(`${prefix}/ws/:id`, answerPlainGet)
}

afterEach(() => server.close({ graceMs: 0 }))

function ask(
  port: number,
  method: string,
  path: string,
  options: { body?: string | Buffer; headers?: Record<string, string> } = {},
): Promise<string> {
  const body = Buffer.from(options.body ?? '')
  const headers = {
    Host: 'x',
    Connection: 'close',
    ...(body.length > 0 ? { 'Content-Length': String(body.length) } : {}),
    ...options.headers,
  }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
  return exchange(port, Buffer.concat([Buffer.from(`${method} ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`), body]))
}

function jsonOf(answer: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(bodyOf(answer), 'latin1').toString()) as Record<string, unknown>
}

test('[A3] an unknown path is a 404 of the dialect whose prefix it has, and has its place without the query', async () => {
  const port = await start()
  for (const name of ['a', 'b']) {
    const answer = await ask(port, 'POST', `/${name}/none?token=secret`, { body: 'no json' })
    expect(statusOf(answer)).toBe(404)
    expect(jsonOf(answer)).toEqual({ dialect: name, kind: 'not_found', place: { method: 'POST', path: `/${name}/none` } })
  }
  expect(jsonOf(await ask(port, 'GET', '/nobody'))).toEqual({ error: 'not_found', message: 'Not Found' })
})

test('[A3] a path that exists with other methods is a 405 with Allow', async () => {
  const port = await start()
  const answer = await ask(port, 'PUT', '/a/items/1', { body: '{' })
  expect(statusOf(answer)).toBe(405)
  expect(answer).toMatch(/\r\nallow: GET, HEAD, DELETE\r\n/i)
  expect(jsonOf(answer)).toMatchObject({ dialect: 'a', kind: 'method_not_allowed' })
  expect(statusOf(await ask(port, 'PROPFIND', '/a/items/1'))).toBe(405)
  expect(statusOf(await ask(port, 'GET', '/b/echo'))).toBe(405)
})

test('[A3] OPTIONS tells the methods of a path, and HEAD is GET without its body', async () => {
  const port = await start()
  const options = await ask(port, 'OPTIONS', '/a/items/1')
  expect(statusOf(options)).toBe(204)
  expect(options).toMatch(/\r\nallow: GET, HEAD, DELETE, OPTIONS\r\n/i)
  expect(statusOf(await ask(port, 'OPTIONS', '/a/none'))).toBe(404)
  const head = await ask(port, 'HEAD', '/a/items/1')
  expect([statusOf(head), bodyOf(head)]).toEqual([200, ''])
  const missing = await ask(port, 'HEAD', '/a/none')
  expect([statusOf(missing), bodyOf(missing)]).toEqual([404, ''])
})

test('[A3] paths that cannot be decoded or hold U+0000 are a 404, a query with U+0000 is bad input', async () => {
  const port = await start()
  for (const path of ['/a/items/%', '/a/items/%ff', '/a/items/%ED%A0%80', '/a/items/%00', '/a/%E0%A4%A']) {
    const answer = await ask(port, 'GET', path)
    expect([statusOf(answer), jsonOf(answer)['dialect']], path).toEqual([404, 'a'])
  }
  expect(jsonOf(await ask(port, 'GET', '/a/items/1?limit=1%00'))).toMatchObject({
    kind: 'validation',
    issues: [{ location: 'query' }],
  })
  expect(statusOf(await ask(port, 'GET', '/a/items/1?limit=%ff'))).toBe(422)
  expect(statusOf(await ask(port, 'GET', `/a/items/${'9'.repeat(200)}`))).toBe(200)
})

test('[A3] what zod finds reaches the dialect with place, path, code and input', async () => {
  const port = await start()
  const answer = await ask(port, 'POST', '/a/checked', { body: '{"name":1,"list":[1,"x"]}' })
  expect(statusOf(answer)).toBe(422)
  expect(jsonOf(answer)['issues']).toEqual([
    expect.objectContaining({ location: 'body', path: ['name'], code: 'invalid_type', input: 1, params: { expected: 'string' } }),
    expect.objectContaining({ location: 'body', path: ['list', 1], code: 'invalid_type', input: 'x' }),
  ])
  expect(jsonOf(await ask(port, 'GET', '/a/items/x'))['issues']).toMatchObject([{ location: 'path', path: ['id'], input: 'x' }])
  expect(jsonOf(await ask(port, 'GET', '/a/items/1?limit=101'))['issues']).toMatchObject([
    { location: 'query', path: ['limit'], params: { maximum: 100 } },
  ])
  expect(jsonOf(await ask(port, 'POST', '/a/checked'))['issues']).toMatchObject([{ location: 'body', path: [], input: null }])
})

test('[A3] an error of the dialect is its own to word, any other is a 500 that tells nothing and is logged', async () => {
  const port = await start()
  const own = await ask(port, 'GET', '/b/own')
  expect([statusOf(own), jsonOf(own)]).toEqual([418, { own: 'mine' }])
  expect(own).toMatch(/\r\nx-own: yes\r\n/i)
  expect(logged).toEqual([])
  const bug = await ask(port, 'GET', '/a/bug?token=secret')
  expect([statusOf(bug), jsonOf(bug)['kind']]).toEqual([500, 'internal'])
  expect(bug).not.toContain('SELECT')
  expect(logged).toEqual(['GET /a/bug failed', new Error('SELECT password FROM users')])
  expect(statusOf(await ask(port, 'GET', '/a/nothing'))).toBe(500)
})

test('[A3] routes of a plugin are answered for as all others, and so is who calls not found', async () => {
  server = createHttpServer()
  server.problems.register(shapeFor('a', '/a'))
  void server.app.register(async (child) => {
    child.get('/a/child', async () => {
      throw new OwnError('mine')
    })
    child.get('/a/file', (_request, reply) => reply.callNotFound())
    child.post('/a/body', { config: { readBody: readRaw } }, async (request) => request.body)
  })
  const [port] = (await server.listen([{ host: '127.0.0.1', port: 0 }])) as [number]
  expect(statusOf(await ask(port, 'GET', '/a/child'))).toBe(418)
  expect(jsonOf(await ask(port, 'GET', '/a/file'))).toMatchObject({ kind: 'not_found' })
  expect(jsonOf(await ask(port, 'DELETE', '/a/file'))).toMatchObject({ kind: 'method_not_allowed' })
  expect(bodyOf(await ask(port, 'POST', '/a/body', { body: '{' }))).toBe('{')
})

test('[A3] a shape that itself fails is a plain 500', async () => {
  const port = await start()
  server.problems.register({
    name: 'broken',
    owns: (path) => path === '/x-broken',
    toAnswer: () => {
      throw new Error('SELECT')
    },
  })
  const answer = await ask(port, 'GET', '/x-broken')
  expect(statusOf(answer)).toBe(500)
  expect(answer).not.toContain('SELECT')
})

test('[A12] Retry-After goes with the answer', async () => {
  const port = await start()
  const answer = await ask(port, 'GET', '/a/busy')
  expect(statusOf(answer)).toBe(429)
  expect(answer).toMatch(/\r\nretry-after: 7\r\n/i)
})

test('[F1] a plain GET on a WebSocket path is a 426', async () => {
  const port = await start()
  const answer = await ask(port, 'GET', '/a/ws/1')
  expect(statusOf(answer)).toBe(426)
  expect(answer).toMatch(/\r\nupgrade: websocket\r\n/i)
  expect(jsonOf(answer)).toMatchObject({ dialect: 'a' })
})

test('[F2] a body is JSON whatever its Content-Type says, or without one', async () => {
  const port = await start()
  for (const type of [
    null,
    'text/plain;charset=UTF-8',
    'application/x-www-form-urlencoded',
    'image/png',
    'nonsense',
    ';',
    'application/json; charset=latin1',
  ]) {
    const headers: Record<string, string> = type === null ? {} : { 'Content-Type': type }
    expect(jsonOf(await ask(port, 'POST', '/a/echo', { body: '{"글":1}', headers })), String(type)).toEqual({ got: { 글: 1 } })
  }
  expect(jsonOf(await ask(port, 'DELETE', '/a/items/1', { body: '[1]' }))).toEqual({ got: [1] })
})

test('[P10] a POST without a body is fine, with or without a JSON Content-Type', async () => {
  const port = await start()
  for (const headers of [
    {},
    { 'Content-Type': 'application/json' },
    { 'Content-Length': '0', 'Content-Type': 'application/json' },
  ]) {
    expect(jsonOf(await ask(port, 'POST', '/a/echo', { headers }))).toEqual({ got: null })
  }
})

test('[G1] where JSON must be said, another body is no JSON but a string', async () => {
  const port = await start()
  const body = '{"a":1}'
  for (const type of ['application/json', 'Application/JSON; charset=utf-8', 'application/problem+json']) {
    expect(jsonOf(await ask(port, 'POST', '/a/said', { body, headers: { 'Content-Type': type } }))).toEqual({ got: { a: 1 } })
  }
  for (const type of ['text/plain', 'application/jsonx', 'nonsense']) {
    expect(jsonOf(await ask(port, 'POST', '/a/said', { body, headers: { 'Content-Type': type } })), type).toEqual({ got: body })
  }
  expect(jsonOf(await ask(port, 'POST', '/a/said', { body }))).toEqual({ got: { a: 1 } })
})

test('[G6] a form is read strictly, the last of two fields counts', async () => {
  const port = await start()
  const headers = { 'Content-Type': 'application/x-www-form-urlencoded; charset=utf-8' }
  const form = (body: string | Buffer) => ask(port, 'POST', '/a/form', { body, headers })
  expect(jsonOf(await form('username=%EB%AF%BC+%EC%88%98&&p=a%3Db=c&empty=&flag&p=2'))).toEqual({
    got: { username: '민 수', p: '2', empty: '', flag: '' },
  })
  expect(jsonOf(await form('username=민수'))).toEqual({ got: { username: '민수' } })
  for (const [body, kind] of [
    ['a=%', 'bad_encoding'],
    ['a=%ff', 'bad_encoding'],
    [Buffer.from([0x61, 0x3d, 0xff]), 'bad_encoding'],
    ['a=%00', 'validation'],
    ['&a=1'.repeat(1001), 'bad_body'],
  ] as const) {
    expect(jsonOf(await form(body))['kind']).toBe(kind)
  }
  expect(jsonOf(await ask(port, 'POST', '/a/form', { body: '{}', headers: { 'Content-Type': 'application/json' } }))).toEqual({
    got: {},
  })
})

test('[A4] bytes that are not UTF-8, broken JSON and unsafe text are refused in the dialect, raw bytes are kept', async () => {
  const port = await start()
  for (const [body, kind] of [
    [Buffer.from([0x22, 0xff, 0x22]), 'bad_encoding'],
    ['{"a":', 'bad_body'],
    ['{"a":"\\u0000"}', 'validation'],
    ['['.repeat(100_000), 'bad_body'],
  ] as const) {
    const answer = await ask(port, 'POST', '/b/echo', { body, headers: { 'Content-Type': 'application/json' } })
    expect([statusOf(answer) < 500, jsonOf(answer)['dialect'], jsonOf(answer)['kind']]).toEqual([true, 'b', kind])
  }
  expect(jsonOf(await ask(port, 'POST', '/a/raw', { body: Buffer.from([0xff, 0]) }))).toEqual({ got: 'ff00' })
})

test('[A3] a connection goes on after a bad body that came whole', async () => {
  const port = await start()
  const client = await openRaw(port)
  client.send('POST /a/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n{')
  await client.until('bad_body')
  client.send('POST /a/echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 4\r\n\r\n"ok"')
  expect(await client.closed).toContain('{"got":"ok"}')
})

test('[A17] a body over the limit is a 413, at the limit it is read', async () => {
  const port = await start()
  const atLimit = JSON.stringify('x'.repeat(256 * 1024 - 2))
  expect(statusOf(await ask(port, 'POST', '/a/echo', { body: atLimit }))).toBe(200)
  const answer = await ask(port, 'POST', '/b/echo', { body: `${atLimit} ` })
  expect([statusOf(answer), jsonOf(answer)['dialect'], jsonOf(answer)['kind']]).toEqual([413, 'b', 'too_large'])
})

test('[A17] a client that sends 10 MB before it reads sees the 413, with a length and chunked', async () => {
  const port = await start()
  const piece = Buffer.alloc(1024 * 1024, 0x78)
  for (const isChunked of [false, true]) {
    const client = await openRaw(port)
    client.socket.pause()
    client.send(
      `POST /a/echo HTTP/1.1\r\nHost: x\r\n${isChunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${10 * piece.length}`}\r\n\r\n`,
    )
    for (let at = 0; at < 10; at++) {
      const bytes = isChunked ? Buffer.concat([Buffer.from('100000\r\n'), piece, Buffer.from('\r\n')]) : piece
      await new Promise((resolve) => client.socket.write(bytes, resolve))
    }
    if (isChunked) client.send('0\r\n\r\n')
    client.socket.resume()
    const answer = await client.closed
    expect([statusOf(answer), jsonOf(answer)['kind']], String(isChunked)).toEqual([413, 'too_large'])
  }
})

test('[A17] who goes on sending after the 413 is cut off', async () => {
  const port = await start()
  const client = await openRaw(port)
  client.send('POST /a/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000000\r\n\r\n')
  expect(statusOf(await client.until('too_large'))).toBe(413)
  const piece = Buffer.alloc(1024 * 1024)
  const flood = () => void (client.socket.writable && client.socket.write(piece, flood))
  flood()
  await client.closed
  expect(client.socket.bytesWritten).toBeLessThan(200 * 1024 * 1024)
})

test('[A3] broken chunks and broken heads are a clean 400', async () => {
  const port = await start()
  const bad = [
    'POST /a/echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n',
    'POST /a/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'POST /a/echo HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n',
    'POST /a/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}',
    'GET /a/items/1 HTTP/1.1\r\n\r\n',
    'GET / HTTP/9.9\r\n\r\n',
    '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
    'hello\r\n\r\n',
  ]
  for (const bytes of bad) expect(statusOf(await exchange(port, Buffer.from(bytes, 'latin1'))), JSON.stringify(bytes)).toBe(400)
  expect(statusOf(await exchange(port, `GET / HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(20_000)}\r\n\r\n`))).toBe(431)
  expect(logged).toEqual([])
})

test('[A3] a client that leaves in mid-body harms nobody', async () => {
  const port = await start()
  const client = await openRaw(port)
  client.send('POST /a/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"a":')
  client.socket.end()
  client.socket.destroy()
  await client.closed
  const gone = await openRaw(port)
  gone.send('POST /a/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"a":')
  gone.socket.resetAndDestroy()
  await gone.closed
  expect(jsonOf(await ask(port, 'POST', '/a/echo', { body: '1' }))).toEqual({ got: 1 })
  expect(logged).toEqual([])
})
