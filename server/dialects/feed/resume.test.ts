/** [F7]: cursors, replay and reload over real sockets. */
import { describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { fastClock, until } from '../../../test/chat.ts'
import { startServer, type TestServer } from '../../../test/harness.ts'
import type { Storage } from '../../storage/storage.ts'
import { openMemoryStorage } from '../../storage/memory/memory.ts'
import { call, listen, rooms, send, type Listener } from './feed.fixture.ts'

async function withServer(work: (server: TestServer) => Promise<void>, env: Record<string, string> = {}): Promise<void> {
  const server = await startServer({ clock: fastClock, env })
  try {
    await work(server)
  } finally {
    await server.stop()
  }
}

const lastCursor = (listener: Listener) => encodeURIComponent(listener.frames.at(-1)!.cursor!)
const shown = (listener: Listener) =>
  listener.frames.map((frame) => `${frame.type} ${frame.type === 'message' ? frame.data.message : frame.user_id}`)

describe('resuming', () => {
  test('[F7] a client that does not ask sees no cursor', () =>
    withServer(async (server) => {
      const listener = await listen(server, [1, 1])
      await send(server, [1, 1], 'x')
      await listener.find('message')
      for (const frame of listener.frames) expect(frame).not.toHaveProperty('cursor')
    }))

  test('[F7] since empty or 0 is from now on, and each envelope ends with its cursor', () =>
    withServer(async (server) => {
      await send(server, [1, 1], 'before')
      for (const since of ['&since=', '&since=0']) {
        const listener = await listen(server, [1, 1], since)
        await send(server, [1, 2], 'now')
        await listener.find('message')
        expect(listener.frames.some((frame) => frame.type === 'reload')).toBe(false)
        for (const text of listener.texts) {
          expect(Object.keys(JSON.parse(text))).toEqual(['type', 'room_id', 'user_id', 'data', 'cursor'])
        }
        expect(shown(listener).filter((one) => one.startsWith('message'))).toEqual(['message now'])
        await listener.close()
      }
    }))

  test('[F7] who comes back gets exactly what he missed, then who is online, himself last, then what is new', () =>
    withServer(async (server) => {
      const stays = await listen(server, [1, 2])
      const first = await listen(server, [1, 1], '&since=')
      await send(server, [1, 2], 'seen')
      await first.find('message')
      const cursor = lastCursor(first)
      await first.close()
      await stays.find('member_offline')
      await send(server, [1, 2], 'missed 1')
      await call(server, `POST ${rooms}/1/members`, { user_id: 9 })
      await call(server, `POST ${rooms}/1/read`, { user_id: 2 })
      await send(server, [1, 2], 'missed 2')
      const second = await listen(server, [1, 1], `&since=${cursor}`)
      await send(server, [1, 2], 'live')
      await second.find('message', ({ data }) => data.message === 'live')
      expect(shown(second)).toEqual([
        'message missed 1',
        'member_join 9',
        'read 2',
        'message missed 2',
        'member_online 2',
        'member_online 1',
        'message live',
      ])
    }))

  test('[F7] no frame carries a cursor that covers what is still to come: cut anywhere, resume, lose nothing', () =>
    withServer(async (server) => {
      const first = await listen(server, [1, 1], '&since=')
      const start = lastCursor(first)
      await first.close()
      const sent = []
      for (let turn = 1; turn <= 8; turn++) {
        await send(server, [1, 2], `m${turn}`)
        sent.push(`message m${turn}`)
        if (turn % 3 === 0) await call(server, `POST ${rooms}/1/read`, { user_id: 2 })
      }
      const whole = await listen(server, [1, 1], `&since=${start}`)
      const messages = (listener: Listener) => shown(listener).filter((one) => one.startsWith('message '))
      expect(messages(whole)).toEqual(sent)
      for (const [at, frame] of whole.frames.entries()) {
        const resumed = await listen(server, [1, 1], `&since=${encodeURIComponent(frame.cursor!)}`)
        const before = whole.frames.slice(0, at + 1).filter(({ type }) => type === 'message').length
        expect(messages(resumed)).toEqual(sent.slice(before))
        await resumed.close()
      }
    }))

  test('[A7] a replay shows messages as they are now: deleted ones are left out, edited ones come once', () =>
    withServer(async (server) => {
      const first = await listen(server, [1, 1], '&since=')
      const cursor = lastCursor(first)
      await first.close()
      const ids = []
      for (const text of ['kept', 'edited', 'deleted']) ids.push((await send(server, [1, 2], text)).body.data.id)
      const author = await server.app.chat.accounts.get(2)
      await server.app.chat.messages.edit(author, 1, ids[1], 'edited since')
      await server.app.chat.messages.remove(author, 1, ids[2])
      const second = await listen(server, [1, 1], `&since=${cursor}`)
      const messages = shown(second).filter((one) => one.startsWith('message'))
      expect(messages).toEqual(['message kept', 'message edited since'])
    }))

  test('[F7] garbage, another room, the future and another database are a reload with a fresh cursor, and it goes on live', () =>
    withServer(async (server) => {
      const other = await listen(server, [2, 1], '&since=')
      const elsewhere = lastCursor(other)
      const first = await listen(server, [1, 1], '&since=')
      const own = first.frames.at(-1)!.cursor!
      const future = own.replace(/[^-]+$/, 'zzzz')
      const foreign = own.replace(/-[0-9a-z]{8}-/, '-00000000-')
      for (const since of ['x', '1', elsewhere, future, foreign, '%F0%9F%98%80', 'z'.repeat(5000)]) {
        const listener = await listen(server, [1, 1], `&since=${since}`)
        expect(listener.frames[0]).toEqual({ type: 'reload', room_id: 1, user_id: 1, data: {}, cursor: expect.any(String) })
        expect(Object.keys(JSON.parse(listener.texts[0]!))).toEqual(['type', 'room_id', 'user_id', 'data', 'cursor'])
        await send(server, [1, 2], since.slice(0, 50))
        await listener.find('message', ({ data }) => data.message === since.slice(0, 50))
        const again = await listen(server, [1, 1], `&since=${encodeURIComponent(listener.frames[0]!.cursor!)}`)
        expect(shown(again).filter((one) => one.startsWith('message'))).toEqual([`message ${since.slice(0, 50)}`])
        await again.close()
        await listener.close()
      }
    }))

  test('[A7] more missed than REPLAY_MAX is a reload', () =>
    withServer(
      async (server) => {
        const first = await listen(server, [1, 1], '&since=')
        const cursor = lastCursor(first)
        await first.close()
        for (let turn = 0; turn < 5; turn++) await send(server, [1, 2], `m${turn}`)
        const within = await listen(server, [1, 1], `&since=${cursor}`)
        const isReload = within.frames[0]!.type === 'reload'
        for (let turn = 0; turn < 5; turn++) await send(server, [1, 2], `n${turn}`)
        const beyond = await listen(server, [1, 1], `&since=${cursor}`)
        expect([isReload, beyond.frames[0]!.type]).toEqual([false, 'reload'])
      },
      { REPLAY_MAX: '8' },
    ))

  test('[A7] resumes across a restart', async () => {
    const storage = openMemoryStorage()
    const before = await startServer({ storage, clock: fastClock })
    const first = await listen(before, [1, 1], '&since=')
    await send(before, [1, 2], 'seen')
    await first.find('message')
    const cursor = lastCursor(first)
    await first.close()
    await send(before, [1, 2], 'missed before')
    await before.stop()
    const after = await startServer({ storage, clock: fastClock })
    await send(after, [1, 2], 'missed after')
    const second = await listen(after, [1, 1], `&since=${cursor}`)
    expect(shown(second).filter((one) => one.startsWith('message'))).toEqual(['message missed before', 'message missed after'])
    await after.stop()
  })

  test('[A7] in a room entered after the cursor the replay begins with the event that let the reader in', () =>
    withServer(async (server) => {
      const first = await listen(server, [1, 1], '&since=')
      const cursor = lastCursor(first)
      await call(server, `DELETE ${rooms}/1/members/1`)
      await until('the end', () => first.closedWith !== null)
      await send(server, [1, 2], 'not for him')
      await call(server, `POST ${rooms}/1/members`, { user_id: 1 })
      await send(server, [1, 2], 'for him')
      const second = await listen(server, [1, 1], `&since=${cursor}`)
      expect(shown(second).filter((one) => !one.startsWith('member_online'))).toEqual(['member_join 1', 'message for him'])
    }))

  test('[F4][F7] who resumes sees each online user once, also one whose coming online is about to be announced', async () => {
    // By the machine's clock: announcements wait for 50 ms, and the resuming client comes meanwhile.
    const server = await startServer()
    const first = await listen(server, [1, 1], '&since=')
    const cursor = lastCursor(first)
    const [witness] = [await listen(server, [1, 2]), await listen(server, [1, 3]), await listen(server, [1, 4])]
    await first.close()
    const fifth = new WebSocket(`${server.wsUrl}/ws/chat/1?user_id=5`)
    await new Promise((resolve) => fifth.once('open', resolve))
    const second = await listen(server, [1, 1], `&since=${cursor}`)
    await witness.find('member_online', ({ user_id }) => user_id === 5)
    await call(server, `POST ${rooms}/1/read`, { user_id: 1 })
    await second.find('read')
    const online = second.frames.filter(({ type }) => type === 'member_online').map(({ user_id }) => user_id)
    expect(online.toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4, 5])
    await server.stop()
  })

  test('[A19] who has gone while his cursor was looked up is not left behind as online', async () => {
    const gate = withGate(openMemoryStorage())
    const server = await startServer({ storage: gate.storage, clock: fastClock })
    const witness = await listen(server, [1, 2], '&since=')
    const future = witness.frames.at(-1)!.cursor!.replace(/[^-]+$/, 'zzzz')
    gate.close()
    const socket = new WebSocket(`${server.wsUrl}/ws/chat/1?user_id=1&since=${encodeURIComponent(future)}`)
    socket.on('error', () => {})
    await until('the look-up', () => server.app.chat.sessions.count().get('feed') === 2 && gate.waiting() > 0)
    socket.terminate()
    gate.open()
    const { sessions } = server.app.chat
    await until('the end', () => sessions.count().get('feed') === 1)
    await until('his being offline', async () => (await sessions.listOnline(1)).every(({ id }) => id === 2))
    await server.stop()
  })

  test('[A15] who is removed while his replay is read gets it, his own member_leave and 4003, and nothing behind', async () => {
    const gate = withGate(openMemoryStorage())
    const server = await startServer({ storage: gate.storage, clock: fastClock })
    const witness = await listen(server, [1, 2], '&since=')
    // Stays, so that user 1 is online and the one who comes back is told so in his greeting.
    const since = lastCursor(await listen(server, [1, 1], '&since='))
    await send(server, [1, 2], 'missed')
    gate.close()
    const coming = listen(server, [1, 1], `&since=${since}`)
    await until('the replay', () => gate.markersWaiting() > 0)
    await call(server, `DELETE ${rooms}/1/members/1`)
    await send(server, [1, 2], 'behind it')
    await witness.find('message', ({ data }) => data.message === 'behind it')
    gate.open()
    const back = await coming
    await until('the end', () => back.closedWith !== null)
    expect(shown(back).filter((line) => !line.startsWith('member_online'))).toEqual(['message missed', 'member_leave 1'])
    expect([shown(back).at(-1), back.closedWith?.code]).toEqual(['member_leave 1', 4003])
    await server.stop()
  })
})

/** A storage whose look-ups of journals and of read markers wait while the gate is closed. */
function withGate(storage: Storage) {
  let waiters: (() => void)[] = []
  let isClosed = false
  let markersWaiting = 0
  const pass = async () => {
    if (isClosed) await new Promise<void>((resolve) => waiters.push(resolve))
  }
  const log = Object.create(storage.log) as Storage['log']
  log.listJournals = (from) => pass().then(() => storage.log.listJournals(from))
  log.readMarkers = (...asked) => {
    if (isClosed) markersWaiting++
    return pass().then(() => storage.log.readMarkers(...asked))
  }
  const open = () => {
    isClosed = false
    for (const resolve of waiters) resolve()
    waiters = []
  }
  return {
    storage: { ...storage, log },
    close: () => void (isClosed = true),
    open,
    waiting: () => waiters.length,
    markersWaiting: () => markersWaiting,
  }
}
