/** What is to be seen of a room, and how each thing that happens changes it. Pure: the server's word and one's own unsent messages. */
import type { ChatMessage } from '../protocol.ts'

/** One's own message that the server has not confirmed. */
export interface Pending {
  /** The client key: a second try under it is no second message (A8). */
  key: string
  content: string
  /** ISO 8601, by this browser's clock. */
  createdAt: string
  /** Why the server refused it; null: on its way, or waiting for a connection. */
  failure: string | null
  /** A message that has come and is most likely this one; while there is one, this is not shown. */
  twin: number | null
}

export interface Conversation {
  /** By id, ascending; ids rise within a room (A2). */
  messages: readonly ChatMessage[]
  pendings: readonly Pending[]
  hasOlder: boolean
}

/** The server's pages, of a history without a cursor and of older ones (W3, W10). */
export const pageSize = 50

/** So many messages are kept in sight of a reader who is at the end; cut down to by pages, as each cut draws the list anew. */
export const keptMax = 500

export const emptyConversation: Conversation = { messages: [], pendings: [], hasOlder: false }

/** A history that is not joined to what was there: all else is forgotten, but for what was not sent. */
export function startOver(from: Conversation, messages: readonly ChatMessage[], me: string): Conversation {
  const bare = { ...from, messages: [], hasOlder: messages.length >= pageSize }
  return addMessages(bare, messages, me)
}

/** Messages that came; what was here already takes their text. */
export function addMessages(to: Conversation, arrived: readonly ChatMessage[], me: string): Conversation {
  const known = new Set(to.messages.map(({ id }) => id))
  const isNew = arrived.filter(({ id }) => !known.has(id))
  const pendings = isNew.filter(({ username }) => username === me).reduce(pairTwin, to.pendings)
  return { ...to, messages: merge(to.messages, arrived), pendings }
}

/** The answer may come after the message itself; until then this keeps it from being seen twice. What was refused has not come. */
function pairTwin(pendings: readonly Pending[], message: ChatMessage): readonly Pending[] {
  const first = pendings.find((one) => one.twin === null && one.failure === null && one.content === message.content)
  return pendings.map((pending) => (pending === first ? { ...pending, twin: message.id } : pending))
}

export function addOlder(to: Conversation, messages: readonly ChatMessage[]): Conversation {
  return { ...to, messages: merge(to.messages, messages), hasOlder: messages.length >= pageSize }
}

/** Without the oldest, where there are many: they can be had again. */
export function dropOldest(from: Conversation): Conversation {
  if (from.messages.length < keptMax + pageSize) return from
  return { ...from, messages: from.messages.slice(-keptMax), hasOlder: true }
}

function merge(known: readonly ChatMessage[], arrived: readonly ChatMessage[]): readonly ChatMessage[] {
  const newest = known.at(-1)?.id ?? 0
  // What comes live is nearly always the newest.
  if (arrived.every(({ id }, at) => id > (at === 0 ? newest : arrived[at - 1]!.id))) return [...known, ...arrived]
  const all = new Map([...known, ...arrived].map((message) => [message.id, message]))
  return [...all.values()].sort((one, other) => one.id - other.id)
}

export function editMessage(of: Conversation, id: number, content: string): Conversation {
  return { ...of, messages: of.messages.map((message) => (message.id === id ? { ...message, content } : message)) }
}

export function deleteMessage(from: Conversation, id: number): Conversation {
  return { ...from, messages: from.messages.filter((message) => message.id !== id) }
}

export function addPending(to: Conversation, key: string, content: string, createdAt: string): Conversation {
  return { ...to, pendings: [...to.pendings, { key, content, createdAt, failure: null, twin: null }] }
}

/**
 * The server has stored it: it stands under its id at once, and the message itself, when it comes, takes its place. One that was stored
 * before the oldest that is here comes with the older ones: put in now, it would hide that there are others between.
 */
export function confirmPending(
  of: Conversation,
  key: string,
  confirmed: Omit<ChatMessage, 'content' | 'created_at'>,
): Conversation {
  const pending = of.pendings.find((one) => one.key === key)
  if (pending === undefined) return of
  const left = dropPending(of, key)
  const isBeforeAll = of.hasOlder && confirmed.id < (of.messages[0]?.id ?? 0)
  if (isBeforeAll || of.messages.some(({ id }) => id === confirmed.id)) return left
  const message = { ...confirmed, content: pending.content, created_at: pending.createdAt }
  return { ...left, messages: merge(of.messages, [message]) }
}

export function failPending(of: Conversation, key: string, failure: string): Conversation {
  return changePending(of, key, { failure, twin: null })
}

export function retryPending(of: Conversation, key: string): Conversation {
  return changePending(of, key, { failure: null })
}

export function dropPending(from: Conversation, key: string): Conversation {
  return { ...from, pendings: from.pendings.filter((pending) => pending.key !== key) }
}

function changePending(of: Conversation, key: string, change: Partial<Pending>): Conversation {
  return { ...of, pendings: of.pendings.map((pending) => (pending.key === key ? { ...pending, ...change } : pending)) }
}

/** Others' messages behind this one. */
export function countAfter(messages: readonly ChatMessage[], seen: number, me: string): number {
  return messages.filter(({ id, username }) => id > seen && username !== me).length
}
