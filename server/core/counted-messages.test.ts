import { afterEach, describe, expect, it } from 'vitest'
import { openTestChat } from '../../test/chat.ts'
import { createManualClock } from '../../test/manual-clock.ts'
import { openMemoryStorage } from '../storage/memory/memory.ts'
import type { Chat } from './chat.ts'
import type { CountedMessage } from './counted-messages.ts'
import type { Message, User } from './model.ts'

let chat: Chat | undefined
afterEach(() => chat?.close())

/** Users 1 to 3 in a chat, and 4 outside. */
async function open() {
  const clock = createManualClock()
  const storage = openMemoryStorage({ now: clock.now })
  const opened = (chat = await openTestChat(storage, { clock }))
  const users: User[] = []
  for (const id of [1, 2, 3, 4]) users.push(await opened.accounts.getOrMake(id))
  const user = (id: number) => users[id - 1]!
  const roomId = (await opened.rooms.createPeers(user(1), { title: null, memberIds: [2, 3] })).id
  const post = async (by: number, content = 'a'): Promise<Message> =>
    (await opened.messages.post(user(by), roomId, { content })).event.message
  return { ...opened, storage, clock, user, roomId, post }
}

const ids = (found: CountedMessage[]) => found.map(({ message }) => message.id)
const all = { sinceMs: 0, limit: 5_000 }

describe('[P5] how many have not read a message', () => {
  it('is the members whose marker stands before it; its author has read it', async () => {
    const { queries, reads, user, roomId, post } = await open()
    const [a] = [await post(1), await post(2)]
    const counts = async () => (await queries.listRecent(user(1), roomId, all)).map(({ unreadCount }) => unreadCount)
    expect(await counts()).toEqual([1, 2])
    await reads.advance(user(3), roomId, a.id)
    expect(await counts()).toEqual([0, 2])
  })

  it('is of the present members alone: who leaves counts no more, who is invited counts for what stands there', async () => {
    const { queries, members, user, roomId, post } = await open()
    await post(1)
    await members.leave(user(2), roomId)
    const counts = async () => (await queries.listRecent(user(1), roomId, all)).map(({ unreadCount }) => unreadCount)
    expect(await counts()).toEqual([1])
    await members.invite({ kind: 'user', user: user(1) }, roomId, [2, 4])
    expect(await counts()).toEqual([3])
  })

  it('never counts an author who posts while the list is made', async () => {
    const { queries, storage, user, roomId, post } = await open()
    const { listMessagesBelow } = storage.log
    storage.log.listMessagesBelow = async (...page) => {
      storage.log.listMessagesBelow = listMessagesBelow
      await post(2)
      return listMessagesBelow(...page)
    }
    const [found] = await queries.listRecent(user(1), roomId, all)
    expect(found).toMatchObject({ author: { id: 2 }, unreadCount: 2 })
  })
})

describe('what is recent', () => {
  it('[P6] is not older than what is asked for, oldest first, without the deleted', async () => {
    const { queries, messages, clock, user, roomId, post } = await open()
    await post(1, 'old')
    await clock.advance(10)
    const sinceMs = clock.now()
    const [a, b] = [await post(1), await post(2)]
    await clock.advance(1)
    const c = await post(3)
    await messages.remove(user(2), roomId, b.id)
    expect(ids(await queries.listRecent(user(1), roomId, { sinceMs, limit: 10 }))).toEqual([a.id, c.id])
    expect(ids(await queries.listRecent(user(1), roomId, { sinceMs: clock.now() + 1, limit: 10 }))).toEqual([])
  })

  it.each([0, 1, 99, 100, 101, 499, 500, 501, 700])('[P6] is the newest %i where there are more', async (limit) => {
    const { queries, user, roomId, post } = await open()
    const messages = await Promise.all(Array.from({ length: 600 }, (_, i) => post(1 + (i % 3))))
    const posted = messages.map(({ id }) => id)
    const found = ids(await queries.listRecent(user(1), roomId, { sinceMs: 0, limit }))
    expect(found).toEqual(limit === 0 ? [] : posted.slice(-limit))
  })

  it('stops at the first page with an older one', async () => {
    const { queries, storage, clock, user, roomId, post } = await open()
    await Promise.all(Array.from({ length: 250 }, () => post(1)))
    await clock.advance(10)
    const { id } = await post(2)
    const { listMessagesBelow } = storage.log
    const pages: number[] = []
    storage.log.listMessagesBelow = async (room, below, limit) => {
      pages.push(limit)
      return listMessagesBelow(room, below, limit)
    }
    expect(ids(await queries.listRecent(user(1), roomId, { sinceMs: clock.now(), limit: 5_000 }))).toEqual([id])
    expect(pages).toEqual([100])
  })
})

