import { afterEach, expect, test } from 'vitest'
import type { CorsRule } from './cors.ts'
import { ProblemError } from './problems.ts'
import { createHttpServer } from './server.ts'
import type { HttpServer } from './server.ts'

let server: HttpServer
let base: string

async function start(rule: Omit<CorsRule, 'owns'>): Promise<void> {
  server = createHttpServer()
  server.cors.register({ owns: (path) => path.startsWith('/open'), ...rule })
  server.app.get('/open/thing', async () => 'ok')
  server.app.post('/open/thing', async () => 'ok')
  server.app.get('/open/limited', async () => {
    throw new ProblemError({ kind: 'too_many', retryAfterS: 3 })
  })
  server.app.get('/closed', async () => 'ok')
  const [port] = await server.listen([{ host: '127.0.0.1', port: 0 }])
  base = `http://127.0.0.1:${port}`
}

afterEach(() => server.close({ graceMs: 0 }))

const page = { Origin: 'https://page.example' }
const preflight = {
  ...page,
  'Access-Control-Request-Method': 'POST',
  'Access-Control-Request-Headers': 'content-type,idempotency-key',
}
const allowOf = (answer: Response) => answer.headers.get('access-control-allow-origin')

test('[A5] any page may call, without credentials, and may read Retry-After', async () => {
  await start({ origins: '*', withCredentials: false })
  const answer = await fetch(`${base}/open/thing`, { headers: page })
  expect(allowOf(answer)).toBe('*')
  expect(answer.headers.get('access-control-expose-headers')).toBe('Retry-After')
  expect(answer.headers.get('access-control-allow-credentials')).toBeNull()
  expect(allowOf(await fetch(`${base}/closed`, { headers: page }))).toBeNull()
})

test('[A5] a preflight is a 204 with the headers and every method of the path', async () => {
  await start({ origins: '*', withCredentials: false })
  const answer = await fetch(`${base}/open/thing`, { method: 'OPTIONS', headers: preflight })
  expect([answer.status, allowOf(answer)]).toEqual([204, '*'])
  expect(answer.headers.get('access-control-allow-methods')).toBe('GET, HEAD, POST')
  expect(answer.headers.get('access-control-allow-headers')).toBe('Content-Type, Authorization, Idempotency-Key')
  const unknown = await fetch(`${base}/open/none`, { method: 'OPTIONS', headers: preflight })
  expect([unknown.status, unknown.headers.get('access-control-allow-methods')]).toEqual([
    204,
    'GET, HEAD, POST, PUT, PATCH, DELETE',
  ])
  const closed = await fetch(`${base}/closed`, { method: 'OPTIONS', headers: preflight })
  expect(closed.headers.get('access-control-allow-methods')).toBeNull()
})

test('[A5] errors carry the headers too: 404, 405, 413, 429, broken JSON and broken paths', async () => {
  await start({ origins: '*', withCredentials: false })
  const asked: [number, string, RequestInit][] = [
    [404, '/open/none', {}],
    [404, '/open/%ff', {}],
    [405, '/open/thing', { method: 'DELETE' }],
    [413, '/open/thing', { method: 'POST', body: 'x'.repeat(300_000) }],
    [400, '/open/thing', { method: 'POST', body: '{' }],
    [429, '/open/limited', {}],
  ]
  for (const [status, path, init] of asked) {
    const answer = await fetch(base + path, { ...init, headers: page })
    expect([path, answer.status, allowOf(answer)]).toEqual([path, status, '*'])
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff')
  }
})

test('[A5] where origins are listed, they alone are let in, by name', async () => {
  await start({ origins: ['https://page.example', 'https://other.example'], withCredentials: false })
  const answer = await fetch(`${base}/open/thing`, { headers: page })
  expect([allowOf(answer), answer.headers.get('vary')]).toEqual(['https://page.example', 'Origin'])
  for (const origin of ['https://page.example.evil', 'null', 'HTTPS://PAGE.EXAMPLE']) {
    const stranger = await fetch(`${base}/open/thing`, { headers: { Origin: origin } })
    expect([allowOf(stranger), stranger.headers.get('vary')]).toEqual([null, 'Origin'])
  }
  expect(allowOf(await fetch(`${base}/open/thing`))).toBeNull()
})

test('[A5] credentials go with named origins only', async () => {
  await start({ origins: (origin) => origin.endsWith('.example'), withCredentials: true })
  const answer = await fetch(`${base}/open/thing`, { method: 'OPTIONS', headers: preflight })
  expect([allowOf(answer), answer.headers.get('access-control-allow-credentials')]).toEqual(['https://page.example', 'true'])
  expect(() => server.cors.register({ owns: () => true, origins: '*', withCredentials: true })).toThrow(TypeError)
})
