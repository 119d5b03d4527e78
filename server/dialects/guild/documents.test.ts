/** `/openapi.json`, `/docs` and `/redoc` (G8). */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { describeBrowser, openBrowser, watchPage } from '../../../test/browser.ts'
import { createConformance } from '../../../test/conformance.ts'
import { openGuild, type Guild } from './guild.fixture.ts'

let guild: Guild
// oxlint-disable-next-line typescript/no-explicit-any -- a document of a foreign format
let document: any

beforeAll(async () => {
  guild = await openGuild({ isProduction: true })
  document = (await guild.call('GET /openapi.json')).body
})
afterAll(() => guild.server.stop())

// oxlint-disable-next-line typescript/no-explicit-any -- a document of a foreign format
const operations = (): [string, any][] =>
  Object.entries(document.paths as Record<string, object>).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => [`${method.toUpperCase()} ${path}`, operation] as [string, unknown]),
  )

describe('the document', () => {
  test('[G8] is OpenAPI 3.1 and shows every route of the contract, each once', () => {
    expect(document.openapi).toMatch(/^3\.1\./)
    const own = operations().filter(([, { tags }]) => !tags.includes('feed'))
    expect(own.map(([route]) => route).toSorted()).toEqual(
      [
        'POST /auth/register',
        'POST /auth/login',
        'GET /users/me',
        'PUT /users/me',
        'GET /users/{user_id}',
        'POST /servers/',
        'GET /servers/',
        'GET /servers/{server_id}',
        'PUT /servers/{server_id}',
        'DELETE /servers/{server_id}',
        'POST /servers/{server_id}/join',
        'POST /servers/{server_id}/leave',
        'POST /channels/',
        'GET /channels/{channel_id}',
        'PUT /channels/{channel_id}',
        'DELETE /channels/{channel_id}',
        'GET /channels/{channel_id}/messages',
      ].toSorted(),
    )
  })

  test('[G8] shows the routes of feed too', () => {
    expect(Object.keys(document.paths)).toContain('/api/v1/chat/rooms/{roomId}/messages')
  })

  test.each(['summary', 'tags', 'responses'])('[G8] every operation has its %s', (field) => {
    for (const [route, operation] of operations()) expect(operation[field], route).toBeTruthy()
  })

  test('[G8] every parameter of a path is described, and every answer', () => {
    for (const [route, operation] of operations()) {
      const named = [...route.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
      const described = (operation.parameters ?? []).filter((one: { in: string }) => one.in === 'path')
      expect(new Set(described.map((one: { name: string }) => one.name)), route).toEqual(new Set(named))
      for (const answer of Object.values(operation.responses))
        expect((answer as { description: string }).description, route).not.toBe('Default Response')
    }
  })

  test('[G8] what it refers to is there, and all that is there is referred to', () => {
    const referred = new Set([...JSON.stringify(document).matchAll(/#\/components\/schemas\/(\w+)/g)].map(([, name]) => name))
    expect(new Set(Object.keys(document.components.schemas))).toEqual(referred)
  })

  test('[G5] does not call a time of this door a date-time', () => {
    const { MessageResponse, UserResponse, ServerResponse, ChannelResponse } = document.components.schemas
    for (const schema of [MessageResponse, UserResponse, ServerResponse, ChannelResponse]) {
      expect(schema.properties.created_at.format).toBeUndefined()
      expect(new RegExp(schema.properties.created_at.pattern).test('2025-01-15T12:30:00.120000')).toBe(true)
    }
  })

  test('[G8] a wrong answer does not pass as one that is documented', () => {
    const conformance = createConformance(document)
    const check = (route: string, status: number, body: string) => {
      const [method = '', path = ''] = route.split(' ')
      conformance.check({ method, path, status, body })
    }
    const server = {
      id: 1,
      name: 's',
      description: null,
      icon_url: null,
      owner_id: 1,
      created_at: '2025-01-15T12:30:00',
      updated_at: '2025-01-15T12:30:00',
    }
    check('GET /servers', 200, JSON.stringify([server]))
    expect(() => check('GET /servers', 200, JSON.stringify([{ ...server, created_at: '2025-01-15T12:30:00Z' }]))).toThrow(
      'pattern',
    )
    expect(() => check('GET /servers/', 200, JSON.stringify([{ ...server, owner_id: undefined }]))).toThrow('owner_id')
    expect(() => check('GET /servers/', 418, '{}')).toThrow('status is not documented')
    expect(() => check('PATCH /servers/1', 200, '{}')).toThrow('method is not documented')
    expect(() => check('GET /servers/1/more', 200, '{}')).toThrow('path is not documented')
    expect(() => check('DELETE /servers/1', 204, '{}')).toThrow('without a body')
  })
})

const pages = ['/docs', '/redoc']

describe.each(pages)('%s', (page) => {
  test('[G8] is served with all that it loads from here, under a policy that lets nothing else in', async () => {
    const { status, text, headers } = await guild.call(`GET ${page}`)
    expect(status).toBe(200)
    expect(headers.get('content-type')).toBe('text/html; charset=utf-8')
    const policy = headers.get('content-security-policy')!
    expect(policy).toContain("default-src 'none'")
    expect(policy).not.toMatch(/https?:|unsafe-eval|script-src[^;]*unsafe-inline/)
    const loaded = [...text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, url]) => url!)
    expect(loaded.length).toBeGreaterThan(2)
    for (const url of loaded) {
      expect(url).toMatch(/^\/docs\//)
      const file = await guild.call(`GET ${url}`)
      expect(file.status, url).toBe(200)
      expect(file.headers.get('content-type'), url).toMatch(/^(text\/css|text\/javascript|image\/png)/)
      expect(file.text.includes('cdn.redoc.ly'), url).toBe(false)
    }
  })
})

describeBrowser('the pages in Chromium', () => {
  test.each(pages)('[G8] %s shows the routes of both doors, asks no other origin and has no errors', async (path) => {
    const browser = await openBrowser()
    try {
      const page = await browser.visit('about:blank')
      // The policy allows no other origin, and Chromium says on the console when a page tries one.
      const complaints = watchPage(page, guild.server.url)
      await page.goto(guild.server.url + path)
      for (const text of ['Madang', '/auth/register', 'Messages of a channel', '/api/v1/chat/rooms'])
        await page.getByText(text).first().waitFor({ state: 'attached' })
      await page.waitForLoadState('networkidle')
      expect(complaints).toEqual([])
    } finally {
      await browser.close()
    }
  })
})
