/** What no stock client sends: each has a defined answer, and nobody else notices. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { until } from '../../../test/chat.ts'
import { startServer, type TestServer } from '../../../test/harness.ts'
import { closeGuests, enterGuest, openGuest, signGuest, type Guest } from './widget.fixture.ts'

let server: TestServer
/** Who must not notice anything. */
let witness: Guest
const project = 'x'
const token = signGuest('Ann', project)

beforeAll(async () => {
  server = await startServer({ env: { LIMIT_SENDS: '200/1' } })
  witness = openGuest(server, signGuest('Witness', project))
  await witness.have(1)
})
afterEach(async () => {
  await witness.settled()
  expect([witness.connects, server.logged]).toEqual([1, []])
})
afterAll(async () => {
  closeGuests()
  await server.stop()
})

interface Raw {
  socket: WebSocket
  heard: string[]
  closedWith: number | null
  send(...frames: (string | Buffer)[]): void
  /** Waits until a frame begins so, and gives it. */
  find(start: string): Promise<string>
  closed(): Promise<number | null>
}

/** A WebSocket that speaks as it is told to. */
async function openRaw(query = 'EIO=4&transport=websocket'): Promise<Raw> {
  const socket = new WebSocket(`${server.wsUrl}/socket.io/?${query}`)
  const raw: Raw = {
    socket,
    heard: [],
    closedWith: null,
    send: (...frames) => frames.forEach((frame) => socket.send(frame)),
    async find(start) {
      const found = () => raw.heard.find((frame) => frame.startsWith(start))
      await until(
        () => `${start} (there is ${JSON.stringify(raw.heard)})`,
        () => found() !== undefined,
      )
      return found()!
    },
    async closed() {
      await until('the end', () => raw.closedWith !== null)
      return raw.closedWith
    },
  }
  socket.on('message', (data) => raw.heard.push(String(data)))
  socket.on('close', (code) => (raw.closedWith = code))
  socket.on('error', () => {})
  await until('an opening', () => raw.heard.length > 0 || raw.closedWith !== null)
  return raw
}

async function enterRaw(): Promise<Raw> {
  const raw = await openRaw()
  raw.send(`40${JSON.stringify({ token })}`)
  await raw.find('42["history"')
  return raw
}

describe('by WebSocket', () => {
  it.each<[what: string, outcome: 'ends' | 'goes on', frames: (string | Buffer)[]]>([
    ['nothing before it joined', 'ends', ['42["chat message","x"]']],
    ['a second greeting', 'ends', ['40']],
    ['no packet type', 'ends', ['4']],
    ['an unknown packet type', 'ends', ['49']],
    ['no number', 'ends', ['4x']],
    ['an event without an array', 'goes on', ['42']],
    ['an event that is no array', 'ends', ['42{}']],
    ['an event without a name', 'ends', ['42[]']],
    ['an event whose name is an object', 'ends', ['42[{"toString":"x"}]']],
    ['an event whose name is null', 'ends', ['42[null]']],
    ['broken JSON', 'ends', ['42["chat message","x"']],
    ['a reserved name', 'ends', ['42["disconnect","x"]']],
    ['a reserved name, connect', 'ends', ['42["connect_error"]']],
    ['an endless ack number', 'goes on', [`42${'9'.repeat(400)}["chat message","x"]`]],
    ['an ack that nobody waits for', 'goes on', ['4399["x"]', '43["x"]']],
    ['attachments that do not come', 'ends', ['451-["chat message",{"_placeholder":true,"num":0}]', '42["chat message","x"]']],
    ['a placeholder out of range', 'ends', ['451-["chat message",{"_placeholder":true,"num":5}]', Buffer.from('x')]],
    ['a placeholder that is a method', 'ends', ['451-["chat message",{"_placeholder":true,"num":"splice"}]', Buffer.from('x')]],
    ['no number of attachments', 'ends', ['45-["x"]']],
    ['a thousand attachments', 'ends', ['451000-["x"]']],
    ['an endless number of attachments', 'ends', ['45999999999999-["x"]']],
    ['bytes that belong to nothing', 'ends', [Buffer.from('x')]],
    ['a namespace in an event', 'ends', ['42/admin,["chat message","x"]']],
    ['a CONNECT_ERROR', 'ends', ['44{"message":"x"}']],
    ['a deep nest', 'goes on', [`42["chat message",${'['.repeat(5_000)}${']'.repeat(5_000)}]`]],
    [
      'a prototype',
      'goes on',
      ['42["chat message",{"__proto__":{"a":1}},{"__proto__":{"key":"x"}}]', '42["__proto__"]', '42["constructor",1]'],
    ],
    ["a server's ping", 'ends', ['2']],
    ['an upgrade', 'goes on', ['5']],
    ['an unknown engine packet', 'ends', ['9']],
    ['an empty frame', 'ends', ['']],
  ])('[W4] harms nobody: %s, and its connection %s', async (what, outcome, frames) => {
    const isEarly = what === 'nothing before it joined'
    const raw = isEarly ? await openRaw() : await enterRaw()
    raw.send(...frames)
    raw.send('4277["older",{}]')
    if (outcome === 'ends') await raw.closed()
    else await raw.find('4377[{"error":"before is the id of a message"}]')
    expect(raw.closedWith === null).toBe(outcome === 'goes on')
    raw.socket.terminate()
  })

  it.each([
    ['closed', 'null'],
    ['closed', '[]'],
    ['closed', '"x"'],
    ['refused', '5'],
    ['refused', '{"token":{"toString":1}}'],
    ['refused', '{"token":["x"],"since":{}}'],
    ['refused', '{"__proto__":{"token":"x"}}'],
    ['refused', ''],
  ])('[W2] is %s for a greeting of %s', async (outcome, auth) => {
    const raw = await openRaw()
    raw.send(`40${auth}`)
    if (outcome === 'closed') await raw.closed()
    else await raw.find('44{"message":"token missing"')
    expect(raw.closedWith === null).toBe(outcome === 'refused')
    raw.socket.terminate()
  })

  it('[W2] another namespace is refused', async () => {
    const guest = openGuest(server, token, { path: '/admin' })
    await until('a refusal', () => guest.refusals.length > 0)
    expect(guest.refusals).toEqual(['Invalid namespace'])
    guest.close()
  })

  it('a second greeting while the first is being asked about gets one connection at most', async () => {
    const raw = await openRaw()
    const greeting = `40${JSON.stringify({ token })}`
    raw.send(greeting, greeting, greeting)
    await raw.find('44{"message":"already connected"')
    await raw.find('42["history"')
    raw.send('42["chat message","only once"]')
    await until('it', () => witness.contents().includes('only once'))
    await raw.find('42["chat message"')
    expect(raw.heard.filter((frame) => frame.startsWith('42["chat message"'))).toHaveLength(1)
    raw.socket.terminate()
  })

  it('[A17] a frame over 64 KiB ends the connection with 1009', async () => {
    const raw = await enterRaw()
    raw.send(`42["chat message","${'x'.repeat(64 * 1024)}"]`)
    expect(await raw.closed()).toBe(1009)
  })

  it('EIO=3 and unknown transports are told so', async () => {
    for (const query of [
      'EIO=3&transport=polling',
      'transport=polling',
      'EIO=4&transport=x',
      'EIO=4',
      'EIO=4&transport=polling&sid=x',
      'EIO=4&transport=websocket',
    ]) {
      const answer = await fetch(`${server.url}/socket.io/?${query}`)
      expect([answer.status, await answer.json()]).toEqual([400, { code: expect.any(Number), message: expect.any(String) }])
    }
    expect((await openRaw('EIO=3&transport=websocket')).closedWith).not.toBeNull()
  })
})

