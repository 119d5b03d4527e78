/**
 * One at a time, in order of asking, urgent ones first. PGlite is one backend behind all its sockets and pglite-socket puts
 * the messages of two clients between each other (electric-sql/pglite#1046): a query of one would run with another's text.
 */
import { StorageUnavailable } from '../storage.ts'

type Waiting = () => void

export class Turns {
  readonly #urgent: Waiting[] = []
  readonly #others: Waiting[] = []
  #taken = false

  /** Resolves, when it is one's turn, with what ends it. Throws StorageUnavailable where that takes longer than `waitMs`. */
  async take(urgent: boolean, waitMs: number): Promise<() => void> {
    if (this.#taken) await this.#wait(urgent ? this.#urgent : this.#others, waitMs)
    this.#taken = true
    return () => this.#next()
  }

  #wait(line: Waiting[], waitMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const called = () => {
        clearTimeout(handle)
        resolve()
      }
      const handle = setTimeout(() => {
        line.splice(line.indexOf(called), 1)
        reject(new StorageUnavailable(`the database was busy for ${waitMs} ms`))
      }, waitMs)
      line.push(called)
    })
  }

  /** The turn passes on without becoming free in between. */
  #next(): void {
    const called = this.#urgent.shift() ?? this.#others.shift()
    if (called === undefined) this.#taken = false
    else called()
  }
}
