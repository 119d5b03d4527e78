import { describe, expect, it } from 'vitest'
import type { ChatEvent } from './events.ts'
import { createHub, type RoomEntry } from './hub.ts'
import { memberOf, messageOf } from './model.fixture.ts'
import type { RoomId, UserId } from './model.ts'
import { createSession, type Format, type Session } from './session.ts'
import { unknownUser } from './user-cache.ts'

let position = 0

function base(roomId: RoomId, userId: UserId) {
  position += 1
  return { roomId, userId, actorId: userId, at: 0, seq: position, stamp: { journal: 1, position }, user: unknownUser(userId) }
}
function posted(roomId: RoomId, content: string): ChatEvent {
  return { type: 'message.posted', ...base(roomId, 1), message: messageOf({ roomId, authorId: 1, content }) }
}
const removed = (roomId: RoomId, userId: UserId): ChatEvent => ({ type: 'member.removed', ...base(roomId, userId), joinedSeq: 1 })
function added(roomId: RoomId, userId: UserId, together: UserId[]): ChatEvent {
  return { type: 'member.added', ...base(roomId, userId), member: memberOf({ roomId, userId }), together }
}
const deleted = (roomId: RoomId): ChatEvent => ({ type: 'room.deleted', ...base(roomId, 1) })
const nameOf = (event: ChatEvent): string =>
  event.type === 'message.posted'
    ? event.message.content
    : event.type === 'presence.changed'
      ? `presence ${event.userId}`
      : `${event.type} ${event.userId}`

/** A format that counts its work and shows no room.updated. */
function countingFormat(withCursor = false) {
  const calls = { encode: 0, join: 0, cursors: [] as (string | null)[] }
  const format: Format = {
    dialect: withCursor ? 'resuming' : 'plain',
    withCursor,
    encode(event, cursor) {
      calls.encode += 1
      calls.cursors.push(cursor)
      return event.type === 'room.updated' ? null : nameOf(event)
    },
    join(texts) {
      calls.join += 1
      return Buffer.from(texts.join('|'))
    },
  }
  return { format, calls }
}

function open() {
  const lost: [UserId, RoomId][] = []
  const fanOuts: [string, number, number][] = []
  const troubles: string[] = []
  const exits: string[] = []
  let atEntry = (_event: RoomEntry) => {}
  const turns: (() => void)[] = []
  const hub = createHub(
    { soon: (call) => void turns.push(call) },
    {
      onTrouble: (text) => void troubles.push(text),
      onEntry: (event) => atEntry(event),
      onExit: (event) => void exits.push(`${event.type} ${event.roomId}`),
      onFanOut: (dialect, events, receivers) => fanOuts.push([dialect, events, receivers]),
      onRoomLost(session, roomId) {
        lost.push([session.user.id, roomId])
        hub.unsubscribe(roomId, session)
      },
    },
  )
  function enter(userId: UserId, format: Format, ...roomIds: RoomId[]) {
    const writes: Uint8Array[] = []
    const closedWith: number[] = []
    const connection = {
      write: (bytes: Uint8Array) => void writes.push(bytes),
      queuedBytes: 0,
      drained: async () => {},
      close: (code: number) => void closedWith.push(code),
    }
    const session: Session = createSession({
      user: unknownUser(userId),
      format,
      tokenHash: null,
      hasOneRoom: true,
      heldBytesMax: 1e6,
    })
    session.connect(connection)
    for (const roomId of roomIds) hub.subscribe(roomId, session)
    return { session, connection, writes, closedWith, texts: () => writes.map((bytes) => Buffer.from(bytes).toString()) }
  }
  let cursorsAsked = 0
  const cursorAt = (stamp: { position: number }) => {
    cursorsAsked += 1
    return `at ${stamp.position}`
  }
  const handOut = (...events: ChatEvent[]) => hub.handOut(events, cursorAt)
  return {
    hub,
    enter,
    handOut,
    lost,
    fanOuts,
    troubles,
    exits,
    turns,
    onEntry: (act: typeof atEntry) => void (atEntry = act),
    cursorsAsked: () => cursorsAsked,
  }
}

