/** Where what happens is told to whoever runs the server. */

/** What each is for: docs/logging.md. */
export const logLevels = ['debug', 'info', 'warn', 'error'] as const

export type LogLevel = (typeof logLevels)[number]

/** Whom and what a line is about. Nothing that a request held (A6); `error` is what was thrown. */
export interface LogSubject {
  /** As the contract names users: the username. */
  userId?: string | undefined
  roomId?: number | string | undefined
  error?: unknown
}

type Say = (text: string, about?: LogSubject) => void

/** `text` is a sentence that says the same each time; what differs stands in the subject. */
export interface Log {
  debug: Say
  info: Say
  warn: Say
  error: Say
  /** Whether lines of this level are written at all: ask before making many, or costly ones. */
  isOn(level: LogLevel): boolean
}
