/**
 * Hears the commits of every journal, this process's own and others', and hands them out: whole, each journal's in order of
 * position, each room's events in the order in which they were committed. What the bus loses is noticed as a gap and read from storage. Where the tail is,
 * per journal, is the cursor of everybody whom this process serves.
 */
import type { Commit, JournalRecord, LogStore } from '../storage/storage.ts'
import { every, type Clock } from './clock.ts'
import { formatEntry, type Cursor, type CursorEntry } from './cursor.ts'
import type { ChatEvent, Fact } from './events.ts'
import type { Stamp } from './model.ts'

/** How long a commit that cannot go out yet waits before what it waits for is read from storage. */
const healAfterMs = 50
/** How often storage is asked for commits that nobody announced. */
const sweepMs = 1_000
const commitsAtOnce = 100

export interface Tail {
  /** Takes the present end of every journal as what was handed out. */
  start(): Promise<void>
  stop(): void
  /** This process writes to this journal from now on. */
  adopt(journal: JournalRecord): void
  /** A commit was made, here or elsewhere. Known ones are dropped. */
  hear(commit: Commit): void
  /** Up to where was handed out; a copy. */
  position(): Cursor
  /** Hears from storage up to a cursor that is ahead. False where this database does not hold what it names. */
  hearUpTo(cursor: Cursor): Promise<boolean>
  /** The same for an event that storage holds. */
  hearEvent(stamp: Stamp): Promise<void>
}

export interface TailOptions {
  log: LogStore
  clock: Clock
  /** Facts with the accounts that they name. */
  complete(facts: Fact[]): Promise<ChatEvent[]>
  handOut(events: ChatEvent[], cursorAt: (stamp: Stamp) => string): void
  /** Commits of a journal are gone from storage before they were heard: live clients must come back and resume. */
  onDeaf(): void
}

interface Ear extends CursorEntry {
  isClosed: boolean
  /** Heard of and not handed out, rising. */
  waiting: Commit[]
}

export function createTail(options: TailOptions): Tail {
  return new JournalsTail(options)
}

class JournalsTail implements Tail {
  private readonly options: TailOptions
  private readonly log: LogStore
  private floor = 1
  private readonly ears = new Map<number, Ear>()
  /** Commits of journals that were not seen yet. */
  private readonly strangers: Commit[] = []
  private working = false
  private healing = false
  private isStopped = false
  private stopSweep = () => {}

  constructor(options: TailOptions) {
    this.options = options
    this.log = options.log
  }

  async start(): Promise<void> {
    for (const record of await this.log.listJournals(1)) this.adopt(record)
    this.raiseFloor()
    this.stopSweep = every(this.options.clock, sweepMs, () => this.sweep().catch(() => {}))
  }

  adopt({ number, tag, lastPosition, isClosed }: JournalRecord): void {
    if (number >= this.floor && !this.ears.has(number))
      this.ears.set(number, { tag, position: lastPosition, isClosed, waiting: [] })
  }

  hear(commit: Commit): void {
    if (commit.journal < this.floor || commit.lastPosition < commit.firstPosition) return
    const ear = this.ears.get(commit.journal)
    if (ear) insert(ear, commit)
    else this.strangers.push(commit)
    void this.work()
  }

  /** One at a time, so that hand-outs keep their order also when accounts have to be loaded. */
  private async work(): Promise<void> {
    if (this.working) return
    this.working = true
    try {
      // Found without a wait: what is heard between the last hand-out and the end of this must not be left lying.
      for (let next = this.findNext(); next !== null; next = this.findNext()) await this.handOut(next)
    } catch {
      // Storage is away: the commits wait, and healing tries again.
    } finally {
      this.working = false
    }
    if (this.strangers.length > 0 || [...this.ears.values()].some((ear) => ear.waiting.length > 0)) this.healSoon()
  }

  /** A commit that can go out now. */
  private findNext(): Commit | null {
    for (const ear of this.ears.values()) {
      const next = ear.waiting[0]
      if (next?.firstPosition === ear.position + 1 && this.isInOrder(next)) return next
    }
    return null
  }

  private async handOut(commit: Commit): Promise<void> {
    const events = await this.options.complete(commit.facts)
    const ear = this.ears.get(commit.journal)
    if (ear?.waiting[0] !== commit) return
    ear.waiting.shift()
    ear.position = commit.lastPosition
    this.options.handOut(events, this.cursorsOf(commit.journal, ear.tag))
  }

