/** The conversation as lines of the list: days, who speaks in a row, where the new begins. Pure. */
import type { ChatMessage } from '../protocol.ts'
import type { Conversation, Pending } from './conversation.ts'

export type Row =
  | { kind: 'day'; key: string; at: Date }
  | { kind: 'divider'; key: string }
  | { kind: 'message'; key: string; message: ChatMessage; place: Place }
  | { kind: 'pending'; key: string; pending: Pending; place: Place }

/** Of one person's messages in a row, which this is; the first shows who, the last when. */
export interface Place {
  isOwn: boolean
  isFirst: boolean
  isLast: boolean
}

/** Who writes again within this time goes on in the same group. */
const groupMs = 5 * 60_000

interface Item {
  key: string
  author: string
  at: number
  message: ChatMessage | null
  pending: Pending | null
}

/** `divider`: the newest message that had been seen; null for no line. */
export function rowsOf({ messages, pendings }: Conversation, me: string, divider: number | null): Row[] {
  const items = [
    ...messages.map(itemOfMessage),
    ...pendings.filter(({ twin }) => twin === null).map((one) => itemOfPending(one, me)),
  ]
  const dividerAt =
    divider === null ? -1 : items.findIndex(({ message }) => message !== null && message.id > divider && message.username !== me)
  const isBreak = items.map((item, at) => at === 0 || at === dividerAt || !isSameGroup(items[at - 1]!, item))
  return items.flatMap((item, at) => {
    const before: Row[] = []
    if (at === 0 || !isSameDay(items[at - 1]!.at, item.at))
      before.push({ kind: 'day', key: `day ${item.key}`, at: new Date(item.at) })
    if (at === dividerAt) before.push({ kind: 'divider', key: 'divider' })
    const place = { isOwn: item.author === me, isFirst: isBreak[at]!, isLast: isBreak[at + 1] ?? true }
    return [...before, rowOf(item, place)]
  })
}

function itemOfMessage(message: ChatMessage): Item {
  return { key: `message ${message.id}`, author: message.username, at: Date.parse(message.created_at), message, pending: null }
}

function itemOfPending(pending: Pending, me: string): Item {
  return { key: `pending ${pending.key}`, author: me, at: Date.parse(pending.createdAt), message: null, pending }
}

function rowOf({ key, message, pending }: Item, place: Place): Row {
  return message === null ? { kind: 'pending', key, pending: pending!, place } : { kind: 'message', key, message, place }
}

function isSameGroup(before: Item, after: Item): boolean {
  return before.author === after.author && after.at - before.at < groupMs && isSameDay(before.at, after.at)
}

function isSameDay(one: number, other: number): boolean {
  return new Date(one).toDateString() === new Date(other).toDateString()
}
