/**
 * Hears the commits of every journal, this process's own and others', and hands them out: whole, each journal's in order of
 * position, each room's events in the order in which they were committed. What the bus loses is noticed as a gap and read from storage. Where the tail is,
 * per journal, is the cursor of everybody whom this process serves.
 */
import { StorageUnavailable, type Commit, type JournalRecord, type LogStore } from '../storage/storage.ts'
import { every, type Clock } from './clock.ts'
import { formatEntry, type Cursor, type CursorEntry } from './cursor.ts'
import type { ChatEvent, Fact } from './events.ts'
import type { Stamp } from './model.ts'

/** How long a commit that cannot go out yet waits before what it waits for is read from storage. */
const healAfterMs = 50
/** How often storage is asked for commits that nobody announced; healing that finds nothing backs off to this. */
const sweepMs = 1_000
/** How long a client waits for what its cursor names, as a write does for its turn. */
const hearWithinMs = 5_000
const commitsAtOnce = 100
/** Commits of a journal that wait to go out. Later ones are dropped, and read from storage behind these. */
const waitingMax = 1_000

export interface Tail {
  /** Takes the present end of every journal as what was handed out. */
  start(): Promise<void>
  stop(): void
  /** This process writes to this journal from now on. */
  adopt(journal: JournalRecord): void
  /** A commit was made, here or elsewhere. Known ones are dropped. */
  hear(commit: Commit): void
  /** Up to where was handed out, to everybody; a copy. */
  position(): Cursor
  /**
   * Hears from storage up to a cursor that is ahead, what lies below its floor to the end; then each cursor of ours covers it. False where
   * this database does not hold what it names. Throws StorageUnavailable, also where that takes longer than 5 s.
   */
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
  /** Writes what is left of the last hand-out. */
  finish(): void
  /** What was handed out does not go on: commits are gone that were not heard, or journals that were. Live clients must come back and resume. */
  onDeaf(): void
}

interface Ear extends CursorEntry {
  isClosed: boolean
  /** Heard of and not handed out, rising, up to `waitingMax`. */
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
  private cancelHealing: (() => void) | null = null
  private healMs = healAfterMs
  /** First in line when healing had last been tried. */
  private stuck = new Set<Commit>()
  /** The database went back behind the beginning of a journal. */
  private mustStartAnew = false
  private isStopped = false
  private stopSweep = () => {}

  constructor(options: TailOptions) {
    this.options = options
    this.log = options.log
  }

  async start(): Promise<void> {
    this.adoptAll(await this.log.listJournals(1))
    this.stopSweep = every(this.options.clock, sweepMs, () => this.sweep().catch(() => {}))
  }

  private adoptAll(records: JournalRecord[]): void {
    for (const record of records) this.adopt(record)
    this.raiseFloor()
  }

  adopt({ number, tag, lastPosition, isClosed }: JournalRecord): void {
    const ear = this.ears.get(number)
    if (number < this.floor || (ear && ear.tag !== tag)) {
      // Its number was another's before.
      this.mustStartAnew = true
      this.healSoon()
    } else if (!ear) {
      this.ears.set(number, { tag, position: lastPosition, isClosed, waiting: [] })
    }
  }

  hear(commit: Commit): void {
    if (commit.journal < this.floor || commit.lastPosition < commit.firstPosition) return
    const ear = this.ears.get(commit.journal)
    if (!ear) this.hearStranger(commit)
    // All that a closed journal has was heard: what comes now is known, or gone since the database went back.
    else if (!ear.isClosed) insert(ear, commit)
    void this.work()
  }

  /** Storage is about to be asked for its journal, and has what there is no room for. */
  private hearStranger(commit: Commit): void {
    if (this.strangers.length < waitingMax) this.strangers.push(commit)
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
    if (this.firstsInLine().length > 0) this.healSoon()
  }

  private firstsInLine(): Commit[] {
    return [...this.strangers, ...[...this.ears.values()].flatMap((ear) => ear.waiting.slice(0, 1))]
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
    const firsts = this.firstsInLine()
    const isInVain = firsts.every((commit) => this.stuck.has(commit))
    if (this.isStopped || (this.cancelHealing && (isInVain || this.healMs === healAfterMs))) return
    this.cancelHealing?.()
    this.healMs = isInVain ? Math.min(this.healMs * 2, sweepMs) : healAfterMs
    this.stuck = new Set(firsts)
    this.cancelHealing = this.options.clock.after(this.healMs, () => {
      this.cancelHealing = null
      this.sweep()
        .then(() => this.work())
        .catch(() => this.healSoon())
    })
  }

  /** Reads from storage what was not heard. */
  private async sweep(): Promise<void> {
    const strangers = this.strangers.splice(0)
    const known = [...this.ears]
    const records = await this.log.listJournals(this.mustStartAnew ? 1 : this.floor)
    if (this.mustStartAnew || !areAllIn(records, known)) return this.startAnew()
    for (const record of records) {
      // One under the floor was heard to its end by another sweep meanwhile.
      if (record.number >= this.floor && !this.ears.has(record.number))
        this.adopt({ ...record, lastPosition: 0, isClosed: false })
    }
    // A journal that storage does not list by now is none of this database's.
    for (const commit of strangers) if (this.ears.has(commit.journal)) this.hear(commit)
    for (const record of records) await this.hearFromStorage(record)
    this.raiseFloor()
  }

