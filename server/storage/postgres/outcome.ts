/** What `madang_append` says of a commit, as its row in `commits` holds it, and the facts that this makes. */
import type { Fact, LogRow, MessagePosted, ReadAdvanced } from '../../core/events.ts'
import type { Attachment, Stamp } from '../../core/model.ts'
import type { AppendResult, Entry, Outcome, PostEntry, Refusal } from '../storage.ts'

/** Absent where the batch had none. */
export interface StoredOutcome {
  /** Positions. */
  first: number
  last: number
  /** What other journals left last in the rooms that were locked, touched or not. */
  after?: [roomId: number, journal: number, position: number][]
  /** Index of a structural entry, and [room id, seq] of the log rows that it made. */
  changes?: [index: number, rows: [roomId: number, seq: number][]][]
  /** The posts of a room. */
  blocks?: Block[]
  /** Index of a post with attachments, and the id of its first one; the others' follow. */
  attached?: [index: number, firstId: number][]
  reads?: StoredRead[]
  repeated?: [index: number, seq: number][]
  refused?: [index: number, reason: Refusal][]
}

export type Block = [
  roomId: number,
  firstSeq: number,
  firstOrdinal: number,
  firstId: number,
  firstPosition: number,
  at: number,
  indexes: number[],
  /** A 1 for each post that carried its author's marker past others' messages, else a 0; absent in rows of before 0009-append. */
  passed?: string,
]

export type StoredRead = [
  index: number,
  roomId: number,
  userId: number,
  markerSeq: number,
  messageId: number | null,
  at: number,
  position: number,
  /** Absent in rows of before 0009-append. */
  hasMoved?: boolean,
]

/** `changed` are the log rows of the structural entries. */
export function decodeAppend(journal: number, stored: StoredOutcome, changed: LogRow[], entries: Entry[]): AppendResult {
  const facts = new Map<number, Fact[]>()
  for (const [index, own] of decodeChanges(stored, changed)) facts.set(index, own)
  const attached = new Map(stored.attached)
  const posts = entries.map((entry, index) => postOf(entry, attached.get(index) ?? 0))
  for (const block of stored.blocks ?? []) decodeBlock(journal, block, posts, facts)
  for (const read of stored.reads ?? []) facts.set(read[0], [decodeRead(journal, read)])
  const others = new Map<number, Outcome>()
  for (const [index, seq] of stored.repeated ?? []) others.set(index, { status: 'repeated', seq })
  for (const [index, reason] of stored.refused ?? []) others.set(index, { status: 'refused', reason })
  return {
    journal,
    firstPosition: stored.first,
    lastPosition: stored.last,
    facts: [...facts.values()].flat(),
    after: decodeAfter(stored),
    outcomes: entries.map((_, index) => others.get(index) ?? { status: 'done', facts: facts.get(index) ?? [] }),
  }
}

/** Of the rooms that the commit touched, in the order in which it did. */
export function decodeAfter(stored: StoredOutcome): Stamp[] {
  const last = new Map((stored.after ?? []).map(([roomId, journal, position]) => [roomId, { journal, position }]))
  if (last.size === 0) return []
  const touched = [
    ...(stored.changes ?? []).flatMap(([, rows]) => rows.map(([roomId]) => roomId)),
    ...(stored.blocks ?? []).map(([roomId]) => roomId),
    ...(stored.reads ?? []).map(([, roomId]) => roomId),
  ]
  return [...new Set(touched)].flatMap((roomId) => last.get(roomId) ?? [])
}

/** The facts of each structural entry; a space without rooms makes none. */
function decodeChanges(stored: StoredOutcome, changed: LogRow[]): [number, LogRow[]][] {
  let taken = 0
  return (stored.changes ?? []).map(([index, rows]) => [index, changed.slice(taken, (taken += rows.length))])
}

type Post = PostEntry & { attachments: Attachment[] }

/** A post with its attachments' ids; null for another entry. */
function postOf(entry: Entry, firstId: number): Post | null {
  if (entry.kind !== 'post') return null
  if (entry.attachments.length === 0) return entry as Post
  const attachments = entry.attachments.map(({ fileName, url, mimeType, sizeBytes }, nth) => {
    return { id: firstId + nth, fileName, url, mimeType, sizeBytes }
  })
  return { ...entry, attachments }
}

function decodeBlock(journal: number, block: Block, posts: (Post | null)[], facts: Map<number, Fact[]>): void {
  const [, seq, ordinal, id, , at, indexes, passed] = block
  let position = block[4]
  for (const [nth, index] of indexes.entries()) {
    const post = posts[index] ?? null
    if (post === null) throw new Error(`entry ${index} of a commit is not the post that was stored`)
    const posted = postedFact(post, { seq: seq + nth, ordinal: ordinal + nth, id: id + nth, at, stamp: { journal, position } })
    const own = post.isGuest ? [posted] : [posted, markerFact(posted, passed?.[nth] === '1')]
    facts.set(index, own)
    position += own.length
  }
}

interface Place {
  seq: number
  ordinal: number
  id: number
  at: number
  stamp: { journal: number; position: number }
}

function postedFact(post: Post, { seq, ordinal, id, at, stamp }: Place): MessagePosted {
  const { roomId, authorId, messageKind, content, fileUrl, attachments } = post
  return {
    type: 'message.posted',
    roomId,
    stamp,
    userId: authorId,
    actorId: authorId,
    at,
    seq,
    message: {
      id,
      roomId,
      seq,
      ordinal,
      authorId,
      kind: messageKind,
      content,
      fileUrl,
      attachments,
      createdAt: at,
      editedAt: null,
      deletedAt: null,
    },
  }
}

/** A member's post moves his marker to it, at the position behind it. */
export function markerFact(posted: MessagePosted, passed: boolean): ReadAdvanced {
  const { roomId, userId, at, seq, message } = posted
  const stamp = { journal: posted.stamp.journal, position: posted.stamp.position + 1 }
  return {
    type: 'read.advanced',
    roomId,
    stamp,
    userId,
    actorId: userId,
    at,
    explicit: false,
    passed,
    markerSeq: seq,
    messageId: message.id,
  }
}

export function decodeRead(journal: number, read: StoredRead): ReadAdvanced {
  const [, roomId, userId, markerSeq, messageId, at, position, passed = false] = read
  const stamp = { journal, position }
  const about = { userId, actorId: userId, explicit: true, passed, markerSeq, messageId }
  return { type: 'read.advanced', roomId, stamp, at, ...about }
}
