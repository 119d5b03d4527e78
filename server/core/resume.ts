/**
 * What a client missed in a room (A7): every row and every moved marker whose stamp its cursor does not cover, up to where this
 * process has handed out; the rest comes live. A replay shows messages as they are now.
 */
import type { LogStore } from '../storage/storage.ts'
import { advance, isCovered, type Cursor } from './cursor.ts'
import type { Fact, LogRow, ReadAdvanced } from './events.ts'
import type { RoomId } from './model.ts'

const pageRows = 500

export interface Missed {
  fact: Fact
  /** The cursor of who has been handed this one as well. */
  cursor: Cursor
}

export interface Gap {
  roomId: RoomId
  /** What the client has been handed. */
  from: Cursor
  /** What this process has handed out. */
  upTo: Cursor
  /** Seq of the event that let the reader in: what was before it he did not miss. */
  joinedSeq: number
  /** Whether only reads of a member's own count, or each move of a marker (A19). */
  explicitReads: boolean
  /** More missed events than this are a reload. */
  limit: number
}

/** Null where there is more than the limit. */
export async function collectMissed(log: LogStore, gap: Gap): Promise<Missed[] | null> {
  const rows = await collectRows(log, gap)
  if (rows === null) return null
  const reads = await collectReads(log, gap)
  if (reads === null || rows.length + reads.length > gap.limit) return null
  const facts = mergeOrders(rows.toReversed(), reads.toReversed()).filter(showsNow(rows))
  return withCursors(facts, gap.from, await findTags(log, gap, facts))
}

/** Newest first. A room's rows are covered up to some seq and not beyond it. */
async function collectRows(log: LogStore, { roomId, from, upTo, joinedSeq, limit }: Gap): Promise<LogRow[] | null> {
  const rows: LogRow[] = []
  for (let below = Number.MAX_SAFE_INTEGER; ;) {
    const page = await log.readLog(roomId, below, pageRows)
    for (const row of page) {
      if (row.seq < joinedSeq || isCovered(from, row.stamp)) return rows
      if (isCovered(upTo, row.stamp)) rows.push(row)
      if (rows.length > limit) return null
    }
    if (page.length < pageRows) return rows
    below = page.at(-1)!.seq
  }
}

/** Newest first. */
async function collectReads(log: LogStore, gap: Gap): Promise<ReadAdvanced[] | null> {
  const reads: ReadAdvanced[] = []
  for (let below = Number.MAX_SAFE_INTEGER; ;) {
    const page = await log.readMarkers(gap.roomId, { explicit: gap.explicitReads, below, limit: pageRows })
    for (const { fact } of page) {
      if (isCovered(gap.from, fact.stamp)) return reads
      if (isCovered(gap.upTo, fact.stamp)) reads.push(fact)
      if (reads.length > gap.limit) return null
    }
    if (page.length < pageRows) return reads
    below = page.at(-1)!.number
  }
}

/**
 * One order that keeps all three: the rows by seq, the reads as the room counted them, and of each journal everything by position.
 * All come from commits that held the room's lock, so there is always one that can go next.
 */
export function mergeOrders(rows: LogRow[], reads: ReadAdvanced[]): Fact[] {
  const merged: Fact[] = []
  const queues = queuesByJournal([...rows, ...reads])
  const left = { rows: rows.toReversed(), reads: reads.toReversed() }
  for (let before = -1; merged.length > before;) {
    before = merged.length
    for (const queue of queues) {
      while (takeNext(queue, left)) merged.push(queue.pop()!)
    }
  }
  return merged
}

/** Whether a journal's next fact is also the next row or the next read; then that one is taken off its list. */
function takeNext(queue: Fact[], left: { rows: LogRow[]; reads: ReadAdvanced[] }): boolean {
  const next = queue.at(-1)
  if (next === undefined) return false
  const list = [left.rows, left.reads].find((facts) => facts.at(-1) === next)
  return list?.pop() !== undefined
}

/** Each journal's facts with the next one last. */
function queuesByJournal(facts: Fact[]): Fact[][] {
  const queues = new Map<number, Fact[]>()
  for (const fact of facts) {
    const queue = queues.get(fact.stamp.journal)
    if (queue) queue.push(fact)
    else queues.set(fact.stamp.journal, [fact])
  }
  return [...queues.values()].map((queue) => queue.sort((a, b) => b.stamp.position - a.stamp.position))
}

/** A message posted and deleted since is left out, one edited since comes once with the present text; of an earlier one the last change counts. */
function showsNow(newestFirst: LogRow[]): (fact: Fact) => boolean {
  const oldestSeq = newestFirst.at(-1)?.seq ?? 0
  const lastChange = new Map<number, LogRow>()
  for (const row of newestFirst) {
    const isChange = row.type === 'message.edited' || row.type === 'message.deleted'
    if (isChange && !lastChange.has(row.message.id)) lastChange.set(row.message.id, row)
  }
  return (fact) => {
    if (fact.type === 'message.posted') return fact.message.deletedAt === null
    if (fact.type !== 'message.edited' && fact.type !== 'message.deleted') return true
    return fact.message.seq < oldestSeq && lastChange.get(fact.message.id) === fact
  }
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
