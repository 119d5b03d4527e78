/** The stream to a browser: Chromium's own EventSource, on pages of several origins, over lines that break. */
import type { Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { describeBrowser, openBrowser, servePage, type PageServer, type TestBrowser } from '../../../test/browser.ts'
import { until } from '../../../test/chat.ts'
import { findPort } from '../../../test/child.ts'
import type { ServerOptions } from '../../../test/harness.ts'
import { systemClock } from '../../app/clock.ts'
import { createMemoryDatabase } from '../../storage/memory/memory.ts'
import { openCuttingProxy, type Cut, type CuttingProxy } from './cutting-proxy.fixture.ts'
import { asHost, openGroupware, signToken, type Groupware, type Person } from './groupware.fixture.ts'
import { frame as frameShape, type FrameObject } from './wire.ts'

/** Chromium comes back 3 s after a line that broke, where nobody tells it otherwise. */
const comesBackWithinMs = 30_000
const streamPath = '/api/chats/stream'
const password = '비밀번호-1234'

const stops: (() => Promise<unknown> | void)[] = []

afterEach(async () => {
  for (const stop of stops.splice(0).toReversed()) await stop()
})

async function open(options: ServerOptions = {}): Promise<Groupware> {
  const door = await openGroupware(options)
  stops.push(() => door.stop())
  return door
}

async function serve(headers: Record<string, string> = {}): Promise<PageServer> {
  const pages = await servePage(undefined, headers)
  stops.push(() => pages.close())
  return pages
}

async function cutting(port: number, cuts: Cut[] = []): Promise<CuttingProxy> {
  const proxy = await openCuttingProxy(port, cuts)
  stops.push(() => proxy.close())
  return proxy
}

// ---------------------------------------------------------------------------------------------------------- in the browser

interface Told {
  /** Null of an error. */
  data: string | null
  lastEventId: string
  /** 0 connecting, 1 open, 2 given up. */
  readyState: number
}

/** As it is on a page; what runs there is type-checked here. */
declare const EventSource: new (
  address: string,
  how: { withCredentials: boolean },
) => {
  readyState: number
  addEventListener(type: 'message' | 'error', listener: (event: { data: string; lastEventId: string }) => void): void
}

/** Runs on the page. */
function openSource({ address, tell, withCredentials }: { address: string; tell: string; withCredentials: boolean }): void {
  const told = (globalThis as unknown as Record<string, (event: Told) => void>)[tell]!
  const source = new EventSource(address, { withCredentials })
  source.addEventListener('message', ({ data, lastEventId }) => told({ data, lastEventId, readyState: source.readyState }))
  source.addEventListener('error', () => told({ data: null, lastEventId: '', readyState: source.readyState }))
}

interface Source {
  shown: { frame: FrameObject; lastEventId: string }[]
  errors: number
  hasGivenUp: boolean
}

let sources = 0

async function listen(page: Page, address: string, withCredentials = true): Promise<Source> {
  const source: Source = { shown: [], errors: 0, hasGivenUp: false }
  const tell = `tell${++sources}`
  await page.exposeFunction(tell, ({ data, lastEventId, readyState }: Told) => {
    if (data === null) source.errors++
    else source.shown.push({ frame: frameShape.parse(JSON.parse(data)), lastEventId })
    source.hasGivenUp ||= readyState === 2
  })
  await page.evaluate(openSource, { address, tell, withCredentials })
  return source
}

/** Runs on the page; the status. */
async function send({ address, body }: { address: string; body: object }): Promise<number> {
  const headers = { 'content-type': 'application/json' }
  return (await fetch(address, { method: 'POST', credentials: 'include', headers, body: JSON.stringify(body) })).status
}

/** As the front end does it: the answer's cookie stays with the browser. */
async function signIn(page: Page, { url }: { url: string }, username: string): Promise<void> {
  expect(await page.evaluate(send, { address: `${url}/api/auth/login`, body: { username, password } })).toBe(200)
}

/** A frame in a few words. */
function brief({ frame }: { frame: FrameObject }): string {
  if (frame.type === 'message') return `${frame.data.message.content}`
  if (frame.type === 'read') return `read ${frame.data.user_id} ${frame.data.last_message_id}`
  return frame.type === 'conversation' ? frame.data.action : frame.type
}

const told = ({ shown }: Source) => shown.map(brief).filter((line) => line !== 'ping')
/** Without the frames that only tell of the line. */
const heard = (source: Source) => told(source).filter((line) => !['connected', 'resumed'].includes(line))

async function hear(source: Source, line: string): Promise<void> {
  const isHeard = () => {
    if (source.hasGivenUp) throw new Error(`it gave up before ${line}: ${JSON.stringify(told(source))}`)
    return told(source).includes(line)
  }
  await until(`${line} in a browser`, isHeard, comesBackWithinMs)
}

/** An account with a password. */
async function enroll(door: Groupware, username: string): Promise<Person> {
  const { id } = (await door.done('POST /api/users/create', asHost, { username, password })).data
  const token = await signToken({ username, id })
  return { id, username, name: username, token, bearer: { authorization: `Bearer ${token}` } }
}

describeBrowser('in Chromium', () => {
  let browser: TestBrowser

  beforeAll(async () => {
    browser = await openBrowser()
  })
  afterAll(() => browser.close())

  async function visit(address: string): Promise<Page> {
    const page = await browser.visit(address)
    stops.push(() => page.context().close())
    return page
  }

  type Place = (pages: PageServer) => { options: ServerOptions; origin(door: Groupware): string }
  const places: [name: string, place: Place][] = [
    ["the server's own origin", () => ({ options: { isProduction: true }, origin: (door) => `${door.server.url}/healthz` })],
    [
      'an origin of COOKIE_ORIGINS',
      ({ origin }) => ({ options: { isProduction: true, env: { COOKIE_ORIGINS: origin } }, origin: () => origin }),
    ],
    ['another loopback origin in development', ({ origin }) => ({ options: {}, origin: () => origin })],
  ]

  test.each(places)(
    '[P3][P4][A5] a page of %s signs in, and its EventSource hears messages, reads and conversations by the cookie',
    async (_name, place) => {
      const { options, origin } = place(await serve())
      const door = await open(options)
      const [ann, cat] = [await enroll(door, 'ann'), await enroll(door, 'cat')]
      const bob = await enroll(door, 'bob')
      const roomId = await door.group([ann, bob])
      const page = await visit(origin(door))
      await signIn(page, door.server, 'bob')
      const source = await listen(page, door.server.url + streamPath)
      await hear(source, 'connected')
      const { id } = await door.send(roomId, ann, '안녕하세요 👋')
      const address = `${door.server.url}/api/chats/${roomId}/read`
      expect(await page.evaluate(send, { address, body: { lastMessageId: id } })).toBe(200)
      await door.done(`POST /api/chats/${roomId}/invite`, ann.bearer, { userIds: [cat.id] })
      await door.done(`POST /api/chats/${roomId}/leave`, cat.bearer)
      await hear(source, 'left')
      expect(told(source)).toEqual(['connected', '안녕하세요 👋', `read ${bob.id} ${id}`, 'invited', 'left'])
      expect(new Set(source.shown.map(({ lastEventId }) => lastEventId)).size).toBe(5)
      expect(source.errors).toBe(0)
    },
  )

  test('[P3][A7] over a restart of the server it comes back by itself, with nothing lost and nothing twice', async () => {
    const database = createMemoryDatabase()
    const { origin } = await serve()
    const port = await findPort()
    const start = () =>
      openGroupware({
        isProduction: true,
        storage: database.openStorage(),
        env: { COOKIE_ORIGINS: origin, PORT: String(port), LIMIT_SENDS: 'off' },
      })
    let door = await start()
    stops.push(() => door.stop())
    const [ann, bob, cat] = [await enroll(door, 'ann'), await enroll(door, 'bob'), await enroll(door, 'cat')]
    const rooms = [await door.group([ann, bob]), await door.group([ann, bob])]
    const say = (text: string) => Promise.all(rooms.map((roomId, at) => door.send(roomId, ann, `${text} ${at}`)))
    const page = await visit(origin)
    await signIn(page, door.server, 'bob')
    const source = await listen(page, door.server.url + streamPath)
    await hear(source, 'connected')
    await say('before')
    await hear(source, 'before 1')
    // What is answered in the last moment may or may not have left; it comes once in either case.
    await say('at the end')
    await door.stop()
    door = await start()
    await say('meanwhile')
    await door.done(`POST /api/chats/${rooms[0]}/invite`, ann.bearer, { userIds: [cat.id] })
    const { id } = await door.send(rooms[0]!, ann, 'read by cat')
    await door.done(`POST /api/chats/${rooms[0]}/read`, cat.bearer, { lastMessageId: id })
    await hear(source, 'resumed')
    await say('after')
    for (const line of ['after 0', 'after 1']) await hear(source, line)

    const pairs = (...texts: string[]) => texts.flatMap((text) => [`${text} 0`, `${text} 1`])
    const all = [
      ...pairs('before', 'at the end', 'meanwhile'),
      'invited',
      'read by cat',
      `read ${cat.id} ${id}`,
      ...pairs('after'),
    ]
    // A replay tells the last marker of each member, also of one that went past his own messages alone.
    const seen = heard(source).filter((line) => !line.startsWith(`read ${ann.id} `))
    expect(seen.toSorted()).toEqual(all.toSorted())
    for (const at of ['0', '1'])
      expect(seen.filter((line) => line.endsWith(` ${at}`))).toEqual(all.filter((line) => line.endsWith(` ${at}`)))
    expect(told(source).filter((line) => /^(connected|resumed|reload)$/.test(line))).toEqual([
      'connected',
      'connected',
      'resumed',
    ])
  })

  const cutPlaces: Record<string, Cut['place']> = {
    'before it': () => 0,
    'in its id': (frame) => frame.indexOf('\n') - 2,
    'behind its id': (frame) => frame.indexOf('\n') + 1,
    'in its data': (frame) => frame.indexOf('data: ') + 20,
    'in a character': (frame) => frame.indexOf('글') + 1,
    'behind its data': (frame) => frame.length - 2,
    'in its blank line': (frame) => frame.length - 1,
  }

  test('[P3][A7] cut anywhere in a joined write, and again in the replay, it comes back with nothing lost and nothing twice', async () => {
    const door = await open()
    const [ann, bob] = [await enroll(door, 'ann'), await enroll(door, 'bob')]
    const rooms = [await door.group([ann, bob]), await door.group([ann, bob])]
    const page = await visit((await serve()).origin)
    await signIn(page, door.server, 'bob')
    const lines: { name: string; proxy: CuttingProxy; source: Source }[] = []
    for (const [name, place] of Object.entries(cutPlaces)) {
      const cut = { place, how: lines.length % 2 === 0 ? ('end' as const) : ('reset' as const) }
      const proxy = await cutting(door.server.port, [
        { ...cut, frame: 5 },
        { ...cut, frame: 3 },
      ])
      lines.push({ name, proxy, source: await listen(page, `http://127.0.0.1:${proxy.port}${streamPath}`) })
    }
    for (const { source } of lines) await hear(source, 'connected')
    const { accounts, messages } = door.server.app.chat
    const author = await accounts.getOrMake(ann.id)
    const post = (content: string, at = 0) => messages.post(author, rooms[at % 2]!, { content })
    await Promise.all(Array.from({ length: 12 }, (_, at) => post(`글 ${at}`, at)))
    for (const { source } of lines) await hear(source, 'resumed')
    await post('끝')
    for (const { source } of lines) await hear(source, '끝')

    const textsOf = (source: Source) => heard(source).filter((line) => /^[글끝]/.test(line))
    const whole = textsOf(lines[0]!.source)
    expect(whole).toHaveLength(13)
    for (const { name, proxy, source } of lines) {
      expect(textsOf(source), name).toEqual(whole)
      expect([proxy.cuts.length, source.errors], name).toEqual([0, 2])
      // Of three lines; a reset may take a `connected` along that had not been read yet.
      const ofLine = told(source).filter((line) => /^(resumed|reload)$/.test(line))
      expect(ofLine, name).toEqual(['resumed'])
      for (const request of proxy.requests.slice(1)) expect(request, name).toMatch(/\r\nlast-event-id: \S+\r\n/i)
    }
  })

  const foreign: [name: string, headers: Record<string, string>][] = [
    ['a foreign origin', {}],
    ['the origin null', { 'content-security-policy': 'sandbox allow-scripts' }],
  ]

  test.each(foreign)(
    '[P3][A5] a page of %s gets nothing, in production or development, though the cookie comes along',
    async (_name, headers) => {
      for (const isProduction of [true, false]) {
        const door = await open({ isProduction })
        const [ann, bob] = [await enroll(door, 'ann'), await enroll(door, 'bob')]
        const roomId = await door.group([ann, bob])
        const proxy = await cutting(door.server.port)
        // Two origins of one site, as a cookie of SameSite=Lax comes along between them.
        const own = `http://chat.yard.test:${proxy.port}`
        const page = await visit(`${own}/healthz`)
        await signIn(page, { url: own }, 'bob')
        const source = await listen(page, own + streamPath)
        await hear(source, 'connected')
        const foreignPage = await page.context().newPage()
        await foreignPage.goto(`http://else.yard.test:${(await serve(headers)).port}/`)
        const tried = [await listen(foreignPage, own + streamPath), await listen(foreignPage, own + streamPath, false)]
        await until('their giving up', () => tried.every(({ hasGivenUp }) => hasGivenUp))
        await door.send(roomId, ann, 'for bob alone')
        await hear(source, 'for bob alone')
        expect(tried.map(({ shown }) => shown)).toEqual([[], []])
        // A browser would keep a stream from the page also where the server opens it.
        expect(proxy.answered().match(/\r\ncontent-type: text\/event-stream/gi)).toHaveLength(1)
        const asked = proxy.requests
          .join('')
          .split('\r\n\r\n')
          .filter((head) => /\r\norigin: (null|http:\/\/else)/i.test(head))
        const withCookie = asked.filter((head) => head.includes(streamPath) && /\r\ncookie: .*auth-token=/i.test(head))
        expect(withCookie).toHaveLength(headers['content-security-policy'] === undefined ? 1 : 0)
      }
    },
  )

  test('[P3][A12] over the limit of connects it does not give up, and comes in when there is room', async () => {
    let stoodAtMs: number | null = Date.now()
    const clock = { ...systemClock, now: () => stoodAtMs ?? systemClock.now() }
    const door = await open({ clock, env: { LIMIT_CONNECTS: '1/1' } })
    const bob = await enroll(door, 'bob')
    const page = await visit(`${door.server.url}/healthz`)
    await signIn(page, door.server, 'bob')
    ;(await door.listen(bob)).close()
    const source = await listen(page, door.server.url + streamPath)
    await until('being turned away twice', () => source.errors >= 2, comesBackWithinMs)
    expect(told(source)).toEqual([])
    stoodAtMs = null
    await hear(source, 'connected')
  })

  test('[P3][A15] while storage is away it does not give up, and comes in when it is back', async () => {
    const storage = createMemoryDatabase().openStorage()
    const door = await open({ storage })
    await enroll(door, 'bob')
    const page = await visit(`${door.server.url}/healthz`)
    await signIn(page, door.server, 'bob')
    const { listMembershipsOf } = storage.log
    storage.log.listMembershipsOf = () => Promise.reject(new Error('away'))
    const source = await listen(page, door.server.url + streamPath)
    await until('being turned away twice', () => source.errors >= 2, comesBackWithinMs)
    expect(heard(source)).toEqual([])
    storage.log.listMembershipsOf = listMembershipsOf
    await hear(source, 'connected')
  })
})
