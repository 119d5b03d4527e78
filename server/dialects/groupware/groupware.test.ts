/** What the contract's endpoints do, rule by rule (P5 to P9). */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../app/clock.ts'
import { asHost, openGroupware, type Groupware, type Person } from './groupware.fixture.ts'

let door: Groupware
let ann: Person, bob: Person, cho: Person

beforeAll(async () => {
  door = await openGroupware({ isProduction: true, env: { LIMIT_SENDS: 'off' } })
  ;[ann, bob, cho] = (await door.people('ann', 'bob', 'cho')) as [Person, Person, Person]
})
afterAll(() => door.stop())

async function conversation(person: Person, roomId: number) {
  const { data } = await door.done('GET /api/chats', person.bearer)
  return data.find(({ id }: { id: number }) => id === roomId)
}

async function list(person: Person, roomId: number, query = '') {
  return (await door.done(`GET /api/chats/${roomId}/messages${query}`, person.bearer)).data
}

describe('messages', () => {
  test('[P5] a message has the contract’s fields, no attachments where there are none, and null for no text', async () => {
    const roomId = await door.group([ann, bob])
    const sent = await door.send(roomId, ann, '안녕하세요')
    expect(sent).toEqual({
      id: sent.id,
      chat_id: roomId,
      sender_id: ann.id,
      sender_name: 'ann 이름',
      content: '안녕하세요',
      created_at: sent.created_at,
    })
    expect(Object.keys(sent)).toEqual(['id', 'chat_id', 'sender_id', 'sender_name', 'content', 'created_at'])
    const [listed] = await list(bob, roomId)
    const text = new Date(Date.parse(sent.created_at) + 9 * 3_600_000).toISOString().slice(0, 19).replace('T', ' ')
    expect(listed).toEqual({ ...sent, created_at_text: text, attachments: [], unread_count: 1 })
  })

  test('[P5] unread_count of a message is how many members have not read it', async () => {
    const roomId = await door.group([ann, bob, cho])
    const first = await door.send(roomId, ann, '하나')
    await door.send(roomId, ann, '둘')
    const counts = async () => (await list(ann, roomId)).map((one: { unread_count: number }) => one.unread_count)
    expect(await counts()).toEqual([2, 2])
    await door.done(`POST /api/chats/${roomId}/read`, bob.bearer, { lastMessageId: first.id })
    expect(await counts()).toEqual([1, 2])
    await door.send(roomId, cho, '셋')
    expect(await counts()).toEqual([0, 1, 2])
  })

  test('[P6] content over 2,000 code points is cut there, not refused', async () => {
    const roomId = await door.group([ann, bob])
    const long = '😀'.repeat(1999) + '가나다'
    expect((await door.send(roomId, ann, long)).content).toBe('😀'.repeat(1999) + '가')
    const just = 'x'.repeat(2000)
    expect((await door.send(roomId, ann, just)).content).toBe(just)
  })

  test.each([[''], ['  \n'], [null], [undefined]])('[P6] an empty message (%j) is stored, as null', async (content) => {
    const roomId = await door.group([ann, bob])
    const { data } = await door.done(`POST /api/chats/${roomId}/message`, ann.bearer, { content })
    expect(data.message.content).toBe(null)
    expect((await list(bob, roomId))[0].content).toBe(null)
    expect(await conversation(bob, roomId)).toMatchObject({ last_content: null, last_at: data.message.created_at })
  })

  test('[P6][P7] the newest messages of some days, oldest first; how many, and by whose clocks, is settable', async () => {
    const dayMs = 86_400_000
    let laterMs = 0
    const clock = { ...systemClock, now: () => Date.now() + laterMs }
    const env = { LIMIT_SENDS: 'off', HISTORY_MAX: '3', TIME_ZONE: 'America/New_York' }
    const settable = await openGroupware({ isProduction: true, clock, env })
    const [me, other] = (await settable.people('ann', 'bob')) as [Person, Person]
    const roomId = await settable.group([me, other])
    for (const text of ['하나', '둘', '셋', '넷']) await settable.send(roomId, me, text)
    // A token of today would not count on another day.
    const asMe = { ...asHost, 'x-user-id': String(me.id) }
    const listed = async (query: string, afterMs: number): Promise<{ content: string }[]> => {
      laterMs = afterMs
      return (await settable.done(`GET /api/chats/${roomId}/messages${query}`, asMe)).data
    }
    const contents = async (query: string, afterMs: number) => (await listed(query, afterMs)).map(({ content }) => content)
    expect(await contents('', 0)).toEqual(['둘', '셋', '넷'])
    expect(await contents('', 7 * dayMs - 600_000)).toEqual(['둘', '셋', '넷'])
    expect(await contents('', 7 * dayMs)).toEqual([])
    expect(await contents('?days=8', 7 * dayMs)).toEqual(['둘', '셋', '넷'])
    expect(await contents('?days=90', 29 * dayMs)).toEqual(['둘', '셋', '넷'])
    expect(await contents('?days=90', 30 * dayMs)).toEqual([])
    const [first] = (await listed('', 0)) as unknown as { created_at: string; created_at_text: string }[]
    const offsetMs = Date.parse(first!.created_at) - Date.parse(`${first!.created_at_text.replace(' ', 'T')}Z`)
    expect([4, 5]).toContain(Math.round(offsetMs / 3_600_000))
    await settable.stop()
  })

  test('[A4] content is otherwise kept to the byte', async () => {
    const roomId = await door.group([ann, bob])
    const nfd = ' 한글 \r\n\u2028<b>'.normalize('NFD')
    expect((await door.send(roomId, ann, nfd)).content).toBe(nfd)
  })

  test('[P4] the sender has read what he wrote, and what was before it', async () => {
    const roomId = await door.group([ann, bob])
    await door.send(roomId, ann, '하나')
    expect(await conversation(bob, roomId)).toMatchObject({ unread_count: 1 })
    await door.send(roomId, bob, '둘')
    expect(await conversation(bob, roomId)).toMatchObject({ unread_count: 0 })
    expect(await conversation(ann, roomId)).toMatchObject({ unread_count: 1 })
  })
})

