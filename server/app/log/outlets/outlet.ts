/** A place beyond this machine that takes log lines: the port that Loki, Elasticsearch, Slack and e-mail fit. */
import type { Entry } from '../entry.ts'

export interface Outlet {
  /** As the log calls it: `Loki`. */
  readonly name: string
  /**
   * Resolves when all are taken. Given at most 1,000, and one call at a time. Throws OutletFailure; where that may pass, the same
   * entries are given again.
   */
  send(entries: readonly Entry[], signal: AbortSignal): Promise<void>
  /** Ends what it holds open. */
  close?(): void
}

/**
 * `reason` is short and holds no address: a code or a status. `isFinal`: of these entries so many as are `refused` will never be taken,
 * all by default; the others were.
 */
export class OutletFailure extends Error {
  override name = 'OutletFailure'
  readonly isFinal: boolean
  readonly refused: number

  constructor(reason: string, isFinal = false, refused = Infinity) {
    super(reason)
    this.isFinal = isFinal
    this.refused = refused
  }
}
