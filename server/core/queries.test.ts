import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { connect, openTestChat } from '../../test/chat.ts'
import { settle } from '../../test/manual-clock.ts'
import { openMemoryStorage } from '../storage/memory/memory.ts'
import type { Chat } from './chat.ts'
import type { Principal, User } from './model.ts'

const roomId = 7
let chat: Chat | undefined
afterEach(() => chat?.close())

async function open() {
  const opened = (chat = await openTestChat(openMemoryStorage()))
  const users: User[] = []
  for (const id of [1, 2, 3]) {
    const user = await opened.accounts.getOrMake(id)
    await opened.rooms.touchOpen(user, roomId)
    users.push(user)
  }
  const say = async (by: number, content = 'a') => (await opened.messages.post(users[by]!, roomId, { content })).event.message
  const unread = async () => (await opened.queries.listMembers({ kind: 'nobody' }, roomId)).map(({ unreadCount }) => unreadCount)
  return { ...opened, users, say, unread }
}

type Step = { do: 'post' | 'read' | 'delete' | 'again'; who: number; pick: number }
const step: fc.Arbitrary<Step> = fc.record({
  do: fc.constantFrom('post' as const, 'post' as const, 'read' as const, 'delete' as const, 'again' as const),
  who: fc.nat(2),
  pick: fc.nat(30),
})

describe('unread', () => {
  it("counts others' messages behind the marker that are not deleted: the subtraction is what a recount finds", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const { users, say, unread, messages, reads, members } = await open()
        const all: { id: number; by: number; isDeleted: boolean }[] = []
        const markers = [0, 0, 0]
        for (const { do: what, who, pick } of steps) {
          const chosen = all[pick % Math.max(1, all.length)]
          if (what === 'post') {
            const { id } = await say(who)
            all.push({ id, by: who, isDeleted: false })
            markers[who] = id
          } else if (what === 'read') {
            await reads.advance(users[who]!, roomId, chosen?.id ?? null)
            markers[who] = Math.max(markers[who]!, chosen?.id ?? 0)
          } else if (what === 'delete' && chosen && !chosen.isDeleted) {
            await messages.remove(users[chosen.by]!, roomId, chosen.id)
            chosen.isDeleted = true
          } else if (what === 'again') {
            // Who comes back has all read at this door (P9).
            await members.remove({ kind: 'nobody' }, roomId, who + 1)
            await members.add({ kind: 'nobody' }, roomId, who + 1)
            markers[who] = all.at(-1)?.id ?? 0
          }
        }
        const recount = [0, 1, 2].map(
          (who) => all.filter(({ id, by, isDeleted }) => id > markers[who]! && by !== who && !isDeleted).length,
        )
        const byUser = (await chat!.queries.listMembers({ kind: 'nobody' }, roomId)).toSorted((a, b) => a.user.id - b.user.id)
        expect(byUser.map(({ unreadCount }) => unreadCount)).toEqual(recount)
        expect(await unread()).toHaveLength(3)
        await chat!.close()
      }),
      { numRuns: 100 },
    )
  })

  it('is nothing in an empty room, and for who reads the newest', async () => {
    const { users, say, unread, reads } = await open()
    expect(await unread()).toEqual([0, 0, 0])
    for (let i = 0; i < 3; i++) await say(0)
    expect(await unread()).toEqual([0, 3, 3])
    await reads.advance(users[1]!, roomId, null)
    expect(await unread()).toEqual([0, 0, 3])
  })
})

describe('reading', () => {
  it('moves the marker forward and never back, and says each time when', async () => {
    const { users, say, reads, queries } = await open()
    const [a, b] = [await say(0), await say(0)]
    const first = await reads.advance(users[1]!, roomId, b.id)
    expect(first).toMatchObject({ markerSeq: b.seq, messageId: b.id, explicit: true, user: { id: 2 } })
    const back = await reads.advance(users[1]!, roomId, a.id)
    expect(back).toMatchObject({ markerSeq: b.seq, messageId: b.id })
    expect((await queries.getMember(roomId, 2)).marker).toEqual({ seq: b.seq, ordinal: 2, readAt: back.at })
  })

  it('[F5] is broadcast also when the marker stands there already', async () => {
    const { users, say, reads } = await open()
    await say(0)
    const client = await connect(chat!, users[0]!, roomId)
    for (let i = 0; i < 2; i++) await reads.advance(users[1]!, roomId, null)
    await settle()
    expect(client.frames.filter(({ event }) => event.type === 'read.advanced')).toHaveLength(2)
  })

  it('[P9] an id beyond the newest counts as the newest', async () => {
    const { users, say, reads } = await open()
    const { id } = await say(0)
    expect(await reads.advance(users[1]!, roomId, 999_999)).toMatchObject({ messageId: id })
  })

  it('is refused to strangers and in rooms that there are not', async () => {
    const { users, accounts, reads } = await open()
    await expect(reads.advance(await accounts.getOrMake(9), roomId, null)).rejects.toMatchObject({ code: 'not_a_member' })
    await expect(reads.advance(users[0]!, 99, null)).rejects.toMatchObject({ code: 'room_not_found' })
  })
})

