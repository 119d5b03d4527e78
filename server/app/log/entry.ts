/** A line before it is printed: already without secrets, and of one shape for all who take it. */
import type { LogLevel, LogSubject } from '../../core/log.ts'
import { describeError } from './errors.ts'

export interface Entry {
  /** Milliseconds since 1970. */
  at: number
  level: LogLevel
  text: string
  userId: string | null
  roomId: string | null
  /** What was thrown, with its stack; lines joined with LF. */
  stack: string | null
}

/** A string that looks like a token of ours or a host's (A6): whatever it got into, it is not told. */
const token = /eyJ[\w-]{6,}(\.[\w-]*)*/g

function withoutTokens(text: string): string {
  return text.includes('eyJ') ? text.replace(token, '[token]') : text
}

const nothing: LogSubject = {}

/** An ERROR has a stack (C11): its own where nothing was thrown. */
export function makeEntry(at: number, level: LogLevel, text: string, about: LogSubject = nothing): Entry {
  const { userId, roomId, error } = about
  const thrown = error ?? (level === 'error' ? traceHere() : undefined)
  return {
    at,
    level,
    text: withoutTokens(text),
    userId: userId === undefined ? null : withoutTokens(userId),
    roomId: roomId === undefined ? null : withoutTokens(String(roomId)),
    stack: thrown === undefined ? null : withoutTokens(describeError(thrown)),
  }
}

/** The place of the line itself, without the frames of the log. */
function traceHere(): Error {
  const trace = new Error()
  trace.name = 'Trace'
  Error.captureStackTrace(trace, makeEntry)
  return trace
}