describe('around and search', () => {
  let roomId: number
  let ids: number[]

  beforeAll(async () => {
    roomId = await door.group([ann, bob])
    ids = []
    for (let nth = 1; nth <= 120; nth++) ids.push((await door.send(roomId, ann, `글 ${nth}`)).id)
  })

  const around = async (query: string) => {
    const { data } = await door.done(`GET /api/chats/${roomId}/around?${query}`, bob.bearer)
    return data.map(({ id }: { id: number }) => ids.indexOf(id) + 1)
  }
  const span = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, nth) => from + nth)

  test('[P6] around is ascending, 50 up to the message itself and 50 behind it', async () => {
    expect(await around(`messageId=${ids[59]}`)).toEqual(span(11, 110))
    expect(await around(`messageId=${ids[59]}&before=3&after=2`)).toEqual([58, 59, 60, 61, 62])
    expect(await around(`messageId=${ids[59]}&before=0&after=1`)).toEqual([61])
    expect(await around(`messageId=${ids[59]}&before=0&after=0`)).toEqual([])
    expect(await around(`messageId=${ids[59]}&before=1&after=0`)).toEqual([60])
  })

  test('[P6] numbers over a limit are clamped, and number strings are numbers', async () => {
    expect(await around(`messageId=${ids[59]}&before=100000&after=-5`)).toEqual(span(1, 60))
    const search = (query: string) =>
      door.done(`GET /api/chats/${roomId}/search?q=${encodeURIComponent('글')}${query}`, bob.bearer)
    expect((await search('&limit=100000')).data).toHaveLength(120)
    expect((await search('&limit=0')).data).toHaveLength(1)
    expect((await search('')).data).toHaveLength(50)
    expect((await search('&offset=99999999999999999999')).data).toEqual([])
    for (const days of ['-1', '0', '31', '99999999999999999999'])
      expect(await list(bob, roomId, `?days=${days}`)).toHaveLength(120)
  })

  test('[P2][P6][A14] around a message that is not in this chat, or not any more, is a 404', async () => {
    const other = await door.send(await door.group([ann, bob]), ann, '다른 방')
    const deleted = await door.send(roomId, ann, '지운 말')
    const { accounts, messages } = door.server.app.chat
    await messages.remove(await accounts.get(ann.id), roomId, deleted.id)
    for (const messageId of [other.id, deleted.id, 2_000_000_000, Number.MAX_SAFE_INTEGER]) {
      const reply = await door.call(`GET /api/chats/${roomId}/around?messageId=${messageId}`, bob.bearer)
      expect([reply.status, reply.body.message]).toEqual([404, '메시지를 찾을 수 없습니다.'])
    }
  })

  test('[P6][P11] search is newest first, and its wildcards are literal', async () => {
    const found = async (q: string, query = '') => {
      const { data } = await door.done(`GET /api/chats/${roomId}/search?q=${encodeURIComponent(q)}${query}`, bob.bearer)
      return data.map(({ content }: { content: string }) => content)
    }
    expect(await found('글 11')).toEqual([
      '글 119',
      '글 118',
      '글 117',
      '글 116',
      '글 115',
      '글 114',
      '글 113',
      '글 112',
      '글 111',
      '글 110',
      '글 11',
    ])
    expect(await found('글 11', '&limit=2&offset=1')).toEqual(['글 118', '글 117'])
    expect(await found('%')).toEqual([])
    expect(await found('글_1')).toEqual([])
    expect(await found('글 11'.normalize('NFD'))).toHaveLength(11)
  })
})

