/** How the chat looks at this door (W3, W8, W9). Pure; keys stand in the contract's order. */
import type { Arrival } from '../../core/arrival.ts'
import { formatRoomCursor } from '../../core/cursor.ts'
import type { ChatEvent } from '../../core/events.ts'
import type { Message, User } from '../../core/model.ts'
import type { Format } from '../../core/session.ts'
import { textOrNamesOf } from '../../core/texts.ts'
import { encodeSocketIoEvent, joinEvents } from '../../http/socketio.ts'
import type { MessageObject } from './wire.ts'

export function encodeMessage(message: Message, author: User): MessageObject {
  const { id, createdAt } = message
  const { fullName, username, avatarUrl } = author
  const created_at = new Date(createdAt).toISOString()
  return { id, username: fullName || username, avatar: avatarUrl, content: textOrNamesOf(message), created_at }
}

/** W3; the cursor is the second argument of every event (W8). */
function encodeEvent(event: ChatEvent, cursor: string | null): string | null {
  const shown = show(event)
  const cursors = cursor === null ? [] : [formatRoomCursor(event.roomId, cursor)]
  return shown && encodeSocketIoEvent(shown.name, shown.data, ...cursors)
}

function show(event: ChatEvent): { name: string; data: object } | null {
  if (event.type === 'message.deleted') return { name: 'message deleted', data: { id: event.message.id } }
  if (!('message' in event) || event.message.deletedAt !== null) return null
  if (event.type === 'message.posted') return { name: 'chat message', data: encodeMessage(event.message, event.user) }
  if (event.type !== 'message.edited') return null
  return { name: 'message edited', data: { id: event.message.id, content: textOrNamesOf(event.message) } }
}

/** The first events of a client. A reload is known by the `since` that it answers: cut off before the history, the client asks the same again. */
export function encodeArrival({ isReload, messages, cursor }: Arrival, since: string | number | null): string[] {
  const cursors = since === null ? [] : [cursor]
  const history = messages.map(({ message, author }) => encodeMessage(message, author))
  const reload = isReload ? [encodeSocketIoEvent('reload', null, since)] : []
  return [...reload, encodeSocketIoEvent('history', history, ...cursors)]
}

const shared = { dialect: 'widget', encode: encodeEvent, join: joinEvents }
export const plainFormat: Format = { ...shared, withCursor: false }
export const cursorFormat: Format = { ...shared, withCursor: true }
