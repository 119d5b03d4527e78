import { describe, expect, it } from 'vitest'
import type { ChatEvent } from '../../core/events.ts'
import { fileOf, messageOf } from '../../core/model.fixture.ts'
import type { User } from '../../core/model.ts'
import { unknownUser } from '../../core/user-cache.ts'
import { cursorFormat, encodeArrival, plainFormat } from './encode.ts'

const author: User = { ...unknownUser(7), username: 'mina', fullName: '미나', avatarUrl: 'https://h.test/a.png' }
const message = messageOf({ id: 5, content: '안녕', createdAt: 1_704_794_400_000 })
const base = { roomId: 3, seq: 9, stamp: { journal: 1, position: 4 }, userId: 7, actorId: 7, at: 0, user: author }
const posted: ChatEvent = { ...base, type: 'message.posted', message }

describe('events', () => {
  it('[W3] are packets as the contract prints them', () => {
    expect(plainFormat.encode(posted, null)).toBe(
      '42["chat message",{"id":5,"username":"미나","avatar":"https://h.test/a.png","content":"안녕","created_at":"2024-01-09T10:00:00.000Z"}]',
    )
    const edited: ChatEvent = { ...base, type: 'message.edited', message }
    expect(plainFormat.encode(edited, null)).toBe('42["message edited",{"id":5,"content":"안녕"}]')
    const deleted: ChatEvent = { ...base, type: 'message.deleted', message: { ...message, content: '', deletedAt: 1 } }
    expect(plainFormat.encode(deleted, null)).toBe('42["message deleted",{"id":5}]')
  })

  it("[W8] have the room's cursor as their second argument where it was asked for", () => {
    expect(cursorFormat.encode(posted, '1_1-aaaaaaaa-4')).toMatch(/\},"3\.1_1-aaaaaaaa-4"\]$/)
  })

  it('[A14] of a message that is deleted by now show nothing but that', () => {
    const gone = { ...message, content: '', deletedAt: 1 }
    expect(plainFormat.encode({ ...base, type: 'message.posted', message: gone }, null)).toBeNull()
    expect(plainFormat.encode({ ...base, type: 'message.edited', message: gone }, null)).toBeNull()
  })

  it('[W9] name an account by its name, or its username where that is empty', () => {
    expect(plainFormat.encode({ ...posted, user: { ...author, fullName: '' } }, null)).toContain('"username":"mina"')
  })

  it('[A16] show files by their names where there is no text', () => {
    const files = messageOf({ attachments: [fileOf(1, 'a.png'), fileOf(2, 'b.png')] })
    expect(plainFormat.encode({ ...posted, message: files }, null)).toContain('"content":"a.png\\nb.png"')
    const address = messageOf({ fileUrl: 'https://h.test/x/c.png?v=1' })
    expect(plainFormat.encode({ ...posted, message: address }, null)).toContain('"content":"c.png"')
  })
})

describe('the first events', () => {
  const arrival = { isReload: false, messages: [{ message, author }], cursor: '3.1_1-aaaaaaaa-4', changes: [] }
  it('[W3][W8] are one history, with a cursor where it was asked for, behind a reload where there is one', () => {
    const [history, ...others] = encodeArrival(arrival, null)
    expect([history, others]).toEqual([expect.stringMatching(/^42\["history",\[\{"id":5,.*\}\]\]$/), []])
    expect(encodeArrival(arrival, 0)).toEqual([expect.stringMatching(/\}\],"3\.1_1-aaaaaaaa-4"\]$/)])
    expect(encodeArrival({ ...arrival, isReload: true }, 'x')).toEqual([
      '42["reload",null,"x"]',
      expect.stringContaining('"history"'),
    ])
  })
})
