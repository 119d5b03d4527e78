/** How this dialect shows the chat. Pure; an answer and the broadcast beside it are made by the same functions. */
import { formatRoomCursor } from '../../core/cursor.ts'
import type { ChatEvent } from '../../core/events.ts'
import type { Member, Message, Room, RoomId, User, UserId } from '../../core/model.ts'
import type { AccountObject, Envelope, MemberObject, MessageObject, RoomObject } from './wire.ts'

// -------------------------------------------------------------------------------------------------------------- objects

/** F5: UTC, whole seconds. */
export function encodeTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`
}

function encodeUser({ id, email, fullName }: User) {
  return { id, email, name: fullName }
}

export function encodeMessage(message: Message, author: User): MessageObject {
  return {
    id: message.id,
    chat_room_id: message.roomId,
    user_id: message.authorId,
    message: contentOf(message),
    message_type: message.kind,
    file_url: message.fileUrl ?? message.attachments[0]?.url ?? null,
    is_read: false,
    created_at: encodeTime(message.createdAt),
    updated_at: encodeTime(message.editedAt ?? message.createdAt),
    user: encodeUser(author),
  }
}

/** A16: a message without text shows the names of its files, of which this door has a field for the first alone. */
function contentOf({ content, attachments }: Message): string {
  return content === '' ? attachments.map(({ fileName }) => fileName).join('\n') : content
}

export function encodeMember(member: Member, user: User, unreadCount: number): MemberObject {
  const { readAt } = member.marker
  return {
    id: member.id,
    chat_room_id: member.roomId,
    user_id: member.userId,
    role: member.role,
    joined_at: encodeTime(member.joinedAt),
    last_read_at: readAt === null ? null : encodeTime(readAt),
    unread_count: unreadCount,
    created_at: encodeTime(member.joinedAt),
    user: encodeUser(user),
  }
}

/** A member as he is when he enters: with everything read. */
export function encodeNewMember(member: Member, user: User): MemberObject {
  return encodeMember(member, user, 0)
}

export function encodeRoom({ id, name, description, kind, createdAt, updatedAt }: Room): RoomObject {
  return { id, name, description, room_type: kind, created_at: encodeTime(createdAt), updated_at: encodeTime(updatedAt) }
}

export function encodeAccount(user: User): AccountObject {
  return { ...encodeUser(user), created_at: encodeTime(user.createdAt), updated_at: encodeTime(user.updatedAt) }
}

// --------------------------------------------------------------------------------------------------------------- frames

type Shown = { [Type in Envelope['type']]: Pick<Extract<Envelope, { type: Type }>, 'type' | 'data'> }[Envelope['type']]

/** A frame's text; null for what this dialect does not show: edits, deletions, reactions, changes of the room itself (A14). */
export function encodeEvent(event: ChatEvent, cursor: string | null): string | null {
  const shown = show(event)
  const roomCursor = cursor === null ? null : formatRoomCursor(event.roomId, cursor)
  return shown && encodeEnvelope(shown, { roomId: event.roomId, userId: event.userId }, roomCursor)
}

/** F4. `cursor` is a room's. */
export function encodeOnline(place: Place, cursor: string | null): string {
  return encodeEnvelope(showPresence(place.userId, true), place, cursor)
}

/** F7: what was missed cannot be told any more. `cursor` is a room's. */
export function encodeReload(place: Place, cursor: string): string {
  return encodeEnvelope({ type: 'reload', data: {} }, place, cursor)
}

interface Place {
  roomId: RoomId
  userId: UserId
}

/** F3: the keys in this order. */
function encodeEnvelope({ type, data }: Shown, { roomId, userId }: Place, cursor: string | null): string {
  const frame = { type, room_id: roomId, user_id: userId, data }
  return JSON.stringify(cursor === null ? frame : { ...frame, cursor })
}

function show(event: ChatEvent): Shown | null {
  switch (event.type) {
    case 'message.posted':
      return event.message.deletedAt === null ? { type: 'message', data: encodeMessage(event.message, event.user) } : null
    case 'read.advanced':
      return event.explicit ? { type: 'read', data: { user_id: event.userId, last_read_at: encodeTime(event.at) } } : null
    case 'member.added':
      return { type: 'member_join', data: encodeNewMember(event.member, event.user) }
    case 'member.removed':
      return { type: 'member_leave', data: { user_id: event.userId } }
    case 'presence.changed':
      return showPresence(event.userId, event.online)
    default:
      return null
  }
}

function showPresence(userId: UserId, isOnline: boolean): Shown {
  const status = isOnline ? 'online' : 'offline'
  return { type: `member_${status}`, data: { user_id: userId, status } }
}
