/** Coming back (W8): by the id of the last message, or by a cursor. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { until } from '../../../test/chat.ts'
import { findPort } from '../../../test/child.ts'
import { startServer, type TestServer } from '../../../test/harness.ts'
import { openTcpProxy, type TcpProxy } from '../../../test/tcp-proxy.ts'
import type { User } from '../../core/model.ts'
import { openMemoryStorage } from '../../storage/memory/memory.ts'
import { closeGuests, enterGuest, openGuest, signGuest, type Guest } from './widget.fixture.ts'

let server: TestServer
let project: string
let lastProject = 0
/** A member of the project's room, who edits and deletes what he wrote. */
let member: User
let roomId: number

beforeAll(async () => {
  server = await startServer()
  member = await server.app.chat.accounts.create('mina@h.test', '미나')
})
afterEach(() => {
  closeGuests()
  expect(server.logged).toEqual([])
})
afterAll(() => server.stop())

async function open(): Promise<Guest> {
  project = `project ${++lastProject}`
  roomId = await server.app.chat.projects.open(project)
  await server.app.chat.members.add({ kind: 'service', user: null }, roomId, member.id)
  return enterGuest(server, signGuest('Ann', project), { since: 0 })
}

const messages = () => server.app.chat.messages
async function write(content: string): Promise<number> {
  return (await messages().post(member, roomId, { content })).event.message.id
}

/** Comes in anew with this `since`, and gives all that came: what it is told of, and with which cursor. */
async function comeBack(since: unknown) {
  const guest = await enterGuest(server, signGuest('Bob', project), { since })
  await guest.settled()
  const told = guest.heard.map(({ name, data }) => {
    if (name === 'history') return ['history', ...data.map(({ content }: { content: string }) => content)]
    return [name, ...(data === null ? [] : Object.values(data))]
  })
  return { guest, told, cursors: guest.heard.map(({ cursor }) => cursor) }
}

/** Cuts until everybody's line broke: who polls does not notice a cut between two of his requests. */
async function breakLines(proxy: TcpProxy, guests: Guest[]): Promise<void> {
  const whole = new Set(guests.filter(({ socket }) => socket.connected))
  for (const guest of whole) guest.socket.once('disconnect', () => whole.delete(guest))
  await until('the break of each line', () => {
    proxy.cut()
    return whole.size === 0
  })
}

describe('by the id of the last message', () => {
  it('[W8] the history holds exactly what came after it, also where that was deleted since', async () => {
    await open()
    const ids = [await write('a'), await write('b'), await write('c')]
    expect((await comeBack(ids[1])).told).toEqual([['history', 'c']])
    expect((await comeBack(0)).told).toEqual([['history', 'a', 'b', 'c']])
    await messages().remove(member, roomId, ids[1]!)
    expect((await comeBack(ids[1])).told).toEqual([['history', 'c']])
    expect((await comeBack(ids[0])).told).toEqual([['history', 'c']])
    expect((await comeBack(ids[2])).told).toEqual([['history']])
  })

  it('[W8] each event then has a cursor as its second argument, which brings what comes later; without since none has', async () => {
    await open()
    const id = await write('a')
    const { guest } = await comeBack(id)
    const plain = await enterGuest(server, signGuest('Eve', project))
    await write('b')
    await guest.have(2)
    await plain.have(2)
    await write('c')
    expect((await comeBack(guest.heard[0]!.cursor)).told).toEqual([['history', 'b', 'c']])
    expect((await comeBack(guest.heard[1]!.cursor)).told).toEqual([['history', 'c']])
    await plain.settled()
    expect(plain.heard.map(({ cursor }) => cursor)).toEqual([undefined, undefined, undefined])
  })

  it('[W8] up to 500 come; of more, and of an id that the room never had, a reload tells, and then the latest 50', async () => {
    await open()
    const first = await write('first')
    const { guest: foreign } = await comeBack(0)
    await Promise.all(Array.from({ length: 500 }, (_, nth) => write(`m${nth}`)))
    expect((await comeBack(first)).told).toEqual([['history', ...Array.from({ length: 500 }, (_, nth) => `m${nth}`)]])
    expect(foreign.contents()).toHaveLength(501)
    const latest = [['reload'], ['history', ...Array.from({ length: 50 }, (_, nth) => `m${450 + nth}`)]]
    for (const since of [0, 2 ** 31, -1, 1.5, 'none', '', {}, true, '~', '1.1_1-aaaaaaaa-1', '99.1_1-aaaaaaaa-1']) {
      expect((await comeBack(since)).told).toEqual(latest)
    }
    const elsewhere = first
    await open()
    await write('x')
    expect((await comeBack(elsewhere)).told).toEqual([['reload'], ['history', 'x']])
  })

  it('[W8] a reload leaves the client where it was until the history has come', async () => {
    await open()
    const { guest } = await comeBack('none')
    expect(guest.heard.map(({ name, cursor }) => [name, cursor === 'none'])).toEqual([
      ['reload', true],
      ['history', false],
    ])
    await write('later')
    expect((await comeBack(guest.heard[1]!.cursor)).told).toEqual([['history', 'later']])
  })
})