describe('the hub', () => {
  it('[A15] ends the sessions of a format that cannot show an event, so that they resume, and the others miss nothing', () => {
    const { enter, handOut, troubles } = open()
    const broken: Format = {
      ...countingFormat(true).format,
      encode: () => {
        throw new Error('a fault')
      },
    }
    const ended = enter(1, broken, 7)
    const [same, other] = [enter(2, countingFormat().format, 7), enter(3, countingFormat().format, 8)]
    handOut(posted(7, 'a'), posted(8, 'b'))
    expect([ended.closedWith, ended.texts(), same.texts(), other.texts()]).toEqual([[1013], [], ['a'], ['b']])
    expect(troubles).toHaveLength(1)
  })

  it('[C10] leaves it to a dialect that sees to its faults itself, room by room, and ends nobody', () => {
    const { hub, enter, handOut, troubles } = open()
    const faults: RoomId[] = []
    const seeing: Format = {
      ...countingFormat().format,
      encode(event) {
        if (nameOf(event) === 'broken') throw new Error('a fault')
        return nameOf(event)
      },
      onFault: (roomId) => void faults.push(roomId),
    }
    const [here, there] = [enter(1, seeing, 7), enter(2, seeing, 8)]
    handOut(posted(7, 'broken'), posted(8, 'b'), posted(7, 'after it'))
    hub.finish()
    expect([faults, here.closedWith, here.texts(), there.texts(), troubles]).toEqual([[7], [], ['after it'], ['b'], []])
  })

  it('[A15] ends a session whose connection throws, so that it resumes, and the others miss nothing, then and later', () => {
    const { hub, enter, handOut, troubles } = open()
    const { format } = countingFormat()
    const [first, last] = [enter(1, format, 7), enter(2, format, 7)]
    last.session.connect({
      ...last.connection,
      write: () => {
        throw new Error('a fault')
      },
    })
    handOut(posted(7, 'a'))
    hub.unsubscribe(7, last.session)
    handOut(posted(7, 'b'))
    expect([first.texts(), first.closedWith, last.closedWith, troubles.length]).toEqual([['a', 'b'], [], [1013], 1])
  })

  describe('with more in a room than it writes to in a row', () => {
    const crowd = () => {
      const opened = open()
      const { format } = countingFormat()
      const clients = Array.from({ length: 300 }, (_, i) => opened.enter(i + 1, format, 7))
      const served = (text: string) => clients.filter((client) => client.texts().at(-1) === text).length
      return { ...opened, format, clients, served }
    }

    it('goes on in turns of the loop, in order, and who enters meanwhile gets nothing of it', () => {
      const { enter, format, handOut, turns, served } = crowd()
      handOut(posted(7, 'a'))
      expect([served('a'), turns.length]).toEqual([128, 1])
      const late = enter(1000, format, 7)
      turns.shift()!()
      expect([served('a'), turns.length]).toEqual([256, 1])
      turns.shift()!()
      expect([served('a'), turns.length, late.texts()]).toEqual([300, 0, []])
    })

    it('[A7] finishes before the next hand-out, before somebody is taken out, and when asked to, before a cursor is read', () => {
      const { hub, handOut, turns, clients, served } = crowd()
      handOut(posted(7, 'a'))
      handOut(posted(7, 'b'))
      expect(clients.every((client) => client.texts().at(0) === 'a')).toBe(true)
      expect([served('b'), turns.length]).toEqual([128, 1])
      hub.finish()
      expect(served('b')).toBe(300)
      handOut(removed(7, 300))
      expect(clients.every((client) => client.texts().length === 3)).toBe(true)
      for (const turn of turns.splice(0)) turn()
      expect(clients.every((client) => client.texts().length === 3)).toBe(true)
    })

    it('[A7] finishes before the next hand-out also where that comes while it writes', () => {
      const { hub, handOut, clients } = crowd()
      const { session, connection } = clients[100]!
      let isFirst = true
      session.connect({
        ...connection,
        write(bytes) {
          connection.write(bytes)
          if (!isFirst) return
          isFirst = false
          handOut(posted(7, 'b'))
        },
      })
      handOut(posted(7, 'a'))
      hub.finish()
      expect(clients.filter((client) => client.texts().join('|') !== 'a|b')).toEqual([])
    })
  })

  describe('where connections are ready', () => {
    /** Which of its connections are, and all that is asked of them. */
    const mixed = (...readiness: boolean[]) => {
      const opened = open()
      const { format } = countingFormat()
      const calls: string[] = []
      const sessions = readiness.map((isReady, at) => {
        const { session, connection } = opened.enter(at, format, 7)
        const note = (call: string) => (bytes: Uint8Array) => void calls.push(`${call} ${at} ${Buffer.from(bytes).toString()}`)
        session.connect({
          ...connection,
          write: note('write'),
          findReady() {
            calls.push(`find ${at}`)
            return isReady ? { writeNow: note('now') } : null
          },
        })
        return session
      })
      return { ...opened, calls, sessions }
    }

    it('finds them all before it writes to any, and then writes to the others, once to each', () => {
      const { handOut, calls } = mixed(true, false, true, false)
      handOut(posted(7, 'a'))
      expect(calls).toEqual(['find 0', 'find 1', 'find 2', 'find 3', 'now 0 a', 'now 2 a', 'write 1 a', 'write 3 a'])
    })

    it('does not write past what a session holds', () => {
      const { handOut, calls, sessions } = mixed(true)
      sessions[0]!.holdAnew()
      handOut(posted(7, 'a'))
      expect(calls).toEqual([])
      sessions[0]!.release()
      handOut(posted(7, 'b'))
      expect(calls).toEqual(['write 0 a', 'find 0', 'now 0 b'])
    })
  })

  it('encodes an event once per format that is present, and writes the same buffer to each connection, once per run', () => {
    const { enter, handOut, fanOuts } = open()
    const plain = countingFormat()
    const other = countingFormat(true)
    const absent = countingFormat()
    const clients = [1, 2, 3].map((id) => enter(id, plain.format, 7))
    const resuming = [4, 5].map((id) => enter(id, other.format, 7))
    enter(6, absent.format, 8)
    handOut(posted(7, 'a'), posted(7, 'b'), posted(7, 'c'))
    expect([plain.calls.encode, plain.calls.join, other.calls.encode, other.calls.join, absent.calls.encode]).toEqual([
      3, 1, 3, 1, 0,
    ])
    for (const client of [...clients, ...resuming]) expect(client.texts()).toEqual(['a|b|c'])
    expect(
      clients.every(({ writes }) => writes[0] === clients[0]!.writes[0]),
      'the very same bytes',
    ).toBe(true)
    expect(fanOuts).toEqual([
      ['plain', 3, 3],
      ['resuming', 3, 2],
    ])
  })

  it('gives each room its own events in their order', () => {
    const { enter, handOut } = open()
    const { format } = countingFormat()
    const seven = enter(1, format, 7)
    const both = enter(2, format, 7, 8)
    handOut(posted(7, 'a'), posted(8, 'b'), posted(8, 'c'), posted(7, 'd'), posted(9, 'nobody is there'))
    expect(seven.texts()).toEqual(['a', 'd'])
    expect(both.texts()).toEqual(['a', 'b|c', 'd'])
  })

  it('asks for cursors only for formats that want them', () => {
    const { enter, handOut, cursorsAsked } = open()
    const plain = countingFormat()
    enter(1, plain.format, 7)
    handOut(posted(7, 'a'), posted(7, 'b'))
    expect([cursorsAsked(), plain.calls.cursors]).toEqual([0, [null, null]])
    const resuming = countingFormat(true)
    enter(2, resuming.format, 7)
    const events = [posted(7, 'c'), posted(7, 'd')]
    handOut(...events)
    expect(resuming.calls.cursors).toEqual(events.map((event) => `at ${'stamp' in event ? event.stamp.position : ''}`))
  })

  it('writes nothing where a format shows none of the events', () => {
    const { enter, handOut, fanOuts } = open()
    const client = enter(1, countingFormat().format, 7)
    handOut({ type: 'room.updated', ...base(7, 1), name: 'a', description: null })
    expect([client.writes, fanOuts]).toEqual([[], []])
  })

  it('[A15] gives a removed member his own removal and nothing behind it, and the others all', () => {
    const { enter, handOut, lost } = open()
    const { format } = countingFormat()
    const [one, two, twoAgain] = [enter(1, format, 7), enter(2, format, 7, 8), enter(2, format, 7)]
    handOut(posted(7, 'a'), removed(7, 2), posted(7, 'b'), posted(8, 'c'))
    expect(one.texts().join('|')).toBe('a|member.removed 2|b')
    expect(two.texts().join('|')).toBe('a|member.removed 2|c')
    expect(twoAgain.texts().join('|')).toBe('a|member.removed 2')
    expect(lost).toEqual([
      [2, 7],
      [2, 7],
    ])
  })

  it('[P4] tells who enters before it is delivered, so that whoever is subscribed then gets it and nothing from before', () => {
    const { hub, enter, handOut, onEntry } = open()
    const { format } = countingFormat()
    const [there, comes] = [enter(1, format, 7), enter(2, format)]
    const entries: string[] = []
    onEntry((event) => {
      entries.push(`${event.type} ${event.userId}`)
      hub.subscribe(event.roomId, comes.session)
    })
    handOut(posted(7, 'before'), added(7, 2, [2, 3]), added(7, 3, [2, 3]), posted(7, 'after'))
    expect(entries).toEqual(['member.added 2'])
    expect(there.texts()).toEqual(['before', 'member.added 2|member.added 3|after'])
    expect(comes.texts()).toEqual(['member.added 2|member.added 3|after'])
  })

  it('tells of each exit, also from a room that nobody here receives', () => {
    const { enter, handOut, exits } = open()
    enter(1, countingFormat().format, 7)
    handOut(removed(7, 1), removed(8, 2), deleted(9))
    expect(exits).toEqual(['member.removed 7', 'member.removed 8', 'room.deleted 9'])
  })

  it('tells everybody that the room was deleted and takes the room from all', () => {
    const { enter, handOut, lost } = open()
    const clients = [enter(1, countingFormat().format, 7), enter(2, countingFormat(true).format, 7)]
    handOut(posted(7, 'a'), deleted(7))
    handOut(posted(7, 'b'))
    for (const client of clients) expect(client.texts()).toEqual(['a|room.deleted 1'])
    expect(lost).toEqual([
      [1, 7],
      [2, 7],
    ])
  })

  it('goes on where a connection ends as it is written to', () => {
    const { hub, enter, handOut } = open()
    const { format } = countingFormat()
    const [one, two, three] = [enter(1, format, 7), enter(2, format, 7), enter(3, format, 7)]
    const deliver = two.session.deliver.bind(two.session)
    two.session.deliver = (bytes) => {
      deliver(bytes)
      for (const { session } of [one, two]) hub.unsubscribe(7, session)
    }
    handOut(posted(7, 'a'))
    handOut(posted(7, 'b'))
    expect([one, two, three].map((client) => client.texts())).toEqual([['a'], ['a'], ['a', 'b']])
  })

  it('announces presence with the one cursor that it was given, in one write', () => {
    const { hub, enter } = open()
    const resuming = countingFormat(true)
    const client = enter(1, resuming.format, 7)
    const events: ChatEvent[] = [2, 3].map((userId) => ({
      type: 'presence.changed',
      roomId: 7,
      userId,
      online: true,
      user: unknownUser(userId),
    }))
    hub.announce(events, 'now')
    expect([client.texts(), resuming.calls.cursors]).toEqual([['presence 2|presence 3'], ['now', 'now']])
  })
})