  /** Cursors of who has heard a journal up to a stamp, and the others as far as they are now. */
  private cursorsOf(journal: number, tag: string): (stamp: Stamp) => string {
    const others = [...this.ears].filter(([number]) => number !== journal).map(([number, ear]) => formatEntry(number, ear))
    const prefix = [this.floor.toString(36), ...others].join('_')
    return ({ position }) => `${prefix}_${formatEntry(journal, { tag, position })}`
  }

  /** Whether what stood in its rooms before this commit has been handed out. */
  private isInOrder(commit: Commit): boolean {
    return commit.after.every((stamp) => this.isHandedOut(stamp))
  }

  private healSoon(): void {
    if (this.healing || this.isStopped) return
    this.healing = true
    this.options.clock.after(healAfterMs, () => {
      this.healing = false
      this.sweep()
        .then(() => this.work())
        .catch(() => this.healSoon())
    })
  }

  /** Reads from storage what was not heard. */
  private async sweep(): Promise<void> {
    const strangers = this.strangers.splice(0)
    const records = await this.log.listJournals(this.floor)
    for (const record of records) {
      if (!this.ears.has(record.number)) this.adopt({ ...record, lastPosition: 0, isClosed: false })
    }
    // A journal that storage does not list by now is none of this database's.
    for (const commit of strangers) if (this.ears.has(commit.journal)) this.hear(commit)
    for (const record of records) await this.hearFromStorage(record)
    this.raiseFloor()
  }

  private async hearFromStorage(record: JournalRecord): Promise<void> {
    const ear = this.ears.get(record.number)
    if (!ear) return
    for (let after = ear.position; after < record.lastPosition;) {
      const commits = await this.log.readCommits(record.number, after, commitsAtOnce)
      const first = commits[0]
      if (!first || (after === ear.position && first.firstPosition > after + 1)) return this.goDeaf(ear, record)
      for (const commit of commits) insert(ear, commit)
      after = commits.at(-1)!.lastPosition
    }
    ear.isClosed = record.isClosed
    void this.work()
  }

  private goDeaf(ear: Ear, record: JournalRecord): void {
    if (ear.position >= record.lastPosition || ear.waiting[0]?.firstPosition === ear.position + 1) return
    ear.position = record.lastPosition
    ear.waiting = []
    this.options.onDeaf()
  }

  /** Closed journals that were heard to their end drop under the floor; the newest stays, so that a cursor names it. */
  private raiseFloor(): void {
    const numbers = [...this.ears.keys()].toSorted((a, b) => a - b)
    for (const number of numbers.slice(0, -1)) {
      const ear = this.ears.get(number)!
      if (!ear.isClosed || ear.waiting.length > 0) return
      this.ears.delete(number)
      this.floor = number + 1
    }
  }

  position(): Cursor {
    const entries = [...this.ears].map(([journal, { tag, position: heard }]) => [journal, { tag, position: heard }] as const)
    return { floor: this.floor, entries: new Map(entries) }
  }

  async hearUpTo(cursor: Cursor): Promise<boolean> {
    if (this.isHandedOutUpTo(cursor)) return true
    const records = new Map(
      (await this.log.listJournals(Math.min(...cursor.entries.keys()))).map((record) => [record.number, record]),
    )
    for (const [journal, { tag, position: wanted }] of cursor.entries) {
      const record = records.get(journal)
      if (!record || record.tag !== tag || wanted > record.lastPosition) return false
    }
    for (const [journal, { position }] of cursor.entries) await this.hearEvent({ journal, position })
    return true
  }

  async hearEvent(stamp: Stamp): Promise<void> {
    while (!this.isHandedOut(stamp)) {
      await this.sweep()
      await this.work()
      if (!this.isHandedOut(stamp)) await new Promise<void>((resolve) => this.options.clock.after(healAfterMs, resolve))
    }
  }

  private isHandedOutUpTo(cursor: Cursor): boolean {
    return [...cursor.entries].every(([journal, { tag, position: wanted }]) => {
      const ear = this.ears.get(journal)
      return ear !== undefined && ear.tag === tag && wanted <= ear.position
    })
  }

  private isHandedOut({ journal, position }: Stamp): boolean {
    return journal < this.floor || (this.ears.get(journal)?.position ?? 0) >= position
  }

  stop(): void {
    this.isStopped = true
    this.stopSweep()
  }
}

function insert(ear: Ear, commit: Commit): void {
  if (commit.lastPosition <= ear.position) return
  const at = ear.waiting.findIndex((other) => other.firstPosition >= commit.firstPosition)
  if (at === -1) ear.waiting.push(commit)
  else if (ear.waiting[at]!.firstPosition !== commit.firstPosition) ear.waiting.splice(at, 0, commit)
}
