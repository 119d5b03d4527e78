/** The embed (W7) over HTTP: what is served of it, and to whom. */
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { startServer, type TestServer } from '../../../test/harness.ts'

let server: TestServer

beforeAll(async () => {
  server = await startServer()
})
afterAll(() => server.stop())

test('[W7] the loader is small, may be loaded by any page, and is asked for again by its tag', async () => {
  const answer = await fetch(`${server.url}/widget.js`)
  const bytes = Buffer.from(await answer.arrayBuffer())
  expect(answer.headers.get('content-type')).toBe('text/javascript; charset=utf-8')
  expect(answer.headers.get('cross-origin-resource-policy')).toBe('cross-origin')
  expect(gzipSync(bytes).length).toBeLessThan(5 * 1024)
  const again = await fetch(`${server.url}/widget.js`, { headers: { 'if-none-match': answer.headers.get('etag')! } })
  expect(again.status).toBe(304)
})

test('[W7] the panel has a strict policy, is looked for anew each time, and its assets never again', async () => {
  const answer = await fetch(`${server.url}/widget/panel`)
  const html = await answer.text()
  const policy = answer.headers.get('content-security-policy')!
  expect(policy).toContain("default-src 'none'")
  expect(policy).not.toContain('unsafe')
  expect(policy).toContain('frame-ancestors *')
  expect(answer.headers.get('cache-control')).toBe('no-cache')
  const assets = [...html.matchAll(/(?:src|href)="(\/widget\/assets\/[^"]+)"/g)].map(([, path]) => path!)
  expect(assets.length).toBe(2)
  for (const path of assets) {
    const asset = await fetch(server.url + path)
    expect(asset.status).toBe(200)
    expect(asset.headers.get('cache-control')).toContain('immutable')
  }
  const missing = await fetch(`${server.url}/widget/assets/nothing.js`)
  expect(missing.status).toBe(404)
  expect(missing.headers.get('cache-control')).toBe(null)
})

test('[W6] ALLOWED_ORIGINS says who may show the panel, and production has no demo', async () => {
  const strict = await startServer({ isProduction: true, env: { ALLOWED_ORIGINS: 'https://shop.example' } })
  onTestFinished(() => strict.stop())
  const answer = await fetch(`${strict.url}/widget/panel`)
  expect(answer.headers.get('content-security-policy')).toContain("frame-ancestors 'self' https://shop.example")
  expect((await fetch(`${strict.url}/widget/demo`)).status).toBe(404)
  expect((await fetch(`${server.url}/widget/demo`)).status).toBe(200)
})
