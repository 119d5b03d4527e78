/** `LOG_FORMAT=json`: an object a line, by pino. */
import { pino } from 'pino'
import type { Entry } from './entry.ts'

/** `level`, `time` (ISO), `pid`, `userId` and `roomId` where there are any, `error` with the stack, `msg`. */
export function createJsonFormat(): (entry: Entry) => string {
  let line = ''
  const log = pino(
    {
      level: 'debug',
      base: null,
      timestamp: false,
      formatters: { level: (level) => ({ level }) },
    },
    { write: (text) => void (line = text) },
  )
  return ({ at, level, text, userId, roomId, stack }) => {
    log[level](
      {
        time: new Date(at).toISOString(),
        pid: process.pid,
        ...(userId === null ? {} : { userId }),
        ...(roomId === null ? {} : { roomId }),
        ...(stack === null ? {} : { error: stack }),
      },
      text,
    )
    return line
  }
}
