/**
 * One question of many callers as one statement. Those that wait for a connection, or for their turn, while all are taken are asked
 * together by the first who gets one: a thousand clients that connect at once are a few statements and not thousands. Each is asked
 * after its caller asked, so it shows all that was written before. Alone, a question goes at once.
 */
import type { Database } from './database.ts'

/** Of one statement. */
const KEYS_MAX = 1_000

interface Waiting<Key, Answer> {
  key: Key
  resolve: (answer: Answer) => void
  reject: (error: unknown) => void
}

/**
 * `ask` answers keys, which may be equal, in their order. What it throws is for all who asked together, so no key may be at fault: one that
 * the database cannot read is answered without it.
 */
export function gather<Key, Answer>(
  db: Database,
  ask: (db: Database, keys: Key[]) => Promise<Answer[]>,
): (key: Key) => Promise<Answer> {
  const waiting: Waiting<Key, Answer>[] = []

  async function askNext(): Promise<void> {
    let asked: typeof waiting = []
    try {
      await db.connection().execute(async (connection) => {
        asked = takeNext()
        const answers = await ask(
          connection,
          asked.map(({ key }) => key),
        )
        asked.forEach(({ resolve }, nth) => resolve(answers[nth]!))
      })
    } catch (error) {
      // Without a connection nobody was asked for yet.
      if (asked.length === 0) asked = takeNext()
      for (const { reject } of asked) reject(error)
    }
  }

  /** Who comes from now on waits for a connection of his own, and so do those for whom there is no room. */
  function takeNext(): typeof waiting {
    const next = waiting.splice(0, KEYS_MAX)
    if (waiting.length > 0) void askNext()
    return next
  }

  return (key) =>
    new Promise((resolve, reject) => {
      waiting.push({ key, resolve, reject })
      if (waiting.length === 1) void askNext()
    })
}

/**
 * For questions that are asked one by one: equal ones that wait for a connection are one. It is asked after its callers asked, and they
 * share the answer.
 */
export function shareEqual<Question extends number[], Answer>(
  db: Database,
  ask: (db: Database, ...question: Question) => Promise<Answer>,
): (...question: Question) => Promise<Answer> {
  const waiting = new Map<string, Promise<Answer>>()
  return (...question) => {
    const name = question.join(' ')
    const known = waiting.get(name)
    if (known !== undefined) return known
    const answer = db.connection().execute((connection) => {
      waiting.delete(name)
      return ask(connection, ...question)
    })
    waiting.set(name, answer)
    answer.catch(() => waiting.get(name) === answer && waiting.delete(name))
    return answer
  }
}
