/** The embed (W7), over HTTP and in a real browser that blocks third-party cookies. One server for all but the one that is killed. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import axe from 'axe-core'
import type { Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { describeBrowser, openBrowser, type TestBrowser } from '../../../test/browser.ts'
import { until } from '../../../test/chat.ts'
import { findPort, startChild } from '../../../test/child.ts'
import { startServer, type TestServer } from '../../../test/harness.ts'
import { come, pageWith, play, serveHost, start, visitorOf, type Step } from './embed.fixture.ts'
import { closeGuests, enterGuest, signGuest } from './widget.fixture.ts'

/** Of what axe finds. */
interface Found {
  violations: { id: string; nodes: { html: string }[] }[]
}

let server: TestServer
let projects = 0
const newProject = () => `가게-${++projects}`

beforeAll(async () => {
  server = await startServer()
})
afterAll(() => server.stop())

describe('over HTTP', () => {
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
})

describeBrowser('in a browser', () => {
  let browser: TestBrowser
  let host: string
  const stops: (() => Promise<void>)[] = []
  const pages: Page[] = []

  beforeAll(async () => {
    browser = watched(await openBrowser(['--test-third-party-cookie-phaseout']))
    host = await serve(pageWith(server.url))
  })
  afterEach(async () => {
    closeGuests()
    for (const page of pages.splice(0)) await page.context().close()
  })
  afterAll(async () => {
    await browser.close()
    for (const stop of stops) await stop()
  })

  /** Its pages are closed after each test. */
  function watched(opened: TestBrowser): TestBrowser {
    return {
      ...opened,
      async visit(address) {
        const page = await opened.visit(address)
        pages.push(page)
        return page
      },
    }
  }

  async function serve(html: string, headers: Record<string, string> = {}): Promise<string> {
    const served = await serveHost(html, headers)
    stops.push(() => served.close())
    return served.origin
  }

  test('[W7] the script element alone brings the chat, and two visitors talk', async () => {
    const project = newProject()
    const token = signGuest('지민', project)
    const tag = `<script async src="${server.url}/widget.js" data-project="${project}" data-token="${token}" data-heading="도움말"></script>`
    const page = await browser.visit(await serve(`<!doctype html><title>host</title>${tag}`))
    const jimin = visitorOf(page)
    await page.locator('madang-chat button').click()
    const seojun = await come(browser, host, { project, name: '서준', isClosed: true })
    await jimin.send('안녕하세요')
    await jimin.sees('안녕하세요')
    await until('the badge', async () => (await seojun.label())?.includes('1') ?? false)
    await seojun.open()
    await seojun.sees('안녕하세요')
    expect(await seojun.label()).toBe('채팅 닫기')
    await seojun.send('네, 반가워요')
    await jimin.sees('안녕하세요', '네, 반가워요')
    expect(await jimin.panel.locator('h1').textContent()).toBe('도움말')
  })

  test('[W7] a reload keeps the conversation, the draft, and what was unread', async () => {
    const project = newProject()
    // The server's own site, where the panel is no third party and has storage.
    const sameSite = host.replace('shop.test', '127.0.0.1')
    const jimin = await come(browser, sameSite, { project, name: '지민' })
    await jimin.send('하나')
    await jimin.sees('하나')
    await jimin.panel.locator('.unsent').waitFor({ state: 'detached' })
    await jimin.field.fill('쓰다 만')
    const seojun = await enterGuest(server, signGuest('서준', project))
    await jimin.page.goto('about:blank')
    await seojun.send('둘')
    await jimin.page.goto(sameSite)
    const again = await start(jimin.page, { project, name: '지민', isClosed: true })
    await until('the badge', async () => (await again.label())?.includes('1') ?? false)
    await again.open()
    await again.sees('하나', '둘')
    expect(await again.field.inputValue()).toBe('쓰다 만')
    expect(await again.panel.locator('.divider').count()).toBe(1)
  })

  test('[W8] a server that is killed and started again mid-chat loses nothing and doubles nothing', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'madang-embed-'))
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
    const env = { DATA_DIR: directory, PORT: String(await findPort()) }
    const first = await startChild({ env })
    const project = newProject()
    const address = await serve(pageWith(first.url))
    const jimin = await come(browser, address, { project, name: '지민' })
    const seojun = await come(browser, address, { project, name: '서준' })
    const sent = Array.from({ length: 12 }, (_, at) => `${at + 1}번째`)
    for (const text of sent.slice(0, 4)) await jimin.send(text)
    await seojun.sees(...sent.slice(0, 4))
    // Of these some are stored and not answered, some never arrive.
    for (const text of sent.slice(4, 8)) await jimin.send(text)
    first.kill('SIGKILL')
    await first.exited
    for (const text of sent.slice(8)) await jimin.send(text)
    await jimin.panel.locator('.banner.offline').waitFor()
    await jimin.sees(...sent)
    await startChild({ env })
    await seojun.sees(...sent)
    await jimin.panel.locator('.unsent').first().waitFor({ state: 'detached' })
    await jimin.sees(...sent)
    const late = await come(browser, address, { project, name: '수현' })
    await late.sees(...sent)
  })

  test('[W7] nothing of a hostile page changes its look, and nothing of it changes the page', async () => {
    const project = newProject()
    const seojun = await enterGuest(server, signGuest('서준', project))
    await seojun.send('어디서나 같은 모습이에요 https://shop.example/길')
    const hostile = `<style>* { all: unset !important; font: 900 50px/1 monospace !important; color: red !important; direction: rtl !important; letter-spacing: 9px !important }
      html { font-size: 60px !important; opacity: 0.5 !important } head, head * { display: none !important }
      html > * { transform: rotate(3deg) !important; filter: blur(3px) !important; position: static !important; display: none !important }
      body { display: block !important; margin: 40px !important } button, iframe, span, svg, path { width: 5px !important; opacity: 0.1 !important; animation: none !important }</style>`
    const shots = []
    for (const head of ['', hostile]) {
      const page = await browser.visit(await serve(pageWith(server.url, { head })))
      // Else the panel would be measured on its way.
      await page.emulateMedia({ reducedMotion: 'reduce' })
      const visitor = await start(page, { project, name: '지민', options: { color: '#7a3cc2' } })
      await visitor.sees('어디서나 같은 모습이에요 https://shop.example/길')
      shots.push(await shoot(visitor.page))
    }
    expect(shots[1]!.panel.equals(shots[0]!.panel), 'the panel').toBe(true)
    expect(shots[1]!.launcher.equals(shots[0]!.launcher), 'the launcher').toBe(true)
  })

  /** Within the round corners, behind which the page is seen. */
  async function shoot(page: Page): Promise<{ panel: Buffer; launcher: Buffer }> {
    const inner = async (selector: string, by: number) => {
      const { x, y, width, height } = (await page.locator(`madang-chat ${selector}`).boundingBox())!
      const clip = { x: x + by, y: y + by, width: width - 2 * by, height: height - 2 * by }
      return page.screenshot({ clip, animations: 'disabled', caret: 'hide' })
    }
    return { panel: await inner('iframe', 8), launcher: await inner('button', 8) }
  }

  test('[W7] a page looks and is laid out as it was without the widget, and keeps its title', async () => {
    const body =
      '<h1>주인 사이트</h1><p style="direction: rtl">글</p><div style="height: 2000px"></div><style>body > :last-child { color: red }</style>'
    const bare = await browser.visit(await serve(`<!doctype html><html lang="ko"><title>host</title>${body}`))
    const visitor = await come(browser, await serve(pageWith(server.url, { body })), {
      project: newProject(),
      name: '지민',
      isClosed: true,
    })
    const measure = (page: Page) =>
      page.evaluate('[document.documentElement.scrollWidth, document.documentElement.scrollHeight, document.title]')
    expect(await measure(visitor.page)).toEqual(await measure(bare))
    const clip = { x: 0, y: 0, width: 1000, height: 600 }
    const [one, other] = [await bare.screenshot({ clip }), await visitor.page.screenshot({ clip })]
    expect(other.equals(one)).toBe(true)
  })

  const kept = (key = 'Enter') => ({ key, code: 'Enter', keyCode: 229 })
  const enter = { key: 'Enter', keyCode: 13 }
  const press: Step[] = [{ down: enter }, { up: enter }]
  /** Letter by letter, as a two-set keyboard makes it; the last syllable is still being composed. */
  const hangul: Step[] = [
    { compose: 'ㅇ' },
    { compose: '아' },
    { compose: '안' },
    { commit: '안' },
    { compose: 'ㄴ' },
    { compose: '녀' },
    { compose: '녕' },
  ]
  /** Name, what the input method does, what is sent, what is left in the field. */
  const sequences: [string, Step[], string[], string][] = [
    [
      'Hangul on macOS: it keeps an Enter, ends, and passes one on',
      [...hangul, { down: kept() }, { commit: '녕' }, ...press],
      ['안녕'],
      '',
    ],
    [
      'Hangul on Windows: the kept key is named Process',
      [...hangul, { down: kept('Process') }, { commit: '녕' }, ...press],
      ['안녕'],
      '',
    ],
    ['Hangul on Linux: it ends first, then comes a plain Enter', [...hangul, { commit: '녕' }, ...press], ['안녕'], ''],
    ['an Enter while composing, whatever its number', [...hangul, { down: enter }, { up: enter }], [], '안녕'],
    [
      'Japanese: the Enter that takes a conversion sends nothing',
      [{ compose: 'にほん' }, { compose: '日本' }, { down: kept() }, { commit: '日本' }, { up: enter }],
      [],
      '日本',
    ],
    [
      'Japanese: the next Enter sends',
      [{ compose: '日本' }, { down: kept() }, { commit: '日本' }, { up: enter }, ...press],
      ['日本'],
      '',
    ],
    [
      "Safari's order: the end, then the kept Enter",
      [{ compose: '日本' }, { commit: '日本' }, { down: kept() }, { up: enter }],
      [],
      '日本',
    ],
    [
      "Safari's order, and another Enter",
      [{ compose: '日本' }, { commit: '日本' }, { down: kept() }, { up: enter }, ...press],
      ['日本'],
      '',
    ],
    ['Enter pressed long', [{ commit: '네' }, { down: enter }, { down: enter }, { down: enter }, { up: enter }], ['네'], ''],
  ]

  test('[W7] an input method keeps its Enter; the one that it passes on sends, once, the whole text', async () => {
    const project = newProject()
    const jimin = await come(browser, host, { project, name: '지민' })
    const sent: string[] = []
    for (const [name, steps, texts, left] of sequences) {
      await jimin.field.fill('')
      await jimin.field.focus()
      await play(jimin.page, steps)
      sent.push(...texts)
      await jimin.sees(...sent)
      expect(await jimin.field.inputValue(), name).toBe(left)
    }
    await jimin.field.fill('')
    await jimin.field.focus()
    await play(jimin.page, hangul)
    await jimin.panel.locator('.send').click()
    await jimin.sees(...sent, '안녕')
    expect(await jimin.field.inputValue(), 'the button while composing').toBe('')
  })

  test('[W7] no request leaves the origin but for avatars, which are told nothing', async () => {
    const project = newProject()
    const avatar = 'https://avatars.test/서준.png'
    const requests: { origin: string; referrer: string }[] = []
    const page = await browser.visit(host)
    page.context().on('request', (request) => {
      requests.push({ origin: new URL(request.url()).origin, referrer: request.headers()['referer'] ?? '' })
    })
    const seojun = await enterGuest(server, signGuest('서준', project, { avatar }))
    await seojun.send('사진이 있어요')
    const jimin = await start(page, { project, name: '지민' })
    await until('the avatar', () => requests.some(({ origin }) => origin === 'https://avatars.test'))
    await jimin.panel.locator('.avatar', { hasText: '서' }).waitFor()
    const foreign = requests.filter(({ origin }) => origin !== server.url)
    expect(foreign).toEqual([{ origin: 'https://avatars.test', referrer: '' }])
    requests.length = 0
    await page.reload()
    const without = await start(page, { project, name: '지민', options: { avatars: false } })
    await without.panel.locator('.avatar', { hasText: '서' }).waitFor()
    expect(requests.filter(({ origin }) => origin === 'https://avatars.test')).toEqual([])
  })

  test('[W7] it works under a strict policy, with third-party cookies and so the storage blocked', async () => {
    const policy = `default-src 'none'; script-src ${server.url}; frame-src ${server.url}; require-trusted-types-for 'script'`
    const page = await browser.visit(await serve('<!doctype html><title>host</title>'))
    const complaints: string[] = []
    page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()))
    page.on('pageerror', (error) => complaints.push(String(error)))
    await page.goto(await serve(pageWith(server.url), { 'content-security-policy': policy }))
    const jimin = await start(page, { project: newProject(), name: '지민' })
    await jimin.send('들어왔어요')
    await jimin.sees('들어왔어요')
    const panel = page.frames().find((frame) => frame.url().endsWith('/widget/panel'))!
    await expect(panel.evaluate('localStorage')).rejects.toThrow('Access is denied')
    expect(complaints.filter((text) => !text.includes('favicon'))).toEqual([])
  })

  test('[W2] where a token expires, the page is asked for another, and the chat goes on', async () => {
    const project = newProject()
    const page = await browser.visit(host)
    let asked = 0
    await page.exposeFunction('signToken', () =>
      signGuest('지민', project, { exp: Math.floor(Date.now() / 1000) + (++asked === 1 ? 3 : 600) }),
    )
    await page.waitForFunction('window.Madang !== undefined')
    await page.evaluate(`Madang.init({ project: '${project}', token: () => signToken() })`)
    const jimin = visitorOf(page)
    await jimin.open()
    await jimin.send('하나')
    await until('another token', () => asked === 2)
    await jimin.panel.locator('.standing.online').waitFor()
    await jimin.send('둘')
    await jimin.sees('하나', '둘')
    expect(await jimin.panel.locator('.unsent').count()).toBe(0)
  })

  test('[W10] older messages come as one scrolls up, and what is read stays where it is', async () => {
    const project = newProject()
    const seojun = await enterGuest(server, signGuest('서준', project))
    for (let at = 1; at <= 120; at++) await seojun.send(`${at}번째`)
    const jimin = await come(browser, host, { project, name: '지민' })
    await until('fifty', async () => (await jimin.texts()).length === 50)
    const list = jimin.panel.locator('.log')
    const seventyFirst = jimin.panel.locator('.bubble', { hasText: /^71번째$/ })
    await list.evaluate((box) => void (box.scrollTop = 0))
    await until('a hundred', async () => (await jimin.texts()).length === 100)
    expect(await seventyFirst.isVisible()).toBe(true)
    const { y } = (await seventyFirst.boundingBox())!
    const { y: top, height } = (await list.boundingBox())!
    expect(y).toBeGreaterThan(top)
    expect(y).toBeLessThan(top + height)
    await list.evaluate((box) => void (box.scrollTop = 0))
    await until('all', async () => (await jimin.texts()).length === 120)
    expect((await jimin.texts())[0]).toBe('1번째')
  })

  test('[W7] a token is taken from the parent window alone', async () => {
    const project = newProject()
    const greeting = {
      madang: 1,
      settings: { project, locale: 'ko', shade: 'light', color: '#112233' },
      credential: { token: signGuest('지민', project) },
      isOpen: true,
    }
    const body = `<iframe name="panel" src="${server.url}/widget/panel"></iframe><iframe name="other" srcdoc="<p>other</p>"></iframe>`
    const page = await browser.visit(await serve(pageWith(server.url, { body })))
    await page.evaluate((given) => {
      const { frames } = globalThis as unknown as { frames: Record<string, { eval(code: string): void }> }
      frames['other']!.eval(`parent.frames.panel.postMessage(${JSON.stringify(given)}, '*', [new MessageChannel().port2])`)
    }, greeting)
    const panel = page.frames().find((frame) => frame.url().endsWith('/widget/panel'))!
    // Messages are handed over in their order: the panel has heard the first once it has heard the second.
    await panel.evaluate('new Promise((resolve) => { addEventListener("message", resolve, { once: true }); postMessage(0) })')
    expect(await panel.locator('.panel').count()).toBe(0)
    await page.evaluate((given) => {
      const { frames } = globalThis as unknown as { frames: Record<string, { postMessage(...args: unknown[]): void }> }
      frames['panel']!.postMessage(given, '*', [new MessageChannel().port2])
    }, greeting)
    await panel.locator('.standing.online').waitFor()
  })

  test('[W7] Esc closes the panel and gives the focus back', async () => {
    const address = await serve(pageWith(server.url, { body: '<button id="help">도움</button>' }))
    const jimin = await come(browser, address, { project: newProject(), name: '지민', isClosed: true })
    await jimin.page.locator('#help').focus()
    await jimin.open()
    await until('the focus in the field', () => jimin.field.evaluate((field) => field.ownerDocument.activeElement === field))
    await jimin.page.keyboard.press('Escape')
    await until('the focus back', () => jimin.page.evaluate("document.activeElement.id === 'help'"))
    await jimin.field.waitFor({ state: 'hidden' })
  })

  test('[W7] axe finds nothing wrong, in light and dark, with and without messages', async () => {
    for (const [theme, locale] of [
      ['light', 'ko'],
      ['dark', 'en'],
    ]) {
      const project = newProject()
      const jimin = await come(browser, host, { project, name: '지민', options: { theme, locale } })
      const check = async () => {
        const frame = jimin.page.frames().find((one) => one.url().endsWith('/widget/panel'))!
        for (const place of [frame, jimin.page.mainFrame()]) {
          await place.evaluate(axe.source)
          const found = await place.evaluate<Found>('axe.run({ iframes: false })')
          const ours = found.violations.filter(({ id }) => place === frame || !/^(landmark|region|page)/.test(id))
          expect(ours.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)])).toEqual([])
        }
      }
      await check()
      const seojun = await enterGuest(server, signGuest('서준', project))
      await seojun.send('https://shop.example 여기예요')
      await jimin.send('고마워요')
      await jimin.sees('https://shop.example 여기예요', '고마워요')
      await check()
    }
  })
})
