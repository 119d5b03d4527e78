/** Standard output: never waited for, so a pipe that nobody reads costs lines and not the chat. */
import { isatty } from 'node:tty'
import { styleText } from 'node:util'
import { pino } from 'pino'
import type { LogLevel } from '../../core/log.ts'
import type { Sink } from './sink.ts'

/** Lines that may wait for a reader of standard output. */
const waitingBytesMax = 8 * 1024 * 1024
const fd = 1

const colours = { debug: 'gray', info: 'cyan', warn: 'yellow', error: 'red' } as const

/** Only the level's word has a colour, and only where a person looks: what goes into a file or a pipe is the plain line. */
export function openTerminal(env: Record<string, string | undefined>): Sink {
  const stream = pino.destination({ fd, sync: false, maxLength: waitingBytesMax })
  let dropped = 0
  stream.on('drop', () => dropped++)
  const hasColours = isatty(fd) && !env['NO_COLOR'] && env['TERM'] !== 'dumb'
  return {
    name: 'the terminal',
    write: (line, { level }) => void stream.write(hasColours ? colour(line, level) : line),
    takeDropped() {
      const count = dropped
      dropped = 0
      return count
    },
    // At the exit pino's destination writes what it still holds.
    close: async () => {},
  }
}

function colour(line: string, level: LogLevel): string {
  const word = level.toUpperCase()
  return line.replace(`[${word}]`, `[${styleText(colours[level], word, { validateStream: false })}]`)
}
