/**
 * What goes over Redis: a head of ASCII (version, sender, kind), then JSON. The head is read first, so that a node's own messages, which
 * Redis sends back to it, cost no parsing. Posts and the marker moves that come with them, of which a commit may hold a thousand, are
 * rows without field names.
 */
import type { Fact, MessagePosted, ReadAdvanced } from '../../core/events.ts'
import type { Commit } from '../../storage/storage.ts'
import type { PresenceNews } from '../bus.ts'

/** Of this format. Nodes of another one, as while a new version is rolled out, do not hear one another and read from storage. */
const version = '1'
/** Characters of a node's name. */
export const nodeLength = 12
const headLength = version.length + nodeLength + 1

type Kind = 'commit' | 'presence' | 'probe'
const letters = { commit: 'c', presence: 'p', probe: 'x' } as const satisfies Record<Kind, string>
const kinds = new Map<string, Kind>(Object.entries(letters).map(([kind, letter]) => [letter, kind as Kind]))

export interface Head {
  node: string
  kind: Kind
}

/** Null for what is not of this format. */
export function readHead(payload: Buffer): Head | null {
  const head = payload.toString('latin1', 0, headLength)
  const kind = kinds.get(head.slice(headLength - 1))
  if (!head.startsWith(version) || kind === undefined) return null
  return { node: head.slice(version.length, headLength - 1), kind }
}

/** Says that the sender lives; its body is empty. */
export function encodeProbe(node: string): Buffer {
  return encode(node, 'probe', null)
}

export function encodePresence(node: string, news: PresenceNews): Buffer {
  return encode(node, 'presence', news)
}

export function encodeCommit(node: string, { journal, firstPosition, lastPosition, facts, after }: Commit): Buffer {
  return encode(node, 'commit', { journal, firstPosition, lastPosition, after, facts: facts.map(packFact) })
}

function encode(node: string, kind: Kind, body: unknown): Buffer {
  return Buffer.from(`${version}${node}${letters[kind]}${JSON.stringify(body)}`)
}

/** Throws SyntaxError or TypeError on a body that no node of this version writes. */
export function decodePresence(payload: Buffer): PresenceNews {
  return bodyOf(payload) as PresenceNews
}

/** As `decodePresence`. */
export function decodeCommit(payload: Buffer): Commit {
  const { facts, ...commit } = bodyOf(payload) as Omit<Commit, 'facts'> & { facts: ReturnType<typeof packFact>[] }
  // By these the tail puts it in its place: one that has none would be waited for without an end.
  if (![commit.journal, commit.firstPosition, commit.lastPosition].every(Number.isSafeInteger) || !Array.isArray(commit.after))
    throw new TypeError('not a commit')
  return { ...commit, facts: facts.map((fact) => unpackFact(commit.journal, fact)) }
}

function bodyOf(payload: Buffer): unknown {
  return JSON.parse(payload.toString('utf8', headLength))
}

type PackedPost = ReturnType<typeof packPost>
type PackedRead = ReturnType<typeof packRead>

/** The accounts that the tail may have put into a fact by now stay here: each node has its own view of them. */
function packFact(fact: Fact): Fact | PackedPost | PackedRead {
  if (fact.type === 'message.posted') return packPost(fact)
  if (fact.type === 'read.advanced') return packRead(fact)
  return Object.assign({}, fact, { user: undefined, invitation: undefined })
}

function unpackFact(journal: number, packed: Fact | PackedPost | PackedRead): Fact {
  if ('type' in packed) return packed
  return packed[0] === 'post' ? unpackPost(journal, packed) : unpackRead(journal, packed)
}

/** A message's room and seq are its fact's. */
function packPost({ stamp, roomId, userId, actorId, at, seq, message }: MessagePosted) {
  const { id, ordinal, authorId, kind, content, fileUrl, attachments, createdAt, editedAt, deletedAt } = message
  const own = [id, ordinal, authorId, kind, content, fileUrl, attachments, createdAt, editedAt, deletedAt] as const
  return ['post', stamp.position, roomId, userId, actorId, at, seq, ...own] as const
}

function unpackPost(journal: number, packed: PackedPost): MessagePosted {
  const [, position, roomId, userId, actorId, at, seq, id, ordinal, authorId, ...rest] = packed
  const [kind, content, fileUrl, attachments, createdAt, editedAt, deletedAt] = rest
  const times = { createdAt, editedAt, deletedAt }
  const message = { id, roomId, seq, ordinal, authorId, kind, content, fileUrl, attachments, ...times }
  return { type: 'message.posted', roomId, stamp: { journal, position }, userId, actorId, at, seq, message }
}

function packRead({ stamp, roomId, userId, actorId, at, explicit, passed, markerSeq, messageId }: ReadAdvanced) {
  return ['read', stamp.position, roomId, userId, actorId, at, explicit, passed, markerSeq, messageId] as const
}

function unpackRead(journal: number, packed: PackedRead): ReadAdvanced {
  const [, position, roomId, userId, actorId, at, explicit, passed, markerSeq, messageId] = packed
  const stamp = { journal, position }
  return { type: 'read.advanced', roomId, stamp, userId, actorId, at, explicit, passed, markerSeq, messageId }
}
