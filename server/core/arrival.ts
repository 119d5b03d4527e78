/**
 * What a guest is shown as he enters his project's room: the latest messages, or exactly what he missed, and the cursors for that (W3,
 * W8). Messages come as one list and changes of earlier ones behind it, so the list's cursor says both what was heard and up to which
 * message all were shown: `<room>.<cursor>~<seq>`, the seq in base 36.
 */
import type { LogStore } from '../storage/storage.ts'
import { formatCursor, formatRoomCursor, parseRoomCursor, type Cursor } from './cursor.ts'
import type { ChatEvent, Fact, MessagePosted } from './events.ts'
import type { Message, MessageId, RoomId, User } from './model.ts'
import type { ReplaySources } from './replay.ts'
import { collectMissed, findHeardSeq, type Missed } from './resume.ts'
import type { Format } from './session.ts'
import { unknownUser } from './user-cache.ts'

const latestMax = 50
const missedMax = 500

/** Null: he asks for no cursors. A number: the id of the last message that he saw, 0 for none. A text: the last cursor. */
export type Since = MessageId | string | null

export interface Arrival {
  /** What he missed is not known, or too much: `messages` are the latest. */
  isReload: boolean
  /** Oldest first. */
  messages: { message: Message; author: User }[]
  /** Of who has been handed the messages. */
  cursor: string
  /** Behind them, in his format: missed edits and deletions of earlier messages. */
  changes: string[]
}

/** What a `since` says that he has: messages up to `seq`, and all that `cursor` covers, where there is one. */
export interface Seen {
  seq: number
  cursor: Cursor | null
}

export interface Visit {
  roomId: RoomId
  format: Format
  since: Since
  /** Null where `since` is, or is not known. */
  seen: Seen | null
  /** What this process has handed out; the rest comes live. */
  upTo: Cursor
}

/** Null for what names nothing of this room. */
export async function findSeen(log: LogStore, roomId: RoomId, since: Since): Promise<Seen | null> {
  if (since === null || since === 0) return since === null ? null : { seq: 0, cursor: null }
  if (typeof since === 'string') return parseSeen(roomId, since)
  const seq = await log.findMessageSeq(roomId, since)
  return seq === null ? null : { seq, cursor: null }
}

function parseSeen(roomId: RoomId, text: string): Seen | null {
  const [head = '', seq = '0', ...rest] = text.split('~')
  const cursor = parseRoomCursor(roomId, head)
  return cursor === null || rest.length > 0 || !/^[0-9a-z]{1,10}$/.test(seq) ? null : { seq: parseInt(seq, 36), cursor }
}

export async function readArrival(core: ReplaySources, visit: Visit): Promise<Arrival> {
  const { roomId, seen, upTo } = visit
  const missed =
    seen && (seen.cursor ? await findMissed(core, visit, { ...seen, cursor: seen.cursor }) : await findNewer(core, visit, seen))
  if (missed) return missed
  const messages = await readLatest(core, visit, latestMax)
  const cursor = formatRoomCursor(roomId, formatCursor(upTo))
  return { isReload: visit.since !== null, messages: await withAuthors(core, messages), cursor, changes: [] }
}

/** Oldest first; a message that is not handed out yet comes live. */
async function readLatest({ log }: ReplaySources, { roomId, upTo }: Visit, limit: number): Promise<Message[]> {
  const heard = await findHeardSeq(log, roomId, upTo)
  return (await log.listMessagesBelow(roomId, heard + 1, limit)).toReversed()
}

/** Null where there are too many. */
async function findNewer(core: ReplaySources, visit: Visit, { seq }: Seen): Promise<Arrival | null> {
  const newer = (await readLatest(core, visit, missedMax + 1)).filter((message) => message.seq > seq)
  if (newer.length > missedMax) return null
  const cursor = formatRoomCursor(visit.roomId, formatCursor(visit.upTo))
  return { isReload: false, messages: await withAuthors(core, newer), cursor, changes: [] }
}

/** Null where there is too much. */
async function findMissed(
  core: ReplaySources,
  { roomId, format, upTo }: Visit,
  seen: Seen & { cursor: Cursor },
): Promise<Arrival | null> {
  const room = { roomId, stays: [{ joinedSeq: 0, leftStamp: null }], lastStamp: null }
  const gap = { from: seen.cursor, upTo, explicitReads: true, limit: core.replayMax, shownSeq: seen.seq }
  const missed = await collectMissed(core.log, [room], gap)
  const posted = (missed ?? []).filter(({ fact }) => fact.type === 'message.posted')
  if (missed === null || posted.length > missedMax) return null
  const messages = posted.map(({ fact }) => (fact as MessagePosted).message)
  const shownSeq = Math.max(seen.seq, messages.at(-1)?.seq ?? 0)
  const changes = await encodeChanges(core, format, { missed, shownSeq, upTo })
  const cursor = changes.length === 0 ? formatCursor(upTo) : formatSeen(seen.cursor, shownSeq)
  return { isReload: false, messages: await withAuthors(core, messages), cursor: formatRoomCursor(roomId, cursor), changes }
}

/** The last of them has been handed everything. */
async function encodeChanges(
  { users }: ReplaySources,
  format: Format,
  { missed, shownSeq, upTo }: { missed: Missed[]; shownSeq: number; upTo: Cursor },
): Promise<string[]> {
  const changes = missed.filter(({ fact }) => isChange(fact))
  const events: ChatEvent[] = await users.complete(changes.map(({ fact }) => fact))
  const texts = events.map((event, nth) => {
    const isLast = nth === events.length - 1
    return format.encode(event, isLast ? formatCursor(upTo) : formatSeen(changes[nth]!.cursor, shownSeq))
  })
  return texts.filter((text) => text !== null)
}

function isChange({ type }: Fact): boolean {
  return type === 'message.edited' || type === 'message.deleted'
}

function formatSeen(cursor: Cursor, shownSeq: number): string {
  return `${formatCursor(cursor)}~${shownSeq.toString(36)}`
}

async function withAuthors({ users }: ReplaySources, messages: Message[]): Promise<Arrival['messages']> {
  const authors = await users.findAll(new Set(messages.map(({ authorId }) => authorId)))
  return messages.map((message) => ({ message, author: authors.get(message.authorId) ?? unknownUser(message.authorId) }))
}
