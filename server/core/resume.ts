/**
 * What a client missed (A7): in each room every row and every moved marker whose stamp its cursor does not cover, up to where
 * this process has handed out; the rest comes live. A replay shows messages as they are now.
 */
import type { LogStore } from '../storage/storage.ts'
import { advance, isCovered, type Cursor } from './cursor.ts'
import type { Fact, LogRow, ReactionAdded, ReactionRemoved, ReadAdvanced } from './events.ts'
import type { Member, RoomId, Stamp } from './model.ts'

/** Most have missed little, and of a room that was missed much the rest comes in larger pages. */
const firstPageRows = 32
const pageRowsMax = 512
/** Rooms that are read at once. */
const roomsAtOnce = 8

export interface Missed {
  fact: Fact
  /** The cursor of who has been handed this one as well. */
  cursor: Cursor
}

export interface Gap {
  /** What the client has been handed. */
  from: Cursor
  /** What this process has handed out. */
  upTo: Cursor
  /** Whether only reads of a member's own count, or each move of a marker (A19). */
  explicitReads: boolean
  /** More missed events than this, in all rooms together, are a reload. */
  limit: number
  /** Messages up to this seq he has all the same, and what was changed of them he has not; 0 where nothing is said. */
  shownSeq?: number
}

/** From when to when the reader was in a room. */
export interface Stay {
  /** Seq of the event that let him in: what was before it he did not miss. */
  joinedSeq: number
  /** Of his removal, the last that he gets; null while he is in. */
  leftStamp: Stamp | null
}

/** What of a room is the reader's. */
export interface Stays {
  roomId: RoomId
  /** The latest first; at least one. */
  stays: Stay[]
  /** What stands last in the room, where a cursor that covers that is to cover all before it. */
  lastStamp: Stamp | null
}

/** Of one room, newest first. */
interface Found {
  rows: LogRow[]
  reads: ReadAdvanced[]
  end: RoomEnd | null
}

/** Stands in a room's order and is nothing to show. */
interface RoomEnd {
  type: 'end'
  stamp: Stamp
}

/** Null where there is more than the limit. */
export async function collectMissed(log: LogStore, rooms: Stays[], gap: Gap): Promise<Missed[] | null> {
  const lists: (Fact | RoomEnd)[][] = []
  const hidden = new Set<Fact | RoomEnd>()
  let count = 0
  for (let at = 0; at < rooms.length; at += roomsAtOnce) {
    const some = rooms.slice(at, at + roomsAtOnce)
    for (const found of await Promise.all(some.map((room) => collectIn(log, room, gap)))) {
      count += found === null ? 0 : found.rows.length + found.reads.length
      if (found === null || count > gap.limit) return null
      for (const row of found.rows.filter(hides(found.rows, gap.shownSeq ?? 0))) hidden.add(row)
      lists.push(...ordersOf(found))
    }
  }
  const facts = mergeOrders(lists).filter((item) => item.type !== 'end' && !hidden.has(item)) as Fact[]
  return withCursors(facts, gap.from, await findTags(log, gap, facts))
}

/** A room's rows and its reads, oldest first, and behind both of them what stands last in the room. */
function ordersOf({ rows, reads, end }: Found): (Fact | RoomEnd)[][] {
  const last = end && ([...rows, ...reads].find(({ stamp }) => isSame(stamp, end.stamp)) ?? end)
  return [rows, reads].map((list) => [...list.toReversed().filter((fact) => fact !== last), ...(last === null ? [] : [last])])
}

/**
 * Nothing that is behind a room's last event in its journal may go before the room's other events: a cursor would cover the last and not
 * those. It may be one that is in no replay: a read that moved nothing, or was followed by another of the same member.
 */
function endOf(room: Stays, { from, upTo }: Gap): RoomEnd | null {
  const { lastStamp } = room
  if (!isStillIn(room) || lastStamp === null || isCovered(from, lastStamp) || !isCovered(upTo, lastStamp)) return null
  return { type: 'end', stamp: lastStamp }
}

