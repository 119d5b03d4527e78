/** The embed (W7) as sites have it: page and chat on https, and a proxy in front of the server. */
import type { Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { describeBrowser, openBrowser, type TestBrowser } from '../../../test/browser.ts'
import { until } from '../../../test/chat.ts'
import { findPort } from '../../../test/child.ts'
import { startServer, type TestServer } from '../../../test/harness.ts'
import { describeSecureNginx, startNginx, type TestNginx } from '../../../test/nginx.ts'
import { pageWith, start } from './embed.fixture.ts'
import { closeGuests, enterGuest, signGuest } from './widget.fixture.ts'

/** The chat's paths go to the server, every other has the page. The page's name and the chat's are two sites. */
function proxyTo(serverPort: number): string {
  return `
    location ~ ^/(widget|socket\\.io) {
      proxy_pass http://127.0.0.1:${serverPort};
      proxy_http_version 1.1;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-Host $http_host;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $http_connection;
    }
    location / {
      default_type "text/html; charset=utf-8";
      return 200 '${pageWith('https://chat.test:$server_port')}';
    }`
}

interface Watched {
  page: Page
  /** What the console has of errors and warnings, mixed content among them, and errors that nobody caught. */
  complaints: string[]
  /** Of every request and WebSocket, of the page and of the panel. */
  addresses: string[]
}

describeBrowser('in a browser', () => {
  describeSecureNginx('behind an https proxy', () => {
    let server: TestServer
    let nginx: TestNginx
    let browser: TestBrowser
    const pages: Page[] = []

    beforeAll(async () => {
      const serverPort = await findPort()
      nginx = await startNginx(proxyTo(serverPort), { isSecure: true })
      const env = { PORT: String(serverPort), TRUSTED_PROXIES: '127.0.0.1', ALLOWED_ORIGINS: `https://shop.test:${nginx.port}` }
      server = await startServer({ isProduction: true, env })
      browser = await openBrowser(['--test-third-party-cookie-phaseout'])
    })
    afterEach(async () => {
      closeGuests()
      for (const page of pages.splice(0)) await page.context().close()
    })
    afterAll(async () => {
      await browser?.close()
      await server?.stop()
      await nginx?.stop()
    })

    /** An empty page that is watched from its first address on. */
    async function watch(): Promise<Watched> {
      const page = await browser.visit('about:blank')
      pages.push(page)
      const watched: Watched = { page, complaints: [], addresses: [] }
      page.on('console', (message) => {
        if (['error', 'warning'].includes(message.type())) watched.complaints.push(message.text())
      })
      page.on('pageerror', (error) => watched.complaints.push(String(error)))
      page.on('request', (request) => watched.addresses.push(request.url()))
      page.on('websocket', (socket) => watched.addresses.push(socket.url()))
      return watched
    }

    test('[W7] a visitor of an https page chats by wss alone, and nothing is insecure or complained of', async () => {
      const { page, complaints, addresses } = await watch()
      await page.goto(`https://shop.test:${nginx.port}/`)
      const jimin = await start(page, { project: '가게', name: '지민' })
      const seojun = await enterGuest(server, signGuest('서준', '가게'))
      await jimin.send('안녕하세요')
      await seojun.have(2)
      await seojun.send('네, 반가워요')
      await jimin.sees('안녕하세요', '네, 반가워요')
      await seojun.have(3)
      expect(seojun.contents()).toEqual(['안녕하세요', '네, 반가워요'])

      const chat = `//chat.test:${nginx.port}`
      expect(addresses.filter((address) => address.includes('/socket.io/'))).toEqual([
        `wss:${chat}/socket.io/?EIO=4&transport=websocket`,
      ])
      const rest = addresses.filter((address) => !address.startsWith('wss:'))
      expect(rest.filter((address) => !/^https:\/\/(shop|chat)\.test:/.test(address))).toEqual([])
      expect(rest).toEqual(expect.arrayContaining([`https:${chat}/widget.js`, `https:${chat}/widget/panel`]))
      expect(complaints).toEqual([])
    })

    test('[W6] an https page that ALLOWED_ORIGINS does not name is not shown the panel', async () => {
      const { page, complaints } = await watch()
      await page.goto(`https://other.test:${nginx.port}/`)
      await page.waitForFunction('window.Madang !== undefined')
      await page.evaluate(`Madang.init({ project: '가게', token: '${signGuest('서준', '가게')}' })`)
      const directive = `frame-ancestors 'self' https://shop.test:${nginx.port}`
      await until('the refusal', () => complaints.some((text) => text.includes(directive)))
      expect(page.frames().filter((frame) => frame.url().includes('/widget/panel'))).toEqual([])
    })
  })
})
