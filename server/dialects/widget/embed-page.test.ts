/** The embed (W7) and the page that has it: neither does anything to the other. */
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import axe from 'axe-core'
import type { Page } from 'playwright-core'
import { expect, onTestFinished, test } from 'vitest'
import { watchPage } from '../../../test/browser.ts'
import { until } from '../../../test/chat.ts'
import { describeEmbed, newProject, pageWith, start, visitorOf } from './embed.fixture.ts'
import { enterGuest, signGuest } from './widget.fixture.ts'

/** Of what axe finds. */
interface Found {
  violations: { id: string; nodes: { html: string }[] }[]
}

describeEmbed('a page in a browser', (embed) => {
  test('[W7] nothing of a hostile page changes its look, and nothing of it changes the page', async () => {
    const project = newProject()
    const seojun = await enterGuest(embed.server, signGuest('서준', project))
    await seojun.send('어디서나 같은 모습이에요 https://shop.example/길')
    const hostile = `<style>* { all: unset !important; font: 900 50px/1 monospace !important; color: red !important; direction: rtl !important; letter-spacing: 9px !important }
      html { font-size: 60px !important; opacity: 0.5 !important } head, head * { display: none !important }
      html > * { transform: rotate(3deg) !important; filter: blur(3px) !important; position: static !important; display: none !important }
      body { display: block !important; margin: 40px !important } button, iframe, span, svg, path { width: 5px !important; opacity: 0.1 !important; animation: none !important }</style>`
    const shots = []
    for (const head of ['', hostile]) {
      const page = await embed.visit(await embed.serve(pageWith(embed.server.url, { head })))
      // Else the panel would be measured on its way.
      await page.emulateMedia({ reducedMotion: 'reduce' })
      const visitor = await start(page, { project, name: '지민', options: { color: '#7a3cc2' } })
      await visitor.sees('어디서나 같은 모습이에요 https://shop.example/길')
      await until('the focus in the field', () => visitor.field.evaluate((field) => field.ownerDocument.activeElement === field))
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
    const bare = await embed.visit(await embed.serve(`<!doctype html><html lang="ko"><title>host</title>${body}`))
    const visitor = await embed.come(await embed.serve(pageWith(embed.server.url, { body })), {
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

  test('[W7] no request leaves the origin but for avatars, which are told nothing', async () => {
    const project = newProject()
    const avatar = 'https://avatars.test/서준.png'
    const requests: { origin: string; referrer: string }[] = []
    const page = await embed.visit(embed.host)
    page.context().on('request', (request) => {
      requests.push({ origin: new URL(request.url()).origin, referrer: request.headers()['referer'] ?? '' })
    })
    const seojun = await enterGuest(embed.server, signGuest('서준', project, { avatar }))
    await seojun.send('사진이 있어요')
    const jimin = await start(page, { project, name: '지민' })
    await until('the avatar', () => requests.some(({ origin }) => origin === 'https://avatars.test'))
    await jimin.panel.locator('.avatar', { hasText: '서' }).waitFor()
    const foreign = requests.filter(({ origin }) => origin !== embed.server.url)
    expect(foreign).toEqual([{ origin: 'https://avatars.test', referrer: '' }])
    requests.length = 0
    await page.reload()
    const without = await start(page, { project, name: '지민', options: { avatars: false } })
    await without.panel.locator('.avatar', { hasText: '서' }).waitFor()
    expect(requests.filter(({ origin }) => origin === 'https://avatars.test')).toEqual([])
  })

  test.each(['', '/shop.html', '/news.html'])('[W7] the demo%s asks no other origin and has no errors', async (path) => {
    const page = await embed.visit('about:blank')
    const complaints = watchPage(page, embed.server.url)
    await page.goto(`${embed.server.url}/widget/demo${path}`)
    if (path !== '') await visitorOf(page).panel.locator('.standing.online').waitFor({ state: 'attached' })
    // Where a page names none, a browser asks for a `/favicon.ico`, which nothing tells to a test in time.
    expect(await page.locator('link[rel=icon]').getAttribute('href')).toBe('data:,')
    expect(complaints).toEqual([])
  })

  test('[W7] it works under a strict policy, with third-party cookies and so the storage blocked', async () => {
    const policy = `default-src 'none'; script-src ${embed.server.url}; frame-src ${embed.server.url}; require-trusted-types-for 'script'`
    const page = await embed.visit(await embed.serve('<!doctype html><title>host</title>'))
    const complaints: string[] = []
    page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()))
    page.on('pageerror', (error) => complaints.push(String(error)))
    await page.goto(await embed.serve(pageWith(embed.server.url), { 'content-security-policy': policy }))
    const jimin = await start(page, { project: newProject(), name: '지민' })
    await jimin.send('들어왔어요')
    await jimin.sees('들어왔어요')
    const panel = page.frames().find((frame) => frame.url().endsWith('/widget/panel'))!
    await expect(panel.evaluate('localStorage')).rejects.toThrow('Access is denied')
    expect(complaints.filter((text) => !text.includes('favicon'))).toEqual([])
  })

  test('[W7] a token is taken from the parent window alone', async () => {
    const project = newProject()
    const greeting = {
      madang: 1,
      settings: { project, locale: 'ko', shade: 'light', color: '#112233' },
      credential: { token: signGuest('지민', project) },
      isOpen: true,
    }
    const body = `<iframe name="panel" src="${embed.server.url}/widget/panel"></iframe><iframe name="other" srcdoc="<p>other</p>"></iframe>`
    const page = await embed.visit(await embed.serve(pageWith(embed.server.url, { body })))
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
    const address = await embed.serve(pageWith(embed.server.url, { body: '<button id="help">도움</button>' }))
    const jimin = await embed.come(address, { project: newProject(), name: '지민', isClosed: true })
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
      const jimin = await embed.come(embed.host, { project, name: '지민', options: { theme, locale } })
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
      const seojun = await enterGuest(embed.server, signGuest('서준', project))
      await seojun.send('https://shop.example 여기예요')
      await jimin.send('고마워요')
      await jimin.sees('https://shop.example 여기예요', '고마워요')
      await check()
    }
  })

  const document = readFileSync(new URL('../../../docs/embed.md', import.meta.url), 'utf8')

  test.each(['as a whole', 'whose second script comes after the first was run'])(
    '[W7] the recipe of docs/embed.md brings the chat to a page %s',
    async (how) => {
      const project = newProject()
      const [, recipe] = /```html\n([^`]*id="madang"[^`]*)```/.exec(document)!
      const html = recipe!.replace('https://chat.example', embed.server.url).replace('myshop', project)
      const at = how === 'as a whole' ? html.length : html.indexOf('<script>')
      let goOn = () => {}
      const rest = new Promise<void>((resolve) => (goOn = resolve))
      const host = createServer((request, response) => {
        if (request.url === '/chat-token') return void response.end(signGuest('지민', project))
        response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).write(`<!doctype html><body>${html.slice(0, at)}`)
        void rest.then(() => response.end(html.slice(at)))
      })
      await new Promise<void>((resolve) => host.listen(0, '127.0.0.1', resolve))
      onTestFinished(() => host.close().closeAllConnections())
      const page = await embed.visit('about:blank')
      await page.goto(`http://shop.test:${(host.address() as AddressInfo).port}/`, { waitUntil: 'commit' })
      await page.waitForFunction('window.Madang !== undefined')
      goOn()
      await visitorOf(page).panel.locator('.standing.online').waitFor({ state: 'attached' })
    },
  )

  test('[W7] a browser of 2023 has it whole: without Intl.Segmenter, ARIA properties and popovers', async () => {
    const project = newProject()
    const seojun = await enterGuest(embed.server, signGuest('서준', project))
    await seojun.send('안녕하세요')
    const page = await embed.visit('about:blank')
    await page.addInitScript(`
      delete Intl.Segmenter
      for (const name of ['ariaLabel', 'ariaHidden', 'ariaExpanded']) delete Element.prototype[name]
      for (const name of ['popover', 'showPopover']) delete HTMLElement.prototype[name]`)
    await page.goto(embed.host)
    const jimin = await start(page, { project, name: '지민' })
    await jimin.sees('안녕하세요')
    expect(await jimin.panel.locator('.avatar').textContent()).toBe('서')
    expect(await jimin.label()).toBe('채팅 닫기')
    expect(await page.locator('madang-chat button').getAttribute('aria-expanded')).toBe('true')
  })

  /** A page whose time the test winds on, and how often it has asked for the panel. */
  async function visitWithClock(isAway: () => boolean) {
    const page = await embed.visit('about:blank')
    await page.clock.install()
    const asked = { times: 0 }
    await page.route('**/widget/panel', (route) => {
      asked.times++
      return isAway() ? route.abort() : route.continue()
    })
    await page.goto(await embed.serve(pageWith(embed.server.url, { body: '<input id="field">' })))
    await page.waitForFunction('window.Madang !== undefined')
    return { page, asked }
  }

  test('[W7] a panel that does not load is asked for again, and takes no focus but that of the frame before it', async () => {
    const project = newProject()
    let isAway = true
    const { page, asked } = await visitWithClock(() => isAway)
    await page.evaluate(`Madang.init({ project: '${project}', token: '${signGuest('지민', project)}' }); Madang.open()`)
    await until('the first look', () => asked.times === 1)
    const askAgain = async () => {
      const before = asked.times
      await until('another look', async () => {
        await page.clock.fastForward(15_000)
        return asked.times > before
      })
    }
    const focused = () => page.evaluate('(document.activeElement.shadowRoot?.activeElement ?? document.activeElement).localName')
    await askAgain()
    expect(await focused(), 'it had the focus').toBe('iframe')
    await page.locator('#field').focus()
    await askAgain()
    expect(await focused()).toBe('input')
    isAway = false
    await askAgain()
    await visitorOf(page).panel.locator('.standing.online').waitFor()
    expect(await focused(), 'as it comes').toBe('input')
    await page.evaluate('Madang.close(); Madang.open()')
    const { field } = visitorOf(page)
    await until('the focus in the field', () => field.evaluate((box) => box.ownerDocument.activeElement === box))
  })

  test('[W7] a page may take its time to find a token', async () => {
    const project = newProject()
    const { page, asked } = await visitWithClock(() => false)
    let give = (_token: string) => {}
    let isAsked = false
    const token = new Promise<string>((resolve) => (give = resolve))
    await page.exposeFunction('signToken', () => {
      isAsked = true
      return token
    })
    await page.evaluate(`Madang.init({ project: '${project}', token: () => signToken() })`)
    await until('the page asked', () => isAsked)
    await page.clock.fastForward(60_000)
    give(signGuest('지민', project))
    await visitorOf(page).panel.locator('.standing.online').waitFor({ state: 'attached' })
    expect(asked.times).toBe(1)
  })

  test("[W7] the number before the title comes and goes, and a number of the page's own stays", async () => {
    const project = newProject()
    const address = await embed.serve(pageWith(embed.server.url).replace('host', '(3) 새 소식'))
    const jimin = await embed.come(address, { project, name: '지민', isClosed: true, options: { title: true } })
    const seojun = await enterGuest(embed.server, signGuest('서준', project))
    for (const count of [1, 2]) {
      await seojun.send('안녕하세요')
      await until('the number', async () => (await jimin.page.title()) === `(${count}) (3) 새 소식`)
    }
    await jimin.page.evaluate('Madang.destroy()')
    expect(await jimin.page.title()).toBe('(3) 새 소식')
  })
})
