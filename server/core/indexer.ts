/**
 * Takes what was posted into the search index, behind the messages' backs: a search reads itself what the index does not hold yet,
 * so nothing waits for this, and it takes at most a fifth of the time, however far it lags.
 */
import { StorageUnavailable, type Commit, type LogStore } from '../storage/storage.ts'
import { every, type Clock } from './clock.ts'
import type { RoomId } from './model.ts'

/** What comes within this goes into the index together. */
const gatherMs = 1_000
/** Log rows: an embedded database, which does one thing at a time, is busy with them for 40 ms. */
const batchRows = 200
/** After a batch it pauses so many times as long as that took. */
const pauseTimes = 4
/** How often it looks for rooms that nobody follows: of nodes that ended, and where a batch failed. */
const sweepMs = 60_000
const sweptRooms = 1_000

export interface Indexer {
  /** Looks at once for what was left behind. */
  start(): void
  /** What this process committed. */
  hear(commit: Commit): void
  /** Resolves when the batch under way has ended; none follows. */
  stop(): Promise<void>
}

export interface IndexerOptions {
  log: LogStore
  clock: Clock
  /** Worth a line in the log. */
  onTrouble(text: string): void
}

export function createIndexer(options: IndexerOptions): Indexer {
  return new LogIndexer(options)
}

class LogIndexer implements Indexer {
  private readonly options: IndexerOptions
  /** Rooms whose log goes on behind the index; the first is next. */
  private behind = new Set<RoomId>()
  /** Heard of since, for when those are done. */
  private heard = new Set<RoomId>()
  /** The next thing to do is to look for such rooms. */
  private isSweepDue = true
  /** Whether there may be more of them than the last sweep listed. */
  private isMore = false
  private isStopped = false
  private running: Promise<void> | null = null
  private cancel: (() => void) | null = null
  private stopSweep = () => {}

  constructor(options: IndexerOptions) {
    this.options = options
  }

  start(): void {
    this.stopSweep = every(this.options.clock, sweepMs, async () => {
      this.isSweepDue = true
      this.wake(0)
    })
    this.wake(0)
  }

  hear({ facts }: Commit): void {
    for (const fact of facts) if ('seq' in fact) this.heard.add(fact.roomId)
    this.wake(gatherMs)
  }

  /** The next batch is in `ms`, unless one is under way or waited for already. */
  private wake(ms: number): void {
    if (this.isStopped || this.running || this.cancel || !this.hasWork()) return
    this.cancel = this.options.clock.after(ms, () => {
      this.cancel = null
      this.run()
    })
  }

  private hasWork(): boolean {
    return this.behind.size > 0 || this.heard.size > 0 || this.isSweepDue || this.isMore
  }

  private run(): void {
    const start = this.options.clock.now()
    this.running = this.work().finally(() => {
      this.running = null
      const pauseMs = Math.max(this.options.clock.now() - start, 1) * pauseTimes
      this.wake(this.behind.size > 0 || this.isMore ? pauseMs : Math.max(pauseMs, gatherMs))
    })
  }

  private async work(): Promise<void> {
    if (this.behind.size === 0) [this.behind, this.heard] = [this.heard, this.behind]
    const [roomId] = this.behind
    if (this.isSweepDue || roomId === undefined) return this.sweep()
    this.behind.delete(roomId)
    try {
      // Behind the others, so that a busy room does not keep them waiting.
      if (await this.options.log.indexNext(roomId, batchRows)) this.behind.add(roomId)
    } catch (error) {
      // The sweep finds it again.
      this.tell(error)
    }
  }

  private async sweep(): Promise<void> {
    this.isSweepDue = false
    this.isMore = false
    try {
      const rooms = await this.options.log.listUnindexed(sweptRooms)
      for (const roomId of rooms) this.behind.add(roomId)
      this.isMore = rooms.length === sweptRooms
    } catch (error) {
      this.tell(error)
    }
  }

  /** That storage is away, it says itself. */
  private tell(error: unknown): void {
    if (!(error instanceof StorageUnavailable)) this.options.onTrouble(`the search index does not go on: ${String(error)}`)
  }

  async stop(): Promise<void> {
    this.isStopped = true
    this.stopSweep()
    this.cancel?.()
    await this.running
  }
}
