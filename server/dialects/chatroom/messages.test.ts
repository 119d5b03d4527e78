/** Messages by HTTP: sending, changing, reading, reacting, and the pages of them (2.1 to 2.5; C4, C8, A8, A12, A14). */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { asHost, chatrooms, openChatroom, type ChatroomServer, type Credential, type Person } from './chatroom.fixture.ts'

let door: ChatroomServer
let ann: Person, bob: Person
let roomId: string

beforeAll(async () => {
  door = await openChatroom({ isProduction: true, env: { LIMIT_SENDS: 'off' } })
  ;[ann, bob] = await door.people('ann', 'bob')
  roomId = await door.room([ann, bob])
})
afterAll(() => door.stop())

const at = (messageId = '', rest = '') => `${chatrooms}/${roomId}/messages${messageId && `/${messageId}`}${rest}`
const act = ({ username }: Person, more: object = {}) => ({ userId: username, ...more })

async function list(query = '', as: Credential = bob.bearer) {
  const { messages } = await door.done(`GET ${at()}${query}`, as)
  return messages as { messageId: string; content: string; reactions: object[] }[]
}
const last = async () => (await list()).at(-1)!

test('[C4] a text is kept to the byte, and its times are whole seconds', async () => {
  const content = '  안녕\u200b\r\n👩‍👩‍👧 é\u0301 "\\" '
  const sent = await door.send(roomId, ann, content)
  expect(sent).toMatchObject({ roomId, userId: 'ann', content })
  expect(sent.createdAt).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
  expect(await last()).toEqual({ ...sent, reactions: [] })
  const longest = '가'.repeat(10_000)
  expect((await door.send(roomId, ann, longest)).content).toBe(longest)
})

describe('changing', () => {
  test('[C4] the author edits: the changed message is answered, and all read it', async () => {
    const sent = await door.send(roomId, ann, '처음')
    const edited = await door.done(`PATCH ${at(sent.messageId)}`, ann.bearer, act(ann, { newContent: '나중' }))
    expect(edited).toEqual({ ...sent, content: '나중' })
    expect((await last()).content).toBe('나중')
  })

  test('[A14] the author deletes: it is in no list, and cannot be changed, read or reacted to any more', async () => {
    const { messageId } = await door.send(roomId, ann, '지울 글')
    expect(await door.done(`DELETE ${at(messageId)}`, ann.bearer, act(ann))).toEqual({ messageId, roomId, userId: 'ann' })
    expect((await list()).map((one) => one.messageId)).not.toContain(messageId)
    for (const [route, more] of [
      [`DELETE ${at(messageId)}`, {}],
      [`PATCH ${at(messageId)}`, { newContent: '글' }],
      [`POST ${at(messageId, '/read')}`, {}],
      [`POST ${at(messageId, '/reactions')}`, { reactionType: 'like' }],
    ] as const) {
      const { status, body } = await door.call(route, ann.bearer, act(ann, more))
      expect([status, body], route).toEqual([404, { error: 'message_not_found', message: 'Message not found' }])
    }
  })

  test('[C4] nobody else does, also not an admin: 403', async () => {
    const { messageId } = await door.send(roomId, bob, '남의 글')
    await door.done(`PATCH ${chatrooms}/${roomId}/participants/ann/role`, asHost, { role: 'admin' })
    for (const [method, more] of [
      ['DELETE', {}],
      ['PATCH', { newContent: '바꿈' }],
    ] as const) {
      const { status, body } = await door.call(`${method} ${at(messageId)}`, ann.bearer, act(ann, more))
      expect([status, body.error]).toEqual([403, 'not_the_author'])
    }
    expect((await last()).content).toBe('남의 글')
  })

  test('[C3][C4] what is no text of a message is named', async () => {
    const { messageId } = await door.send(roomId, ann, '글')
    const codes = async (content: string) => {
      const replies = [
        await door.call(`POST ${at()}`, ann.bearer, act(ann, { content })),
        await door.call(`PATCH ${at(messageId)}`, ann.bearer, act(ann, { newContent: content })),
      ]
      return replies.map(({ status, body }) => `${status} ${body.error}`)
    }
    expect(await codes(' \n ')).toEqual(['400 text_empty', '400 text_empty'])
    expect(await codes('가'.repeat(10_001))).toEqual(['400 too_long', '400 too_long'])
  })

  test('[M4] a message of another room is none of this one', async () => {
    const other = await door.room([ann, bob])
    const { messageId } = await door.send(other, ann, '다른 방')
    expect((await door.call(`DELETE ${at(messageId)}`, ann.bearer, act(ann))).status).toBe(404)
    expect((await door.call(`GET ${at()}?before=${messageId}`, ann.bearer)).status).toBe(404)
  })
})