describe('what stands around a message', () => {
  it('[P6] is ascending, `before` counts the message itself, and the deleted are not counted', async () => {
    const { queries, messages, user, roomId, post } = await open()
    const posted: number[] = []
    for (let i = 0; i < 7; i++) posted.push((await post(1)).id)
    const [, b, c, d, e, f, g] = posted as [number, number, number, number, number, number, number]
    const around = async (before: number, after: number) => ids(await queries.listAround(user(2), roomId, d, { before, after }))
    expect(await around(2, 2)).toEqual([c, d, e, f])
    expect([await around(1, 0), await around(0, 1), await around(0, 0)]).toEqual([[d], [e], []])
    expect(await around(200, 200)).toEqual(posted)
    for (const id of [c, e]) await messages.remove(user(1), roomId, id)
    expect(await around(2, 2)).toEqual([b, d, f, g])
  })

  it('[P2] is of no deleted message, nor of one of another room', async () => {
    const { queries, messages, rooms, user, roomId, post } = await open()
    const { id } = await post(1)
    const other = await rooms.openDirect(user(1), 2)
    const span = { before: 1, after: 1 }
    for (const [room, message] of [
      [other.roomId, id],
      [roomId, 999],
    ] as const)
      await expect(queries.listAround(user(1), room, message, span)).rejects.toMatchObject({ code: 'message_not_found' })
    await messages.remove(user(1), roomId, id)
    await expect(queries.listAround(user(1), roomId, id, span)).rejects.toMatchObject({ code: 'message_not_found' })
  })
})

describe('a search', () => {
  it('[P11] finds by text, newest first, with counts, a page at a time', async () => {
    const { queries, user, roomId, post } = await open()
    const posted: number[] = []
    for (const content of ['회의 자료', '점심', '오늘 회의', '회의록']) posted.push((await post(2, content)).id)
    const find = (text: string, offset: number, limit: number) => queries.search(user(1), roomId, text, { offset, limit })
    expect(ids(await find('회의', 0, 50))).toEqual([posted[3], posted[2], posted[0]])
    expect(ids(await find('회의', 1, 1))).toEqual([posted[2]])
    expect(await find('점심', 0, 1)).toMatchObject([{ unreadCount: 2, author: { id: 2 } }])
    for (const text of ['', '\0', '\ud800']) await expect(find(text, 0, 1)).rejects.toMatchObject({ code: 'invalid_field' })
  })
})

describe('the people of a chat', () => {
  it('[P6] are listed the caller first, then by name', async () => {
    const { queries, accounts, members, user, roomId } = await open()
    await members.invite({ kind: 'user', user: user(1) }, roomId, [4])
    for (const [id, fullName] of [
      [1, '하나'],
      [3, '가람'],
      [4, ' 나래 '],
    ] as const)
      await accounts.update(user(id), { fullName })
    const names = async (id: number) => (await queries.listPeople(user(id), roomId)).map((one) => one.user.id)
    expect([await names(1), await names(4)]).toEqual([
      [1, 3, 4, 2],
      [4, 3, 1, 2],
    ])
    expect((await queries.listPeople(user(2), roomId))[0]).toMatchObject({ member: { userId: 2, roomId }, user: { id: 2 } })
  })
})

describe('[M4] a stranger', () => {
  it('is told the same of a chat that there is and of one that there is not, before anything else is looked at', async () => {
    const { queries, storage, user, roomId, post } = await open()
    const { id } = await post(1)
    const looks: string[] = []
    for (const name of ['listMessagesBelow', 'findMessage', 'searchMessages', 'listMembers'] as const) {
      const method = storage.log[name] as (...args: unknown[]) => unknown
      Object.assign(storage.log, { [name]: (...args: unknown[]) => (looks.push(name), method(...args)) })
    }
    for (const room of [roomId, 99]) {
      for (const asked of [
        queries.listRecent(user(4), room, all),
        queries.listAround(user(4), room, id, { before: 1, after: 1 }),
        queries.search(user(4), room, '', { offset: 0, limit: 1 }),
        queries.listPeople(user(4), room),
      ])
        await expect(asked).rejects.toMatchObject({ code: 'not_a_member' })
    }
    expect(looks).toEqual([])
  })
})
