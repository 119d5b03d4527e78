/** Searching a room. There is nothing to index here; how far the index would be is kept all the same, as the port says. */
import type { Message, RoomId } from '../../core/model.ts'
import { foldText, searchedTextOf } from '../../core/texts.ts'
import type { LogStore } from '../storage.ts'
import { copyMessage, filterRooms, findLiveRoom, type MemoryState, type RoomState } from './state.ts'

export function openSearch(state: MemoryState): Pick<LogStore, 'searchMessages' | 'listUnindexed' | 'indexNext'> {
  return {
    searchMessages: async (roomId, text, { offset, limit }) => {
      const folded = foldText(text)
      const found = (findLiveRoom(state, roomId)?.messages ?? []).filter((message) => holds(message, folded))
      return found
        .toReversed()
        .slice(offset, offset + limit)
        .map(copyMessage)
    },
    listUnindexed: async (limit) => {
      const rooms = filterRooms(state, (room) => indexedOf(state, room) < room.rows.length)
      return rooms.slice(0, limit).map(({ room }) => room.id)
    },
    indexNext: async (roomId, limit) => indexNext(state, roomId, limit),
  }
}

function holds(message: Message, folded: string): boolean {
  return message.deletedAt === null && searchedTextOf(message).includes(folded)
}

function indexNext(state: MemoryState, roomId: RoomId, limit: number): boolean {
  const room = findLiveRoom(state, roomId)
  if (room === undefined) return false
  const upTo = Math.min(indexedOf(state, room) + limit, room.rows.length)
  state.indexed.set(roomId, upTo)
  return upTo < room.rows.length
}

function indexedOf(state: MemoryState, { room }: RoomState): number {
  return state.indexed.get(room.id) ?? 0
}
