/** How the chat looks at this door (P1, P4, P5, P7, P8). Pure; keys stand in the contract's order. */
import type { OrganisationTree, DepartmentNode } from '../../core/actions/organisation.ts'
import type { ChatView } from '../../core/chat-list.ts'
import type { CountedMessage } from '../../core/counted-messages.ts'
import type { ChatEvent, MemberAdded } from '../../core/events.ts'
import type { Department, Message, User } from '../../core/model.ts'
import type { Format } from '../../core/session.ts'
import { fileNameOf } from '../../core/texts.ts'
import type {
  AccountObject,
  AttachmentObject,
  ConversationObject,
  DepartmentObject,
  FrameObject,
  ListedMessageObject,
  MessageObject,
  PersonObject,
  TreeNode,
} from './wire.ts'

// ------------------------------------------------------------------------------------------------------------------- times

const minuteMs = 60_000
/** Some 1 MB. */
const minutesKept = 10_000

/** Minutes are kept with what their times begin with: of a thousand chats the times took longer than all else that is encoded. */
function keepMinutes(textOf: (minuteMs: number) => string): (minute: number) => string {
  const texts = new Map<number, string>()
  return (minute) => {
    let text = texts.get(minute)
    if (text === undefined) {
      if (texts.size >= minutesKept) texts.clear()
      texts.set(minute, (text = textOf(minute * minuteMs)))
    }
    return text
  }
}

const isoMinute = keepMinutes((timeMs) => new Date(timeMs).toISOString().slice(0, -'00.000Z'.length))

/** P7: ISO with milliseconds and Z. */
function encodeTime(timeMs: number): string {
  const minute = Math.floor(timeMs / minuteMs)
  const rest = String(timeMs - minute * minuteMs).padStart(5, '0')
  return `${isoMinute(minute)}${rest.slice(0, 2)}.${rest.slice(2)}Z`
}

/**
 * P7: `YYYY-MM-DD HH:MM:SS` by the clocks of a zone; the format of Sweden is the one that has it so. The clocks of all zones have gone by
 * whole minutes since 1972.
 */
export function createTimeText(timeZone: string): (timeMs: number) => string {
  const format = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'medium' })
  const zoneMinute = keepMinutes((timeMs) => format.format(timeMs).slice(0, -'00'.length))
  return (timeMs) => {
    const minute = Math.floor(timeMs / minuteMs)
    return zoneMinute(minute) + String(Math.floor((timeMs - minute * minuteMs) / 1000)).padStart(2, '0')
  }
}

export type TimeText = ReturnType<typeof createTimeText>

// ---------------------------------------------------------------------------------------------------------------- messages

/** P5: a name to show. */
function nameOf({ fullName, username }: User): string {
  return fullName.trim() || username
}

/** As it is answered to its sender and as everybody gets it. */
export function encodeMessage(message: Message, author: User): MessageObject {
  const { id, roomId, authorId, content, createdAt } = message
  const shown: MessageObject = {
    id,
    chat_id: roomId,
    sender_id: authorId,
    sender_name: nameOf(author),
    content: content === '' ? null : content,
    created_at: encodeTime(createdAt),
  }
  const attachments = encodeAttachments(message)
  if (attachments.length > 0) shown.attachments = attachments
  return shown
}

/** As it stands in a list. Spelled out: with other fields behind it a spread takes longer than the rest, and burdens the old generation. */
export function encodeListed({ message, author, unreadCount }: CountedMessage, timeText: TimeText): ListedMessageObject {
  const { id, roomId, authorId, content, createdAt } = message
  return {
    id,
    chat_id: roomId,
    sender_id: authorId,
    sender_name: nameOf(author),
    content: content === '' ? null : content,
    created_at: encodeTime(createdAt),
    created_at_text: timeText(createdAt),
    attachments: encodeAttachments(message),
    unread_count: unreadCount,
  }
}

/** A16: what another door knows as an address is a file of which nothing but its name is known. */
function encodeAttachments({ id: message_id, fileUrl, attachments }: Message): AttachmentObject[] {
  const stored = attachments.map(({ id, fileName, url, mimeType, sizeBytes }) => {
    return { id, message_id, file_name: fileName, file_path: url, mime_type: mimeType, size: sizeBytes }
  })
  if (fileUrl === null) return stored
  const named = { id: message_id, message_id, file_name: fileNameOf(fileUrl), file_path: fileUrl, mime_type: null, size: 0 }
  return [named, ...stored]
}

// ------------------------------------------------------------------------------------------------------------------- chats

const filesOnly = '파일 첨부'

