/** Reactions to messages. */
import type { MessageId, Reaction, RoomId } from '../../core/model.ts'
import { limits } from '../../core/texts.ts'
import type { Outcome, ReactionEntry } from '../storage.ts'
import { done, keepRow, refused, takeRowPlace, type Draft } from './draft.ts'
import { findLiveRoom, findPresent, type MemoryState, type RoomState } from './state.ts'

export function doReaction(draft: Draft, entry: ReactionEntry): Outcome {
  const { userId, messageId, reaction } = entry
  const room = findLiveRoom(draft.state, entry.roomId)
  if (room === undefined) return refused('room_not_found')
  if (findPresent(room, userId) === undefined) return refused('not_a_member')
  const message = room.messagesById.get(messageId)
  if (message === undefined || message.deletedAt !== null) return refused('message_not_found')
  const isAdded = entry.kind === 'reaction.add'
  if (room.reactions.has(keyOf(entry)) === isAdded) return done([])
  if (isAdded && hasAllKinds(room, entry)) return refused('too_many_reactions')
  if (isAdded) room.reactions.set(keyOf(entry), { messageId, userId, reaction })
  else room.reactions.delete(keyOf(entry))
  const type = isAdded ? 'reaction.added' : 'reaction.removed'
  return done([keepRow(draft, room, { type, ...takeRowPlace(draft, room), userId, actorId: userId, message, reaction })])
}

/** The message has as many different ones as it may, and this one is not among them. */
function hasAllKinds(room: RoomState, { messageId, reaction }: ReactionEntry): boolean {
  const own = [...room.reactions.values()].filter((one) => one.messageId === messageId)
  const kinds = new Set(own.map((one) => one.reaction))
  return kinds.size >= limits.reactionKinds && !kinds.has(reaction)
}

function keyOf({ messageId, userId, reaction }: Reaction): string {
  return `${messageId} ${userId} ${reaction}`
}

export function forgetReactions(room: RoomState, messageId: MessageId): void {
  for (const [key, reaction] of room.reactions) if (reaction.messageId === messageId) room.reactions.delete(key)
}

export function listReactions(state: MemoryState, roomId: RoomId, messageIds: MessageId[]): Reaction[] {
  const all = [...(findLiveRoom(state, roomId)?.reactions.values() ?? [])]
  return all.filter(({ messageId }) => messageIds.includes(messageId)).map((reaction) => ({ ...reaction }))
}
