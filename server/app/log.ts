/** Log lines: pino's, a JSON object each. Never a token, never a parameter's value (A6). */
import { pino } from 'pino'

export interface Log {
  debug(text: string, details?: Record<string, unknown>): void
  info(text: string, details?: Record<string, unknown>): void
  warn(text: string, details?: Record<string, unknown>): void
  error(text: string, details?: Record<string, unknown>): void
}

export function createLog(level: string): Log {
  const log = pino({
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
  })
  return {
    debug: (text, details = {}) => log.debug(details, text),
    info: (text, details = {}) => log.info(details, text),
    warn: (text, details = {}) => log.warn(details, text),
    error: (text, details = {}) => log.error(details, text),
  }
}