/** P8. */
export function encodeConversation(view: ChatView, timeText: TimeText): ConversationObject {
  const { room, last, other } = view
  const at = last && last.message.createdAt
  const lastAt = at === null ? null : encodeTime(at)
  return {
    id: room.id,
    is_group: room.kind !== 'direct',
    title: room.name === '' ? null : room.name,
    updated_at: lastAt ?? encodeTime(room.updatedAt),
    last_content: last && summaryOf(last.message),
    last_at: lastAt,
    last_at_text: at === null ? null : timeText(at),
    last_sender_name: last && nameOf(last.author),
    unread_count: view.unreadCount,
    other_user_id: other && other.id,
    other_user_name: other && nameOf(other),
    member_count: view.memberCount,
  }
}

function summaryOf({ content, fileUrl, attachments }: Pick<Message, 'content' | 'fileUrl' | 'attachments'>): string | null {
  if (content !== '') return content
  return fileUrl !== null || attachments.length > 0 ? filesOnly : null
}

// ------------------------------------------------------------------------------------------------------------------ people

export function encodePerson(user: User): PersonObject {
  return { id: user.id, name: nameOf(user), username: user.username, is_active: user.isActive }
}

export function encodeAccount({ id, username, email, fullName }: User): AccountObject {
  return { id, username, email, full_name: fullName }
}

export function encodeDepartment({ id, name, code, parentId, sortOrder, isActive }: Department): DepartmentObject {
  return { id, name, code, parent_id: parentId, sort_order: sortOrder, is_active: isActive }
}

/** P1: departments before the people beside them; those without one last. */
export function encodeTree({ roots, unassigned }: OrganisationTree): TreeNode[] {
  const nodes = roots.map(encodeBranch)
  if (unassigned.length === 0) return nodes
  const children = unassigned.map(encodeLeaf)
  return [...nodes, { key: 'd-__unassigned__', label: '부서 없음', type: 'dept', data: { id: null, type: 'dept' }, children }]
}

function encodeBranch({ department: { id, name }, children, users }: DepartmentNode): TreeNode {
  const below = [...children.map(encodeBranch), ...users.map(encodeLeaf)]
  return { key: `d-${id}`, label: name, type: 'dept', data: { id, type: 'dept' }, children: below }
}

function encodeLeaf(user: User): TreeNode {
  return { key: `u-${user.id}`, label: nameOf(user), type: 'user', data: { id: user.id, type: 'user' }, children: [] }
}

// ------------------------------------------------------------------------------------------------------------------ frames

/** A whole frame of the stream; `id:` is what a client resumes from (P3). */
export function encodeFrame(frame: FrameObject, cursor: string | null = null): string {
  const data = `data: ${JSON.stringify(frame)}\n\n`
  return cursor === null ? data : `id: ${cursor}\n${data}`
}

/** P4: null for what this door does not show. */
function show(event: ChatEvent): FrameObject | null {
  switch (event.type) {
    case 'message.posted':
      return showPosted(event.message, event.user)
    case 'message.edited':
      return event.message.deletedAt === null ? showEdited(event.message) : null
    case 'message.deleted':
      return showChange({ chat_id: event.roomId, action: 'message_deleted', message_id: event.message.id })
    case 'read.advanced':
      return event.passed ? showRead(event.roomId, event.userId, event.messageId) : null
    case 'member.added':
      return showInvited(event)
    case 'member.removed':
      return showChange({ chat_id: event.roomId, action: 'left', user_id: event.userId, user_name: nameOf(event.user) })
    default:
      return null
  }
}

function showPosted(message: Message, author: User): FrameObject | null {
  if (message.deletedAt !== null) return null
  return { type: 'message', data: { chat_id: message.roomId, message: encodeMessage(message, author) } }
}

function showEdited({ roomId, id, content }: Message): FrameObject {
  return showChange({ chat_id: roomId, action: 'message_edited', message_id: id, content: content === '' ? null : content })
}

function showRead(chat_id: number, user_id: number, last_message_id: number | null): FrameObject {
  return { type: 'read', data: { chat_id, user_id, last_message_id } }
}

/** One frame for one invitation: its last event's. */
function showInvited({ roomId, userId, user, together, invitation }: ChatEvent & MemberAdded): FrameObject | null {
  if (together.length > 0 && together.at(-1) !== userId) return null
  const { inviter, invited } = invitation ?? { inviter: null, invited: [user] }
  return showChange({
    chat_id: roomId,
    action: 'invited',
    inviter_id: inviter && inviter.id,
    inviter_name: inviter && nameOf(inviter),
    invited_user_ids: invited.map(({ id }) => id),
    invited_user_names: invited.map(nameOf),
  })
}

function showChange(data: Extract<FrameObject, { type: 'conversation' }>['data']): FrameObject {
  return { type: 'conversation', data }
}

/** A text is a whole frame, so that a cut in a joined write leaves whole ones with cursors of their own. */
export const groupwareFormat: Format = {
  dialect: 'groupware',
  withCursor: true,
  encode(event, cursor) {
    const shown = show(event)
    return shown && encodeFrame(shown, cursor)
  },
  join: (texts) => Buffer.from(texts.join('')),
}
