/** What stands between the log and an outlet: bounded, and never waited for. */
import type { Clock } from '../../../core/clock.ts'
import type { Entry } from '../entry.ts'
import { OutletFailure, type Outlet } from './outlet.ts'

export interface OutletQueue {
  readonly name: string
  /** Never waits and never throws. */
  take(entry: Entry): void
  /** How many entries were lost since the last time this was asked: the queue was full, or the outlet refused them for good. */
  takeDropped(): number
  /** One more try for what waits; 4 s at most. */
  close(): Promise<void>
}

export interface OutletQueueOptions {
  outlet: Outlet
  clock: Clock
  /** Entries that may wait: 10,000. */
  entriesMax?: number
  /** Hears, for the lines on this machine, when the outlet fails (once, with the reason) and when it is there again. */
  onTrouble(text: string): void
}

const batchMax = 1_000
/** Entries are gathered for so long. */
const gatherMs = 1_000
const sendWithinMs = 10_000
const closeWithinMs = 2_000
const retryMsMax = 60_000

export function createOutletQueue(options: OutletQueueOptions): OutletQueue {
  return new Queue(options)
}

class Queue implements OutletQueue {
  private readonly options: OutletQueueOptions
  private readonly waiting: Entry[] = []
  private dropped = 0
  private failures = 0
  private isBusy = false
  private isClosed = false
  /** The wait for the next batch. */
  private cancel = () => {}
  private sending = Promise.resolve()
  private abort = () => {}

  constructor(options: OutletQueueOptions) {
    this.options = options
  }

  get name(): string {
    return this.options.outlet.name
  }

  take(entry: Entry): void {
    const { entriesMax = 10_000 } = this.options
    if (this.waiting.length >= entriesMax) return void this.dropped++
    this.waiting.push(entry)
    if (!this.isBusy) this.sendAfter(gatherMs)
  }

  takeDropped(): number {
    const count = this.dropped
    this.dropped = 0
    return count
  }

  private sendAfter(ms: number): void {
    this.isBusy = true
    this.cancel = this.options.clock.after(ms, () => {
      this.sending = this.sendBatch(sendWithinMs).then(() => this.goOn())
    })
  }

  private goOn(): void {
    this.isBusy = false
    if (this.isClosed || this.waiting.length === 0) return
    this.sendAfter(this.failures === 0 ? gatherMs : Math.min(gatherMs * 2 ** this.failures, retryMsMax))
  }

  /** What could not be sent stays in front. */
  private async sendBatch(withinMs: number): Promise<void> {
    const batch = this.waiting.slice(0, batchMax)
    const ending = new AbortController()
    this.abort = () => ending.abort()
    const cancel = this.options.clock.after(withinMs, this.abort)
    try {
      await orAborted(this.options.outlet.send(batch, ending.signal), ending.signal)
      this.succeed(batch)
    } catch (error) {
      this.fail(batch, error)
    } finally {
      cancel()
    }
  }

  private succeed(batch: Entry[]): void {
    this.waiting.splice(0, batch.length)
    if (this.failures > 0) this.options.onTrouble(`${this.name} takes log lines again`)
    this.failures = 0
  }

  private fail(batch: Entry[], error: unknown): void {
    if (error instanceof OutletFailure && error.isFinal) {
      this.waiting.splice(0, batch.length)
      this.dropped += Math.min(error.refused, batch.length)
    }
    const reason = error instanceof OutletFailure ? error.message : error instanceof Error ? error.name : typeof error
    if (this.failures++ === 0) this.options.onTrouble(`${this.name} does not take log lines (${reason})`)
  }

  async close(): Promise<void> {
    this.isClosed = true
    this.cancel()
    const cancelAbort = this.options.clock.after(closeWithinMs, () => this.abort())
    await this.sending
    cancelAbort()
    if (this.waiting.length > 0) await this.sendBatch(closeWithinMs)
    this.options.outlet.close?.()
  }
}

/** An outlet that does not heed its signal is not waited for. */
function orAborted(sent: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(new OutletFailure('no answer in time')))
    sent.then(resolve, reject)
  })
}
