/**
 * Group commit: everything that changes a room goes through here. A write waits only for the commit in flight; all that came
 * meanwhile goes together in the next one. Ack and delivery come after the commit, never before.
 */
import {
  BatchRejected,
  CommitUncertain,
  JournalClosed,
  StorageUnavailable,
  type AppendResult,
  type Commit,
  type Entry,
  type JournalRecord,
  type LogStore,
  type Outcome,
} from '../storage/storage.ts'
import { every, type Clock } from './clock.ts'
import { patienceMs, WriteQueue, type Line, type Waiting } from './write-queue.ts'

const retryMs = 200
const heartbeatMs = 10_000
/** A journal that was not heard of for so long belongs to a process that is taken for dead. */
const silentMs = 45_000

export interface Journal {
  /** Resolves when it is committed or refused; throws ChatError `unavailable` when it cannot be, or is not known to be (A15). */
  submit(entry: Entry, line?: Line | null): Promise<Outcome>
  /** Waits for what was submitted, then closes the journal. It does not end while a commit is uncertain and the database away. */
  close(): Promise<void>
}

export interface JournalObserver {
  onCommit(commit: Commit, how: { entries: number; tookMs: number }): void
  /** Worth a line in the log; with an error, a fault. */
  onTrouble(text: string, error?: unknown): void
}

export interface JournalOptions {
  log: LogStore
  clock: Clock
  observer: JournalObserver
  /** A journal was opened: at the start, or after the one before was closed by another. */
  onOpen(journal: JournalRecord): void
  /** What was committed, in order. */
  onCommit(commit: Commit): void
}

export async function openJournal(options: JournalOptions): Promise<Journal> {
  return new GroupCommit(options, await openNext(options))
}

async function openNext(options: JournalOptions): Promise<JournalRecord> {
  const journal = await options.log.openJournal()
  options.onOpen({ ...journal })
  return journal
}

class GroupCommit implements Journal {
  private readonly options: JournalOptions
  private readonly log: LogStore
  private readonly clock: Clock
  private readonly observer: JournalObserver
  private journal: JournalRecord
  private readonly queue: WriteQueue
  private running: Promise<void> | null = null
  private readonly stopHeartbeat: () => void

  constructor(options: JournalOptions, journal: JournalRecord) {
    this.options = options
    this.log = options.log
    this.clock = options.clock
    this.observer = options.observer
    this.journal = journal
    this.queue = new WriteQueue(options.clock)
    this.stopHeartbeat = every(options.clock, heartbeatMs, () => this.heartbeat())
  }

  submit(entry: Entry, line: Line | null = null): Promise<Outcome> {
    const stored = this.queue.add(entry, line)
    if (!this.queue.isEmpty) this.startRunning()
    return stored
  }

  private startRunning(): void {
    this.running ??= this.run().finally(() => {
      this.running = null
      if (!this.queue.isEmpty) this.startRunning()
    })
  }

  /** While the database works on a batch, what the batch before brought is handed out. */
  private async run(): Promise<void> {
    // Everything that this turn of the loop still submits goes into the first batch.
    await Promise.resolve()
    let handOut = () => {}
    while (!this.queue.isEmpty) {
      const batch = this.queue.take()
      const storing = this.store(batch)
      handOut()
      const results = await storing
      handOut = () => results.forEach((stored) => this.settle(stored))
    }
    handOut()
  }

  /** A batch that the database rejects as a whole is halved until only the faulty entry is refused. */
  private async store(waiting: Waiting[]): Promise<Stored[]> {
    const batch = this.queue.giveUpLate(waiting)
    if (batch.length === 0) return []
    try {
      return [{ batch, result: await this.append(batch) }]
    } catch (error) {
      if (error instanceof CommitUncertain) return this.abandon(batch, error)
      if (!(error instanceof BatchRejected)) return this.giveUp(batch)
      if (batch.length === 1) return this.refuse(batch[0]!, error)
      const middle = batch.length >> 1
      return [...(await this.store(batch.slice(0, middle))), ...(await this.store(batch.slice(middle)))]
    }
  }

  private refuse(waiting: Waiting, error: Error): Stored[] {
    this.observer.onTrouble(`an entry (${waiting.entry.kind}) cannot be stored`, error)
    if (waiting.line) waiting.line.isBroken = true
    waiting.settle({ status: 'refused', reason: 'unstorable' })
    return []
  }

