/** An append: the batch as the arguments of `madang_append`, one statement, and what its answer or its error means. */
import {
  CommitUncertain,
  BatchRejected,
  JournalClosed,
  type AppendResult,
  type Entry,
  type PostEntry,
  type ReadEntry,
} from '../storage.ts'
import { statementName } from './database.ts'
import { isRetryable, toAppendError } from './errors.ts'
import { decodeAppend, type StoredOutcome } from './outcome.ts'
import type { Lane } from './pool.ts'
import { toLogRow } from './rows.ts'
import type { LogRowRecord } from './tables.ts'

/** Deadlocks should not be, as locks are taken in order; where they are, the other one has passed by now. */
const TRIES = 5

interface Statement {
  function: keyof typeof CALLS
  values: unknown[]
}

const CALLS = { madang_append: callOf('madang_append', 20), madang_append_post: callOf('madang_append_post', 9) }

function callOf(name: string, parameters: number): { text: string; name: string } {
  const text = `select * from ${name}(${Array.from({ length: parameters }, (_, i) => `$${i + 1}`).join(', ')})`
  return { text, name: statementName(text) }
}

interface Answer {
  state: 'stored' | 'stands' | 'closed'
  outcome: StoredOutcome | null
  rows: LogRowRecord[] | null
}

export interface Batch {
  journal: number
  firstPosition: number
  entries: Entry[]
  messageIdMax: number
}

export async function appendBatch(lane: Lane, batch: Batch): Promise<AppendResult> {
  refuseUnstorable(batch.entries)
  const { state, outcome, rows } = await send(lane, statementOf(batch))
  if (state === 'closed' || outcome === null) {
    throw new JournalClosed(`journal ${batch.journal} is closed, or does not go on at ${batch.firstPosition}`)
  }
  return decodeAppend(batch.journal, outcome, (rows ?? []).map(toLogRow), batch.entries)
}

/** Encoding a lone surrogate would put another character in its place without an error. */
function refuseUnstorable(entries: Entry[]): void {
  for (const entry of entries) if (!isStorable(entry)) throw new BatchRejected('a text holds a lone surrogate')
}

function isStorable(entry: Entry): boolean {
  if (entry.kind !== 'post') return Object.values(entry).every(isWell)
  const { content, messageKind, fileUrl, clientKey, attachments } = entry
  const isWellPut = isWell(content) && isWell(messageKind) && isWell(fileUrl) && isWell(clientKey)
  return isWellPut && attachments.every((attachment) => Object.values(attachment).every(isWell))
}

function isWell(value: unknown): boolean {
  return typeof value !== 'string' || value.isWellFormed()
}

async function send(lane: Lane, { function: called, values }: Statement): Promise<Answer> {
  const { text, name } = CALLS[called]
  for (let attempt = 1; ; attempt++) {
    const connection = await lane.connect()
    try {
      const { rows } = await connection.query<Answer & object>(text, values, name)
      if (rows[0] === undefined) throw new CommitUncertain('the database did not say what became of the commit')
      return rows[0]
    } catch (error) {
      if (attempt === TRIES || !isRetryable(error)) throw toAppendError(error)
    } finally {
      connection.release()
    }
  }
}

/** Most appends are one plain post while traffic is low, and that is stored in half the time. */
function statementOf(batch: Batch): Statement {
  const [post, ...others] = batch.entries
  if (post?.kind !== 'post' || others.length > 0 || post.clientKey !== null || post.attachments.length > 0)
    return {
      function: 'madang_append',
      values: argumentsOf(batch).map((value) => (Array.isArray(value) ? listText(value) : value)),
    }
  const { roomId, authorId, isGuest, messageKind, content, fileUrl } = post
  const { journal, firstPosition, messageIdMax } = batch
  return {
    function: 'madang_append_post',
    values: [journal, firstPosition, messageIdMax, roomId, authorId, isGuest, messageKind, content, fileUrl],
  }
}

/** As PostgreSQL reads a list: pg writes the same, in three times as long. */
function listText(list: (string | number | boolean | null)[]): string {
  return `{${list.map((value) => (typeof value === 'string' ? quoted(value) : (value ?? 'NULL'))).join(',')}}`
}

function quoted(text: string): string {
  return `"${/["\\]/.test(text) ? text.replace(/["\\]/g, '\\$&') : text}"`
}

/** In the order of the parameters of `madang_append`. */
function argumentsOf({ journal, firstPosition, entries, messageIdMax }: Batch): unknown[] {
  const posts: PostEntry[] = []
  const postIndexes: number[] = []
  const reads: ReadEntry[] = []
  const readIndexes: number[] = []
  const changes: object[] = []
  for (const [index, entry] of entries.entries()) {
    if (entry.kind === 'post') {
      posts.push(entry)
      postIndexes.push(index)
    } else if (entry.kind === 'read') {
      reads.push(entry)
      readIndexes.push(index)
    } else changes.push({ ...entry, index })
  }
  return [
    journal,
    firstPosition,
    messageIdMax,
    idsOf(entries, 'roomId'),
    idsOf(entries, 'spaceId'),
    changes.length === 0 ? null : JSON.stringify(changes),
    postIndexes,
    posts.map((post) => post.roomId),
    posts.map((post) => post.authorId),
    posts.map((post) => post.isGuest),
    posts.map((post) => post.messageKind),
    posts.map((post) => post.content),
    posts.map((post) => post.fileUrl),
    posts.map((post) => post.clientKey),
    posts.map((post) => post.bodyHash),
    readIndexes,
    reads.map((read) => read.roomId),
    reads.map((read) => read.userId),
    reads.map((read) => read.messageId),
    filesOf(posts),
  ]
}

/** Null where no post has any, as in most batches. */
function filesOf(posts: PostEntry[]): (string | null)[] | null {
  const files = posts.map(({ attachments }) => (attachments.length === 0 ? null : JSON.stringify(attachments)))
  return files.some((file) => file !== null) ? files : null
}

/** The rooms, or spaces, whose rows are to be locked. */
function idsOf(entries: Entry[], field: 'roomId' | 'spaceId'): number[] {
  const ids = new Set<number>()
  for (const entry of entries) {
    const id = (entry as { roomId?: number; spaceId?: number | null })[field]
    if (typeof id === 'number') ids.add(id)
  }
  return [...ids]
}
