/** For tests: visitors of a host's page that has the widget, in a real browser. */
import type { FrameLocator, Locator, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, expect } from 'vitest'
import { until } from '../../../test/chat.ts'
import { describeBrowser, openBrowser, servePage, type TestBrowser } from '../../../test/browser.ts'
import { startServer, type TestServer } from '../../../test/harness.ts'
import { closeGuests, signGuest } from './widget.fixture.ts'

/** `Madang`, as a page has it; what runs there is type-checked here. */
declare const Madang: {
  init(options: object): void
  open(): void
  on(name: string, listener: (detail: unknown) => void): void
}

/** A host's page that has the script, and leaves the rest to the test. */
export function pageWith(serverUrl: string, { head = '', body = '<h1>주인 사이트</h1>' } = {}): string {
  return `<!doctype html><html lang="ko"><head><title>host</title>${head}<script async src="${serverUrl}/widget.js"></script></head><body>${body}</body></html>`
}

let projects = 0
export const newProject = () => `가게-${++projects}`

/** One server for a file's tests, and a browser that blocks third-party cookies. */
export function describeEmbed(name: string, tests: (embed: Embed) => void): void {
  describeBrowser(name, () => {
    const embed = new Embed()
    beforeAll(() => embed.open())
    afterEach(() => embed.clear())
    afterAll(() => embed.close())
    tests(embed)
  })
}

class Embed {
  server!: TestServer
  /** The address of a page that has the script and nothing else. */
  host!: string
  #browser!: TestBrowser
  readonly #pages: Page[] = []
  readonly #stops: (() => Promise<void>)[] = []

  async open(): Promise<void> {
    this.server = await startServer()
    this.#browser = await openBrowser(['--test-third-party-cookie-phaseout'])
    this.host = await this.serve(pageWith(this.server.url))
  }

  /** Its name below `.test` is another site than the server's: the panel is a third party there. Returns the origin. */
  async serve(html: string, headers: Record<string, string> = {}): Promise<string> {
    const pages = await servePage(html, headers)
    this.#stops.push(() => pages.close())
    return `http://shop.test:${pages.port}`
  }

  async visit(address: string): Promise<Page> {
    const page = await this.#browser.visit(address)
    this.#pages.push(page)
    return page
  }

  async come(host: string, coming: Coming): Promise<Visitor> {
    return start(await this.visit(host), coming)
  }

  /** After each test. */
  async clear(): Promise<void> {
    closeGuests()
    for (const page of this.#pages.splice(0)) await page.context().close()
  }

  async close(): Promise<void> {
    await this.#browser?.close()
    for (const stop of this.#stops) await stop()
    await this.server?.stop()
  }
}

export interface Visitor {
  page: Page
  panel: FrameLocator
  field: Locator
  /** The texts of the list, in its order; unsent ones too. */
  texts(): Promise<string[]>
  sees(...texts: string[]): Promise<void>
  send(text: string): Promise<void>
  /** The launcher's label. */
  label(): Promise<string | null>
  open(): Promise<void>
}

export interface Coming {
  project: string
  name: string
  /** Beside project and token. */
  options?: object
  isClosed?: boolean
  /** Claims, or signing options. */
  more?: object
}

/** On a page that is loaded already. */
export async function start(page: Page, { project, name, options = {}, isClosed = false, more = {} }: Coming): Promise<Visitor> {
  await page.waitForFunction('window.Madang !== undefined')
  const token = signGuest(name, project, more)
  await page.evaluate(
    (given) =>
      new Promise<void>((resolve) => {
        Madang.on('ready', () => resolve())
        Madang.init(given)
      }),
    { project, token, ...options },
  )
  const visitor = visitorOf(page)
  await visitor.panel.locator('.standing.online').waitFor({ state: 'attached' })
  if (!isClosed) await visitor.open()
  return visitor
}

export function visitorOf(page: Page): Visitor {
  const panel = page.frameLocator('madang-chat iframe')
  const field = panel.locator('textarea')
  const texts = () => panel.locator('.bubble').allTextContents()
  return {
    page,
    panel,
    field,
    texts,
    async sees(...wanted) {
      await until(`${wanted.join(', ')} on the page`, async () => (await texts()).join() === wanted.join()).catch(() => {})
      expect(await texts()).toEqual(wanted)
    },
    async send(text) {
      await field.fill(text)
      await field.press('Enter')
    },
    label: () => page.locator('madang-chat button').getAttribute('aria-label'),
    async open() {
      await page.evaluate(() => Madang.open())
      await field.waitFor({ state: 'visible' })
    },
  }
}

/** A key as an input method lets it through: 229 is one that it keeps. */
export interface Key {
  key: string
  code?: string
  keyCode: number
}

/** What an input method does, step by step, through Chromium's own composition. */
export type Step = { compose: string } | { commit: string } | { down: Key } | { up: Key }

export async function play(page: Page, steps: Step[]): Promise<void> {
  const client = await page.context().newCDPSession(page)
  for (const step of steps) {
    if ('compose' in step) {
      const end = step.compose.length
      await client.send('Input.imeSetComposition', { text: step.compose, selectionStart: end, selectionEnd: end })
    } else if ('commit' in step) await client.send('Input.insertText', { text: step.commit })
    else {
      const { key, code = key, keyCode } = 'down' in step ? step.down : step.up
      const text = 'down' in step && keyCode === 13 ? { text: '\r' } : {}
      const type = 'down' in step ? (keyCode === 13 ? 'keyDown' : 'rawKeyDown') : 'keyUp'
      await client.send('Input.dispatchKeyEvent', { type, key, code, windowsVirtualKeyCode: keyCode, ...text })
    }
  }
  await client.detach()
}
