/** Outlets against servers of their own kind on this machine: what they send, and that a bad one costs nothing. */
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { hostname } from 'node:os'
import { SMTPServer } from 'smtp-server'
import { describe, expect, it, onTestFinished } from 'vitest'
import { until } from '../../../../test/chat.ts'
import { findPort } from '../../../../test/child.ts'
import { createManualClock } from '../../../../test/manual-clock.ts'
import { systemClock } from '../../clock.ts'
import { openLog, type LogSettings, type OpenLog } from '../../log.ts'
import type { Entry } from '../entry.ts'
import { createMail } from './mail.ts'
import { createNotices } from './notices.ts'
import { OutletFailure, type Outlet } from './outlet.ts'
import { createOutletQueue } from './queue.ts'

const at = Date.parse('2025-07-15T14:32:10.245Z')
const head = (level: string) => `[2025-07-15T14:32:10.245Z] [${level}] [PID:${process.pid}]`

interface Received {
  path: string
  headers: IncomingHttpHeaders
  text: string
}

/** Keeps what it gets; `answer` answers it. */
async function listen(answer: (response: ServerResponse, nth: number) => void) {
  const received: Received[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      received.push({ path: request.url!, headers: request.headers, text: Buffer.concat(chunks).toString() })
      answer(response, received.length)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { received, host: `127.0.0.1:${(server.address() as AddressInfo).port}` }
}

function ok(response: ServerResponse): void {
  response.end('ok')
}

function open(settings: Partial<LogSettings>, clock = createManualClock(at)) {
  const none = { file: null, lokiUrl: null, elasticsearchUrl: null, slackUrl: null, mail: null }
  const lines: string[] = []
  const terminal = {
    name: 'the terminal',
    write: (line: string) => void lines.push(line),
    takeDropped: () => 0,
    close: async () => {},
  }
  const log = openLog({ level: 'info', format: 'text', ...none, ...settings }, clock, terminal)
  return { lines, clock, log }
}

/** The clock is moved on until what goes out by it has come. */
async function send(log: OpenLog, clock: ReturnType<typeof createManualClock>, hasCome: () => boolean): Promise<void> {
  await clock.advance(1_000)
  await until('what was sent', hasCome)
}

describe('Loki', () => {
  it('[C11] gets each line as it is printed, with labels, and credentials as a header', async () => {
    const { received, host } = await listen(ok)
    const { log, clock } = open({ lokiUrl: `http://me:p%40ss@${host}/tenant/` })
    log.info('Room created successfully.', { userId: 'lea', roomId: 7 })
    log.warn('Odd.')
    log.debug('not this one')
    await send(log, clock, () => received.length === 1)
    const [{ path, headers, text }] = received as [Received]
    expect(path).toBe('/tenant/loki/api/v1/push')
    expect(headers['authorization']).toBe(`Basic ${Buffer.from('me:p@ss').toString('base64')}`)
    const stream = (level: string, line: string) => ({
      stream: { app: 'madang', host: hostname(), level },
      values: [[`${at}000000`, line]],
    })
    expect(JSON.parse(text)).toEqual({
      streams: [
        stream('info', `${head('INFO')} [lea] [7] - Room created successfully.`),
        stream('warn', `${head('WARN')} - Odd.`),
      ],
    })
  })
})

describe('Elasticsearch', () => {
  const taken = (response: ServerResponse) => void response.end(JSON.stringify({ errors: false, items: [] }))

  it('[C11] gets a document for each line', async () => {
    const { received, host } = await listen(taken)
    const { log, clock } = open({ elasticsearchUrl: `http://${host}/logs-madang` })
    log.info('Room created successfully.', { userId: 'lea', roomId: 7 })
    await send(log, clock, () => received.length === 1)
    const [{ path, headers, text }] = received as [Received]
    expect([path, headers['content-type']]).toEqual(['/logs-madang/_bulk', 'application/x-ndjson'])
    const [action, document] = text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(action).toEqual({ create: { _id: expect.any(String) } })
    expect(document).toEqual({
      '@timestamp': '2025-07-15T14:32:10.245Z',
      log: { level: 'info' },
      host: { name: hostname() },
      process: { pid: process.pid },
      service: { name: 'madang' },
      message: 'Room created successfully.',
      user: { name: 'lea' },
      labels: { room_id: '7' },
    })
  })

  it('[C11] loses of a batch only the lines that it refuses for good', async () => {
    const statuses = Array.from({ length: 10 }, (_, nth) => (nth === 3 ? 400 : 201))
    const items = statuses.map((status) => ({ create: { status } }))
    const { host } = await listen((response) => response.end(JSON.stringify({ errors: true, items })))
    const { log, lines, clock } = open({ elasticsearchUrl: `http://${host}` })
    for (const nth of statuses.keys()) log.info(`line ${nth}`)
    await send(log, clock, () => lines.some((line) => line.includes('does not take')))
    await log.close()
    expect(lines.at(-1)).toMatch(/ - 1 log lines did not get to Elasticsearch and are lost there\n$/)
  })

  it('[C11] gets again what it had no room for, under the same ids, and takes what it has for taken', async () => {
    const items = (...statuses: number[]) =>
      JSON.stringify({ errors: true, items: statuses.map((status) => ({ create: { status } })) })
    const { received, host } = await listen((response, nth) => response.end(nth === 1 ? items(201, 429) : items(409, 201)))
    const { log, lines, clock } = open({ elasticsearchUrl: `http://${host}` })
    log.info('one')
    log.info('two')
    await send(log, clock, () => lines.some((line) => line.includes('does not take')))
    await clock.advance(2_000)
    await until('the end of trouble', () => lines.some((line) => line.includes('takes log lines again')))
    expect(received.map(({ path }) => path)).toEqual(['/madang/_bulk', '/madang/_bulk'])
    expect(received[1]!.text).toBe(received[0]!.text)
    await log.close()
    expect(lines.join()).not.toContain('lost')
  })
})

describe('Slack', () => {
  it('[C11] gets errors alone, with their stack, and nothing that it would take for its own signs', async () => {
    const { received, host } = await listen(ok)
    const { log, clock } = open({ slackUrl: `http://${host}/services/T/B/x` })
    log.warn('not this one')
    const error = new Error('<!channel> & ```')
    error.stack = `Error: ${error.message}\n    at f (file.ts:1:2)`
    log.error('It broke.', { userId: 'lea', error })
    await send(log, clock, () => received.length === 1)
    expect(received[0]!.path).toBe('/services/T/B/x')
    const lines = `${head('ERROR')} [lea] - It broke.\n    Error: &lt;!channel&gt; &amp; \`…\`\n        at f (file.ts:1:2)`
    expect(JSON.parse(received[0]!.text)).toEqual({ text: `*Madang* on ${hostname()}\n\`\`\`\n${lines}\n\`\`\`` })
  })

  it('[C11] gets of a thousand errors of a kind one notice at once, and one with their count a minute later', async () => {
    const { received, host } = await listen(ok)
    const { log, clock } = open({ slackUrl: `http://${host}/` })
    for (let nth = 0; nth < 1_000; nth++) log.error(`GET /rooms/${nth} failed`)
    await send(log, clock, () => received.length === 1)
    expect(received[0]!.text).toContain('GET /rooms/0 failed')
    await clock.advance(58_000)
    expect(received).toHaveLength(1)
    await clock.advance(2_000)
    await until('the second notice', () => received.length === 2)
    expect(received[1]!.text).toContain('GET /rooms/999 failed (999 times within a minute)')
  })
})

describe('e-mail', () => {
  async function openPost(onData: (text: string, to: string[]) => void) {
    const server = new SMTPServer({
      authOptional: true,
      disabledCommands: ['STARTTLS'],
      onData(stream, session, done) {
        const chunks: Buffer[] = []
        stream.on('data', (chunk: Buffer) => chunks.push(chunk))
        stream.on('end', () => {
          onData(
            Buffer.concat(chunks).toString(),
            session.envelope.rcptTo.map(({ address }) => address),
          )
          done()
        })
      },
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => new Promise<void>((resolve) => server.close(() => resolve())))
    return `smtp://127.0.0.1:${(server.server.address() as AddressInfo).port}`
  }

  it('[C11] gets errors alone, to all who are named', async () => {
    const mails: { text: string; to: string[] }[] = []
    const url = await openPost((text, to) => void mails.push({ text, to }))
    const mail = { url, from: 'madang@example.com', to: 'a@example.com, b@example.com' }
    const { log, clock } = open({ mail })
    log.info('not this one')
    log.error('It broke.\r\nBcc: evil@example.com', { error: 'x' })
    await send(log, clock, () => mails.length === 1)
    expect(mails[0]!.to).toEqual(['a@example.com', 'b@example.com'])
    const [headers = '', encoded = ''] = mails[0]!.text.split('\r\n\r\n')
    const body = encoded.replaceAll('=\r\n', '')
    expect(headers).toContain('From: madang@example.com')
    expect(headers).not.toMatch(/^bcc/im)
    expect(body).toContain('It broke.\\r\\nBcc: evil@')
    expect(body).toContain('    thrown: string')
    await log.close()
  })

  it('[C11] a server that is not there is a failure with its code', async () => {
    const mail = createMail({ url: 'smtp://127.0.0.1:1', from: 'a@example.com', to: 'a@example.com' })
    await expect(mail.send([entryOf('error', 'x')], new AbortController().signal)).rejects.toThrow(/^E[A-Z]+$/)
  })
})

function entryOf(level: Entry['level'], text: string): Entry {
  return { at, level, text, userId: null, roomId: null, stack: null }
}

describe('a bad outlet', () => {
  const silentOutlet: Outlet = { name: 'Loki', send: () => new Promise(() => {}) }
  const take = (outlet: Outlet, entriesMax?: number) => {
    const clock = createManualClock(at)
    const troubles: string[] = []
    const onTrouble = (text: string) => void troubles.push(text)
    const queue = createOutletQueue({ outlet, clock, onTrouble, ...(entriesMax === undefined ? {} : { entriesMax }) })
    return { clock, troubles, queue }
  }

  it('[C11] that never answers is given up after 10 s, and what it would have had waits up to a limit; the rest is counted', async () => {
    const { queue, clock, troubles } = take(silentOutlet, 5)
    for (let nth = 0; nth < 8; nth++) queue.take(entryOf('info', String(nth)))
    expect([queue.takeDropped(), queue.takeDropped()]).toEqual([3, 0])
    await clock.advance(10_000)
    expect(troubles).toEqual([])
    await clock.advance(1_000)
    expect(troubles).toEqual(['Loki does not take log lines (no answer in time)'])
  })

  it('[C11] that fails is tried again ever more slowly, keeps its order, and says so once', async () => {
    const tries: { afterMs: number; texts: string }[] = []
    const { queue, clock, troubles } = take({
      name: 'Loki',
      send(entries) {
        tries.push({ afterMs: clock.now() - at, texts: entries.map(({ text }) => text).join('') })
        return tries.length < 4 ? Promise.reject(new OutletFailure('503')) : Promise.resolve()
      },
    })
    queue.take(entryOf('info', 'a'))
    await clock.advance(1_500)
    queue.take(entryOf('info', 'b'))
    await clock.advance(20_000)
    expect(tries).toEqual([
      { afterMs: 1_000, texts: 'a' },
      { afterMs: 3_000, texts: 'ab' },
      { afterMs: 7_000, texts: 'ab' },
      { afterMs: 15_000, texts: 'ab' },
    ])
    expect(troubles).toEqual(['Loki does not take log lines (503)', 'Loki takes log lines again'])
    expect(queue.takeDropped()).toBe(0)
  })

  it.each([
    [400, 1],
    [401, 0],
    [413, 1],
    [429, 0],
    [500, 0],
  ])('[C11] that answers %i loses %i of a line, and its address is not told', async (status, lost) => {
    const { host } = await listen((response) => response.writeHead(status).end('user:secret'))
    const { lines, log, clock } = open({ lokiUrl: `http://user:secret@${host}` })
    log.info('one')
    await send(log, clock, () => lines.length === 2)
    expect(lines[1]).toBe(`[2025-07-15T14:32:11.245Z] [WARN] [PID:${process.pid}] - Loki does not take log lines (${status})\n`)
    await clock.advance(60_000)
    const lostLines = lines.filter((line) => line.endsWith(`- ${lost} log lines did not get to Loki and are lost there\n`))
    expect(lostLines).toHaveLength(lost)
  })

  it('[C11] that is away, slow or redirects costs the lines on this machine nothing', async () => {
    const { host } = await listen(() => {})
    const { received, host: moved } = await listen((response) => response.writeHead(307, { location: `http://${host}` }).end())
    const { lines, log } = open(
      { lokiUrl: `http://${host}`, elasticsearchUrl: `http://127.0.0.1:${await findPort()}/`, slackUrl: `http://${moved}/` },
      { ...createManualClock(at), ...systemClock },
    )
    for (let nth = 0; nth < 20_000; nth++) log.info(`line ${nth}`)
    log.error('It broke.')
    expect(lines).toHaveLength(20_001)
    await until('both failures', () => lines.length === 20_003)
    expect(received).toHaveLength(1)
    expect(
      lines
        .slice(20_001)
        .map((line) => line.slice(line.indexOf(' - ') + 3))
        .toSorted(),
    ).toEqual([
      'Elasticsearch does not take log lines (ECONNREFUSED)\n',
      expect.stringMatching(/^Slack does not take log lines \(\w+\)\n$/),
    ])
    await log.close()
    expect(lines.slice(20_003).join('')).toContain('10001 log lines did not get to Loki and are lost there')
  })

  it('[C11] gets what waits when the log is closed, and what is under way is not sent twice', async () => {
    const { received, host } = await listen(ok)
    const { log, clock } = open({ lokiUrl: `http://${host}` })
    log.info('one')
    const advanced = clock.advance(1_000)
    log.info('two')
    await advanced
    log.info('three')
    await log.close()
    const sent = received.flatMap(({ text }) =>
      JSON.parse(text).streams[0].values.map(([, line]: [string, string]) => line.slice(-5)),
    )
    expect(sent.map((text) => text.trim().split(' ').at(-1))).toEqual(['one', 'two', 'three'])
  })
})

describe('notices', () => {
  it('[C11] tell kinds apart by their text without its numbers, each with a minute of its own', async () => {
    const clock = createManualClock(at)
    const told: string[] = []
    const take = createNotices(clock, ({ text }) => void told.push(text))
    take(entryOf('warn', 'not this one'))
    take(entryOf('error', 'a 1'))
    await clock.advance(30_000)
    take(entryOf('error', 'a 2'))
    take(entryOf('error', 'b'))
    expect(told).toEqual(['a 1', 'b'])
    await clock.advance(30_000)
    expect(told).toEqual(['a 1', 'b', 'a 2'])
    await clock.advance(60_000)
    take(entryOf('error', 'a 3'))
    expect(told).toEqual(['a 1', 'b', 'a 2', 'a 3'])
  })

  it('[C11] are bounded also where every error is a kind of its own', async () => {
    const clock = createManualClock(at)
    const told: string[] = []
    const take = createNotices(clock, ({ text }) => void told.push(text))
    const letters = (nth: number) => nth.toString(2).replaceAll('0', 'x').replaceAll('1', 'y')
    for (let nth = 0; nth < 1_000; nth++) take(entryOf('error', letters(nth)))
    expect(told).toHaveLength(101)
    await clock.advance(60_000)
    expect(told).toHaveLength(102)
    expect(told.at(-1)).toBe(`${letters(999)} (899 times within a minute)`)
  })
})
