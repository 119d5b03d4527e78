/** Server frames (C3): JSON text with `type` and `roomId`, keys in the contract's order. Pure. */
import type { ChatError } from '../../core/errors.ts'
import type { ChatEvent } from '../../core/events.ts'
import type { Message, MessageId, RoomId, User } from '../../core/model.ts'
import type { AuthoredMessage } from '../../core/queries.ts'
import type { Ending, Format } from '../../core/session.ts'
import { textOrNamesOf } from '../../core/texts.ts'
import { frameTexts } from '../../http/frames.ts'
import { encodeFailure } from './problems.ts'
import { encodeTime, type Failure } from './wire.ts'

/** A frame without its room and cursor. */
type Shown = { type: string } & Record<string, unknown>

/** A frame's text; null for what this door does not show: who is online, and reads that came with a message (A19). */
export function encodeEvent(event: ChatEvent, cursor: string | null): string | null {
  const shown = show(event)
  return shown && encodeFrame(shown, event.roomId, cursor)
}

/** C12: `cursor` where the socket asked for cursors; never on a frame without a room but a reload. */
function encodeFrame({ type, ...rest }: Shown, roomId: RoomId | null, cursor: string | null): string {
  const frame = { type, roomId: roomId === null ? null : String(roomId), ...rest }
  return JSON.stringify(cursor === null ? frame : { ...frame, cursor })
}

function show(event: ChatEvent): Shown | null {
  const userId = event.user.username
  switch (event.type) {
    case 'message.posted':
      return event.message.deletedAt === null ? { type: 'message', ...encodeMessage(event.message, event.user) } : null
    case 'message.edited':
      return { type: 'message_edited', ...encodeMessage(event.message, event.user) }
    case 'message.deleted':
      return { type: 'message_deleted', messageId: String(event.message.id), userId }
    case 'reaction.added':
      return event.message.deletedAt === null ? { type: 'reaction_added', ...showReaction(event) } : null
    case 'reaction.removed':
      return { type: 'reaction_removed', ...showReaction(event) }
    case 'read.advanced':
      return event.explicit && event.messageId !== null ? { type: 'read', messageId: String(event.messageId), userId } : null
    case 'member.added':
      return { type: 'participant_added', userId, role: event.member.role }
    case 'member.removed':
      return { type: 'participant_removed', userId }
    case 'role.changed':
      return { type: 'role_changed', userId, role: event.role }
    case 'name.changed':
      return { type: 'name_changed', userId, edited_name: event.nickname }
    case 'room.updated':
      return { type: 'room_renamed', name: event.name }
    case 'room.deleted':
      return { type: 'room_deleted' }
    default:
      return null
  }
}

function encodeMessage(message: Message, author: User) {
  const { id, createdAt } = message
  return {
    messageId: String(id),
    userId: author.username,
    content: textOrNamesOf(message),
    timestamp: encodeTime(createdAt),
  }
}

function showReaction({ message, user, reaction }: { message: Message; user: User; reaction: string }) {
  return { messageId: String(message.id), userId: user.username, reactionType: reaction }
}

/** C1: oldest first. */
export function encodeHistory(roomId: RoomId, messages: AuthoredMessage[], cursor: string | null): string {
  const shown = messages.map(({ message, author }) => encodeMessage(message, author))
  return encodeFrame({ type: 'history', messages: shown }, roomId, cursor)
}

/** C12. */
export function encodeReload(roomId: RoomId | null, cursor: string): string {
  return encodeFrame({ type: 'reload' }, roomId, cursor)
}

/** C3: to the socket alone that sent it with a key. */
export function encodeSent(sent: { roomId: RoomId; key: string; messageId: MessageId }, cursor: string | null): string {
  const { roomId, key, messageId } = sent
  return encodeFrame({ type: 'sent', key, messageId: String(messageId) }, roomId, cursor)
}

/** To the socket alone that sent what is refused, or is out of a room. */
export function encodeError(failure: Failure | ChatError, roomId: RoomId | null, cursor: string | null): string {
  const { error, message } = failure instanceof Error ? encodeFailure(failure) : failure
  return encodeFrame({ type: 'error', error, message }, roomId, roomId === null ? null : cursor)
}

/** C2: who is to sign in again is told so. */
function encodeEnding(ending: Ending): string | null {
  return ending === 'revoked' ? encodeFrame({ type: 'relogin_required' }, null, null) : null
}

const shared = { dialect: 'chatroom', encode: encodeEvent, encodeEnding, join: frameTexts }
export const plainFormat: Format = { ...shared, withCursor: false }
export const cursorFormat: Format = { ...shared, withCursor: true }
