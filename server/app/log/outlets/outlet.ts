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

/** `reason` is short and holds no address: a code or a status. `isFinal`: these entries will never be taken. */
export class OutletFailure extends Error {
  override name = 'OutletFailure'
  readonly isFinal: boolean

  constructor(reason: string, isFinal = false) {
    super(reason)
    this.isFinal = isFinal
  }
}
