/** What waits for a commit: bounded, in order, and refused once it has waited too long. */
import type { Entry, Outcome } from '../storage/storage.ts'
import type { Clock } from './clock.ts'
import { ChatError } from './errors.ts'

const entriesAtOnce = 1_000
const batchBytes = 4 * 1024 * 1024
/** What may wait; beyond it a write is refused at once. */
const waitingMax = 20_000
const waitingBytesMax = 64 * 1024 * 1024
/** A write that has not begun to be stored after this is refused (503), and one whose commit is uncertain for so long is given up by its sender. */
export const patienceMs = 5_000

/** Entries that stand in a row, as one socket's frames do: once one was given up, none behind it is stored (A15). */
export interface Line {
  isBroken: boolean
}

/** A write, and its sender, who is told once. */
export interface Waiting {
  entry: Entry
  bytes: number
  since: number
  line: Line | null
  settle(outcome: Outcome): void
  giveUp(): void
}

export class WriteQueue {
  private readonly clock: Clock
  private queue: Waiting[] = []
  private bytes = 0
  private isClosed = false

  constructor(clock: Clock) {
    this.clock = clock
  }

  get isEmpty(): boolean {
    return this.queue.length === 0
  }

  /** Takes nothing more; what stands in it stays. */
  close(): void {
    this.isClosed = true
  }

  /** Resolves with what became of the entry; throws ChatError `unavailable` where that is given up, or there is no room. */
  add(entry: Entry, line: Line | null): Promise<Outcome> {
    return new Promise((settle, reject) => {
      const giveUp = () => {
        if (line) line.isBroken = true
        reject(new ChatError('unavailable'))
      }
      const isFull = this.queue.length >= waitingMax || this.bytes > waitingBytesMax
      if (this.isClosed || isFull || line?.isBroken) return giveUp()
      const bytes = bytesOf(entry)
      this.queue.push({ entry, bytes, since: this.clock.now(), line, settle, giveUp })
      this.bytes += bytes
    })
  }

  /** The next batch: bounded, and of one client key only the first, so that the second finds its row. */
  take(): Waiting[] {
    const batch: Waiting[] = []
    const rest: Waiting[] = []
    const keys = new Set<string>()
    let bytes = 0
    let taken = 0
    for (; taken < this.queue.length && batch.length < entriesAtOnce && bytes < batchBytes; taken++) {
      const waiting = this.queue[taken]!
      const key = keyOf(waiting.entry)
      if (key !== null && keys.has(key)) {
        rest.push(waiting)
        continue
      }
      if (key !== null) keys.add(key)
      batch.push(waiting)
      bytes += waiting.bytes
    }
    this.bytes -= bytes
    this.queue = rest.length > 0 ? [...rest, ...this.queue.slice(taken)] : this.queue.slice(taken)
    return batch
  }

  /** Of these, without those that have waited too long, and those behind one of their line that was given up. */
  giveUpLate(batch: Waiting[]): Waiting[] {
    return batch.filter((waiting) => {
      if (this.clock.now() - waiting.since <= patienceMs && !waiting.line?.isBroken) return true
      waiting.giveUp()
      return false
    })
  }

  /** The same of all that waits. */
  giveUpLateHere(): void {
    this.queue = this.giveUpLate(this.queue)
    this.bytes = this.queue.reduce((sum, { bytes }) => sum + bytes, 0)
  }
}

/** About what it takes in memory; of an invitation what keeps 300 people or so to a commit, as each is a row of his own (0.5 ms). */
function bytesOf(entry: Entry): number {
  if (entry.kind === 'member.add') return entry.userIds.length * 20_000
  return entry.kind === 'post' ? 200 + entry.content.length + 500 * entry.attachments.length : 200
}

function keyOf(entry: Entry): string | null {
  if (entry.kind !== 'post' || entry.clientKey === null) return null
  return `${entry.roomId}:${entry.authorId}:${entry.clientKey}`
}
