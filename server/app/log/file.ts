/** The file that rotates, by rotating-file-stream: `madang.log`, behind it `madang.log.1` (the last one) to `madang.log.10`. */
import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { createStream, type RotatingFileStream } from 'rotating-file-stream'
import type { Clock } from '../../core/clock.ts'
import type { Sink } from './sink.ts'

export interface LogFileOptions {
  path: string
  clock: Clock
  /** A file that reaches this is put aside: 10 MiB. */
  sizeBytes?: number
  /** How many that were put aside are kept: 10. */
  kept?: number
  /** Hears, for the terminal, when the file cannot be written (once, with the system's code) and when it can again. */
  onTrouble(text: string): void
}

/** Lines that may wait for the disk. */
const waitingBytesMax = 8 * 1024 * 1024
const retryMs = 10_000
const closeWithinMs = 2_000

/** Nothing is opened before the first line. */
export function openLogFile(options: LogFileOptions): Sink {
  return new LogFile(options)
}

class LogFile implements Sink {
  readonly name: string
  private readonly options: LogFileOptions
  private stream: RotatingFileStream | null = null
  private waiting: string[] = []
  /** Of the lines that wait, and of those that are under way. */
  private waitingBytes = 0
  /** What the disk has been given and has not taken yet. */
  private underWay: string | null = null
  private dropped = 0
  /** It failed and is not tried for a while. */
  private isAway = false
  /** That it cannot be written has been said. */
  private isTold = false
  private whenWritten: (() => void)[] = []

  constructor(options: LogFileOptions) {
    this.options = options
    this.name = options.path
  }

  write(line: string): void {
    const bytes = Buffer.byteLength(line)
    if (this.waitingBytes + bytes > waitingBytesMax) return void this.dropped++
    this.waiting.push(line)
    this.waitingBytes += bytes
    this.pump()
  }

  takeDropped(): number {
    const count = this.dropped
    this.dropped = 0
    return count
  }

  /** What came while the disk was busy goes in one write. */
  private pump(): void {
    if (this.underWay !== null || this.isAway || this.waiting.length === 0) return
    this.underWay = this.waiting.join('')
    this.waiting = []
    this.stream ??= this.open()
    this.stream.write(this.underWay, (error) => {
      if (!error) this.written()
    })
  }

  private written(): void {
    this.waitingBytes -= Buffer.byteLength(this.underWay ?? '')
    this.underWay = null
    if (this.isTold) this.options.onTrouble('LOG_FILE can be written again')
    this.isTold = false
    if (this.waiting.length > 0) return this.pump()
    for (const resolve of this.whenWritten.splice(0)) resolve()
  }

  private open(): RotatingFileStream {
    const { path, sizeBytes = 10 * 1024 * 1024, kept = 10 } = this.options
    makeDirectory(dirname(path))
    const stream = createStream(path, { size: `${sizeBytes}B`, rotate: kept, mode: 0o600 })
    stream.on('error', (error: NodeJS.ErrnoException) => this.fail(error))
    return stream
  }

  /** A stream that failed is of no more use; the lines that it had are given to the next one. */
  private fail(error: NodeJS.ErrnoException): void {
    this.stream = null
    if (this.underWay !== null) {
      this.waiting.unshift(this.underWay)
      this.underWay = null
    }
    this.isAway = true
    if (!this.isTold)
      this.options.onTrouble(
        `LOG_FILE cannot be written (${error.code ?? error.name}); it is tried again each ${retryMs / 1000} s`,
      )
    this.isTold = true
    this.options.clock.after(retryMs, () => {
      this.isAway = false
      this.pump()
    })
  }

  async close(): Promise<void> {
    let cancel = () => {}
    const late = new Promise<void>((resolve) => (cancel = this.options.clock.after(closeWithinMs, resolve)))
    await Promise.race([this.untilWritten(), late])
    cancel()
    this.stream?.end()
  }

  private untilWritten(): Promise<void> {
    const isIdle = this.isAway || (this.underWay === null && this.waiting.length === 0)
    return isIdle ? Promise.resolve() : new Promise((resolve) => this.whenWritten.push(resolve))
  }
}

/** Where it cannot be made the stream says why. */
function makeDirectory(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 })
  } catch {}
}
