import { describe, expect, test } from 'vitest'
import type { ChatEvent } from '../../core/events.ts'
import { fileOf, messageOf } from '../../core/model.fixture.ts'
import type { Message } from '../../core/model.ts'
import { unknownUser } from '../../core/user-cache.ts'
import { cursorFormat, encodeMessage, encodeTime, plainFormat } from './encode.ts'

const author = unknownUser(7)
const message = messageOf({ content: 'Hello', createdAt: Date.UTC(2025, 0, 15, 12, 30, 0, 120) })
const base = { roomId: 3, seq: 9, stamp: { journal: 1, position: 4 }, userId: 7, actorId: 7, at: message.createdAt, user: author }
const posted: ChatEvent = { ...base, type: 'message.posted', message }

describe('times', () => {
  test('[G5] are UTC without a zone, with microseconds, and none when zero', () => {
    expect(encodeTime(Date.UTC(2025, 0, 15, 12, 30, 0, 120))).toBe('2025-01-15T12:30:00.120000')
    expect(encodeTime(Date.UTC(2025, 0, 15, 12, 30, 0, 7))).toBe('2025-01-15T12:30:00.007000')
    expect(encodeTime(Date.UTC(2025, 0, 15, 12, 30))).toBe('2025-01-15T12:30:00')
    expect(encodeTime(0)).toBe('1970-01-01T00:00:00')
  })
})

describe('frames', () => {
  test('[G7] hold the keys of the list in its order, and a cursor at the end where asked for', () => {
    const keys = ['id', 'content', 'channel_id', 'author_id', 'author_username', 'created_at', 'updated_at']
    expect(Object.keys(JSON.parse(plainFormat.encode(posted, null)!))).toEqual(keys)
    const frame = JSON.parse(cursorFormat.encode(posted, '1_1-abcdefgh-4')!)
    expect(Object.keys(frame)).toEqual([...keys, 'cursor'])
    expect(frame.cursor).toBe('3.1_1-abcdefgh-4')
  })

  test('[A14] are messages alone: no other event is shown, nor one deleted meanwhile', () => {
    const others: ChatEvent[] = [
      { ...base, type: 'message.edited', message },
      { ...base, type: 'message.deleted', message: { ...message, deletedAt: 1 } },
      { ...base, type: 'message.posted', message: { ...message, content: '', deletedAt: 1 } },
      { ...base, type: 'room.created', memberIds: [7] },
      { ...base, type: 'room.updated', name: 'x', description: null },
      { ...base, type: 'room.deleted' },
      { ...base, type: 'member.removed', joinedSeq: 1 },
      { ...base, type: 'role.changed', role: 'admin' },
      { ...base, type: 'name.changed', nickname: 'x' },
      { ...base, type: 'reaction.added', message, reaction: 'like' },
      { ...base, type: 'reaction.removed', message, reaction: 'like' },
      { ...base, type: 'read.advanced', explicit: true, passed: true, markerSeq: 9, messageId: 5 },
      { type: 'presence.changed', roomId: 3, userId: 7, online: true, user: author },
    ]
    for (const event of others) expect(plainFormat.encode(event, null), event.type).toBeNull()
  })
})

describe('messages', () => {
  test('[G4] updated_at is when the message was last edited', () => {
    expect(encodeMessage(message, author).updated_at).toBe('2025-01-15T12:30:00.120000')
    expect(encodeMessage({ ...message, editedAt: 0 }, author).updated_at).toBe('1970-01-01T00:00:00')
  })

  test.each([
    ['https://example.com/a/photo.png?size=2#x', 'photo.png'],
    ['/uploads/report.pdf', 'report.pdf'],
    ['https://example.com/', 'example.com'],
  ])('[A16] without text %s is shown as %s', (fileUrl, name) => {
    expect(encodeMessage({ ...message, content: '', fileUrl }, author).content).toBe(name)
    expect(encodeMessage({ ...message, fileUrl }, author).content).toBe('Hello')
    expect(encodeMessage({ ...message, content: '', fileUrl, deletedAt: 1 }, author).content).toBe('')
  })

  test('[A16] without text is shown as the names of its files, one a line', () => {
    const attachments = [fileOf(1, '보고서.pdf'), fileOf(2, 'b.png')]
    const shown = (changes: Partial<Message>) => encodeMessage({ ...message, ...changes }, author).content
    expect(shown({ content: '', attachments })).toBe('보고서.pdf\nb.png')
    expect(shown({ content: '', attachments, fileUrl: '/uploads/a.txt' })).toBe('a.txt\n보고서.pdf\nb.png')
    expect(shown({ attachments })).toBe('Hello')
  })
})
