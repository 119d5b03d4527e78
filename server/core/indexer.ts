/**
 * Takes what was posted into the search index, behind the messages' backs: a search reads itself what the index does not hold yet,
 * so nothing waits for this, and it takes at most a fifth of the time, however far it lags; half of it while nothing is written.
 */
import { StorageUnavailable, type Commit, type LogStore } from '../storage/storage.ts'
import { every, type Clock } from './clock.ts'
import type { RoomId } from './model.ts'

/** What comes within this goes into the index together. */
const gatherMs = 1_000
/** Log rows: an embedded database, which does one thing at a time, is busy with them for 40 ms. */
const batchRows = 200
/** After a batch it pauses so many times as long as that took, by whether this process committed anything meanwhile. */
const pauseTimes = { busy: 4, idle: 1 }
/** How often it looks for rooms that nobody follows: of nodes that ended, and where a batch failed. */
const sweepMs = 60_000
const sweptRooms = 1_000

export interface Indexer {
  /** Looks at once for what was left behind. */
  start(): void
  /** What this process committed. */
  hear(commit: Commit): void
  /** For how long the index has lacked something that this process knows of; 0 where it lacks nothing. */
  lagMs(): number
  /** Resolves when the batch under way has ended; none follows. */
  stop(): Promise<void>
}

export interface IndexerOptions {
  log: LogStore
  clock: Clock
  /** Worth a line in the log; with an error, a fault. */
  onTrouble(text: string, error?: unknown): void
}

export function createIndexer(options: IndexerOptions): Indexer {
  return new LogIndexer(options)
}

class LogIndexer implements Indexer {
  private readonly options: IndexerOptions
  /** Rooms whose log goes on behind the index, with since when; the first is next. */
  private behind = new Map<RoomId, number>()
  /** Heard of since, for when those are done. */
  private heard = new Map<RoomId, number>()
  /** Left to the next sweep. */
  private failed = new Map<RoomId, number>()
  private isBusy = false
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
    this.isBusy = true
    const now = this.options.clock.now()
    for (const fact of facts) if ('seq' in fact && !this.heard.has(fact.roomId)) this.heard.set(fact.roomId, now)
    this.wake(gatherMs)
  }

  lagMs(): number {
    const now = this.options.clock.now()
    let since = now
    for (const rooms of [this.behind, this.heard, this.failed]) for (const at of rooms.values()) since = Math.min(since, at)
    return now - since
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
      const pauseMs = Math.max(this.options.clock.now() - start, 1) * (this.isBusy ? pauseTimes.busy : pauseTimes.idle)
      this.isBusy = false
      this.wake(this.behind.size > 0 || this.isMore ? pauseMs : Math.max(pauseMs, gatherMs))
    })
  }

  private async work(): Promise<void> {
    if (this.behind.size === 0) [this.behind, this.heard] = [this.heard, this.behind]
    const [next] = this.behind
    if (this.isSweepDue || next === undefined) return this.sweep()
    const [roomId, since] = next
    try {
      const isMore = await this.options.log.indexNext(roomId, batchRows)
      this.behind.delete(roomId)
      // Behind the others, so that a busy room does not keep them waiting.
      if (isMore) this.behind.set(roomId, since)
    } catch (error) {
      this.behind.delete(roomId)
      this.failed.set(roomId, since)
      this.tell(error)
    }
  }

  private async sweep(): Promise<void> {
    this.isSweepDue = false
    this.isMore = false
    try {
      const rooms = await this.options.log.listUnindexed(sweptRooms)
      const now = this.options.clock.now()
      for (const roomId of rooms) this.behind.set(roomId, this.behind.get(roomId) ?? this.failed.get(roomId) ?? now)
      this.failed.clear()
      this.isMore = rooms.length === sweptRooms
    } catch (error) {
      this.tell(error)
    }
  }

  /** That storage is away, it says itself. */
  private tell(error: unknown): void {
    if (!(error instanceof StorageUnavailable)) this.options.onTrouble('the search index does not go on', error)
  }

  async stop(): Promise<void> {
    this.isStopped = true
    this.stopSweep()
    this.cancel?.()
    await this.running
  }
}
