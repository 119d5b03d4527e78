/** Cursors on `/ws/{channel_id}` (G7, A7): a client that hands back the last one it saw gets exactly what it missed. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { fastClock } from '../../../test/chat.ts'
import { openMemoryStorage } from '../../storage/memory/memory.ts'
import { newName, openGuild, type Channel, type Client, type Guild } from './guild.fixture.ts'

let guild: Guild
const storage = openMemoryStorage()

beforeAll(async () => {
  guild = await openGuild({ storage, clock: fastClock, env: { REPLAY_MAX: '200' } })
})
afterAll(() => guild.server.stop())

async function post({ channelId, member }: Channel, ...contents: string[]): Promise<void> {
  const client = await guild.connect(channelId, member)
  for (const content of contents) client.send(content)
  await client.have(contents.length)
  await client.close()
}

/** The last cursor that a client saw, and the socket cut, not closed. */
function cut(client: Client): string {
  client.socket.terminate()
  return client.frames.findLast((frame) => frame.cursor !== undefined)!.cursor!
}

const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => `${from + index}`)

describe('cursors', () => {
  test('[G7] without since there are none; with an empty one the first frame is a cursor, and each message ends with one', async () => {
    const channel = await guild.makeChannel()
    const [plain, asking] = [
      await guild.connect(channel.channelId, channel.owner),
      await guild.connect(channel.channelId, channel.owner, '&since='),
    ]
    await asking.have(1)
    await post(channel, 'one', 'two')
    const frames = await asking.have(3)
    expect(Object.keys(frames[0]!)).toEqual(['cursor'])
    expect(asking.contents()).toEqual([undefined, 'one', 'two'])
    for (const frame of frames.slice(1)) expect(Object.keys(frame).at(-1)).toBe('cursor')
    await plain.have(2)
    expect(plain.frames.every((frame) => !('cursor' in frame))).toBe(true)
  })

  test('[A7] gives what was missed, once and in order, and goes on live', async () => {
    const channel = await guild.makeChannel()
    const first = await guild.connect(channel.channelId, channel.owner, '&since=')
    await first.have(1)
    await post(channel, '0', '1')
    await first.have(3)
    const since = cut(first)
    await post(channel, ...numbers(2, 100))
    const second = await guild.connect(channel.channelId, channel.owner, `&since=${since}`)
    await post(channel, ...numbers(100, 120))
    const frames = await second.have(1 + 118)
    expect(frames[0]).toEqual({ cursor: since })
    expect(second.contents().slice(1)).toEqual(numbers(2, 120))
  })

  test('[A7] a client cut after any frame ends with what an uncut one has', async () => {
    const channel = await guild.makeChannel()
    const start = await guild.connect(channel.channelId, channel.owner, '&since=')
    await start.have(1)
    await post(channel, ...numbers(0, 8))
    const uncut = await start.have(9)
    for (const { cursor } of uncut) {
      const seen = uncut.slice(1, uncut.findIndex((frame) => frame.cursor === cursor) + 1).map(({ content }) => content)
      const resumed = await guild.connect(channel.channelId, channel.owner, `&since=${cursor}`)
      await resumed.have(1 + 8 - seen.length)
      await resumed.settled()
      expect([...seen, ...resumed.contents().slice(1)]).toEqual(numbers(0, 8))
    }
  })

  test('[A7] a replay shows messages as they are now, without those deleted since', async () => {
    const channel = await guild.makeChannel()
    const client = await guild.connect(channel.channelId, channel.owner, '&since=')
    await client.have(1)
    const since = cut(client)
    await post(channel, 'stays', 'goes')
    const { body } = await guild.call(`GET /channels/${channel.channelId}/messages`, { token: channel.owner })
    const { chat } = guild.server.app
    const author = await chat.accounts.get(body[0].author_id)
    await chat.messages.remove(author, channel.channelId, body[0].id)
    await chat.messages.edit(author, channel.channelId, body[1].id, 'stays, edited')
    const resumed = await guild.connect(channel.channelId, channel.owner, `&since=${since}`)
    await resumed.have(2)
    await resumed.settled()
    expect(resumed.contents()).toEqual([undefined, 'stays, edited'])
  })

  test('[G7] a retry answered with a cursor names all that this socket has been handed', async () => {
    const channel = await guild.makeChannel()
    const client = await guild.connect(channel.channelId, channel.owner, '&since=')
    await client.have(1)
    client.send('keyed', 'k')
    client.send('newer')
    await client.have(3)
    client.send('keyed', 'k')
    const frames = await client.have(4)
    expect(frames[3]).toMatchObject({ content: 'keyed', id: frames[1]!.id })
    const since = cut(client)
    const resumed = await guild.connect(channel.channelId, channel.owner, `&since=${since}`)
    await resumed.have(1)
    await resumed.settled()
    expect(resumed.frames).toEqual([{ cursor: since }])
  })
})

describe('reloads', () => {
  async function expectReload(channel: Channel, since: string): Promise<void> {
    const client = await guild.connect(channel.channelId, channel.owner, `&since=${since}`)
    const [frame] = await client.have(1)
    expect(Object.keys(frame!)).toEqual(['reload', 'cursor'])
    expect(frame!.reload).toBe(true)
    await post(channel, 'live')
    expect((await client.have(2))[1]).toMatchObject({ content: 'live' })
    const resumed = await guild.connect(channel.channelId, channel.owner, `&since=${cut(client)}`)
    expect(Object.keys((await resumed.have(1))[0]!)).toEqual(['cursor'])
  }

  test.each(['0', 'garbage', '1.1_1-zzzzzzzz-1', 'x'.repeat(5000), '1.1_1-00000000-zzzzzzzzzz'])(
    '[A7] %s is a reload with a fresh cursor, and the connection goes on',
    async (since) => {
      await expectReload(await guild.makeChannel(), since)
    },
  )

  test("[A7] another channel's cursor is a reload", async () => {
    const [one, other] = [await guild.makeChannel(), await guild.makeChannel()]
    const client = await guild.connect(one.channelId, one.owner, '&since=')
    await client.have(1)
    await expectReload(other, cut(client))
  })

  test('[A7] more missed events than the limit are a reload', async () => {
    const channel = await guild.makeChannel()
    const client = await guild.connect(channel.channelId, channel.owner, '&since=')
    await client.have(1)
    const since = cut(client)
    await post(channel, ...numbers(0, 250))
    await expectReload(channel, since)
  })
})

test('[A7] a cursor outlives the process', async () => {
  const shared = openMemoryStorage()
  const before = await openGuild({ storage: shared, clock: fastClock })
  const token = await before.tokenFor(newName())
  const serverId = (await before.call('POST /servers/', { token, body: { name: 's' } })).body.id
  const channelId = (await before.call('POST /channels/', { token, body: { name: 'c', server_id: serverId } })).body.id as number
  const client = await before.connect(channelId, token, '&since=')
  client.send('seen')
  await client.have(2)
  const since = cut(client)
  const other = await before.connect(channelId, token)
  other.send('missed')
  await other.have(1)
  await before.server.stop()
  const after = await openGuild({ storage: shared, clock: fastClock })
  const resumed = await after.connect(channelId, token, `&since=${since}`)
  await resumed.have(2)
  resumed.send('live')
  await resumed.have(3)
  expect(resumed.contents()).toEqual([undefined, 'missed', 'live'])
  await after.server.stop()
})
