/** Standard output: never waited for, so a pipe that nobody reads, or a full disk, costs lines and not the chat. */
import { constants, fstatSync, openSync } from 'node:fs'
import { isatty } from 'node:tty'
import { styleText } from 'node:util'
import sonicBoom, { type SonicBoom } from 'sonic-boom'
import type { Clock } from '../../core/clock.ts'
import type { LogLevel } from '../../core/log.ts'
import type { Sink } from './sink.ts'

/** Lines that may wait for a reader of standard output. */
const waitingBytesMax = 8 * 1024 * 1024
const closeWithinMs = 2_000
const stdout = 1

const colours = { debug: 'gray', info: 'cyan', warn: 'yellow', error: 'red' } as const

/** Only the level's word has a colour, and only where a person looks: what goes into a file or a pipe is the plain line. */
export function openTerminal(env: Record<string, string | undefined>, clock: Clock): Sink {
  const stream = new sonicBoom.SonicBoom({ fd: openOutput(), sync: false, maxLength: waitingBytesMax })
  let dropped = 0
  let isClosed = false
  stream.on('drop', () => dropped++)
  // It keeps what could not be written, within its limit, and tries it again with the next line.
  stream.on('error', () => {})
  const hasColours = isatty(stdout) && !env['NO_COLOR'] && env['TERM'] !== 'dumb'
  return {
    name: 'the terminal',
    write(line, { level }) {
      if (!isClosed) stream.write(hasColours ? colour(line, level) : line)
    },
    takeDropped() {
      const count = dropped
      dropped = 0
      return count
    },
    async close() {
      if (isClosed) return
      isClosed = true
      await endInTime(stream, clock)
    },
  }
}

/** A pipe is opened anew, for us alone: a write that waits in it, for who does not read, would keep the process from its end. */
function openOutput(): number {
  if (!fstatSync(stdout).isFIFO()) return stdout
  try {
    return openSync(`/proc/self/fd/${stdout}`, constants.O_WRONLY | constants.O_NONBLOCK)
  } catch {
    return stdout
  }
}

function endInTime(stream: SonicBoom, clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.after(closeWithinMs, resolve)
    for (const end of ['close', 'error'] as const) {
      stream.once(end, () => {
        cancel()
        resolve()
      })
    }
    stream.end()
  })
}

function colour(line: string, level: LogLevel): string {
  const word = level.toUpperCase()
  return line.replace(`[${word}]`, `[${styleText(colours[level], word, { validateStream: false })}]`)
}
