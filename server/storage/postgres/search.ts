/**
 * Searching a room's messages, newest first. What the index does not hold yet is read from the log and folded here; before that,
 * a text that is frequent is found by going through the newest rows, another by its grams: the one takes a single statement, most others three.
 * They are in no transaction: what was changed between two of them shows at the end, when the messages are read, and then all is done again.
 */
import { sql } from 'kysely'
import type { Message, RoomId } from '../../core/model.ts'
import { foldText, isStorable, searchedTextOf } from '../../core/texts.ts'
import { StorageUnavailable, type LogStore } from '../storage.ts'
import { prepareQuery, type Database } from './database.ts'
import { gramsToFind, hasGrams, STRETCH, stretchOf } from './grams.ts'
import { createIndexing } from './indexing.ts'
import { messageColumns, toMessage, type MessageRow } from './rows.ts'

/** How many texts are read from the log at once. */
const LOG_ROWS = 1_000
/** Of the log's newest that the index lacks; going through them takes a second. */
const NEWER_MAX = 100_000
/** Messages changed behind the index; their present texts are read at once. */
const REWRITTEN_MAX = 10_000
/** Seqs that are gone through first: half a millisecond. */
const FIRST_STEP = 1_000
const STEP_MAX = 50_000
/** Where going through the newest would take more seqs than this (4 ms), grams are quicker. */
const SCAN_MAX = 8_000
/** How many are asked at once: the planner takes each hash for one that some 0.3 % of all rows have, and for many would rather read the table. */
const STRETCHES_MAX = 16
const TRIES = 3

interface Search {
  roomId: RoomId
  folded: string
  /** How many are to be found. */
  wanted: number
}

export function createSearch(db: Database): Pick<LogStore, 'searchMessages' | 'listUnindexed' | 'indexNext'> {
  return {
    ...createIndexing(db),
    searchMessages: async (roomId, text, { offset, limit }) => {
      if (!isStorable(text)) return []
      const search = { roomId, folded: foldText(text), wanted: offset + limit }
      for (let attempt = 1; ; attempt++) {
        const first = await findFirst(db, search)
        if (first === null) return []
        const seqs = (await findSeqs(db, search, first)).slice(offset, offset + limit)
        const messages = (await readMessages(db, roomId, { seqs, known: first.messages })).filter((message) =>
          holds(message, search),
        )
        if (messages.length === seqs.length || attempt === TRIES) return messages
      }
    },
  }
}

function holds(message: Message, { folded }: Search): boolean {
  return message.deletedAt === null && searchedTextOf(message).includes(folded)
}

/** Of the newest `wanted` messages that hold the text, newest first. */
async function findSeqs(db: Database, search: Search, first: First): Promise<number[]> {
  const { head, upTo } = first
  if (head === upTo) return findIndexed(db, search, { upTo, except: [], first })
  const newer = await findNewer(db, search, upTo)
  if (newer.length >= search.wanted) return newer
  const rewritten = await readRewritten(db, search.roomId, upTo)
  const found = rewritten.filter((message) => holds(message, search)).map((message) => message.seq)
  const rest = { ...search, wanted: search.wanted - newer.length }
  const indexed = await findIndexed(db, rest, { upTo, except: rewritten.map((message) => message.seq), first })
  return [...newer, ...[...found, ...indexed].toSorted((a, b) => b - a)]
}

/** What the index holds of the text in its newest seqs, which were gone through from `from` on. */
interface First {
  /** Where the room's log ends. */
  head: number
  /** Up to where the index holds it. */
  upTo: number
  seqs: number[]
  from: number
  /** Of `seqs`, as they are now. */
  messages: Message[]
}

const readFirst = prepareQuery(
  (_, roomId: RoomId, folded: string, wanted: number) => sql<MessageRow & { head: number; up_to: number }>`
    with progress as (
      select r.head, coalesce(p.seq, 0) as up_to from rooms r left join search_progress p on p.room_id = r.id
      where r.id = ${roomId} and r.deleted_at is null
    )
    select head, up_to, ${sql.join(messageColumns.map((column) => sql.ref(`m.${column}`)))} from progress
    left join lateral (
      select seq from search_texts
      where room_id = ${roomId} and seq <= up_to and seq > up_to - ${FIRST_STEP}::bigint and strpos(folded, ${folded}) > 0
      order by seq desc limit ${wanted}
    ) t on true
    left join messages m on m.room_id = ${roomId} and m.seq = t.seq
  `,
)

/** Null where the room is not there. */
async function findFirst(db: Database, { roomId, folded, wanted }: Search): Promise<First | null> {
  const rows = await readFirst(db, roomId, folded, wanted)
  const [row] = rows
  if (row === undefined) return null
  const { head, up_to: upTo } = row
  const messages = rows.flatMap((hit) => (hit.message_id === null ? [] : toMessage(hit))).toSorted((a, b) => b.seq - a.seq)
  const seqs = messages.map(({ seq }) => seq)
  const from = seqs.length === wanted ? (seqs.at(-1) ?? upTo + 1) : Math.max(upTo - FIRST_STEP + 1, 1)
  return { head, upTo, seqs, from, messages }
}

/**
 * Among the messages that the index does not hold yet. Where it is far behind, as after a flood of messages, not all of them are
 * gone through: throws StorageUnavailable where that leaves the answer open.
 */