describe('keys', () => {
  test('[A8] a retry gets the first answer and sends nothing, another body is a 409', async () => {
    const key = { 'idempotency-key': 'once' }
    const first = await door.send(roomId, ann, '한 번', key)
    expect(await door.send(roomId, ann, '한 번', key)).toEqual(first)
    const other = await door.call(`POST ${at()}`, ann.bearer, act(ann, { content: '두 번' }), key)
    expect([other.status, other.body.error]).toEqual([409, 'key_conflict'])
    expect((await list()).filter(({ content }) => content === '한 번')).toHaveLength(1)
    expect((await door.send(roomId, bob, '한 번', key)).messageId).not.toBe(first.messageId)
  })

  test('[A8] the repeated answer shows the message as it is now, empty where it was deleted', async () => {
    const key = { 'idempotency-key': 'twice' }
    const { messageId } = await door.send(roomId, ann, '글', key)
    await door.done(`PATCH ${at(messageId)}`, ann.bearer, act(ann, { newContent: '나중' }))
    expect((await door.send(roomId, ann, '글', key)).content).toBe('나중')
    await door.done(`DELETE ${at(messageId)}`, ann.bearer, act(ann))
    expect(await door.send(roomId, ann, '글', key)).toMatchObject({ messageId, content: '' })
  })
})

test('[A12] sends are limited, for a user and for an address, with Retry-After; a service key’s are not', async () => {
  const limited = await openChatroom({ isProduction: true, env: { LIMIT_SENDS: '2/60', TRUSTED_PROXIES: '127.0.0.1' } })
  const [kim, lee, cho] = await limited.people('kim', 'lee', 'cho')
  const id = await limited.room([kim, lee, cho])
  const send = async (author: Person, address: string, as = author.bearer) => {
    const body = { userId: author.username, content: '글' }
    const reply = await limited.call(`POST ${chatrooms}/${id}/messages`, as, body, { 'x-forwarded-for': address })
    if (reply.status === 429) expect([reply.body.error, Number(reply.headers.get('retry-after')) > 0]).toEqual(['too_many', true])
    return reply.status
  }
  expect([await send(kim, '10.0.0.1'), await send(kim, '10.0.0.2'), await send(kim, '10.0.0.3')]).toEqual([201, 201, 429])
  expect([await send(lee, '10.1.0.1'), await send(cho, '10.1.0.1'), await send(lee, '10.1.0.1')]).toEqual([201, 201, 429])
  for (let nth = 0; nth < 4; nth++) expect(await send(kim, '10.2.0.1', asHost as never)).toBe(201)
  await limited.stop()
})

test('[A12] reactions count as sends, put and taken back, also where they change nothing', async () => {
  const limited = await openChatroom({ isProduction: true, env: { LIMIT_SENDS: '4/600', TRUSTED_PROXIES: '127.0.0.1' } })
  const [kim, lee] = await limited.people('kim', 'lee')
  const id = await limited.room([kim, lee])
  const { messageId } = await limited.send(id, kim, '글', { 'x-forwarded-for': '10.0.0.1' })
  const message = `${chatrooms}/${id}/messages/${messageId}`
  const call = async (route: string, as: Credential, body: object, address: string) =>
    (await limited.call(route, as, body, { 'x-forwarded-for': address })).status
  const put = (as = lee.bearer) => call(`POST ${message}/reactions`, as, act(lee, { reactionType: 'like' }), '10.1.0.1')
  const take = (as = lee.bearer) => call(`DELETE ${message}/reactions/like`, as, act(lee), '10.1.0.1')
  expect([await put(), await put(), await take(), await take()]).toEqual([200, 200, 200, 200])
  expect([await put(), await take()]).toEqual([429, 429])
  expect(await call(`POST ${message.replace(/\/[^/]*$/, '')}`, lee.bearer, act(lee, { content: '글' }), '10.2.0.1')).toBe(429)
  expect(await call(`POST ${message}/reactions`, kim.bearer, act(kim, { reactionType: 'like' }), '10.1.0.1')).toBe(429)
  for (let nth = 0; nth < 3; nth++) expect([await put(asHost), await take(asHost)]).toEqual([200, 200])
  await limited.stop()
})

