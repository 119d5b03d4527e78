/** Reads JSON that nobody vouches for: strict UTF-8, bounded depth, and no text that a database or a client would choke on (A4). */
import { isUtf8 } from 'node:buffer'
import { ProblemError } from './problems.ts'
import type { Issue } from './problems.ts'

/** Deeper nesting than any contract has; what reads or writes the value later may recurse. */
const depthMax = 64

/** U+0000 (PostgreSQL refuses it) and lone surrogates (no UTF-8 for them). */
const unsafeText = /[\0\p{Surrogate}]/u

/** Escapes that may stand for such text. Raw U+0000 is no JSON and raw surrogates are no UTF-8, so without one of these all is well. */
const suspectEscape = /\\u(?:0000|[dD][89a-fA-F])/

/** A4: no U+0000, no lone surrogates. */
export function isSafeText(text: string): boolean {
  return !unsafeText.test(text)
}

/** Strict: throws `bad_encoding` for bytes that are not UTF-8. A byte order mark is dropped. */
export function decodeUtf8(bytes: Buffer): string {
  if (!isUtf8(bytes)) throw new ProblemError({ kind: 'bad_encoding' })
  const text = bytes.toString('utf8')
  return text.charCodeAt(0) === 0xfeff ? text.slice(1) : text
}

/**
 * A JSON body. Throws a ProblemError: `bad_encoding` (no UTF-8), `bad_body` (no JSON, or nested deeper than 64; `position` where known),
 * `validation` (A4: U+0000 or a lone surrogate in a string or key; the issue says where).
 */
export function parseJson(bytes: Buffer): unknown {
  return parseJsonText(decodeUtf8(bytes))
}

/** As `parseJson`, for text that was checked to be UTF-8 already: a WebSocket's. */
export function parseJsonText(text: string): unknown {
  const tooDeepAt = findTooDeep(text)
  if (tooDeepAt !== -1) throw new ProblemError({ kind: 'bad_body', position: tooDeepAt })
  const value = parseText(text)
  if (suspectEscape.test(text)) {
    const issue = findUnsafe(value, 'body')
    if (issue !== null) throw new ProblemError({ kind: 'validation', issues: [issue] })
  }
  return value
}

function parseText(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    const position = findPosition(error, text)
    throw new ProblemError({ kind: 'bad_body', ...(position === null ? {} : { position }) })
  }
}

/** V8 tells the position only in its message, and not for every mistake. */
function findPosition(error: unknown, text: string): number | null {
  const message = error instanceof Error ? error.message : ''
  if (message.startsWith('Unexpected end')) return text.length
  const found = /at position (\d+)/.exec(message)?.[1]
  return found === undefined ? null : Number(found)
}

/** Where the nesting passes the limit, or -1. Looks at the text before it is parsed, so nothing deep is ever built. */
function findTooDeep(text: string): number {
  if (text.length <= depthMax) return -1
  let depth = 0
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === 0x22) at = endOfString(text, at)
    else if (code === 0x5b || code === 0x7b) depth++
    else if (code === 0x5d || code === 0x7d) depth--
    if (depth > depthMax) return at
  }
  return -1
}

/** The closing quote of the string that opens at `start`; the text's end where there is none. */
function endOfString(text: string, start: number): number {
  let at = text.indexOf('"', start + 1)
  while (at !== -1 && isEscaped(text, at)) at = text.indexOf('"', at + 1)
  return at === -1 ? text.length : at
}

function isEscaped(text: string, at: number): boolean {
  let backslashes = 0
  while (text.charCodeAt(at - 1 - backslashes) === 0x5c) backslashes++
  return backslashes % 2 === 1
}

/** The first string or key that A4 refuses. Recursion is at most `depthMax` deep, as deeper text is refused before. */
export function findUnsafe(value: unknown, location: Issue['location'], path: (string | number)[] = []): Issue | null {
  if (typeof value === 'string') return isSafeText(value) ? null : unsafeIssue(location, path, value)
  if (typeof value !== 'object' || value === null) return null
  const isList = Array.isArray(value)
  for (const [key, item] of Object.entries(value)) {
    if (!isSafeText(key)) return unsafeIssue(location, path, key)
    const issue = findUnsafe(item, location, [...path, isList ? Number(key) : key])
    if (issue !== null) return issue
  }
  return null
}

function unsafeIssue(location: Issue['location'], path: (string | number)[], input: string): Issue {
  return { location, path, code: 'unsafe_text', message: 'Text must not hold U+0000 or lone surrogates', input, params: {} }
}
