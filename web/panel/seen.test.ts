import { expect, test } from 'vitest'
import { addMessages, dropOldest, emptyConversation, keptMax, pageSize } from './conversation.ts'
import { openKeepsakes } from './keepsakes.ts'
import { messageOf, messagesOf } from './message.fixture.ts'
import { Seen } from './seen.ts'

const me = '지민'
/** Node has no storage, so these keep for as long as they live. */
const keep = () => openKeepsakes('가게', me)
const upTo = (last: number) => addMessages(emptyConversation, messagesOf(1, last), me)

test('[W10] a browser that was never here begins with nothing unread, and counts what others write from then on', () => {
  const seen = new Seen(keep(), me)
  expect(seen.look(upTo(50), false)).toBe(0)
  expect(seen.look(addMessages(upTo(52), [messageOf(53, me)], me), false)).toBe(2)
  expect(seen.upTo).toBe(50)
})

test('[W10] who looks has seen all, and so it stays at the next visit', () => {
  const keepsakes = keep()
  const seen = new Seen(keepsakes, me)
  seen.look(upTo(50), false)
  expect(seen.look(upTo(60), true)).toBe(0)
  const again = new Seen(keepsakes, me)
  expect(again.look(upTo(61), false)).toBe(1)
})

test('[W10] what another tab has seen is not unread here', () => {
  const keepsakes = keep()
  const [here, there] = [new Seen(keepsakes, me), new Seen(keepsakes, me)]
  here.look(upTo(50), false)
  expect(here.look(upTo(55), false)).toBe(5)
  there.look(upTo(55), true)
  expect(here.look(upTo(55), false)).toBe(0)
})

test('[W10] unread messages that the conversation drops still count, until they are seen', () => {
  const seen = new Seen(keep(), me)
  seen.look(upTo(10), false)
  const whole = upTo(keptMax + pageSize)
  const kept = dropOldest(whole)
  seen.drop(whole.messages.slice(0, -kept.messages.length))
  expect(seen.look(kept, false)).toBe(keptMax + pageSize - 10)
  expect(seen.look(kept, true)).toBe(0)
  expect(seen.look(addMessages(kept, [messageOf(9_999)], me), false)).toBe(1)
})