describe('[A14] a deleted message', () => {
  it('is in no list, no count, and found by nobody', async () => {
    const { users, say, messages, queries, unread } = await open()
    const [a, b, c] = [await say(0, 'a'), await say(0, 'b'), await say(0, 'c')]
    await messages.remove(users[0]!, roomId, b.id)
    const reader: Principal = { kind: 'user', user: users[1]! }
    const page = await queries.listMessages(reader, roomId, { offset: 0, limit: 9 })
    expect([page.total, page.messages.map(({ message }) => message.id)]).toEqual([2, [c.id, a.id]])
    expect(
      (await queries.listMessages(reader, roomId, { offset: 1, limit: 1 })).messages.map(({ message }) => message.id),
    ).toEqual([a.id])
    await expect(queries.getMessage(reader, roomId, b.id)).rejects.toMatchObject({ code: 'message_not_found' })
    expect(await unread()).toEqual([0, 2, 2])
  })
})

describe('queries', () => {
  it('[M4] tell a missing room from one that is not his', async () => {
    const { queries, accounts, users, say } = await open()
    const { id } = await say(0)
    const stranger: Principal = { kind: 'user', user: await accounts.getOrMake(9) }
    const asks = (principal: Principal, room: number) => [
      queries.getRoom(principal, room),
      queries.listMembers(principal, room),
      queries.listMessages(principal, room, { offset: 0, limit: 1 }),
      queries.getMessage(principal, room, id),
    ]
    for (const asked of asks(stranger, roomId)) await expect(asked).rejects.toMatchObject({ code: 'not_a_member' })
    for (const asked of asks(stranger, 99)) await expect(asked).rejects.toMatchObject({ code: 'room_not_found' })
    for (const asked of asks({ kind: 'user', user: users[0]! }, roomId)) await asked
    for (const asked of asks({ kind: 'service', user: null }, roomId)) await asked
  })

  it('show authors by the name that they have now', async () => {
    const { queries, accounts, users, say } = await open()
    const { id } = await say(0)
    await accounts.update(users[0]!, { fullName: 'Lea' })
    const shown = await queries.getMessage({ kind: 'nobody' }, roomId, id)
    expect([shown.author.fullName, shown.message.content]).toEqual(['Lea', 'a'])
  })

  it('show a server to its members, and a user his rooms and servers', async () => {
    const { queries, spaces, rooms, users } = await open()
    const space = await spaces.create(users[0]!, { name: 'yard', description: null, iconUrl: null })
    const channel = await rooms.createChannel({ kind: 'user', user: users[0]! }, space.id, { name: 'a', description: null })
    expect(await queries.getSpace({ kind: 'user', user: users[0]! }, space.id)).toMatchObject({
      space: { id: space.id },
      rooms: [{ id: channel.id }],
    })
    await expect(queries.getSpace({ kind: 'user', user: users[1]! }, space.id)).rejects.toMatchObject({ code: 'not_a_member' })
    await expect(queries.getSpace({ kind: 'user', user: users[1]! }, 99)).rejects.toMatchObject({ code: 'space_not_found' })
    expect((await queries.listRoomsOf(1)).map(({ id }) => id)).toEqual([channel.id, roomId].toSorted((a, b) => a - b))
    expect([(await queries.listSpacesOf(1)).length, await queries.listSpacesOf(2)]).toEqual([1, []])
    expect((await queries.listUsers({ offset: 1, limit: 1 })).map(({ id }) => id)).toEqual([2])
  })
})
