/** The stream behind a proxy that buffers, as nginx does where nobody says otherwise. */
import { EventSource } from 'eventsource'
import { afterEach, expect, test } from 'vitest'
import { until } from '../../../test/chat.ts'
import { findPort } from '../../../test/child.ts'
import { describeNginx, startNginx } from '../../../test/nginx.ts'
import { createMemoryDatabase } from '../../storage/memory/memory.ts'
import { openGroupware, type Groupware } from './groupware.fixture.ts'
import { frame as frameShape, type FrameObject } from './wire.ts'

const stops: (() => Promise<unknown> | void)[] = []

afterEach(async () => {
  for (const stop of stops.splice(0).toReversed()) await stop()
})

async function open(): Promise<Groupware> {
  const door = await openGroupware()
  stops.push(() => door.stop())
  return door
}

async function nginx(server: string): Promise<string> {
  const { url, stop } = await startNginx(server)
  stops.push(stop)
  return url
}

/** What has come of it, as text, with its end where that was a fault; the head alone resolves it. */
async function read(address: string): Promise<{ status: number; text(): string }> {
  const stopping = new AbortController()
  stops.push(() => stopping.abort())
  const { status, body } = await fetch(address, { signal: stopping.signal })
  let text = ''
  const take = async () => {
    for await (const piece of body!.pipeThrough(new TextDecoderStream())) text += piece
  }
  void take().catch((error: unknown) => (text += String(error)))
  return { status, text: () => text }
}

/** A frame in a word. */
function brief(frame: FrameObject): string {
  if (frame.type === 'message') return `${frame.data.message.content}`
  return frame.type === 'conversation' ? frame.data.action : frame.type
}

describeNginx('behind nginx', () => {
  for (const version of ['1.0', '1.1'])
    test(`[P3] with nothing but a proxy_pass each frame arrives at once, by HTTP/${version}, though nginx holds back what it may`, async () => {
      const door = await open()
      const [ann, bob] = await door.people('ann', 'bob')
      const roomId = await door.group([ann!, bob!])
      const url = await nginx(`
        proxy_http_version ${version};
        location / { proxy_pass ${door.server.url}; }
        location /holding/ { proxy_pass ${door.server.url}/; proxy_ignore_headers X-Accel-Buffering; }`)
      const path = `/api/chats/stream?token=${bob!.token}`
      // The same nginx, which may hold back here: that the others come at once is then the stream's doing.
      let held = () => 'nothing'
      void read(`${url}/holding${path}`).then(
        ({ status, text }) => (held = () => `${status} ${text()}`),
        (error: Error) => (held = () => `${error.message}: ${String(error.cause)}`),
      )
      await until(
        () => `its session (there is ${held()})`,
        () => door.server.app.chat.sessions.count().get('groupware') === 1,
      )
      const stream = await read(url + path)
      const has = (text: string, end: string) =>
        until(
          () => `${text} (there is ${stream.status} ${stream.text()})`,
          () => stream.text().includes(text) && stream.text().endsWith(end),
        )
      await has('connected', '"connected"}\n\n')
      for (const text of ['하나', '둘', '셋']) {
        await door.send(roomId, ann!, text)
        await has(text, '\n\n')
      }
      expect(held()).toBe('nothing')
    })

  test('[P3][A7] over a restart of the server an EventSource behind it goes on, where nginx does not answer in its place', async () => {
    const database = createMemoryDatabase()
    const env = { PORT: String(await findPort()) }
    let door = await openGroupware({ storage: database.openStorage(), env })
    stops.push(() => door.stop())
    const [ann, bob] = await door.people('ann', 'bob')
    const roomId = await door.group([ann!, bob!])
    const url = await nginx(`
      location / { proxy_pass ${door.server.url}; }
      location = /api/chats/stream { proxy_pass ${door.server.url}; error_page 502 504 = @come_back; }
      location @come_back { default_type text/event-stream; return 200 "retry: 100\\n\\n"; }`)
    const source = new EventSource(`${url}/api/chats/stream?token=${bob!.token}`)
    stops.push(() => source.close())
    const seen: string[] = []
    let errors = 0
    source.addEventListener('message', ({ data }) => void seen.push(brief(frameShape.parse(JSON.parse(data)))))
    source.addEventListener('error', () => void errors++)
    await until('connected', () => seen.includes('connected'))
    await door.send(roomId, ann!, 'before')
    await until('the first', () => seen.includes('before'))
    await door.stop()
    // The first error is the line's end, the others are of nginx, which found nobody.
    await until('its coming in vain', () => errors >= 3)
    const elsewhere = await openGroupware({ storage: database.openStorage() })
    await elsewhere.send(roomId, ann!, 'meanwhile')
    await elsewhere.stop()
    door = await openGroupware({ storage: database.openStorage(), env })
    await until('its return', () => seen.includes('resumed'))
    await door.send(roomId, ann!, 'after')
    await until('the last', () => seen.includes('after'))
    const lines = ['connected', 'before', 'connected', 'meanwhile', 'resumed', 'after']
    expect(seen.filter((line) => line !== 'read' && line !== 'ping')).toEqual(lines)
  })
})