describe('by polling', () => {
  async function greet(): Promise<string> {
    const text = await (await fetch(`${server.url}/socket.io/?EIO=4&transport=polling`)).text()
    return `${server.url}/socket.io/?EIO=4&transport=polling&sid=${JSON.parse(text.slice(1)).sid}`
  }
  const postTo = (url: string, body: string | Uint8Array<ArrayBuffer>, type = 'text/plain;charset=UTF-8') =>
    fetch(url, { method: 'POST', body, headers: { 'content-type': type } })

  it('[A17] a POST over 64 KiB is a 413', async () => {
    const url = await greet()
    expect((await postTo(url, `40${JSON.stringify({ token })}`)).status).toBe(200)
    expect((await postTo(url, `42["chat message","${'x'.repeat(64 * 1024)}"]`)).status).toBe(413)
  })

  it('bytes, other methods and two polls at once are refused', async () => {
    expect((await postTo(await greet(), new Uint8Array([4, 0]), 'application/octet-stream')).status).toBe(400)
    const url = await greet()
    expect((await fetch(url, { method: 'PUT', body: 'x' })).status).toBe(405)
    expect((await fetch(url, { method: 'HEAD' })).status).toBe(405)
    const polls = await Promise.all([fetch(url), fetch(url)])
    expect(new Set(polls.map(({ status }) => status))).toEqual(new Set([200, 400]))
  })

  it('JSON as its type is read as what it is', async () => {
    const url = await greet()
    expect((await postTo(url, `40${JSON.stringify({ token })}`, 'application/json')).status).toBe(200)
    expect(await (await fetch(url)).text()).toMatch(/^40\{"sid"/)
  })
})

describe('too much', () => {
  it.each(['polling', 'websocket'] as const)('[A12] a flood by %s waits its turn, in order, and others chat on', async (by) => {
    const flooder = await enterGuest(server, signGuest(`flood ${by}`, project), { by })
    const from = witness.heard.length
    const texts = Array.from({ length: 500 }, (_, nth) => `${by} ${nth}`)
    for (const text of texts) flooder.socket.emit('chat message', text)
    const other = await enterGuest(server, signGuest('Other', project), { by: 'websocket' })
    other.socket.emit('chat message', `beside ${by}`)
    await until('all of the flood', () => witness.heard.some(({ data }) => data.content === texts.at(-1)), 20_000)
    const contents = witness.heard.slice(from).map(({ data }) => data.content)
    expect(contents.filter((content) => content.startsWith(by))).toEqual(texts)
    expect(flooder.connects).toBe(1)
    flooder.close()
    other.close()
  })

  it('[W10] of many requests for older messages at once some are turned away', async () => {
    const guest = await enterGuest(server, token)
    const answers = await Promise.all(Array.from({ length: 40 }, () => guest.ask('older', { before: witness.messages()[0]!.id })))
    expect(answers.filter(({ error }) => error === 'too many requests at once').length).toBeGreaterThan(0)
    expect(answers.filter(({ messages }) => messages).length).toBeGreaterThanOrEqual(10)
    for (const bad of [
      undefined,
      null,
      5,
      'x',
      {},
      { before: 'x' },
      { before: 0 },
      { before: 1.5 },
      { before: -1 },
      { before: 2 ** 60 },
    ]) {
      expect(await guest.ask('older', bad)).toEqual({ error: expect.any(String) })
    }
    guest.close()
  })
})