describe('conversations', () => {
  test('[P8] a conversation has the contract’s fields in its order', async () => {
    const { chatId } = await door.done('POST /api/chats/start', ann.bearer, { targetUserId: bob.id })
    const empty = await conversation(ann, chatId)
    expect(Object.keys(empty)).toEqual([
      'id',
      'is_group',
      'title',
      'updated_at',
      'last_content',
      'last_at',
      'last_at_text',
      'last_sender_name',
      'unread_count',
      'other_user_id',
      'other_user_name',
      'member_count',
    ])
    expect(empty).toMatchObject({ is_group: false, title: null, last_content: null, last_at: null, last_at_text: null })
    expect(empty).toMatchObject({ last_sender_name: null, other_user_id: bob.id, other_user_name: 'bob 이름', member_count: 2 })
    const sent = await door.send(chatId, ann, '안녕')
    expect(await conversation(bob, chatId)).toMatchObject({
      updated_at: sent.created_at,
      last_content: '안녕',
      last_at: sent.created_at,
      last_sender_name: 'ann 이름',
      unread_count: 1,
      other_user_id: ann.id,
    })
  })

  test('[P8] the newest activity comes first, at whatever chat', async () => {
    const [me, other] = (await door.people('dan', 'eve')) as [Person, Person]
    const first = await door.group([me, other], '첫째')
    const second = await door.group([me, other], '둘째')
    const order = async () => (await door.done('GET /api/chats', me.bearer)).data.map(({ title }: { title: string }) => title)
    expect(await order()).toEqual(['둘째', '첫째'])
    await door.send(first, other, '먼저')
    expect(await order()).toEqual(['첫째', '둘째'])
    await door.send(second, other, '다음')
    expect(await order()).toEqual(['둘째', '첫째'])
  })

  test('[P8] the other is the lowest-numbered other member, null when alone, and member_count counts me', async () => {
    const roomId = await door.group([bob, cho, ann])
    expect(await conversation(ann, roomId)).toMatchObject({ is_group: true, other_user_id: bob.id, member_count: 3 })
    expect(await conversation(bob, roomId)).toMatchObject({ other_user_id: ann.id, other_user_name: 'ann 이름' })
    for (const { bearer } of [bob, cho]) await door.done(`POST /api/chats/${roomId}/leave`, bearer)
    expect(await conversation(ann, roomId)).toMatchObject({ other_user_id: null, other_user_name: null, member_count: 1 })
    expect(await conversation(bob, roomId)).toBeUndefined()
  })
})

describe('reading', () => {
  test('[P9] lastMessageId 0, null or absent keeps the marker, and a marker never moves back', async () => {
    const roomId = await door.group([ann, bob])
    const ids = []
    for (const text of ['하나', '둘', '셋']) ids.push((await door.send(roomId, ann, text)).id)
    const unreadAfter = async (body: unknown) => {
      expect(await door.done(`POST /api/chats/${roomId}/read`, bob.bearer, body)).toEqual({ success: true })
      return (await conversation(bob, roomId)).unread_count
    }
    for (const body of [undefined, {}, { lastMessageId: 0 }, { lastMessageId: null }, { lastMessageId: '0' }])
      expect(await unreadAfter(body)).toBe(3)
    expect(await unreadAfter({ lastMessageId: String(ids[1]) })).toBe(1)
    expect(await unreadAfter({ lastMessageId: ids[0] })).toBe(1)
    expect(await unreadAfter({ lastMessageId: 2_000_000_000 })).toBe(0)
  })

  test('[P9] read-all reads every chat', async () => {
    const rooms = [await door.group([ann, bob]), await door.group([ann, cho, bob])]
    for (const roomId of rooms) await door.send(roomId, ann, '안녕')
    expect(await door.done('POST /api/chats/read-all', bob.bearer)).toEqual({ success: true })
    const { data } = await door.done('GET /api/chats', bob.bearer)
    expect(data.map((one: { unread_count: number }) => one.unread_count)).toEqual(data.map(() => 0))
  })
})

