/** Visits end with their tokens (W2): one timer looks at all of them, as one for each, of a length of its own, takes half a kilobyte. */
import type { Clock } from '../../core/clock.ts'

export interface Expiring {
  /** Milliseconds since 1970; null for one that does not end. */
  readonly endsAt: number | null
  expire(): void
}

/** By so much later a visit may end than its token does. */
const sweepMs = 1_000

export class Expiry {
  private readonly clock: Pick<Clock, 'now' | 'after'>
  private readonly expiring = new Set<Expiring>()
  private isWaiting = false

  constructor(clock: Pick<Clock, 'now' | 'after'>) {
    this.clock = clock
  }

  /** Ends it at once where its end has come. */
  add(one: Expiring): void {
    if (one.endsAt === null) return
    if (one.endsAt <= this.clock.now()) return one.expire()
    this.expiring.add(one)
    this.sweepLater()
  }

  /** No matter if it is not there. */
  remove(one: Expiring): void {
    this.expiring.delete(one)
  }

  private sweepLater(): void {
    if (this.isWaiting || this.expiring.size === 0) return
    this.isWaiting = true
    this.clock.after(sweepMs, () => this.sweep())
  }

  private sweep(): void {
    this.isWaiting = false
    const now = this.clock.now()
    for (const one of this.expiring) {
      if (one.endsAt! > now) continue
      this.expiring.delete(one)
      one.expire()
    }
    this.sweepLater()
  }
}
