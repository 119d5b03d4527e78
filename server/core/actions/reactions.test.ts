import { afterEach, describe, expect, it } from 'vitest'
import { connect, openTestChat, until } from '../../../test/chat.ts'
import { openMemoryStorage } from '../../storage/memory/memory.ts'
import type { Chat } from '../chat.ts'
import type { ChatEvent } from '../events.ts'

const roomId = 7
let chat: Chat | undefined
afterEach(() => chat?.close())

/** Users 1 to 3, of whom 1 and 2 are in the room with a message of 1; 2 listens. */
async function open() {
  const opened = (chat = await openTestChat(openMemoryStorage()))
  const [lea, max, eve] = [
    await opened.accounts.getOrMake(1),
    await opened.accounts.getOrMake(2),
    await opened.accounts.getOrMake(3),
  ]
  for (const user of [lea, max]) await opened.rooms.touchOpen(user, roomId)
  const { message } = (await opened.messages.post(lea, roomId, { content: 'a' })).event
  const client = await connect(opened, max, roomId)
  const listOf = (...ids: number[]) => opened.queries.listReactions({ kind: 'user', user: max }, roomId, ids)
  return { ...opened, lea, max, eve, message, client, listOf }
}

function shownIn(events: ChatEvent[]): string[] {
  return events.flatMap((event) => {
    if (event.type === 'reaction.added') return [`${event.user.username} + ${event.reaction}`]
    if (event.type === 'reaction.removed') return [`${event.user.username} - ${event.reaction}`]
    return event.type.startsWith('message.') ? [event.type] : []
  })
}

describe('reactions', () => {
  it('[A1] reach everyone in the room, each once: what is there already and what is not are no events', async () => {
    const { reactions, messages, lea, max, message, client, listOf } = await open()
    const answers = [
      await reactions.add(lea, roomId, message.id, 'like'),
      await reactions.add(lea, roomId, message.id, 'like'),
      await reactions.add(max, roomId, message.id, 'like'),
      await reactions.add(lea, roomId, message.id, 'love'),
      await reactions.remove(lea, roomId, message.id, 'sad'),
      await reactions.remove(lea, roomId, message.id, 'like'),
      await reactions.remove(lea, roomId, message.id, 'like'),
    ]
    expect(answers).toEqual([true, false, true, true, false, true, false])
    expect(await listOf(message.id)).toMatchObject([
      { messageId: message.id, userId: 2, reaction: 'like' },
      { messageId: message.id, userId: 1, reaction: 'love' },
    ])
    await messages.post(lea, roomId, { content: 'the last' })
    const events = () => shownIn(client.frames.map(({ event }) => event))
    await until('the last message', () => events().includes('message.posted'))
    expect(events()).toEqual(['user1 + like', 'user2 + like', 'user1 + love', 'user1 - like', 'message.posted'])
  })

  it('are for members, to messages that are there', async () => {
    const { reactions, messages, queries, lea, eve, message } = await open()
    for (const change of [reactions.add, reactions.remove].map((one) => one.bind(reactions))) {
      await expect(change(eve, roomId, message.id, 'like')).rejects.toMatchObject({ code: 'not_a_member' })
      await expect(change(lea, 99, message.id, 'like')).rejects.toMatchObject({ code: 'room_not_found' })
      await expect(change(lea, roomId, 99, 'like')).rejects.toMatchObject({ code: 'message_not_found' })
    }
    await expect(queries.listReactions({ kind: 'user', user: eve }, roomId, [])).rejects.toMatchObject({ code: 'not_a_member' })
    await messages.remove(lea, roomId, message.id)
    await expect(reactions.add(lea, roomId, message.id, 'like')).rejects.toMatchObject({ code: 'message_not_found' })
  })

  it('[A17] have a name of 1 to 100 code points that can be kept', async () => {
    const { reactions, lea, message, listOf } = await open()
    for (const bad of ['', ' ', '\0', '\ud800', 'a'.repeat(101)]) {
      await expect(reactions.add(lea, roomId, message.id, bad)).rejects.toMatchObject({ code: 'invalid_field' })
      await expect(reactions.remove(lea, roomId, message.id, bad)).rejects.toMatchObject({ code: 'invalid_field' })
    }
    expect(await reactions.add(lea, roomId, message.id, '😀'.repeat(100))).toBe(true)
    expect(await listOf(message.id)).toHaveLength(1)
  })
})

describe('[A7] a replay', () => {
  /** What a client that comes back with the cursor of now is handed after these. */
  async function replayAfter(happens: (opened: Awaited<ReturnType<typeof open>>) => Promise<void>, before = happens) {
    const opened = await open()
    if (before !== happens) await before(opened)
    const { client, max } = opened
    const { cursor } = await connect(opened, max, roomId, '')
    client.leave()
    await happens(opened)
    const back = await connect(opened, max, roomId, cursor)
    expect(back.isReload).toBe(false)
    return shownIn(back.frames.map(({ event }) => event))
  }

  it('brings the reactions to an earlier message, of one that came and went the last change', async () => {
    const replayed = await replayAfter(async ({ reactions, lea, max, message }) => {
      await reactions.add(lea, roomId, message.id, 'like')
      await reactions.add(max, roomId, message.id, 'like')
      await reactions.remove(lea, roomId, message.id, 'like')
      await reactions.add(lea, roomId, message.id, 'love')
    })
    expect(replayed).toEqual(['user2 + like', 'user1 - like', 'user1 + love'])
  })

  it('brings those to a message that was missed itself behind it', async () => {
    const replayed = await replayAfter(async ({ reactions, messages, lea, max }) => {
      const { message } = (await messages.post(lea, roomId, { content: 'b' })).event
      await reactions.add(max, roomId, message.id, 'like')
      await messages.edit(lea, roomId, message.id, 'c')
    })
    expect(replayed).toEqual(['message.posted', 'user2 + like'])
  })

  it('brings none to a message that is deleted by now, whenever it was posted', async () => {
    const replayed = await replayAfter(async ({ reactions, messages, lea, max, message }) => {
      const { event } = await messages.post(lea, roomId, { content: 'b' })
      for (const { id } of [message, event.message]) {
        await reactions.add(max, roomId, id, 'like')
        await messages.remove(lea, roomId, id)
      }
    })
    expect(replayed).toEqual(['message.deleted'])
  })

  it('brings that one is gone which was there before', async () => {
    const replayed = await replayAfter(
      async ({ reactions, lea, message }) => void (await reactions.remove(lea, roomId, message.id, 'like')),
      async ({ reactions, lea, message }) => void (await reactions.add(lea, roomId, message.id, 'like')),
    )
    expect(replayed).toEqual(['user1 - like'])
  })
})
