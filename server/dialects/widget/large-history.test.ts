/** Clients of a room whose history, older messages and changes are each larger than what may wait for a reader (1 MiB). */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { until } from '../../../test/chat.ts'
import { startServer, type TestServer } from '../../../test/harness.ts'
import type { User } from '../../core/model.ts'
import { closeGuests, enterGuest, signGuest } from './widget.fixture.ts'

/** Of 50 messages 1.5 MB. */
const long = '가'.repeat(10_000)

let server: TestServer
let member: User
let project: string
let lastProject = 0
let roomId: number
/** Of a guest who saw the first message alone. */
let cursor: string

beforeAll(async () => {
  server = await startServer()
  member = await server.app.chat.accounts.create('mina@h.test', '미나')
})
beforeEach(async () => {
  project = `project ${++lastProject}`
  roomId = await server.app.chat.projects.open(project)
  await server.app.chat.members.add({ kind: 'service', user: null }, roomId, member.id)
  const { sessions } = server.app.chat
  const before = sessions.cursorIn(roomId)
  const first = await write('first')
  await until('it was handed out', () => sessions.cursorIn(roomId) !== before)
  cursor = sessions.cursorIn(roomId)
  for (let nth = 0; nth < 60; nth++) await write(long)
  await server.app.chat.messages.edit(member, roomId, first, 'first, edited')
})
afterEach(() => {
  closeGuests()
  expect(server.logged).toEqual([])
})
afterAll(() => server.stop())

async function write(content: string): Promise<number> {
  return (await server.app.chat.messages.post(member, roomId, { content })).event.message.id
}

const path = '/socket.io/?EIO=4&transport=polling'
const packetSeparator = '\u001e'

/** A client that polls when it is told to: what it is sent waits until then. */
async function join(auth: object): Promise<() => Promise<string[]>> {
  const greeting = await (await fetch(server.url + path)).text()
  const line = `${server.url}${path}&sid=${JSON.parse(greeting.slice(1)).sid}`
  await fetch(line, { method: 'POST', body: `40${JSON.stringify(auth)}` })
  return async () => (await (await fetch(line)).text()).split(packetSeparator)
}

/** The name of an event, and the texts in it. */
function told(packet: string): unknown[] {
  if (!packet.startsWith('42')) return [packet.slice(0, 2)]
  const [name, data] = JSON.parse(packet.slice(2)) as [string, { content: string } | { content: string }[] | null]
  return [name, ...[data ?? []].flat().map(({ content }) => content)]
}

describe('a client that polls late', () => {
  it.each<[what: string, events: unknown[][], since: () => unknown]>([
    ['the latest', [['history', ...Array(50).fill(long)]], () => undefined],
    ['a reload', [['reload'], ['history', ...Array(50).fill(long)]], () => 'none'],
    [
      'what it missed',
      [
        ['history', ...Array(60).fill(long)],
        ['message edited', 'first, edited'],
      ],
      () => cursor,
    ],
  ])('[W3][W8] gets %s, and behind it what came meanwhile', async (_what, events, since) => {
    const poll = await join({ token: signGuest('Bob', project), since: since() })
    // It has joined, and has not been told so yet.
    await until('what waits', () => server.app.chat.sessions.queuedBytes() > 0)
    await write('meanwhile')
    await write('and then')
    const heard: unknown[][] = []
    await until('all', async () => {
      heard.push(...(await poll()).map(told))
      return heard.length >= events.length + 3
    })
    expect(heard).toEqual([['40'], ...events, ['chat message', 'meanwhile'], ['chat message', 'and then']])
  })
})

describe('older messages', () => {
  it.each(['polling', 'websocket'] as const)('[W10] come ten times at once, by %s', async (by) => {
    const guest = await enterGuest(server, signGuest('Older', project), { by })
    const before = guest.messages().at(-1)!.id
    const answers = await Promise.all(Array.from({ length: 10 }, () => guest.ask('older', { before })))
    expect(answers.map(({ messages }) => messages?.length)).toEqual(Array(10).fill(50))
    expect(guest.connects).toBe(1)
  })
})
