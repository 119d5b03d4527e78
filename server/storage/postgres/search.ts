/**
 * Searching a room's messages, newest first. What the index does not hold yet is read from the log and folded here; before that,
 * a text that is frequent is found by going through the newest rows, another by its grams. Statements of their own, in no
 * transaction: what was changed between two of them shows at the end, when the messages are read, and then all is done again.
 */
import { sql } from 'kysely'
import type { Message, RoomId } from '../../core/model.ts'
import { foldText, isStorable, searchedTextOf } from '../../core/texts.ts'
import type { LogStore } from '../storage.ts'
import type { Database } from './database.ts'
import { gramsToFind, hasGrams, STRETCH, stretchOf } from './grams.ts'
import { createIndexing, findProgress } from './indexing.ts'
import { toMessage } from './rows.ts'
import type { LogRowRecord } from './tables.ts'

/** How many texts are read from the log at once. */
const LOG_ROWS = 500
/** Seqs that are gone through first: 1 ms. */
const FIRST_STEP = 2_000
const STEP_MAX = 50_000
/** Where going through the newest would take more seqs than this (4 ms), grams are quicker. */
const SCAN_MAX = 8_000
/** How many are asked at once. */
const STRETCHES_MAX = 64
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
        const seqs = (await findSeqs(db, search)).slice(offset, offset + limit)
        const messages = (await readMessages(db, roomId, seqs)).filter((message) => holds(message, search))
        if (messages.length === seqs.length || attempt === TRIES) return messages
      }
    },
  }
}

function holds(message: Message, { folded }: Search): boolean {
  return message.deletedAt === null && searchedTextOf(message).includes(folded)
}

/** Of the newest `wanted` messages that hold the text, newest first. */
async function findSeqs(db: Database, search: Search): Promise<number[]> {
  const progress = await findProgress(db, search.roomId)
  if (progress === null) return []
  const { head, seq: upTo } = progress
  if (head === upTo) return findIndexed(db, search, { upTo, except: [] })
  const newer = await findNewer(db, search, upTo)
  if (newer.length >= search.wanted) return newer
  const rewritten = await readRewritten(db, search.roomId, upTo)
  const found = rewritten.filter((message) => holds(message, search)).map((message) => message.seq)
  const rest = { ...search, wanted: search.wanted - newer.length }
  const indexed = await findIndexed(db, rest, { upTo, except: rewritten.map((message) => message.seq) })
  return [...newer, ...[...found, ...indexed].toSorted((a, b) => b - a)]
}

/** Among the messages that the index does not hold yet. */
async function findNewer(db: Database, search: Search, above: number): Promise<number[]> {
  const found: number[] = []
  for (let below = Number.MAX_SAFE_INTEGER; found.length < search.wanted;) {
    const rows = await messagesOf(db, search.roomId)
      .where('seq', '>', above)
      .where('seq', '<', below)
      .orderBy('seq', 'desc')
      .limit(LOG_ROWS)
      .execute()
    found.push(...rows.map(toMessage).flatMap((message) => (holds(message, search) ? [message.seq] : [])))
    if (rows.length < LOG_ROWS) break
    below = rows.at(-1)!.seq
  }
  return found
}

function messagesOf(db: Database, roomId: RoomId) {
  return db.selectFrom('log_rows').selectAll().where('room_id', '=', roomId).where('type', '=', 'message.posted')
}

/** The messages up to `upTo` that were edited or deleted behind it. */
async function readRewritten(db: Database, roomId: RoomId, upTo: number): Promise<Message[]> {
  const { rows } = await sql<LogRowRecord>`
    select v.* from (
      select distinct target_seq from log where room_id = ${roomId} and seq > ${upTo} and target_seq <= ${upTo}
    ) t
    join log_rows v on v.room_id = ${roomId} and v.seq = t.target_seq
  `.execute(db)
  return rows.map(toMessage)
}

async function readMessages(db: Database, roomId: RoomId, seqs: number[]): Promise<Message[]> {
  if (seqs.length === 0) return []
  const rows = await messagesOf(db, roomId).where('seq', 'in', seqs).orderBy('seq', 'desc').execute()
  return rows.map(toMessage)
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
async function findIndexed(db: Database, search: Search, { upTo, except }: Range): Promise<number[]> {
  let found: number[] = []
  const canAsk = hasGrams(search.folded)
  let from = upTo + 1
  for (let step = FIRST_STEP; found.length < search.wanted && from > 1; step = Math.min(step * 2, STEP_MAX)) {
    const rest = { ...search, wanted: search.wanted - found.length }
    const scanned = upTo + 1 - from
    const isLong = scanned > 0 && scanned + (scanned * rest.wanted) / found.length > SCAN_MAX
    if (isLong && canAsk) return [...found, ...(await findByGrams(db, rest, { upTo: from - 1, except }))]
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

/** Asks of the newest stretch first, then of as many as should hold the rest, by what was found so far. */
async function findByGrams(db: Database, search: Search, { upTo, except }: Range): Promise<number[]> {
  let found: number[] = []
  let below = upTo + 1
  for (let stretches = 1; found.length < search.wanted && below > 1;) {
    const newest = stretchOf(below - 1)
    const oldest = Math.max(newest - stretches + 1, 0)
    const rest = { ...search, wanted: search.wanted - found.length }
    found = found.concat(await ask(db, rest, { below, except, asked: range(oldest, newest) }))
    below = oldest * STRETCH
    const lacking = ((search.wanted - found.length) * (upTo + 1 - below)) / found.length / STRETCH
    stretches = Math.min(Math.max(Math.ceil(lacking), 1), stretches * 4, STRETCHES_MAX)
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
    asked.map((stretch) => sql`grams @> ${gramsToFind(roomId, stretch, folded)}::int[]`),
    sql` or `,
  )
  const { rows } = await sql<{ seq: number }>`
    select seq from (select room_id, seq, folded from search_texts where ${isCandidate} offset 0) c
    where room_id = ${roomId} and seq < ${below}
      and strpos(folded, ${folded}) > 0 and seq <> all (${except}::bigint[])
    order by seq desc limit ${wanted}
  `.execute(db)
  return rows.map(({ seq }) => seq)
}
