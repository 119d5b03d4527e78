import { afterEach, expect, test } from 'vitest'
import { ask, jsonOf, openTwoDialects, OwnError, shapeFor } from './answering.fixture.ts'
import { readRaw } from './bodies.ts'
import { bodyOf, statusOf } from './raw-client.fixture.ts'
import { createHttpServer } from './server.ts'
import type { HttpServer } from './server.ts'

let server: HttpServer
let logged: unknown[]

async function start(): Promise<number> {
  const opened = await openTwoDialects()
  ;({ server, logged } = opened)
  return opened.port
}

afterEach(() => server.close({ graceMs: 0 }))

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