  private async hearFromStorage(record: JournalRecord): Promise<void> {
    const ear = this.ears.get(record.number)
    if (!ear) return
    let after = ear.position
    while (after < record.lastPosition) {
      const commits = await this.log.readCommits(record.number, after, commitsAtOnce)
      const first = commits[0]
      if (!first || (after === ear.position && first.firstPosition > after + 1)) return this.goDeaf(ear, record)
      for (const commit of commits) insert(ear, commit)
      after = commits.at(-1)!.lastPosition
      if (after <= newestOf(ear)) continue
      // Not all had room: it goes on behind what can go out now.
      await this.work()
      if (ear.waiting.length >= waitingMax) return
      after = newestOf(ear)
    }
    ear.isClosed = record.isClosed
    if (ear.isClosed) this.forgetBeyond(ear, record)
    void this.work()
  }

  /** What was announced and is behind a closed journal's end is gone: the database went back before that. */
  private forgetBeyond(ear: Ear, { lastPosition }: JournalRecord): void {
    ear.waiting = ear.waiting.filter((commit) => commit.lastPosition <= lastPosition)
    if (ear.position <= lastPosition) return
    // It was handed out: who comes back with it is told to reload.
    ear.position = lastPosition
    this.options.onDeaf()
  }

  /** From the present ends on, as at the start. */
  private async startAnew(): Promise<void> {
    const records = await this.log.listJournals(1)
    this.mustStartAnew = false
    this.floor = 1
    this.ears.clear()
    this.adoptAll(records)
    this.options.onDeaf()
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
    this.options.finish()
    const entries = [...this.ears].map(([journal, { tag, position: heard }]) => [journal, { tag, position: heard }] as const)
    return { floor: this.floor, entries: new Map(entries) }
  }

  async hearUpTo(cursor: Cursor): Promise<boolean> {
    if (this.isHandedOutUpTo(cursor) && this.floor >= cursor.floor) return true
    const listed = await this.log.listJournals(Math.min(this.floor, ...cursor.entries.keys()))
    const records = new Map(listed.map((record) => [record.number, record]))
    for (const [journal, { tag, position: wanted }] of cursor.entries) {
      const record = records.get(journal)
      if (!record || record.tag !== tag || wanted > record.lastPosition) return false
    }
    for (const [journal, { position }] of cursor.entries) await this.hearEvent({ journal, position })
    if (this.floor < cursor.floor) await this.hearBelow(cursor.floor, listed)
    return true
  }

  private async hearBelow(floor: number, listed: JournalRecord[]): Promise<void> {
    for (const { number, lastPosition } of listed)
      if (number < floor) await this.hearEvent({ journal: number, position: lastPosition })
    await this.sweep()
  }

  async hearEvent(stamp: Stamp): Promise<void> {
    const deadline = this.options.clock.now() + hearWithinMs
    while (!this.isHandedOut(stamp)) {
      if (this.options.clock.now() >= deadline)
        throw new StorageUnavailable(`event ${stamp.journal}-${stamp.position} is not heard`)
      // What waits for its turn here is nothing to read: many that wait would keep the database from what it waits for.
      if (!this.isWaiting(stamp)) await this.sweep()
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

  /** Heard, with all before it in its journal. */
  private isWaiting({ journal, position }: Stamp): boolean {
    const ear = this.ears.get(journal)
    let heard = ear?.position ?? 0
    for (const { firstPosition, lastPosition } of ear?.waiting ?? []) if (firstPosition === heard + 1) heard = lastPosition
    return heard >= position
  }

  private isHandedOut({ journal, position }: Stamp): boolean {
    return journal < this.floor || (this.ears.get(journal)?.position ?? 0) >= position
  }

  stop(): void {
    this.isStopped = true
    this.stopSweep()
  }
}

/** Whether these journals are there, and are the same ones. */
function areAllIn(records: JournalRecord[], known: [number, Ear][]): boolean {
  const tags = new Map(records.map(({ number, tag }) => [number, tag]))
  return known.every(([number, { tag }]) => tags.get(number) === tag)
}

function insert(ear: Ear, commit: Commit): void {
  if (commit.lastPosition <= ear.position) return
  const before = ear.waiting.findLastIndex((other) => other.firstPosition <= commit.firstPosition)
  if (ear.waiting[before]?.firstPosition === commit.firstPosition) return
  ear.waiting.splice(before + 1, 0, commit)
  if (ear.waiting.length > waitingMax) ear.waiting.pop()
}

/** Up to where it has heard, gaps or not. */
function newestOf({ waiting, position }: Ear): number {
  return waiting.at(-1)?.lastPosition ?? position
}
