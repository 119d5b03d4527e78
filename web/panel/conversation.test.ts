import { describe, expect, test } from 'vitest'
import {
  addMessages,
  addOlder,
  addPending,
  confirmPending,
  countAfter,
  deleteMessage,
  dropOldest,
  editMessage,
  emptyConversation,
  failPending,
  keptMax,
  pageSize,
  retryPending,
  startOver,
  type Conversation,
} from './conversation.ts'
import { messageOf, messagesOf } from './message.fixture.ts'

const me = '지민'
const at = '2026-01-05T03:00:00.000Z'
const idsOf = ({ messages }: Conversation) => messages.map(({ id }) => id)
/** The keys of what the list shows as not sent. */
const unsentOf = ({ pendings }: Conversation) => pendings.filter(({ twin }) => twin === null).map(({ key }) => key)
const withPending = (key: string, content = '안녕', to = emptyConversation) => addPending(to, key, content, at)
const own = (id: number, content = '안녕') => messageOf(id, me, content)
const answer = (id: number) => ({ id, username: me, avatar: null })

describe("one's own messages", () => {
  test('[A8] a message that comes before its answer is seen once', () => {
    const arrived = addMessages(withPending('a'), [own(7)], me)
    expect([idsOf(arrived), unsentOf(arrived)]).toEqual([[7], []])
    const answered = confirmPending(arrived, 'a', answer(7))
    expect([idsOf(answered), answered.pendings]).toEqual([[7], []])
  })

  test('[A8] a message that comes after its answer is seen once, and its text and time are those that came', () => {
    const answered = confirmPending(withPending('a'), 'a', answer(7))
    expect(answered.messages).toEqual([{ ...answer(7), content: '안녕', created_at: at }])
    const arrived = addMessages(answered, [own(7)], me)
    expect([arrived.messages, arrived.pendings]).toEqual([[own(7)], []])
  })

  test('[A8] the same text sent twice is paired one by one, and that of somebody else with neither', () => {
    const both = withPending('b', '안녕', withPending('a'))
    const others = addMessages(both, [messageOf(6, '서준', '안녕')], me)
    expect(unsentOf(others)).toEqual(['a', 'b'])
    const first = addMessages(others, [own(7)], me)
    expect(unsentOf(first)).toEqual(['b'])
    expect(unsentOf(addMessages(first, [own(7)], me)), 'the same once more').toEqual(['b'])
    expect(unsentOf(addMessages(first, [own(8)], me))).toEqual([])
  })

  test('[W7] a message that failed stays, to be sent again or discarded, where the same text is sent anew', () => {
    const failed = failPending(withPending('a'), 'a', 'too long')
    const arrived = addMessages(withPending('b', '안녕', failed), [own(7)], me)
    expect(unsentOf(arrived)).toEqual(['a'])
    expect(unsentOf(confirmPending(arrived, 'b', answer(7)))).toEqual(['a'])
  })

  test('[W7] a message whose try again fails is shown again, though another had been taken for it', () => {
    const paired = addMessages(retryPending(failPending(withPending('a'), 'a', 'no'), 'a'), [own(7)], me)
    expect(unsentOf(paired)).toEqual([])
    expect(unsentOf(failPending(paired, 'a', 'no'))).toEqual(['a'])
  })

  test('[W10] one that was stored before all that is here leaves no hole: it comes with the older ones', () => {
    const later = startOver(withPending('a'), messagesOf(101, 100 + pageSize), me)
    const answered = confirmPending(later, 'a', answer(5))
    expect([idsOf(answered)[0], answered.hasOlder, answered.pendings]).toEqual([101, true, []])
    const whole = { ...later, hasOlder: false }
    expect(idsOf(confirmPending(whole, 'a', answer(5))).slice(0, 2), 'where there are no others').toEqual([5, 101])
  })

  test('[W8] a history that is not joined to what was there forgets all but what is not sent', () => {
    const before = withPending('a', '안녕', addMessages(emptyConversation, messagesOf(1, 3), me))
    const after = startOver(before, [messageOf(90), own(91)], me)
    expect([idsOf(after), after.hasOlder, unsentOf(after)]).toEqual([[90, 91], false, []])
    expect(after.pendings.map(({ twin }) => twin)).toEqual([91])
  })
})

describe('messages', () => {
  const three = addMessages(emptyConversation, messagesOf(1, 3), me)

  test('[A2] they stand by id, each once, in whichever order they come', () => {
    const mixed = addMessages(three, [messageOf(6), messageOf(5), messageOf(2, '서준', '고침')], me)
    expect(idsOf(mixed)).toEqual([1, 2, 3, 5, 6])
    expect(mixed.messages[1]!.content).toBe('고침')
  })

  test('[W3] an edit changes the text, a deletion takes the message, and of one that is not here nothing changes', () => {
    expect(editMessage(three, 2, '고침').messages.map(({ content }) => content)).toEqual(['1번째', '고침', '3번째'])
    expect(idsOf(deleteMessage(three, 2))).toEqual([1, 3])
    expect(deleteMessage(editMessage(three, 9, '고침'), 9)).toEqual(three)
  })

  test('[W10] a whole page of older ones says that there may be more, a smaller one that it was the last', () => {
    const newest = startOver(emptyConversation, messagesOf(61, 110), me)
    expect(newest.hasOlder).toBe(true)
    const older = addOlder(newest, messagesOf(11, 60))
    expect([idsOf(older)[0], older.hasOlder]).toEqual([11, true])
    const all = addOlder(older, messagesOf(1, 10))
    expect([idsOf(all)[0], all.messages.length, all.hasOlder]).toEqual([1, 110, false])
  })

  test('[W10] the newest 500 are kept, cut by pages, and the others can be had again', () => {
    const most = addMessages(emptyConversation, messagesOf(1, keptMax + pageSize - 1), me)
    expect(dropOldest(most)).toBe(most)
    const kept = dropOldest(addMessages(most, [messageOf(keptMax + pageSize)], me))
    expect([idsOf(kept)[0], kept.messages.length, kept.hasOlder]).toEqual([pageSize + 1, 500, true])
  })

  test('[W10] what is counted behind a message is of others', () => {
    expect(countAfter([...messagesOf(1, 4), own(5)], 2, me)).toBe(2)
  })
})
