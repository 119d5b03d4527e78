/** A user's rooms as a list of conversations shows them (P8). */
import type { RoomSummary } from '../storage/storage.ts'
import type { Core } from './core.ts'
import type { Room, User, UserId } from './model.ts'
import { unknownUser } from './user-cache.ts'

export interface ChatView {
  room: RoomSummary['room']
  /** The caller too. */
  memberCount: number
  /** The lowest-numbered other member; null where the caller is alone. */
  other: User | null
  /** The newest message that is not deleted. */
  last: { message: NonNullable<RoomSummary['lastMessage']>; author: User } | null
  /** Others' messages behind the caller's marker that are not deleted. */
  unreadCount: number
}

/** Newest activity first: of the last message, else of the room itself. Two reads, however many rooms. */
export async function listChats({ storage, users }: Core, me: User): Promise<ChatView[]> {
  const summaries = await storage.log.listSummaries(me.id)
  const accounts = await users.findAll(accountsIn(summaries))
  const accountOf = (userId: UserId) => accounts.get(userId) ?? unknownUser(userId)
  const chats = summaries.map((summary): ChatView => {
    const { room, memberCount, otherUserId, lastMessage } = summary
    const other = otherUserId === null ? null : accountOf(otherUserId)
    const last = lastMessage && { message: lastMessage, author: accountOf(lastMessage.authorId) }
    return { room, memberCount, other, last, unreadCount: unreadIn(summary) }
  })
  return chats.toSorted((a, b) => activeAt(b) - activeAt(a) || b.room.id - a.room.id)
}

function accountsIn(summaries: RoomSummary[]): Set<UserId> {
  const userIds = new Set<UserId>()
  for (const { otherUserId, lastMessage } of summaries) {
    if (otherUserId !== null) userIds.add(otherUserId)
    if (lastMessage !== null) userIds.add(lastMessage.authorId)
  }
  return userIds
}

function activeAt({ room, last }: ChatView): number {
  return last?.message.createdAt ?? room.updatedAt
}

/** Who posts has read up to his post, so what lies behind his marker is others'. */
export function unreadIn({
  room,
  markerOrdinal,
  deletedAfterMarker,
}: Pick<RoomSummary, 'markerOrdinal' | 'deletedAfterMarker'> & { room: Pick<Room, 'ordinal'> }): number {
  return Math.max(0, room.ordinal - markerOrdinal - deletedAfterMarker)
}