function isStillIn({ stays }: Stays): boolean {
  return stays[0]?.leftStamp === null
}

/** Who left the room gets no reads: those of before his removal cannot be told from later ones. */
async function collectIn(log: LogStore, room: Stays, gap: Gap): Promise<Found | null> {
  const rows = await collectRows(log, room, gap)
  const reads = isStillIn(room) ? await collectReads(log, room.roomId, gap) : []
  return rows && reads && { rows, reads, end: endOf(room, gap) }
}

/**
 * The rows of a stay are covered up to some seq and not beyond it. Not so those that are not his, or were not yet as he got the cursor:
 * they are in no replay, so nothing waits for them, and a cursor may cover one of them and none of his own before it.
 */
async function collectRows(log: LogStore, { roomId, stays }: Stays, { from, upTo, limit }: Gap): Promise<LogRow[] | null> {
  const rows: LogRow[] = []
  let notHis = 0
  const left = stays.filter(({ leftStamp }) => leftStamp === null || !isCovered(from, leftStamp))
  let isHis = left[0]?.leftStamp === null
  const goToEarlier = () => {
    left.shift()
    isHis = false
  }
  for await (const row of walk((below, count) => log.readLog(roomId, below, count), seqOf)) {
    while (left.length > 0 && row.seq < left[0]!.joinedSeq) goToEarlier()
    isHis ||= left.length > 0 && isSame(row.stamp, left[0]!.leftStamp)
    if (isHis && isCovered(from, row.stamp)) goToEarlier()
    if (left.length === 0) return rows
    if (!isHis) notHis++
    else if (isCovered(upTo, row.stamp)) rows.push(row)
    if (rows.length + notHis > limit) return null
  }
  return rows
}

/** Up to which seq a cursor covers a room's log: its rows are covered up to some seq and not beyond it. */
export async function findHeardSeq(log: LogStore, roomId: RoomId, upTo: Cursor): Promise<number> {
  for await (const row of walk((below, count) => log.readLog(roomId, below, count), seqOf)) {
    if (isCovered(upTo, row.stamp)) return row.seq
  }
  return 0
}

/**
 * How a membership ended, of one who is in again since the event `below`. Null where more rows than the limit are between the two, he
 * did not leave, or his removal does not name that membership (0017).
 */
export async function findLeftStamp(
  log: LogStore,
  { roomId, userId, joinedSeq }: Pick<Member, 'roomId' | 'userId' | 'joinedSeq'>,
  { below, limit }: { below: number; limit: number },
): Promise<Stamp | null> {
  let count = 0
  for await (const row of walk((before, rows) => log.readLog(roomId, before, rows), seqOf, below)) {
    if (row.type === 'member.removed' && row.userId === userId && row.joinedSeq === joinedSeq) return row.stamp
    if (row.seq <= joinedSeq || ++count > limit) return null
  }
  return null
}

async function collectReads(log: LogStore, roomId: RoomId, { from, upTo, explicitReads, limit }: Gap) {
  const reads: ReadAdvanced[] = []
  const read = (below: number, count: number) => log.readMarkers(roomId, { explicit: explicitReads, below, limit: count })
  for await (const { fact } of walk(read, ({ number }) => number)) {
    if (isCovered(from, fact.stamp)) return reads
    if (isCovered(upTo, fact.stamp)) reads.push(fact)
    if (reads.length > limit) return null
  }
  return reads
}

/** From the newest `below` back, in pages that grow. */
async function* walk<T>(
  read: (below: number, count: number) => Promise<T[]>,
  placeOf: (item: T) => number,
  below = Number.MAX_SAFE_INTEGER,
): AsyncGenerator<T> {
  for (let count = firstPageRows; ; count = Math.min(count * 4, pageRowsMax)) {
    const page = await read(below, count)
    yield* page
    if (page.length < count) return
    below = placeOf(page.at(-1)!)
  }
}

const seqOf = ({ seq }: LogRow) => seq

function isSame(one: Stamp, other: Stamp | null): boolean {
  return one.journal === other?.journal && one.position === other.position
}

