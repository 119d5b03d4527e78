/** Where printed lines go on this machine. */
import type { Entry } from './entry.ts'

export interface Sink {
  /** In a sentence: `the terminal`. */
  readonly name: string
  /** Never waits and never throws. The line ends with LF. */
  write(line: string, entry: Entry): void
  /** How many lines were lost since the last time this was asked. */
  takeDropped(): number
  /** Writes what waits. */
  close(): Promise<void>
}
