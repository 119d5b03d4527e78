import { describe, expect, it } from 'vitest'
import { fileOf, messageOf } from '../../core/model.fixture.ts'
import type { Message } from '../../core/model.ts'
import { unknownUser } from '../../core/user-cache.ts'
import { encodeEvent, encodeMessage } from './encode.ts'

const attachments = [fileOf(1, '보고서.pdf'), fileOf(2, 'b.png')]
const shown = (changes: Partial<Message>) => {
  const { message: text, file_url } = encodeMessage(messageOf(changes), unknownUser(7))
  return [text, file_url]
}

it('[A14] a message that was deleted before it is handed out is not shown', () => {
  const stamp = { journal: 1, position: 1 }
  const posted = { type: 'message.posted', roomId: 3, seq: 9, stamp, userId: 7, actorId: 7, at: 0, user: unknownUser(7) } as const
  expect(encodeEvent({ ...posted, message: messageOf({ content: 'x' }) }, null)).toContain('"message":"x"')
  expect(encodeEvent({ ...posted, message: messageOf({ deletedAt: 1 }) }, null)).toBeNull()
})

describe('[A16] a message with files from another door', () => {
  it('shows the first as file_url, and the names of all one a line where there is no text', () => {
    expect(shown({ attachments })).toEqual(['보고서.pdf\nb.png', '/uploads/1'])
    expect(shown({ attachments, content: '여기요' })).toEqual(['여기요', '/uploads/1'])
  })

  it("is shown like this door's own otherwise: a file_url of its own stands, and without any there is none", () => {
    expect(shown({ attachments, fileUrl: 'https://h/a' })[1]).toBe('https://h/a')
    expect(shown({ fileUrl: 'https://h/a' })).toEqual(['', 'https://h/a'])
    expect(shown({})).toEqual(['', null])
  })
})
