/** How single things look (P3 to P8, A14, A16), without a server. */
import { describe, expect, test } from 'vitest'
import type { ChatView } from '../../core/chat-list.ts'
import type { ChatEvent } from '../../core/events.ts'
import * as plain from '../../core/model.fixture.ts'
import type { Attachment, Message, Room, User } from '../../core/model.ts'
import { unknownUser } from '../../core/user-cache.ts'
import { createTimeText, encodeConversation, encodeListed, encodeMessage, groupwareFormat } from './encode.ts'
import { frame, listedMessage, message as messageSchema } from './wire.ts'

const at = Date.UTC(2025, 0, 15, 15, 4, 5, 6)
const seoul = createTimeText('Asia/Seoul')

function userOf(id: number, fullName: string): User {
  return { ...unknownUser(id), username: `user${id}`, fullName }
}

const author = userOf(7, '  김영희 ')

function messageOf(fields: Partial<Message> = {}): Message {
  return plain.messageOf({ id: 42, content: '안녕', createdAt: at, ...fields })
}

const png: Attachment = { id: 5, fileName: '사진.png', url: '/uploads/abc.png', mimeType: 'image/png', sizeBytes: 12 }

describe('messages', () => {
  test('[P5] a name is the trimmed full name, or the username', () => {
    expect(encodeMessage(messageOf(), author).sender_name).toBe('김영희')
    expect(encodeMessage(messageOf(), userOf(7, ' \t')).sender_name).toBe('user7')
  })

  test('[P5] attachments stand in their order, with what they belong to', () => {
    const second = { ...png, id: 6, fileName: 'b.bin', mimeType: null }
    const shown = messageSchema.parse(encodeMessage(messageOf({ attachments: [png, second] }), author))
    expect(shown.attachments).toEqual([
      { id: 5, message_id: 42, file_name: '사진.png', file_path: '/uploads/abc.png', mime_type: 'image/png', size: 12 },
      { id: 6, message_id: 42, file_name: 'b.bin', file_path: '/uploads/abc.png', mime_type: null, size: 12 },
    ])
  })

  test.each([
    ['https://files.example/a/b.pdf?x=1/2#y', 'b.pdf'],
    ['/uploads/abc.png', 'abc.png'],
    ['https://files.example/a/', 'a'],
    ['https://files.example', 'files.example'],
  ])('[A16] the address %s is an attachment %s', (fileUrl, name) => {
    const { attachments } = encodeMessage(messageOf({ content: '', fileUrl }), author)
    expect(attachments).toEqual([{ id: 42, message_id: 42, file_name: name, file_path: fileUrl, mime_type: null, size: 0 }])
  })

  test('[P7] times are ISO with milliseconds, and texts by the clocks of a zone, midnight and summer time too', () => {
    const listed = listedMessage.parse(encodeListed({ message: messageOf(), author, unreadCount: 2 }, seoul))
    expect(listed).toMatchObject({
      created_at: '2025-01-15T15:04:05.006Z',
      created_at_text: '2025-01-16 00:04:05',
      unread_count: 2,
    })
    expect(createTimeText('America/New_York')(Date.UTC(2025, 6, 4, 3, 59, 59))).toBe('2025-07-03 23:59:59')
    expect(createTimeText('UTC')(Date.UTC(2000, 1, 29))).toBe('2000-02-29 00:00:00')
  })

  test('[P7] shows each second of a minute that it has shown before, and the next minute', () => {
    const newYear = Date.UTC(2025, 11, 31, 15)
    const shown = [-60_000, -1, 0, -1_000, 59_999].map((ms) => seoul(newYear + ms))
    expect(shown.map((text) => text.slice(-8))).toEqual(['23:59:00', '23:59:59', '00:00:00', '23:59:59', '00:00:59'])
    expect(shown[2]).toBe('2026-01-01 00:00:00')
  })
})

describe('conversations', () => {
  const room = { id: 3, kind: 'direct', name: '', updatedAt: at - 1000 } as Room
  const view: ChatView = { room, memberCount: 2, other: userOf(8, ''), last: null, unreadCount: 1 }
  const last = (fields: Partial<Message>) => ({ ...view, last: { message: messageOf(fields), author } })

  test('[P8] last_content is null without messages, and “파일 첨부” for files only', () => {
    const content = (chat: ChatView) => encodeConversation(chat, seoul).last_content
    expect(content(view)).toBe(null)
    expect(content(last({ attachments: [png] }))).toBe('안녕')
    expect(content(last({ content: '', attachments: [png] }))).toBe('파일 첨부')
    expect(content(last({ content: '', fileUrl: 'https://files.example/x' }))).toBe('파일 첨부')
    expect(content(last({ content: '' }))).toBe(null)
  })

  test('[P8] what has no message yet was active when it was made', () => {
    expect(encodeConversation(view, seoul)).toMatchObject({
      updated_at: '2025-01-15T15:04:04.006Z',
      last_at: null,
      last_at_text: null,
    })
    expect(encodeConversation(last({}), seoul)).toMatchObject({
      updated_at: '2025-01-15T15:04:05.006Z',
      last_at_text: '2025-01-16 00:04:05',
    })
  })

  test('[P8] a channel of another door is a group with its name', () => {
    const channel = { ...view, room: { ...room, kind: 'channel', name: 'general' } as Room }
    expect(encodeConversation(channel, seoul)).toMatchObject({ is_group: true, title: 'general', other_user_name: 'user8' })
  })
})

