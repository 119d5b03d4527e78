/** A real browser for tests: Debian's Chromium, driven by playwright-core, which brings none of its own. */
import { existsSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { chromium, type Page } from 'playwright-core'
import { describeWith } from './programs.ts'

const program = process.env['CHROMIUM'] || '/usr/bin/chromium'

export function describeBrowser(name: string, tests: () => void): void {
  describeWith(program, existsSync(program), name, tests)
}

export interface TestBrowser {
  /**
   * A page that has loaded this address, of a visitor of his own: he shares cookies and storage with no other. More pages of the same
   * visitor come from `page.context().newPage()`. Every name below `.test` is this machine.
   */
  visit(address: string): Promise<Page>
  /** With all its pages. */
  close(): Promise<void>
}

/** `more`: command-line switches of Chromium. */
export async function openBrowser(more: string[] = []): Promise<TestBrowser> {
  const browser = await chromium.launch({
    executablePath: program,
    // Its sandbox does not start for root, as tests in a container run; it only ever sees our own pages.
    chromiumSandbox: false,
    args: ['--host-resolver-rules=MAP *.test 127.0.0.1', ...more],
  })
  return {
    async visit(address) {
      // Tests make their own certificates.
      const page = await (await browser.newContext({ ignoreHTTPSErrors: true })).newPage()
      await page.goto(address)
      return page
    },
    close: () => browser.close(),
  }
}

/**
 * What goes wrong on a page and in its frames from now on: errors on its console, uncaught ones, requests that fail, and any of another
 * origin than this one.
 */
export function watchPage(page: Page, origin: string): string[] {
  const complaints: string[] = []
  const complain = (text: string) => void complaints.push(text)
  page.on('console', (message) => message.type() === 'error' && complain(message.text()))
  page.on('pageerror', (error) => complain(`Uncaught ${error.message}`))
  page.on('requestfailed', (request) => complain(`Failed: ${request.url()}`))
  page.on('response', (answer) => answer.status() >= 400 && complain(`${answer.status()}: ${answer.url()}`))
  page.on('request', (request) => {
    const { protocol, origin: asked } = new URL(request.url())
    if (protocol !== 'data:' && asked !== origin) complain(`Elsewhere: ${request.url()}`)
  })
  return complaints
}

export interface PageServer {
  port: number
  /** `http://127.0.0.1:<port>`. */
  origin: string
  close(): Promise<void>
}

/** An origin of its own, which answers every path with one page; an empty one where nothing else is given. */
export async function servePage(
  html = '<!doctype html><title>page</title>',
  headers: Record<string, string> = {},
): Promise<PageServer> {
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', ...headers }).end(html)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    port,
    origin: `http://127.0.0.1:${port}`,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve))
      server.closeAllConnections()
      await closed
    },
  }
}
