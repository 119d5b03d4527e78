import { expect, test } from 'vitest'
import { addMessages, addPending, emptyConversation } from './conversation.ts'
import { messageOf } from './message.fixture.ts'
import { rowsOf, type Row } from './rows.ts'

const me = '지민'
const noon = Date.UTC(2026, 0, 5, 12)
const minutes = (count: number) => noon + count * 60_000

/** A message at so many minutes after noon. */
const said = (id: number, username: string, at: number) => ({
  ...messageOf(id, username),
  created_at: new Date(minutes(at)).toISOString(),
})
const listOf = (...messages: ReturnType<typeof said>[]) => addMessages(emptyConversation, messages, me)
/** `( … )` are the ends of a group. */
const draw = (rows: Row[]) =>
  rows.map((row) => {
    if (row.kind === 'day' || row.kind === 'divider') return row.kind
    const { isFirst, isLast } = row.place
    const name = row.kind === 'message' ? row.message.id : row.pending.key
    return `${isFirst ? '(' : ''}${name}${isLast ? ')' : ''}`
  })

test('[W7] what one person writes within five minutes is a group', () => {
  const list = listOf(said(1, '서준', 0), said(2, '서준', 4), said(3, me, 4), said(4, '서준', 5), said(5, '서준', 10))
  expect(draw(rowsOf(list, me, null))).toEqual(['day', '(1', '2)', '(3)', '(4)', '(5)'])
})

test('[W7] each day begins with its name, and no group goes on over midnight', () => {
  const midnight = new Date(noon).setHours(24, 0, 0, 0)
  const around = [said(1, '서준', (midnight - noon) / 60_000 - 1), said(2, '서준', (midnight - noon) / 60_000 + 1)]
  const rows = rowsOf(listOf(...around), me, null)
  expect(draw(rows)).toEqual(['day', '(1)', 'day', '(2)'])
})

test('[W7] the new begins with the first of others, in a group of its own; without one there is no line', () => {
  const list = listOf(said(1, '서준', 0), said(2, me, 0), said(3, '서준', 1), said(4, '서준', 1))
  expect(draw(rowsOf(list, me, 1))).toEqual(['day', '(1)', '(2)', 'divider', '(3', '4)'])
  expect(draw(rowsOf(list, me, 3))).toEqual(['day', '(1)', '(2)', '(3)', 'divider', '(4)'])
  expect(draw(rowsOf(list, me, 4))).not.toContain('divider')
})

test('[W7] what is not sent stands at the end, and is not shown beside the message that it most likely is', () => {
  const sent = addPending(listOf(said(1, me, 0)), 'key', '안녕', new Date(minutes(1)).toISOString())
  expect(draw(rowsOf(sent, me, null))).toEqual(['day', '(1', 'key)'])
  const arrived = addMessages(sent, [{ ...said(2, me, 1), content: '안녕' }], me)
  expect(draw(rowsOf(arrived, me, null))).toEqual(['day', '(1', '2)'])
})
