/** Posting, editing and deleting. */
import type { Attachment, Message } from '../../core/model.ts'
import type { DeleteEntry, EditEntry, NewAttachment, Outcome, PostEntry, Refusal } from '../storage.ts'
import { done, keepRow, refused, takeRowPlace, type Draft } from './draft.ts'
import { forgetReactions } from './reactions.ts'
import { advance } from './reads.ts'
import { findLiveRoom, findPresent, type MemberState, type RoomState } from './state.ts'

export function doPost(draft: Draft, entry: PostEntry): Outcome {
  const room = findLiveRoom(draft.state, entry.roomId)
  if (room === undefined) return refused('room_not_found')
  const author = entry.isGuest ? undefined : findPresent(room, entry.authorId)
  if (author === undefined && !entry.isGuest) return refused('not_a_member')
  const known = findKey(room, entry)
  if (known !== null) return known
  if (draft.state.last.message >= draft.state.options.messageIdMax) return refused('ids_exhausted')
  return store(draft, room, author, entry)
}

/** What the client key decides; null where there is none or it is new. */
function findKey(room: RoomState, entry: PostEntry): Outcome | null {
  const known = entry.clientKey === null ? undefined : room.keys.get(keyOf(entry))
  if (known === undefined) return null
  return known.bodyHash === entry.bodyHash ? { status: 'repeated', seq: known.seq } : refused('key_conflict')
}

function keyOf(entry: PostEntry): string {
  return `${entry.authorId} ${entry.clientKey}`
}

function store(draft: Draft, room: RoomState, author: MemberState | undefined, entry: PostEntry): Outcome {
  const place = takeRowPlace(draft, room)
  const message = makeMessage(draft, room, { entry, seq: place.seq, at: place.at })
  room.messages.push(message)
  room.messagesById.set(message.id, message)
  if (entry.clientKey !== null) room.keys.set(keyOf(entry), { bodyHash: entry.bodyHash, seq: place.seq, at: place.at })
  const about = { userId: entry.authorId, actorId: entry.authorId }
  const posted = keepRow(draft, room, { type: 'message.posted', ...place, ...about, message })
  if (author === undefined) return done([posted])
  return done([posted, advance(draft, room, author, { target: message, explicit: false })])
}

function makeMessage(draft: Draft, room: RoomState, { entry, seq, at }: { entry: PostEntry; seq: number; at: number }): Message {
  draft.state.last.message += 1
  room.room.ordinal += 1
  return {
    id: draft.state.last.message,
    roomId: entry.roomId,
    seq,
    ordinal: room.room.ordinal,
    authorId: entry.authorId,
    kind: entry.messageKind,
    content: entry.content,
    fileUrl: entry.fileUrl,
    attachments: entry.attachments.map((attachment) => numbered(draft, attachment)),
    createdAt: at,
    editedAt: null,
    deletedAt: null,
  }
}

function numbered(draft: Draft, { fileName, url, mimeType, sizeBytes }: NewAttachment): Attachment {
  draft.state.last.attachment += 1
  return { id: draft.state.last.attachment, fileName, url, mimeType, sizeBytes }
}

export function doEdit(draft: Draft, entry: EditEntry): Outcome {
  const found = findOwn(draft, entry)
  if (typeof found === 'string') return refused(found)
  const { room, message } = found
  const place = takeRowPlace(draft, room)
  Object.assign(message, { content: entry.content, editedAt: place.at })
  const about = { userId: message.authorId, actorId: entry.actorId }
  return done([keepRow(draft, room, { type: 'message.edited', ...place, ...about, message })])
}

export function doDelete(draft: Draft, entry: DeleteEntry): Outcome {
  const found = findOwn(draft, entry)
  if (typeof found === 'string') return refused(found)
  const { room, message } = found
  const place = takeRowPlace(draft, room)
  Object.assign(message, { content: '', fileUrl: null, attachments: [], deletedAt: place.at })
  forgetReactions(room, message.id)
  const about = { userId: message.authorId, actorId: entry.actorId }
  return done([keepRow(draft, room, { type: 'message.deleted', ...place, ...about, message })])
}

/** The message that the actor may change, or why he may not. */
function findOwn(draft: Draft, entry: EditEntry | DeleteEntry): { room: RoomState; message: Message } | Refusal {
  const room = findLiveRoom(draft.state, entry.roomId)
  if (room === undefined) return 'room_not_found'
  if (findPresent(room, entry.actorId) === undefined) return 'not_a_member'
  const message = room.messagesById.get(entry.messageId)
  if (message === undefined || message.deletedAt !== null) return 'message_not_found'
  if (message.authorId !== entry.actorId) return 'not_the_author'
  return { room, message }
}
