/** The latest messages of a room, from the registry where it has them. */
import type { Registry } from '../registry/registry.ts'
import type { LogStore } from '../storage/storage.ts'
import type { Message, Room } from './model.ts'

/** As many as the registry keeps of a room. */
export const recentMax = 20

/**
 * As they were at the room's head, oldest first. A kept list counts only while its head is the room's: each message, edit and deletion
 * moves that, so no list shows what was changed since. Without the registry they are read from the log.
 */
export async function listRecentMessages(stores: { registry: Registry; log: LogStore }, room: Room): Promise<Message[]> {
  const { registry, log } = stores
  const kept = await registry.findRecent(room.id, room.head).catch(() => null)
  if (kept !== null) return kept
  const messages = (await log.listMessagesBelow(room.id, room.head + 1, recentMax)).toReversed()
  await registry.keepRecent(room.id, room.head, messages).catch(() => {})
  return messages
}
