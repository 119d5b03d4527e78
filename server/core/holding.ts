/**
 * What this process holds in one record of the registry while somebody here is in it. The registry is told one thing after the other, and
 * what it was told without an answer it may hold.
 */

/** Told at once, so that a node with many is let in again before its questions wait too long for their answers. */
const batchSize = 200

export interface Held {
  /** Whether somebody here is in it. */
  isWanted(): boolean
  /** Tells the registry so; `naming` says under which name before it may take effect. Null where it may not be held now. */
  hold(naming: Naming): Promise<object | null>
  /** Tells the registry that nobody here is in it any more. */
  release(node: string): Promise<void>
  /** Nobody here is in it, the registry knows so, and nothing waits for its turn: to be forgotten. Once: another may take its place. */
  onFree(): void
}

export type Naming = (node: string) => void

export class Holding {
  private readonly held: Held
  /** The node's name under which the registry holds it, or may; null where it surely does not. */
  private name: string | null = null
  /** The registry has answered that it holds it, and that has not been called into doubt since. */
  private isSure = false
  private doubts = 0
  private waiting = 0
  private isFree = false
  private last: Promise<unknown> = Promise.resolve()

  constructor(held: Held) {
    this.held = held
  }

  /** Acts when all that was begun before has ended. */
  inTurn<T>(act: () => Promise<T>): Promise<T> {
    this.waiting += 1
    const done = this.last.then(act).finally(() => this.endTurn())
    this.last = done.catch(() => {})
    return done
  }

  private endTurn(): void {
    this.waiting -= 1
    if (this.isFree || this.waiting > 0 || this.name !== null || this.held.isWanted()) return
    this.isFree = true
    this.held.onFree()
  }

  /** Makes the registry hold what is so here, when its turn comes. False where it may not be held now. */
  settle(): Promise<boolean> {
    return this.inTurn(async () => {
      if (this.held.isWanted()) return this.isSure || (await this.hold((naming) => this.held.hold(naming))) !== null
      await this.release()
      return true
    })
  }

  /** In its turn: what it asks makes the registry hold it, unless the answer is null. */
  async hold<T extends object | null>(ask: (naming: Naming) => Promise<T>): Promise<T> {
    const { doubts } = this
    const answer = await ask((node) => (this.name = node))
    this.isSure = answer !== null && doubts === this.doubts
    return answer
  }

  private async release(): Promise<void> {
    if (this.name === null) return
    this.isSure = false
    await this.held.release(this.name)
    this.name = null
  }

  get isSettled(): boolean {
    return this.held.isWanted() ? this.isSure : this.name === null
  }

  /** Whether these nodes, which stand in its record, name this one. */
  isAmong(nodes: string[]): boolean {
    return this.name !== null && nodes.includes(this.name)
  }

  /** The registry may not hold it any more. */
  doubt(): void {
    this.isSure = false
    this.doubts += 1
  }
}

/** What the registry could not be told before. Never throws: what fails again waits for the next time. */
export async function settleAll(holdings: Holding[]): Promise<void> {
  const open = holdings.filter((holding) => !holding.isSettled)
  for (let from = 0; from < open.length; from += batchSize) {
    await Promise.allSettled(open.slice(from, from + batchSize).map((holding) => holding.settle()))
  }
}

/** Tells the registry all: after it was emptied or was away, and when this process was taken for dead. */
export async function restoreAll(holdings: Holding[]): Promise<void> {
  for (const holding of holdings) holding.doubt()
  await settleAll(holdings)
}