  private giveUp(batch: Waiting[]): Stored[] {
    for (const waiting of batch) waiting.giveUp()
    return []
  }

  /**
   * The batch is given up, and its journal with it: once that is closed, what stands of the batch is all that ever will, and goes
   * out as any commit. While the database is away nothing is definite, and all writing waits.
   */
  private async abandon(batch: Waiting[], error: CommitUncertain): Promise<Stored[]> {
    this.giveUp(batch)
    this.observer.onTrouble(`what became of a commit is not known: ${error.message}; closing journal ${this.journal.number}`)
    this.queue.giveUpLateHere()
    for (;;) {
      try {
        return await this.replaceJournal(batch.length)
      } catch {
        await this.pause()
      }
    }
  }

  /** Closes the journal and opens the next. Resolves with what stands in the closed one and was not heard of. */
  private async replaceJournal(entries: number): Promise<Stored[]> {
    const start = this.clock.now()
    const { number, lastPosition } = this.journal
    await this.log.closeJournal(number)
    const commits = await this.log.readCommits(number, lastPosition, 1)
    this.journal = await openNext(this.options)
    return commits.map((commit) => {
      this.observer.onCommit(commit, { entries, tookMs: this.clock.now() - start })
      return { batch: [], result: { ...commit, outcomes: [] } }
    })
  }

  /**
   * Appends, again where the outcome is uncertain, for as long as a sender waits: past that it throws CommitUncertain. A closed
   * journal is followed by a new one.
   */
  private async append(batch: Waiting[]): Promise<AppendResult> {
    const entries = batch.map((waiting) => waiting.entry)
    const start = this.clock.now()
    for (let isUncertain = false; ;) {
      try {
        return await this.appendOnce(entries)
      } catch (error) {
        isUncertain = leavesDoubt(error) || (isUncertain && error instanceof StorageUnavailable)
        if (isUncertain && this.clock.now() - start > patienceMs) throw new CommitUncertain(String(error), { cause: error })
        if (error instanceof JournalClosed) await this.reopen()
        else if (isUncertain) await this.pause()
        else throw error
      }
    }
  }

  private async appendOnce(entries: Entry[]): Promise<AppendResult> {
    const start = this.clock.now()
    const result = await this.log.append(this.journal.number, this.journal.lastPosition + 1, entries)
    this.journal.lastPosition = result.lastPosition
    this.observer.onCommit(result, { entries: entries.length, tookMs: this.clock.now() - start })
    return result
  }

  /**
   * Nothing of the batch stands in the closed journal, so nothing is uncertain any more. Where the database went back, the journal
   * is still open there: nothing may come of it any more.
   */
  private async reopen(): Promise<void> {
    const { number } = this.journal
    this.observer.onTrouble(`journal ${number} was closed by another process, or the database went back; opening a new one`)
    await this.log.closeJournal(number)
    this.journal = await openNext(this.options)
  }

  /** Before the next try. Those who wait behind it are told `unavailable` when they have waited too long. */
  private async pause(): Promise<void> {
    this.queue.giveUpLateHere()
    await new Promise<void>((resolve) => this.clock.after(retryMs, resolve))
  }

  private settle({ batch, result }: Stored): void {
    this.options.onCommit(result)
    result.outcomes.forEach((outcome, index) => batch[index]!.settle(outcome))
  }

  private async heartbeat(): Promise<void> {
    try {
      await this.log.touchJournal(this.journal.number)
      await this.log.closeSilentJournals(silentMs)
    } catch {
      // The next one will; appends say the same and louder.
    }
  }

  async close(): Promise<void> {
    this.queue.close()
    this.stopHeartbeat()
    while (this.running) await this.running
    await this.log.closeJournal(this.journal.number).catch(() => {})
  }
}

interface Stored {
  batch: Waiting[]
  result: AppendResult
}

/** Also an error of no known kind: taken for "not stored", the next batch at this position would be answered with what stands there. */
function leavesDoubt(error: unknown): boolean {
  if (error instanceof CommitUncertain) return true
  return !(error instanceof StorageUnavailable || error instanceof BatchRejected || error instanceof JournalClosed)
}
