/**
 * A cursor says what a client has been handed: per journal, the position up to which it heard (A7). Journals below `floor` were
 * heard to their end. As text: `<floor>_<journal>-<tag>-<position>_...`, numbers in base 36, safe in an address.
 */
import type { RoomId, Stamp } from './model.ts'

export interface CursorEntry {
  tag: string
  position: number
}

export interface Cursor {
  floor: number
  entries: Map<number, CursorEntry>
}

/** Whether who has been handed the one has been handed all of the other; false also where that is not known. */
export function isAllCovered(cursor: Cursor, other: Cursor): boolean {
  const isHeard = ([journal, { position }]: [number, CursorEntry]) => isCovered(cursor, { journal, position })
  return cursor.floor >= other.floor && [...other.entries].every(isHeard)
}

/** Of no database: who hands it back is told to reload. */
export const unknownCursor = '0_0-00000000-0'

/** A journal that stays open keeps those after it in every cursor. So many have room in the 8 KiB that nginx takes as a request's line. */
const entriesMax = 350

const entryPattern = /^([0-9a-z]{1,8})-([0-9a-z]{8})-([0-9a-z]{1,11})$/

export function isCovered(cursor: Cursor, stamp: Stamp): boolean {
  if (stamp.journal < cursor.floor) return true
  return (cursor.entries.get(stamp.journal)?.position ?? 0) >= stamp.position
}

export function formatCursor(cursor: Cursor): string {
  const entries = [...cursor.entries].map(([journal, entry]) => formatEntry(journal, entry))
  return [cursor.floor.toString(36), ...entries].join('_')
}

export function formatEntry(journal: number, { tag, position }: CursorEntry): string {
  return `${journal.toString(36)}-${tag}-${position.toString(36)}`
}

/** Null for what is no cursor. */
export function parseCursor(text: string): Cursor | null {
  const [floor, ...parts] = text.split('_')
  if (!/^[0-9a-z]{1,8}$/.test(floor ?? '') || parts.length === 0 || parts.length > entriesMax) return null
  const entries = new Map<number, CursorEntry>()
  for (const part of parts) {
    const [, journal, tag, position] = entryPattern.exec(part) ?? []
    if (!journal || !tag || !position) return null
    entries.set(parseInt(journal, 36), { tag, position: parseInt(position, 36) })
  }
  // What lies below the floor is in no cursor of ours, so one whose journals are known has a floor that is.
  const cursor = { floor: parseInt(floor!, 36), entries }
  return cursor.floor <= Math.min(...entries.keys()) ? cursor : null
}

/** Doors with one room put it in front of the cursor, and refuse another room's (F7, G7). */
export function formatRoomCursor(roomId: RoomId, cursor: string): string {
  return `${roomId.toString(36)}.${cursor}`
}

/** Null for another room's cursor and for what is none. */
export function parseRoomCursor(roomId: RoomId, text: string): Cursor | null {
  const prefix = `${roomId.toString(36)}.`
  return text.startsWith(prefix) ? parseCursor(text.slice(prefix.length)) : null
}

/** The cursor of who has been handed `stamp` as well. */
export function advance(cursor: Cursor, stamp: Stamp, tag: string): Cursor {
  return { ...cursor, entries: new Map(cursor.entries).set(stamp.journal, { tag, position: stamp.position }) }
}
