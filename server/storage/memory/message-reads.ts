/** What is read of a room's messages and of its log. A deleted room has none of it. */
import type { LogRow } from '../../core/events.ts'
import type { Attachment, Message, RoomId } from '../../core/model.ts'
import type { LogStore } from '../storage.ts'
import { listReactions } from './reactions.ts'
import { readMarkers } from './reads.ts'
import { copyFact, copyMessage, filterRooms, findLiveRoom, type MemoryState } from './state.ts'

type MessageReads = Pick<
  LogStore,
  | 'findMessage'
  | 'findMessageAt'
  | 'findMessageSeq'
  | 'listMessages'
  | 'listMessagesBelow'
  | 'listMessagesAbove'
  | 'findAttachment'
  | 'filterAttached'
  | 'listReactions'
  | 'countDeletedAfter'
  | 'readLog'
  | 'readMarkers'
>

export function openMessageReads(state: MemoryState): MessageReads {
  return {
    findMessage: async (roomId, messageId) => {
      const found = findLiveRoom(state, roomId)?.messagesById.get(messageId)
      return found?.deletedAt === null ? copyMessage(found) : null
    },
    findMessageAt: async (roomId, seq) => {
      const row = findLiveRoom(state, roomId)?.rows[seq - 1]
      return row?.type === 'message.posted' ? copyMessage(row.message) : null
    },
    findMessageSeq: async (roomId, messageId) => findLiveRoom(state, roomId)?.messagesById.get(messageId)?.seq ?? null,
    listMessages: async (roomId, { offset, limit }) =>
      presentMessages(state, roomId)
        .toReversed()
        .slice(offset, offset + limit)
        .map(copyMessage),
    listMessagesBelow: async (roomId, below, limit) => {
      const found = presentMessages(state, roomId).filter((message) => message.seq < below)
      return found.toReversed().slice(0, limit).map(copyMessage)
    },
    listMessagesAbove: async (roomId, above, limit) => {
      const found = presentMessages(state, roomId).filter((message) => message.seq > above)
      return found.slice(0, limit).map(copyMessage)
    },
    findAttachment: async (url) => findAttachment(state, url),
    filterAttached: async (urls) => [...new Set(urls)].filter((url) => findAttachment(state, url) !== null),
    listReactions: async (roomId, messageIds) => listReactions(state, roomId, messageIds),
    countDeletedAfter: async (roomId, seqs) => countDeletedAfter(state, roomId, seqs),
    readLog: async (roomId, below, limit) => readLog(state, roomId, below, limit),
    readMarkers: async (roomId, options) => readMarkers(state, roomId, options),
  }
}

/** Those that are not deleted, oldest first. */
function presentMessages(state: MemoryState, roomId: RoomId): Message[] {
  return (findLiveRoom(state, roomId)?.messages ?? []).filter((message) => message.deletedAt === null)
}

function findAttachment(state: MemoryState, url: string): { roomId: RoomId; attachment: Attachment } | null {
  for (const room of filterRooms(state, () => true)) {
    const attachment = room.messages.flatMap((message) => message.attachments).find((found) => found.url === url)
    if (attachment !== undefined) return { roomId: room.room.id, attachment: { ...attachment } }
  }
  return null
}

function countDeletedAfter(state: MemoryState, roomId: RoomId, seqs: number[]): number[] {
  const deleted = (findLiveRoom(state, roomId)?.messages ?? []).filter((message) => message.deletedAt !== null)
  return seqs.map((seq) => deleted.filter((message) => message.seq > seq).length)
}

function readLog(state: MemoryState, roomId: RoomId, below: number, limit: number): LogRow[] {
  const rows = findLiveRoom(state, roomId)?.rows ?? []
  const end = Math.min(Math.max(below - 1, 0), rows.length)
  return rows
    .slice(Math.max(end - limit, 0), end)
    .toReversed()
    .map(copyFact)
}
