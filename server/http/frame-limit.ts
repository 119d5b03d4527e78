/** How fast a client may send (A12): its frames over the limit wait, and reading with them; none is dropped. */
import type { Limit } from './limits.ts'
import type { Connection } from './websocket.ts'

export interface FrameLimitOptions {
  connection: Pick<Connection, 'pause' | 'resume' | 'isEnded'>
  limit: Limit
  /** Each frame counts under all of them; none: there is no limit. */
  keys: string[]
  clock: { after(ms: number, call: () => void): () => void }
}

/** A class, as there are thousands: methods are shared. */
export class FrameLimit {
  private readonly options: FrameLimitOptions
  private isWaiting = false

  constructor(options: FrameLimitOptions) {
    this.options = options
  }

  /** Does it now, or when its turn has come; never once the connection was ended. */
  take(act: () => void, keys = this.options.keys): void {
    const { connection, limit, clock } = this.options
    const [key, ...rest] = keys
    if (key === undefined) return act()
    const taken = limit.take(key)
    if (taken.ok) return this.take(act, rest)
    connection.pause()
    this.isWaiting = true
    clock.after(taken.retryAfterS * 1000, () => {
      this.isWaiting = false
      if (connection.isEnded) return
      this.take(act, keys)
      if (!this.isWaiting) connection.resume()
    })
  }
}