describe('frames', () => {
  const base = { roomId: 3, stamp: { journal: 1, position: 1 }, userId: 7, actorId: 7, at, seq: 9, user: author }

  function shown(event: object): unknown {
    const text = groupwareFormat.encode({ ...base, ...event } as ChatEvent, null)
    if (text === null) return null
    expect(text).toMatch(/^data: [^\n]*\n\n$/)
    return frame.parse(JSON.parse(text.slice('data: '.length)))
  }

  test('[P3] a frame is one line of data after its id, and has no id without a cursor', () => {
    const event = { ...base, type: 'message.posted', message: messageOf({ content: 'a\r\nb\n\nc\u2028' }) } as ChatEvent
    const text = groupwareFormat.encode(event, '1_1-97dd545b-4')!
    expect(text).toMatch(/^id: 1_1-97dd545b-4\ndata: [^\r\n]*\n\n$/)
    expect(groupwareFormat.encode(event, null)).toBe(text.slice(text.indexOf('\n') + 1))
    expect(Buffer.from(groupwareFormat.join([text, text])).toString()).toBe(text + text)
  })

  test('[P4] a message comes as it was answered', () => {
    const message = messageOf({ attachments: [png] })
    expect(shown({ type: 'message.posted', message })).toEqual({
      type: 'message',
      data: { chat_id: 3, message: encodeMessage(message, author) },
    })
  })

  test('[P4] an edit has the new text, a deletion none', () => {
    const data = (action: string) => ({ chat_id: 3, action, message_id: 42 })
    const edited = { type: 'conversation', data: { ...data('message_edited'), content: '안녕' } }
    expect(shown({ type: 'message.edited', message: messageOf({ editedAt: at }) })).toEqual(edited)
    const message = messageOf({ content: '', deletedAt: at })
    expect(shown({ type: 'message.deleted', message })).toEqual({ type: 'conversation', data: data('message_deleted') })
    expect(shown({ type: 'message.posted', message })).toBe(null)
    expect(shown({ type: 'message.edited', message })).toBe(null)
  })

  test('[P9] a read comes only where it went past something', () => {
    const read = { type: 'read.advanced', explicit: true, markerSeq: 9, messageId: 42 }
    expect(shown({ ...read, passed: true })).toEqual({ type: 'read', data: { chat_id: 3, user_id: 7, last_message_id: 42 } })
    expect(shown({ ...read, explicit: false, passed: true })).not.toBe(null)
    expect(shown({ ...read, passed: false })).toBe(null)
  })

  test('[P4] one invitation is one frame, its last event’s, with nobody’s name where a service key invited', () => {
    const invited = [userOf(8, '이철수'), userOf(9, '')]
    const added = { type: 'member.added', actorId: 7, together: [8, 9], invitation: { inviter: author, invited } }
    expect(shown({ ...added, userId: 8 })).toBe(null)
    const data = {
      chat_id: 3,
      action: 'invited',
      inviter_id: 7,
      inviter_name: '김영희',
      invited_user_ids: [8, 9],
      invited_user_names: ['이철수', 'user9'],
    }
    expect(shown({ ...added, userId: 9 })).toEqual({ type: 'conversation', data })
    const byHost = { ...added, userId: 9, actorId: null, invitation: { inviter: null, invited } }
    expect(shown(byHost)).toEqual({ type: 'conversation', data: { ...data, inviter_id: null, inviter_name: null } })
  })

  test('[P4] who leaves or is removed has left', () => {
    const data = { chat_id: 3, action: 'left', user_id: 7, user_name: '김영희' }
    expect(shown({ type: 'member.removed', actorId: 8 })).toEqual({ type: 'conversation', data })
  })

  test('[P4] the rest shows nothing', () => {
    for (const type of ['room.created', 'room.updated', 'room.deleted', 'role.changed', 'name.changed', 'presence.changed'])
      expect(shown({ type })).toBe(null)
  })

  test('[A14] reactions show nothing', () => {
    for (const type of ['reaction.added', 'reaction.removed'])
      expect(shown({ type, message: messageOf(), reaction: 'like' })).toBe(null)
  })
})
