/** How far this browser has seen a room, and so what is unread: counted since the panel was last open (W10). */
import type { ChatMessage } from '../protocol.ts'
import { countAfter, type Conversation } from './conversation.ts'
import type { Keepsakes } from './keepsakes.ts'

export class Seen {
  readonly #keepsakes: Keepsakes
  readonly #me: string
  /** An id; null until a first history. */
  #upTo: number | null
  /** Unread messages that the conversation no longer has. */
  #dropped = 0

  constructor(keepsakes: Keepsakes, me: string) {
    this.#keepsakes = keepsakes
    this.#me = me
    this.#upTo = keepsakes.seen()
  }

  get upTo(): number {
    return this.#upTo ?? 0
  }

  /** A browser that was never here begins with nothing unread. Another tab may have seen more. Returns how many are unread. */
  look(conversation: Conversation, isWatched: boolean): number {
    const newest = conversation.messages.at(-1)?.id ?? 0
    const kept = this.#keepsakes.seen()
    const before = Math.max(this.#upTo ?? newest, kept ?? 0)
    if (isWatched || before !== this.#upTo) this.#dropped = 0
    this.#upTo = isWatched ? Math.max(newest, before) : before
    if (this.#upTo !== kept) this.#keepsakes.keepSeen(this.#upTo)
    return this.count(conversation)
  }

  count(conversation: Conversation): number {
    return this.#upTo === null ? 0 : this.#dropped + countAfter(conversation.messages, this.#upTo, this.#me)
  }

  /** These go from the conversation; what is unread of them still counts, until more is seen. */
  drop(messages: readonly ChatMessage[]): void {
    if (this.#upTo !== null) this.#dropped += countAfter(messages, this.#upTo, this.#me)
  }
}