/**
 * One order that keeps all: each list's own (a room's rows by seq, its reads as it counted them), and of each journal everything by
 * position. All come from commits that held their rooms' locks, so there is always one that can go next.
 */
export function mergeOrders<T extends { stamp: Stamp }>(lists: T[][]): T[] {
  const listsOf = new Map<T, T[][]>()
  for (const list of lists) {
    const left = list.toReversed()
    for (const item of left) listsOf.set(item, [...(listsOf.get(item) ?? []), left])
  }
  const queues = queuesByJournal([...listsOf.keys()])
  const merged: T[] = []
  for (let before = -1; merged.length > before;) {
    before = merged.length
    for (const queue of queues) {
      while (takeNext(queue, listsOf)) merged.push(queue.pop()!)
    }
  }
  return merged
}

/** Whether a journal's next is also the next of its lists; then it is taken off those. */
function takeNext<T>(queue: T[], listsOf: Map<T, T[][]>): boolean {
  const next = queue.at(-1)
  if (next === undefined) return false
  const lists = listsOf.get(next)!
  if (lists.some((list) => list.at(-1) !== next)) return false
  for (const list of lists) list.pop()
  return true
}

/** Each journal's with the next one last. */
function queuesByJournal<T extends { stamp: Stamp }>(items: T[]): T[][] {
  const queues = new Map<number, T[]>()
  for (const item of items) {
    const queue = queues.get(item.stamp.journal)
    if (queue) queue.push(item)
    else queues.set(item.stamp.journal, [item])
  }
  return [...queues.values()].map((queue) => queue.sort((a, b) => b.stamp.position - a.stamp.position))
}

/**
 * A message posted and deleted since is left out, one edited since comes once with the present text; of an earlier one the last change
 * counts, and so it does of each reaction to one that is still there.
 */
function hides(newestFirst: LogRow[], shownSeq: number): (row: LogRow) => boolean {
  const shown = new Set(newestFirst.filter(({ type, seq }) => type === 'message.posted' && seq > shownSeq).map(seqOf))
  const lastChange = new Map<string, LogRow>()
  for (const row of newestFirst) {
    const changed = changedBy(row)
    if (changed !== null && !lastChange.has(changed)) lastChange.set(changed, row)
  }
  return (row) => {
    if (row.type === 'message.posted') return row.message.deletedAt !== null || row.seq <= shownSeq
    const changed = changedBy(row)
    if (changed === null) return false
    if (lastChange.get(changed) !== row) return true
    return isReaction(row) ? row.message.deletedAt !== null : 'message' in row && shown.has(row.message.seq)
  }
}

/**
 * What a row changes: a message, or one user's reaction of one name to it; else null. The last of a reaction that came and went shows, too:
 * a cursor from between the two covers the first, which was never shown.
 */
function changedBy(row: LogRow): string | null {
  if (isReaction(row)) return `${row.message.id} ${row.userId} ${row.reaction}`
  return row.type === 'message.edited' || row.type === 'message.deleted' ? `${row.message.id}` : null
}

function isReaction(row: LogRow): row is ReactionAdded | ReactionRemoved {
  return row.type === 'reaction.added' || row.type === 'reaction.removed'
}

/** Tags of the journals that the facts came through. */
async function findTags(log: LogStore, { from, upTo }: Gap, facts: Fact[]): Promise<Map<number, string>> {
  const tags = new Map([...upTo.entries, ...from.entries].map(([journal, { tag }]) => [journal, tag]))
  if (facts.every((fact) => tags.has(fact.stamp.journal))) return tags
  for (const { number, tag } of await log.listJournals(from.floor)) tags.set(number, tag)
  return tags
}

function withCursors(facts: Fact[], from: Cursor, tags: Map<number, string>): Missed[] {
  let cursor = from
  return facts.map((fact) => {
    cursor = advance(cursor, fact.stamp, tags.get(fact.stamp.journal)!)
    return { fact, cursor }
  })
}