describe('by a cursor', () => {
  it('[W8][W3] missed edits and deletions of earlier messages follow the history as events; live they come as well', async () => {
    const ann = await open()
    const [a, b] = [await write('a'), await write('b')]
    await ann.have(3)
    const cursor = ann.cursor()
    const c = await write('c')
    await messages().edit(member, roomId, a, 'a2')
    await messages().edit(member, roomId, c, 'c2')
    const d = await write('d')
    await messages().remove(member, roomId, b)
    await messages().remove(member, roomId, d)
    await messages().edit(member, roomId, a, 'a3')
    await write('e')
    const { told } = await comeBack(cursor)
    expect(told).toEqual([
      ['history', 'c2', 'e'],
      ['message deleted', b],
      ['message edited', a, 'a3'],
    ])
    await ann.have(11)
    expect(ann.heard.slice(3).map(({ name, data }) => [name, data.id, data.content])).toEqual([
      ['chat message', c, 'c'],
      ['message edited', a, 'a2'],
      ['message edited', c, 'c2'],
      ['chat message', d, 'd'],
      ['message deleted', b, undefined],
      ['message deleted', d, undefined],
      ['message edited', a, 'a3'],
      ['chat message', expect.any(Number), 'e'],
    ])
  })

  it('[W8][A7] a client cut off anywhere in what it missed gets the rest, and no message twice', async () => {
    const ann = await open()
    const [a, b] = [await write('a'), await write('b')]
    await ann.have(3)
    const cursor = ann.cursor()
    await write('c')
    await messages().edit(member, roomId, a, 'a2')
    const d = await write('d')
    await messages().remove(member, roomId, b)
    const { cursors, told } = await comeBack(cursor)
    expect(told).toEqual([
      ['history', 'c', 'd'],
      ['message edited', a, 'a2'],
      ['message deleted', b],
    ])
    expect((await comeBack(cursors[0])).told).toEqual([['history'], ['message edited', a, 'a2'], ['message deleted', b]])
    expect((await comeBack(cursors[1])).told).toEqual([['history'], ['message deleted', b]])
    expect((await comeBack(cursors[2])).told).toEqual([['history']])
    // What changes of a message that was shown in that history is not missed either.
    await messages().edit(member, roomId, d, 'd2')
    await write('e')
    expect((await comeBack(cursors[0])).told).toEqual([
      ['history', 'e'],
      ['message edited', a, 'a2'],
      ['message deleted', b],
      ['message edited', d, 'd2'],
    ])
    await messages().remove(member, roomId, d)
    const late = await comeBack(cursors[1])
    expect(late.told).toEqual([
      ['history', 'e'],
      ['message deleted', b],
      ['message deleted', d],
    ])
    expect((await comeBack(late.cursors[1])).told).toEqual([['history'], ['message deleted', d]])
    expect((await comeBack(late.cursors[2])).told).toEqual([['history']])
  })

  it('[W8] stock clients whose lines break again and again while others write lose and double nothing', async () => {
    await open()
    const proxy = await openTcpProxy(server.port)
    const place = { url: `http://127.0.0.1:${proxy.port}` }
    const token = signGuest('Bob', project)
    const guests = (['usual', 'polling', 'websocket'] as const).map((by) => openGuest(place, token, { by, since: 0 }))
    for (const guest of guests) await guest.have(1)
    const sent: string[] = []
    for (let cuts = 0; cuts < 6; cuts++) {
      let breaking: Promise<void> | null = null
      for (let nth = 0; nth < 10; nth++) {
        sent.push(`m${sent.length}`)
        await write(sent.at(-1)!)
        if (nth === 5 + (cuts % 3)) breaking = breakLines(proxy, guests)
        await new Promise((resolve) => setImmediate(resolve))
      }
      await breaking
      for (const guest of guests) await until('coming back', () => guest.contents().length >= sent.length)
    }
    for (const guest of guests) {
      await guest.settled()
      expect(guest.contents()).toEqual(sent)
      expect(guest.connects).toBeGreaterThan(6)
    }
    closeGuests()
    await proxy.close()
  })
})

describe('when the server goes away', () => {
  it('[W2][W8] a restart in mid-chat loses and doubles nothing, by every transport', async () => {
    const storage = openMemoryStorage()
    const env = { LIMIT_CONNECTS: 'off', PORT: String(await findPort()) }
    let node = await startServer({ storage, env })
    const token = signGuest('Ann', 'x')
    const guests = (['usual', 'polling', 'websocket'] as const).map((by) => openGuest(node, token, { by, since: 0 }))
    for (const guest of guests) await guest.have(1)
    const [writer] = guests
    const sent: string[] = []
    const say = async (text: string) => {
      sent.push(text)
      // As a careful client does: the same key until it is told.
      for (;;) {
        const answer = await writer!.socket
          .timeout(1_000)
          .emitWithAck('chat message', text, { key: text })
          .catch(() => null)
        if (answer?.id !== undefined) return
      }
    }
    for (let life = 0; life < 3; life++) {
      for (let nth = 0; nth < 5; nth++) await say(`${life}-${nth}`)
      const saying = [say(`${life}-a`), say(`${life}-b`)]
      await node.stop()
      node = await startServer({ storage, env })
      await Promise.all(saying)
    }
    for (const guest of guests) {
      await until('all of them', () => guest.contents().length >= sent.length)
      await guest.settled()
      expect(guest.contents().toSorted()).toEqual(sent.toSorted())
      expect(guest.contents()).toEqual(guests[0]!.contents())
    }
    closeGuests()
    await node.stop()
  })

  it('[W2] a room that was deleted is left, and clients that come back are in a new one', async () => {
    const ann = await open()
    await server.app.chat.rooms.remove({ kind: 'service', user: null }, roomId)
    await until('coming back', () => ann.heard.length === 3)
    expect(ann.heard.slice(1).map(({ name }) => name)).toEqual(['reload', 'history'])
    const { id } = await ann.send('in the new one')
    expect(await server.app.chat.projects.open(project)).not.toBe(roomId)
    expect(ann.messages()).toMatchObject([{ id }])
  })
})
