/** The latest messages of a room, from the registry where it has them. */
import type { Registry } from '../registry/registry.ts'
import type { LogStore } from '../storage/storage.ts'
import { isCovered, type Cursor } from './cursor.ts'
import type { Message, Room, RoomId } from './model.ts'
import { findHeardSeq } from './resume.ts'

export interface RecentStores {
  registry: Registry
  log: LogStore
}

/** As many as the registry keeps of a room. */
export const recentMax = 20

/**
 * As they were at the room's head, oldest first. A kept list counts only while its head is the room's: each message, edit and deletion
 * moves that, so no list shows what was changed since. Without the registry they are read from the log.
 */
export async function listRecentMessages({ registry, log }: RecentStores, room: Room): Promise<Message[]> {
  const kept = await registry.findRecent(room.id, room.head).catch(() => null)
  if (kept !== null) return kept
  const messages = (await log.listMessagesBelow(room.id, room.head + 1, recentMax)).toReversed()
  await registry.keepRecent(room.id, room.head, messages).catch(() => {})
  return messages
}

/** The same up to what this process has handed out: what came later comes live. Empty where there is no such room. */
export async function listRecentUpTo(stores: RecentStores, roomId: RoomId, upTo: Cursor): Promise<Message[]> {
  const { log } = stores
  const room = await log.findRoom(roomId)
  if (!room) return []
  const [last] = await log.readLog(roomId, room.head + 1, 1)
  if (last === undefined || isCovered(upTo, last.stamp)) return listRecentMessages(stores, room)
  const heard = await findHeardSeq(log, roomId, upTo)
  return (await log.listMessagesBelow(roomId, heard + 1, recentMax)).toReversed()
}