async function findNewer(db: Database, search: Search, above: number): Promise<number[]> {
  const found: number[] = []
  let below = Number.MAX_SAFE_INTEGER
  for (let read = 0; found.length < search.wanted; read += LOG_ROWS) {
    if (read >= NEWER_MAX) throw tooFarBehind(search.roomId)
    const rows = await messagesOf(db, search.roomId)
      .where('seq', '>', above)
      .where('seq', '<', below)
      .orderBy('seq', 'desc')
      .limit(LOG_ROWS)
      .execute()
    found.push(...rows.map(toMessage).flatMap((message) => (holds(message, search) ? [message.seq] : [])))
    if (rows.length < LOG_ROWS) break
    below = rows.at(-1)!.message_seq
  }
  return found
}

function tooFarBehind(roomId: RoomId): StorageUnavailable {
  return new StorageUnavailable(`the search index of room ${roomId} is too far behind its log`)
}

function messagesOf(db: Database, roomId: RoomId) {
  return db.selectFrom('messages').select(messageColumns).where('room_id', '=', roomId)
}

/** The messages up to `upTo` that were edited or deleted behind it. Throws StorageUnavailable where they are too many. */
async function readRewritten(db: Database, roomId: RoomId, upTo: number): Promise<Message[]> {
  const rewritten = sql<number>`(
    select distinct target_seq from log
    where room_id = ${roomId} and seq > ${upTo} and target_seq <= ${upTo} and type in ('message.edited', 'message.deleted')
    limit ${REWRITTEN_MAX + 1}
  )`
  const rows = await messagesOf(db, roomId).where('seq', 'in', rewritten).execute()
  if (rows.length > REWRITTEN_MAX) throw tooFarBehind(roomId)
  return rows.map(toMessage)
}

async function readMessages(
  db: Database,
  roomId: RoomId,
  { seqs, known }: { seqs: number[]; known: Message[] },
): Promise<Message[]> {
  const bySeq = new Map(known.map((message) => [message.seq, message]))
  if (seqs.every((seq) => bySeq.has(seq))) return seqs.map((seq) => bySeq.get(seq)!)
  const isFound = sql<number>`any (${seqs}::bigint[])`
  return (await messagesOf(db, roomId).where('seq', '=', isFound).orderBy('seq', 'desc').execute()).map(toMessage)
}

interface Range {
  upTo: number
  /** Seqs of which the index does not tell how they are now. */
  except: number[]
}

/**
 * Goes through the newest rows while hits come often enough for that to be the shorter way, else by grams. Seqs stand for rows
 * here: nearly all of a room's log are messages.
 */
async function findIndexed(db: Database, search: Search, { upTo, except, first }: Range & { first: First }): Promise<number[]> {
  const changed = new Set(except)
  let found = first.seqs.filter((seq) => !changed.has(seq))
  let from = first.from
  const canAsk = hasGrams(search.folded)
  for (let step = FIRST_STEP * 2; found.length < search.wanted && from > 1; step = Math.min(step * 2, STEP_MAX)) {
    const rest = { ...search, wanted: search.wanted - found.length }
    const scanned = upTo + 1 - from
    const isLong = scanned + (scanned * rest.wanted) / found.length > SCAN_MAX
    if (isLong && canAsk)
      return [...found, ...(await findByGrams(db, rest, { upTo: from - 1, except, hits: found.length / scanned }))]
    const below = from
    from = Math.max(below - step, 1)
    found = found.concat(await scan(db, rest, { from, below, except }))
  }
  return found
}

interface Window {
  from: number
  below: number
  except: number[]
}

async function scan(db: Database, { roomId, folded, wanted }: Search, { from, below, except }: Window): Promise<number[]> {
  const { rows } = await sql<{ seq: number }>`
    select seq from search_texts
    where room_id = ${roomId} and seq >= ${from} and seq < ${below}
      and strpos(folded, ${folded}) > 0 and seq <> all (${except}::bigint[])
    order by seq desc limit ${wanted}
  `.execute(db)
  return rows.map(({ seq }) => seq)
}

/**
 * Asks of as many stretches at once as should hold the rest, by `hits`, how many a seq brought so far: of those that bring none there
 * is little to read, however many are asked.
 */
async function findByGrams(db: Database, search: Search, { upTo, except, hits }: Range & { hits: number }): Promise<number[]> {
  let found: number[] = []
  let below = upTo + 1
  let perSeq = hits || 1 / FIRST_STEP
  while (found.length < search.wanted && below > 1) {
    const rest = { ...search, wanted: search.wanted - found.length }
    const newest = stretchOf(below - 1)
    const oldest = Math.max(stretchOf(below - 1 - rest.wanted / perSeq), newest - STRETCHES_MAX + 1, 0)
    found = found.concat(await ask(db, rest, { below, except, asked: range(oldest, newest) }))
    below = oldest * STRETCH
    perSeq = Math.max(found.length, 1) / (upTo + 1 - below)
  }
  return found
}

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index)
}

interface Question {
  below: number
  except: number[]
  /** Stretches. */
  asked: number[]
}

/** `offset 0` keeps the planner from going through the room by its primary key, in the hope of filling the limit soon. */
async function ask(db: Database, { roomId, folded, wanted }: Search, { below, except, asked }: Question): Promise<number[]> {
  const isCandidate = sql.join(
    gramsToFind(roomId, asked, folded).map((grams) => sql`grams && ${grams}::int[]`),
    sql` and `,
  )
  const { rows } = await sql<{ seq: number }>`
    select seq from (select room_id, seq, folded from search_texts where ${isCandidate} offset 0) c
    where room_id = ${roomId} and seq < ${below}
      and strpos(folded, ${folded}) > 0 and seq <> all (${except}::bigint[])
    order by seq desc limit ${wanted}
  `.execute(db)
  return rows.map(({ seq }) => seq)
}
