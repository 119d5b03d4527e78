/** Default names of users in a room (C7): from a host's user service where there is one, else from the users table. A bounded cache. */
import { isName } from './texts.ts'
import type { Clock } from './clock.ts'
import type { User } from './model.ts'

/** A name that changed there shows here after this at the latest, when it is asked for. */
const freshMs = 60_000
/** So soon a service that failed, or knows no name, is asked again. */
const retryMs = 10_000
/** Nobody waits longer for names, however many they are (C7). */
const waitMs = 1_000
const namesMax = 50_000
/** Questions that are under way at once. */
const askedMax = 32

/** What the service calls a user of this username; null where it knows none. Throws where it does not answer well; gives up by itself. */
export type FindName = (username: string) => Promise<string | null>

export interface UserNames {
  /**
   * The default name of each, by id. What the service has not said in time is what it said last, else what the users table has; it
   * counts from the next question on.
   */
  namesOf(users: User[]): Promise<Map<number, string>>
}

/** `find` is null where there is no service. */
export function createUserNames(find: FindName | null, clock: Clock): UserNames {
  const names = find && new NameCache(find, clock)
  return {
    async namesOf(users) {
      await names?.prepare(users.map(({ username }) => username))
      return new Map(users.map((user) => [user.id, names?.known(user.username) ?? user.fullName]))
    },
  }
}

class NameCache {
  private readonly entries = new Map<string, { name: string | null; until: number }>()
  private readonly asked = new Map<string, Promise<void>>()
  private readonly waiting: (() => void)[] = []
  private readonly find: FindName
  private readonly clock: Clock

  constructor(find: FindName, clock: Clock) {
    this.find = find
    this.clock = clock
  }

  known(username: string): string | null {
    return this.entries.get(username)?.name ?? null
  }

  /** Waits for those of which nothing is known; those that are stale are asked for behind the answer. */
  async prepare(usernames: string[]): Promise<void> {
    const now = this.clock.now()
    const due = usernames.filter((username) => (this.entries.get(username)?.until ?? 0) <= now)
    const questions = due.map((username) => ({ isUnknown: !this.entries.has(username), answer: this.ask(username) }))
    const unknown = questions.filter(({ isUnknown }) => isUnknown)
    if (unknown.length > 0) await this.inTime(Promise.all(unknown.map(({ answer }) => answer)))
  }

  private inTime(questions: Promise<unknown>): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.clock.after(waitMs, resolve)
      void questions.finally(() => {
        cancel()
        resolve()
      })
    })
  }

  /** Once for all who ask for it meanwhile. Never rejects. */
  private ask(username: string): Promise<void> {
    const known = this.asked.get(username)
    if (known) return known
    const question = this.askNow(username).finally(() => this.asked.delete(username))
    this.asked.set(username, question)
    return question
  }

  private async askNow(username: string): Promise<void> {
    if (this.asked.size >= askedMax) await new Promise<void>((resolve) => this.waiting.push(resolve))
    try {
      const name = await this.find(username)
      const isGood = name !== null && isName(name)
      this.keep(username, isGood ? name : null, isGood ? freshMs : retryMs)
    } catch {
      this.keep(username, this.known(username), retryMs)
    } finally {
      this.waiting.shift()?.()
    }
  }

  private keep(username: string, name: string | null, ms: number): void {
    this.entries.delete(username)
    if (this.entries.size >= namesMax) this.entries.delete(this.entries.keys().next().value!)
    this.entries.set(username, { name, until: this.clock.now() + ms })
  }
}
