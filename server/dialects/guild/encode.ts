/** How the chat looks at this door (G3 to G5, G7). Pure; keys stand in the contract's order. */
import { formatRoomCursor } from '../../core/cursor.ts'
import type { ChatEvent } from '../../core/events.ts'
import type { Message, Room, Space, User } from '../../core/model.ts'
import type { Format } from '../../core/session.ts'
import type { Entered } from '../../core/sessions.ts'
import { textOrNamesOf } from '../../core/texts.ts'
import { frameTexts } from '../../http/frames.ts'
import type { ChannelResponse, MessageResponse, ServerResponse, UserResponse } from './wire.ts'

/** G5: as Python's isoformat of a UTC time without a zone: microseconds, left out when zero. */
export function encodeTime(timeMs: number): string {
  if (timeMs !== latest.timeMs) latest = { timeMs, text: formatTime(timeMs) }
  return latest.text
}

/** All messages of a commit bear its time. */
let latest = { timeMs: NaN, text: '' }

function formatTime(timeMs: number): string {
  const iso = new Date(timeMs).toISOString()
  return iso.endsWith('.000Z') ? iso.slice(0, -5) : `${iso.slice(0, -1)}000`
}

function encodeTimes({ createdAt, updatedAt }: { createdAt: number; updatedAt: number }) {
  return { created_at: encodeTime(createdAt), updated_at: encodeTime(updatedAt) }
}

export function encodeUser(user: User): UserResponse {
  const { id, username, email, fullName, bio, avatarUrl } = user
  return { id, username, email, display_name: fullName || username, bio, avatar_url: avatarUrl, ...encodeTimes(user) }
}

export function encodeServer(space: Space): ServerResponse {
  const { id, name, description, iconUrl, ownerId } = space
  return { id, name, description, icon_url: iconUrl, owner_id: ownerId, ...encodeTimes(space) }
}

export function encodeChannel(room: Room): ChannelResponse {
  const { id, name, description, spaceId } = room
  return { id, name, description, server_id: spaceId, ...encodeTimes(room) }
}

export function encodeMessage(message: Message, author: User): MessageResponse {
  const { id, roomId, authorId, createdAt, editedAt } = message
  const created_at = encodeTime(createdAt)
  return {
    id,
    content: textOrNamesOf(message),
    channel_id: roomId,
    author_id: authorId,
    author_username: author.username,
    created_at,
    updated_at: editedAt === null ? created_at : encodeTime(editedAt),
  }
}

/** G7: the only frame that everybody gets is a message. */
function encodeEvent(event: ChatEvent, cursor: string | null): string | null {
  if (event.type !== 'message.posted' || event.message.deletedAt !== null) return null
  return encodeFrame(event.message, event.user, cursor === null ? null : formatRoomCursor(event.roomId, cursor))
}

/** `cursor` is a room's. */
export function encodeFrame(message: Message, author: User, cursor: string | null): string {
  const shown = encodeMessage(message, author)
  return JSON.stringify(cursor === null ? shown : { ...shown, cursor })
}

/** The first frame of a client that asked for cursors (A7). */
export function encodeStart({ cursor, isReload }: Entered): string {
  return JSON.stringify(isReload ? { reload: true, cursor } : { cursor })
}

const shared = { dialect: 'guild', encode: encodeEvent, join: frameTexts }
export const plainFormat: Format = { ...shared, withCursor: false }
export const cursorFormat: Format = { ...shared, withCursor: true }
