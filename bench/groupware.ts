/** The `groupware` door: its lists and searches beside plain SQL. */
import pg from 'pg'
import { openAsker } from './asker.ts'
import type { Context } from './context.ts'
import { fillCorpus, words, type Corpus } from './corpus.ts'
import { signToken, startMadang } from './madang.ts'
import { pinMyself } from './machine.ts'
import { median } from './medians.ts'

/** One question, asked of Madang over HTTP and, where there is a plain way, of the database. */
export interface QueryRow {
  name: string
  p50Ms: number
  p99Ms: number
  /** NaN without a plain way. */
  baselineP50Ms: number
  baselineP99Ms: number
}

const sizes = { messages: 1_000_000, chats: 1_000 }
const quickSizes = { messages: 100_000, chats: 100 }
/** So many that the 99th percentile is ten of them, and not one that a busy machine made. */
const timesAsked = 1_000
/** Asked before, uncounted: the server's code and the database's plans are made by then, as in a server that has run for a while. */
const warmUps = 1_000
/** The slow ones are asked less often. */
const timesAskedOfTheBaseline = 100

export async function measureGroupware(context: Context): Promise<QueryRow[]> {
  if (context.postgres === undefined) return []
  const url = await context.postgres.createDatabase()
  const userId = 2_000
  const corpus = await fillCorpus(url, userId, context.options.isQuick ? quickSizes : sizes)
  const server = await startMadang(context, { engine: 'postgres', place: url })
  pinMyself(context.cores.load)
  const database = new pg.Client({ connectionString: url })
  await database.connect()
  try {
    await database.query('analyze')
    const token = await signToken(userId)
    const askPath = openAsker(server.port, token)
    return await compare(corpus, { ask: (path) => askPath(`/api/chats${path}`), database })
  } finally {
    await database.end()
    await server.child.stop()
  }
}

interface Ways {
  ask: (path: string) => Promise<void>
  database: pg.Client
}

async function compare({ largeRoomId, middleMessageId, userId }: Corpus, { ask, database }: Ways): Promise<QueryRow[]> {
  const search = (word: string) => ask(`/${largeRoomId}/search?q=${encodeURIComponent(word)}&limit=50`)
  const like = (word: string) => searchPlainly(database, largeRoomId, word)
  return [
    await measure(
      'list of the chats',
      () => ask(''),
      () => listPlainly(database, userId),
    ),
    await measure('messages of 7 days', () => ask(`/${largeRoomId}/messages?days=7`)),
    await measure('around', () => ask(`/${largeRoomId}/around?messageId=${middleMessageId}`)),
    await measure(
      'search, a rare word',
      () => search(words.rare),
      () => like(words.rare),
    ),
    await measure(
      'search, a scattered word',
      () => search(words.scattered),
      () => like(words.scattered),
    ),
    await measure(
      'search, a frequent word',
      () => search(words.frequent),
      () => like(words.frequent),
    ),
    await measure(
      'search, frequent elsewhere',
      () => search(words.elsewhere),
      () => like(words.elsewhere),
    ),
  ]
}

async function measure(name: string, ask: () => Promise<void>, plainly?: () => Promise<void>): Promise<QueryRow> {
  const own = await time(ask, timesAsked)
  const baseline = plainly ? await time(plainly, timesAskedOfTheBaseline) : []
  const [p50Ms, p99Ms, baselineP50Ms, baselineP99Ms] = [median(own), p99(own), median(baseline), p99(baseline)]
  return { name, p50Ms, p99Ms, baselineP50Ms, baselineP99Ms }
}

async function time(run: () => Promise<void>, times: number): Promise<number[]> {
  for (let i = 0; i < Math.min(times, warmUps); i++) await run()
  const took: number[] = []
  for (let i = 0; i < times; i++) {
    const start = performance.now()
    await run()
    took.push(performance.now() - start)
  }
  return took
}

function p99(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length * 0.99)] ?? NaN
}

/** As one would write it at first: the last message and the unread count of each chat, one by one. */
async function listPlainly(database: pg.Client, userId: number): Promise<void> {
  const { rows } = await database.query<{ room_id: string; marker_seq: string }>(
    'select room_id, marker_seq from members where user_id = $1 and left_at is null',
    [userId],
  )
  for (const { room_id, marker_seq } of rows) {
    const last =
      'select * from log where room_id = $1 and message_id is not null and deleted_at is null order by seq desc limit 1'
    await database.query({ name: 'last', text: last, values: [room_id] })
    const unread =
      'select count(*) from (select from log where room_id = $1 and seq > $2 and message_id is not null and deleted_at is null limit 100) l'
    await database.query({ name: 'unread', text: unread, values: [room_id, marker_seq] })
  }
}

async function searchPlainly(database: pg.Client, roomId: number, word: string): Promise<void> {
  const text = `select * from log where room_id = $1 and message_id is not null and deleted_at is null and content like $2
    order by seq desc limit 50`
  await database.query({ name: 'like', text, values: [roomId, `%${word}%`] })
}