describe('members', () => {
  test('[P6] lists me first, then by name', async () => {
    const roomId = await door.group([bob, cho, ann])
    const { data } = await door.done(`GET /api/chats/${roomId}/members`, cho.bearer)
    expect(data).toEqual([
      { id: cho.id, name: 'cho 이름', username: 'cho', is_active: true },
      { id: ann.id, name: 'ann 이름', username: 'ann', is_active: true },
      { id: bob.id, name: 'bob 이름', username: 'bob', is_active: true },
    ])
  })

  test('[P9] leave takes me out, and succeeds for who is not in and where there is no such chat', async () => {
    const roomId = await door.group([ann, bob])
    expect(await door.done(`POST /api/chats/${roomId}/leave`, bob.bearer)).toEqual({ success: true })
    expect((await door.call(`GET /api/chats/${roomId}/messages`, bob.bearer)).status).toBe(403)
    for (const id of [roomId, 987_654])
      expect(await door.done(`POST /api/chats/${id}/leave`, bob.bearer)).toEqual({ success: true })
  })

  test('[P9] an invited member sees the earlier messages, unread; nobody new is added: 0', async () => {
    const roomId = await door.group([ann, bob])
    await door.send(roomId, ann, '전에')
    const invite = (body: unknown) => door.done(`POST /api/chats/${roomId}/invite`, bob.bearer, body)
    expect(await invite({ userIds: [String(cho.id), ann.id, cho.id] })).toEqual({ success: true, added: 1 })
    expect((await list(cho, roomId)).map(({ content }: { content: string }) => content)).toEqual(['전에'])
    expect(await conversation(cho, roomId)).toMatchObject({ unread_count: 1, member_count: 3 })
    expect(await invite({ userIds: [cho.id] })).toEqual({ success: true, added: 0 })
    expect(await invite(undefined)).toEqual({ success: true, added: 0 })
    expect(await invite({ userIds: [999_999], departmentId: null })).toEqual({ success: true, added: 0 })
  })

  test('[P9] an invitation makes a 1:1 a group, which is not reused', async () => {
    const { chatId } = await door.done('POST /api/chats/start', bob.bearer, { targetUserId: cho.id })
    expect(await conversation(bob, chatId)).toMatchObject({ is_group: false })
    await door.done(`POST /api/chats/${chatId}/invite`, bob.bearer, { userIds: [ann.id] })
    expect(await conversation(bob, chatId)).toMatchObject({ is_group: true, member_count: 3 })
    const again = await door.done('POST /api/chats/start', bob.bearer, { targetUserId: cho.id })
    expect(again.chatId).not.toBe(chatId)
  })
})

describe('starting', () => {
  test('[P9] ten starts at once make one chat, from either side', async () => {
    const [one, two] = (await door.people('fay', 'guy')) as [Person, Person]
    const starts = Array.from({ length: 10 }, (_, nth) =>
      door.done('POST /api/chats/start', (nth % 2 ? one : two).bearer, { targetUserId: nth % 2 ? two.id : one.id }),
    )
    expect(new Set((await Promise.all(starts)).map(({ chatId }) => chatId)).size).toBe(1)
    expect((await door.done('GET /api/chats', one.bearer)).data).toHaveLength(1)
  })

  test('[P9] a chat with oneself is a 400, with nobody a 404, and the answer holds no more than the id', async () => {
    const start = (targetUserId: unknown) => door.call('POST /api/chats/start', ann.bearer, { targetUserId })
    expect((await start(ann.id)).status).toBe(400)
    expect((await start(999_999)).status).toBe(404)
    const { body } = await start(String(bob.id))
    expect(body).toEqual({ success: true, chatId: expect.any(Number) })
  })

  test('[P9] start-group takes me in, drops doubles and unknown ones, and needs two', async () => {
    const start = (body: unknown) => door.call('POST /api/chats/start-group', ann.bearer, body)
    const { body } = await start({ title: null, memberUserIds: [bob.id, String(bob.id), ann.id, 999_999], departmentId: 0 })
    expect(await conversation(ann, body.chatId)).toMatchObject({ is_group: true, title: null, member_count: 2 })
    const titled = await start({ title: '점심', memberUserIds: [bob.id] })
    expect(await conversation(bob, titled.body.chatId)).toMatchObject({ title: '점심' })
    for (const lonely of [undefined, {}, { memberUserIds: [] }, { memberUserIds: [ann.id, 999_999] }])
      expect((await start(lonely)).status).toBe(400)
  })
})