describe('reading', () => {
  test('[A19][C4] a marker only moves forward: the answer says where it stands', async () => {
    const [first, second] = [await door.send(roomId, ann, '하나'), await door.send(roomId, ann, '둘')]
    const read = (messageId: string) => door.done(`POST ${at(messageId, '/read')}`, bob.bearer, act(bob))
    expect(await read(second.messageId)).toEqual({ messageId: second.messageId, roomId, userId: 'bob' })
    expect(await read(first.messageId)).toEqual({ messageId: second.messageId, roomId, userId: 'bob' })
  })
})

describe('reactions', () => {
  test('[C8] each user puts each once, takes it back, and lists show who put what, in order', async () => {
    const { messageId } = await door.send(roomId, ann, '좋은 소식')
    const put = (who: Person, reactionType: string) =>
      door.done(`POST ${at(messageId, '/reactions')}`, who.bearer, act(who, { reactionType }))
    expect(await put(bob, 'like')).toEqual({ messageId, roomId, userId: 'bob', reactionType: 'like' })
    await put(bob, 'like')
    await put(ann, '👍🏽')
    await put(bob, 'a/b')
    expect((await last()).reactions).toEqual([
      { userId: 'bob', reactionType: 'like' },
      { userId: 'ann', reactionType: '👍🏽' },
      { userId: 'bob', reactionType: 'a/b' },
    ])
    const take = (reaction: string, who: Person, body?: object) =>
      door.done(`DELETE ${at(messageId, `/reactions/${encodeURIComponent(reaction)}`)}`, who.bearer, body)
    expect(await take('a/b', bob, act(bob))).toEqual({ messageId, roomId, userId: 'bob', reactionType: 'a/b' })
    await take('👍🏽', bob, act(bob))
    await take('like', bob)
    await take('like', bob)
    expect((await last()).reactions).toEqual([{ userId: 'ann', reactionType: '👍🏽' }])
    await door.done(`DELETE ${at(messageId)}`, ann.bearer, act(ann))
    expect((await list()).flatMap(({ reactions }) => reactions)).toEqual([])
  })

  test('[A17][C4] a 21st kind of reaction to a message is a 409, one more of a kind that is there is not', async () => {
    const { messageId } = await door.send(roomId, ann, '많은 반응')
    const put = async (who: Person, reactionType: string) => {
      const { status, body } = await door.call(`POST ${at(messageId, '/reactions')}`, who.bearer, act(who, { reactionType }))
      return status === 200 ? status : [status, body]
    }
    for (let nth = 1; nth <= 20; nth++) expect(await put(nth % 2 ? ann : bob, `kind ${nth}`)).toBe(200)
    const refusal = { error: 'too_many_reactions', message: 'A message takes 20 different reactions at most' }
    for (const who of [ann, bob]) expect(await put(who, 'one more')).toEqual([409, refusal])
    expect([await put(ann, 'kind 1'), await put(bob, 'kind 1')]).toEqual([200, 200])
    expect((await last()).reactions).toHaveLength(21)
  })
})

describe('pages', () => {
  test('[C8] the newest 50, or those before a message, at most 200, oldest first; what is over a limit is clamped', async () => {
    const reader = bob.bearer
    roomId = await door.room([ann, bob])
    const ids: string[] = []
    for (let nth = 0; nth < 205; nth++) ids.push((await door.send(roomId, ann, `${nth}`)).messageId)
    const page = async (query: string) => (await list(query, reader)).map(({ messageId }) => messageId)
    for (const query of ['', '?before=&limit=', '?limit=50']) expect(await page(query)).toEqual(ids.slice(-50))
    expect(await page(`?before=${ids[100]}&limit=3`)).toEqual(ids.slice(97, 100))
    expect(await page(`?before=${ids[0]}`)).toEqual([])
    for (const limit of ['200', '201', '99999999999999999999']) expect(await page(`?limit=${limit}`)).toEqual(ids.slice(-200))
    for (const limit of ['1', '0', '-5']) expect(await page(`?limit=${limit}`)).toEqual(ids.slice(-1))
    await door.done(`DELETE ${at(ids[100])}`, ann.bearer, act(ann))
    expect(await page(`?before=${ids[100]}&limit=2`)).toEqual(ids.slice(98, 100))
    expect(await page(`?before=${ids[101]}&limit=2`)).toEqual(ids.slice(98, 100))
  })
})
