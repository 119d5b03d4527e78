/** A room's messages with how many members have not read each: what is recent, what stands around one, what a search finds. */
import type { LogStore } from '../storage/storage.ts'
import type { Core } from './core.ts'
import { ChatError } from './errors.ts'
import type { Member, Message, MessageId, RoomId, User } from './model.ts'
import { isStorable } from './texts.ts'
import { unknownUser } from './user-cache.ts'

export interface CountedMessage {
  message: Message
  author: User
  /** Members whose marker stands before it; its author is none of them, as posting moved his. */
  unreadCount: number
}

/** Most of a chat's weeks fit into the first page; the pages grow, so that 5,000 messages are four reads. */
const firstPage = 100
const pageGrowth = 4

/** The newest `limit` not older than `sinceMs`, oldest first. Times rise within a room, so the first older one is the end. */
export async function findRecent(
  log: LogStore,
  roomId: RoomId,
  { sinceMs, limit }: { sinceMs: number; limit: number },
): Promise<Message[]> {
  let found: Message[] = []
  let below = Number.MAX_SAFE_INTEGER
  for (let size = firstPage; found.length < limit; size *= pageGrowth) {
    const wanted = Math.min(size, limit - found.length)
    const page = await log.listMessagesBelow(roomId, below, wanted)
    const recent = page.filter((message) => message.createdAt >= sinceMs)
    found = found.concat(recent)
    if (recent.length < wanted) break
    below = recent.at(-1)!.seq
  }
  return found.toReversed()
}

/** Up to `before` messages, this one the last, and up to `after` behind it, oldest first (P6). Throws message_not_found. */
export async function findAround(
  log: LogStore,
  { roomId, messageId }: { roomId: RoomId; messageId: MessageId },
  { before, after }: { before: number; after: number },
): Promise<Message[]> {
  const message = await log.findMessage(roomId, messageId)
  if (!message) throw new ChatError('message_not_found')
  const [newestFirst, behind] = await Promise.all([
    before === 0 ? [] : log.listMessagesBelow(roomId, message.seq + 1, before),
    after === 0 ? [] : log.listMessagesAbove(roomId, message.seq, after),
  ])
  return [...newestFirst.toReversed(), ...behind]
}

/** Newest first (P11). Throws ChatError invalid_field. */
export async function findMatching(
  log: LogStore,
  { roomId, text }: { roomId: RoomId; text: string },
  page: { offset: number; limit: number },
): Promise<Message[]> {
  if (text === '' || !isStorable(text)) throw new ChatError('invalid_field', { field: 'text' })
  return log.searchMessages(roomId, text, page)
}

/** The markers are read behind the messages: who wrote one of them has his marker on it by then. */
export async function withCounts({ storage, users }: Core, roomId: RoomId, messages: Message[]): Promise<CountedMessage[]> {
  const [members, authors] = await Promise.all([
    storage.log.listMembers(roomId),
    users.findAll(new Set(messages.map((message) => message.authorId))),
  ])
  const countBehind = countMarkersBefore(members)
  return messages.map((message) => {
    const author = authors.get(message.authorId) ?? unknownUser(message.authorId)
    return { message, author, unreadCount: countBehind(message.ordinal) }
  })
}

/** By halving: a room of 1,000 members and a list of 5,000 messages would be 5 million looks. */
function countMarkersBefore(members: Member[]): (ordinal: number) => number {
  const ordinals = Float64Array.from(members, ({ marker }) => marker.ordinal).toSorted()
  return (ordinal) => {
    let low = 0
    let high = ordinals.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (ordinals[middle]! < ordinal) low = middle + 1
      else high = middle
    }
    return low
  }
}
