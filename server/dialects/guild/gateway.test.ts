/** The live side of the contract (G7), over real sockets. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { fastClock, until } from '../../../test/chat.ts'
import { testServiceKey } from '../../../test/harness.ts'
import { clientFrame, openRaw, statusOf, upgradeRequest } from '../../http/raw-client.fixture.ts'
import { withFaults } from '../../storage/faulty.ts'
import { openMemoryStorage } from '../../storage/memory/memory.ts'
import { newName, openGuild, type Guild } from './guild.fixture.ts'

let guild: Guild

beforeAll(async () => {
  guild = await openGuild({ clock: fastClock })
})
afterAll(() => guild.server.stop())

async function contentsOf(channelId: number, token: string): Promise<string[]> {
  const { body } = await guild.call(`GET /channels/${channelId}/messages?limit=100`, { token })
  return (body as { content: string }[]).map(({ content }) => content).toReversed()
}

describe('frames', () => {
  test('[G7] a message object goes to everyone on the channel, the sender too, and nothing else is sent', async () => {
    const { channelId, owner, member } = await guild.makeChannel()
    const [author, other] = [await guild.connect(channelId, owner), await guild.connect(channelId, member)]
    author.send('안녕, World!')
    const [frame] = await other.have(1)
    expect(Object.keys(frame!)).toEqual([
      'id',
      'content',
      'channel_id',
      'author_id',
      'author_username',
      'created_at',
      'updated_at',
    ])
    expect(frame).toMatchObject({ content: '안녕, World!', channel_id: channelId })
    await Promise.all([author.settled(), other.settled()])
    expect(author.frames).toEqual([frame])
    expect(other.frames).toEqual([frame])
    const { body } = await guild.call(`GET /channels/${channelId}/messages`, { token: member })
    expect(body).toEqual([frame])
  })

  test('[G7] JSON that is an object gives its content, what is no JSON is the content, kept to the byte', async () => {
    const { channelId, owner } = await guild.makeChannel()
    const client = await guild.connect(channelId, owner)
    const texts = [
      '{"content":"object","more":1}',
      'plain text',
      '  blanks stay \n',
      '{"content": broken',
      '"open',
      'NaN',
      '\u{1F600}'.repeat(10_000),
    ]
    for (const text of texts) client.socket.send(text)
    await client.have(texts.length)
    expect(client.contents()).toEqual(['object', ...texts.slice(1)])
  })

  const dropped = {
    'blank text': ' \n\t',
    'an empty frame': '',
    'blank content': '{"content":"  "}',
    'no content': '{"text":"x"}',
    'content that is no text': '{"content":5}',
    'content that is an array': '{"content":["x"]}',
    'an array': '["x"]',
    'a number': '5',
    'a text in quotes': '"x"',
    true: 'true',
    null: 'null',
    'U+0000': '{"content":"a\\u0000b"}',
    'U+0000 in plain text': 'a\0b',
    'a lone surrogate': '{"content":"a\\ud800b"}',
    '10,001 code points': 'x'.repeat(10_001),
    'a key that is no text': '{"content":"x","key":5}',
    'an empty key': '{"content":"x","key":""}',
    'a key with a blank': '{"content":"x","key":"a b"}',
    'a key of 129': `{"content":"x","key":"${'k'.repeat(129)}"}`,
    'deep JSON': '['.repeat(30_000),
    'deep JSON that is whole': `${'['.repeat(30_000)}${']'.repeat(30_000)}`,
  }
  test('[G7] [A4] [A17] what is no message is dropped, and the socket goes on', async () => {
    const { channelId, owner } = await guild.makeChannel()
    const client = await guild.connect(channelId, owner)
    for (const [what, frame] of Object.entries(dropped)) if (what !== 'deep JSON') client.socket.send(frame)
    client.socket.send(Buffer.from('{"content":"binary"}'))
    client.send('the end')
    await client.have(1)
    expect(await contentsOf(channelId, owner)).toEqual(['the end'])
    // Not closed brackets are no JSON, and so a text; this one is also over 10,000.
    client.socket.send('['.repeat(30_000))
    client.socket.send('[[')
    expect((await client.have(2))[1]).toMatchObject({ content: '[[' })
  })

  test('[A17] a frame over 64 KiB and bad UTF-8 end that socket, and no other', async () => {
    const { channelId, owner, member } = await guild.makeChannel()
    const other = await guild.connect(channelId, member)
    const large = await guild.connect(channelId, owner)
    large.socket.send('x'.repeat(65_537))
    await until('1009', () => large.closedWith?.code === 1009)
    const raw = await openRaw(guild.server.port)
    raw.send(upgradeRequest(`/ws/${channelId}?token=${owner}`))
    await raw.until('\r\n\r\n')
    raw.send(clientFrame(1, Buffer.from([0xff, 0xfe])))
    expect(await raw.closed).toContain('\x03\xef')
    other.send('still here')
    await other.have(1)
  })

  test('[G7] a frame that comes before the checks end is kept and used, also in the segment of the handshake', async () => {
    const { channelId, owner } = await guild.makeChannel()
    const raw = await openRaw(guild.server.port)
    const early = ['one', 'two', 'three'].map((content) => clientFrame(1, JSON.stringify({ content })))
    raw.send(Buffer.concat([Buffer.from(upgradeRequest(`/ws/${channelId}?token=${owner}`)), ...early]))
    await raw.until('"content":"three"')
    expect(await contentsOf(channelId, owner)).toEqual(['one', 'two', 'three'])
    raw.socket.destroy()
  })

  test('[G7] the frames of one socket keep their order, and everybody gets all in one order', async () => {
    const { channelId, owner, member } = await guild.makeChannel()
    const clients = [await guild.connect(channelId, owner), await guild.connect(channelId, member)]
    for (let number = 0; number < 500; number++)
      for (const [index, client] of clients.entries()) client.send(`${index}:${number}`)
    await Promise.all(clients.map((client) => client.have(1000)))
    expect(clients[0]!.contents()).toEqual(clients[1]!.contents())
    for (const index of [0, 1]) {
      const own = clients[0]!.contents().filter((content) => content!.startsWith(`${index}:`))
      expect(own).toEqual(Array.from({ length: 500 }, (_, number) => `${index}:${number}`))
    }
  })
})

describe('keys', () => {
  test('[A8] a retry gives the sending socket alone the same object again; another text with that key is dropped', async () => {
    const { channelId, owner, member } = await guild.makeChannel()
    const [author, other] = [await guild.connect(channelId, owner), await guild.connect(channelId, member)]
    author.send('once', 'key-1')
    const [first] = await author.have(1)
    author.send('once', 'key-1')
    expect((await author.have(2))[1]).toEqual(first)
    author.send('another text', 'key-1')
    await author.settled()
    author.send('the end')
    await author.have(3)
    expect(author.contents()).toEqual(['once', 'once', 'the end'])
    await other.have(2)
    expect(other.contents()).toEqual(['once', 'the end'])
    other.send('once', 'key-1')
    await other.have(3)
    expect(await contentsOf(channelId, owner)).toEqual(['once', 'the end', 'once'])
  })

  test('[A8] the repeated answer shows the message as it is now, empty where it was deleted', async () => {
    const { channelId, owner } = await guild.makeChannel()
    const client = await guild.connect(channelId, owner)
    client.send('first', 'key')
    const [sent] = await client.have(1)
    const { chat } = guild.server.app
    const author = await chat.accounts.get(sent!['author_id'] as number)
    await chat.messages.edit(author, channelId, sent!.id!, 'edited')
    client.send('first', 'key')
    expect((await client.have(2))[1]).toMatchObject({ id: sent!.id, content: 'edited' })
    await chat.messages.remove(author, channelId, sent!.id!)
    client.send('first', 'key')
    expect((await client.have(3))[2]).toMatchObject({ id: sent!.id, content: '' })
  })
})

describe('refusals', () => {
  test('[G7] [M4] are a 403 before 101 that does not say why', async () => {
    const { channelId, owner } = await guild.makeChannel()
    const stranger = await guild.tokenFor(newName())
    const paths = ['', '?token=', '?token=garbage', `?token=${stranger}`, `?token=${testServiceKey}`].map(
      (query) => `/ws/${channelId}${query}`,
    )
    paths.push(
      `/ws/999999?token=${owner}`,
      `/ws/abc?token=${owner}`,
      `/ws/-1?token=${owner}`,
      `/ws/9223372036854775808?token=${owner}`,
    )
    for (const path of [...paths, `/ws/${channelId}?token=${owner}%00`]) {
      const { status, body } = await guild.refusal(path)
      expect({ path, status, body }).toEqual({ path, status: 403, body: { detail: 'Forbidden' } })
    }
  })

  test('[G7] a 429 and a 503 keep their status', async () => {
    const limited = await openGuild({ env: { LIMIT_CONNECTS: '1/3600' } })
    const { channelId, owner } = await limited.makeChannel()
    await (await limited.connect(channelId, owner)).close()
    const refused = await limited.refusal(`/ws/${channelId}?token=${owner}`)
    expect(refused.status).toBe(429)
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    await limited.server.stop()

    const faulty = withFaults(openMemoryStorage())
    const away = await openGuild({ storage: faulty.storage })
    const channel = await away.makeChannel()
    faulty.setAway(true)
    expect(await away.refusal(`/ws/${channel.channelId}?token=${channel.owner}`)).toMatchObject({ status: 503 })
    const reply = await away.call('GET /servers/', { token: channel.owner })
    expect(reply.status).toBe(503)
    expect(reply.headers.get('retry-after')).toBe('1')
    faulty.setAway(false)
    await away.server.stop()
  })

  test('[G7] a plain GET on the path is not found, as with uvicorn, and a broken handshake is its own fault', async () => {
    expect(await guild.call('GET /ws/1')).toMatchObject({ status: 404, body: { detail: 'Not Found' } })
    const raw = await openRaw(guild.server.port)
    raw.send(upgradeRequest('/ws/1', { 'Sec-WebSocket-Key': null }))
    expect(statusOf(await raw.closed)).toBe(400)
  })

  test('[A9] the bearer header goes before the query, and decides', async () => {
    const { channelId, owner } = await guild.makeChannel()
    const path = `/ws/${channelId}?token=${owner}`
    for (const authorization of ['Bearer garbage', 'Bearer', 'bearer ', 'Bearer:a.b.c'])
      expect(await guild.refusal(path, { authorization }), authorization).toMatchObject({ status: 403 })
    await (await guild.connect(channelId, owner, '', { authorization: 'Basic c3RhZ2luZzpwYXNz' })).settled()
  })
})
