/** For tests: what a message, a file and a member are where a test does not say otherwise. */
import type { Attachment, Member, Message } from './model.ts'

export function messageOf(fields: Partial<Message> = {}): Message {
  const times = { createdAt: 0, editedAt: null, deletedAt: null }
  const place = { id: 5, roomId: 3, seq: 9, ordinal: 5, authorId: 7 }
  return { ...place, kind: 'text', content: '', fileUrl: null, attachments: [], ...times, ...fields }
}

/** Stored under its id. */
export function fileOf(id: number, fileName: string): Attachment {
  return { id, fileName, url: `/uploads/${id}`, mimeType: null, sizeBytes: 1 }
}

/** In the room of `messageOf`, its author. */
export function memberOf(fields: Partial<Member> = {}): Member {
  const marker = { seq: 0, ordinal: 0, readAt: null }
  return { id: 1, roomId: 3, userId: 7, role: 'member', nickname: '', joinedAt: 0, joinedSeq: 1, marker, ...fields }
}
