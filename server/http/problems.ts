/**
 * What goes wrong around a handler, in words of no dialect, and who answers it: the dialect whose path it is (A3).
 * That holds for every error, also those that a framework makes (404, 405, 413, bad JSON) and for refused upgrades.
 */

/**
 * `bad_body` broken JSON, too deep, or a length that lies; `bad_encoding` a body that is not UTF-8 (A4: refused like broken JSON);
 * `validation` well-formed but wrong, also U+0000 and lone surrogates (A4: refused as bad input is); `bad_request` a bad
 * WebSocket handshake; `upgrade_required` a plain GET on a WebSocket path (F1); `unsupported` a media type nobody reads;
 * `too_many` a limit (A12); `unavailable` may pass soon: stopping, or checks that took too long; `thrown` any other error that
 * a handler threw, a dialect's own among them; `internal` what nobody owned up to.
 */
export type ProblemKind =
  | 'not_found'
  | 'method_not_allowed'
  | 'bad_request'
  | 'bad_body'
  | 'bad_encoding'
  | 'too_large'
  | 'unsupported'
  | 'validation'
  | 'upgrade_required'
  | 'too_many'
  | 'unavailable'
  | 'thrown'
  | 'internal'

/** One thing wrong with the input. */
export interface Issue {
  location: 'body' | 'query' | 'path' | 'header'
  /** Where inside that part; empty for the part as a whole. */
  path: (string | number)[]
  /** zod's code (`invalid_type`, `too_big` ...), or `unsafe_text` for U+0000 and lone surrogates (A4). */
  code: string
  /** In English. */
  message: string
  /** What stood there. It may be a password or a token: never log it (A6). */
  input: unknown
  /** The rest of zod's issue: `expected`, `minimum`, `format`, `keys` ... */
  params: Record<string, unknown>
}

export interface Problem {
  kind: ProblemKind
  /** `method_not_allowed`: the methods that the path has. Becomes `Allow`. */
  allow?: string[]
  /** `validation`: at least one. */
  issues?: Issue[]
  /** `bad_body`: where the JSON broke, in characters, where that is known. */
  position?: number
  /** `thrown` and `internal`: what was thrown. */
  error?: unknown
  /** Seconds. Becomes `Retry-After`. */
  retryAfterS?: number
}

/** Thrown by a hook, a reader or a handler, it is answered by the dialect whose path it is. */
export class ProblemError extends Error {
  readonly problem: Problem

  constructor(problem: Problem) {
    super(problem.kind)
    this.name = 'ProblemError'
    this.problem = problem
  }
}

/** The request that a problem belongs to. */
export interface Place {
  method: string
  /** As sent, without the query: that may hold a token (A6). */
  path: string
}

/** A whole answer. `body`: an object is sent as JSON, a string as plain text where the headers do not say otherwise, null is no body. */
export interface Answer {
  status: number
  headers?: Record<string, string>
  body: object | string | null
}

/** How one dialect words problems. */
export interface ErrorShape {
  name: string
  /** `path` is as sent, without the query. The first registered shape that says yes answers. */
  owns(path: string): boolean
  /**
   * Pure. Null is allowed for `thrown` alone and means "no error of mine": it is then logged and asked for again as `internal`.
   * `Allow`, `Retry-After` and `Upgrade` are added by the kit where they are missing.
   */
  toAnswer(problem: Problem, place: Place): Answer | null
}

/** Where the kit says what went wrong; it logs nothing else. */
export interface Log {
  warn(text: string, error?: unknown): void
  error(text: string, error?: unknown): void
}

export const silentLog: Log = { warn() {}, error() {} }

export interface Problems {
  /** Before the server listens. */
  register(shape: ErrorShape): void
  /** Never throws: a shape that fails is logged and answered as a 500. */
  toAnswer(problem: Problem, place: Place): Answer
}

const defaultTexts: Record<ProblemKind, [status: number, text: string]> = {
  not_found: [404, 'Not Found'],
  method_not_allowed: [405, 'Method Not Allowed'],
  bad_request: [400, 'Bad Request'],
  bad_body: [400, 'Bad Request'],
  bad_encoding: [400, 'Bad Request'],
  too_large: [413, 'Payload Too Large'],
  unsupported: [415, 'Unsupported Media Type'],
  validation: [400, 'Bad Request'],
  upgrade_required: [426, 'Upgrade Required'],
  too_many: [429, 'Too Many Requests'],
  unavailable: [503, 'Service Unavailable'],
  thrown: [500, 'Internal Server Error'],
  internal: [500, 'Internal Server Error'],
}

/** For paths that no dialect owns: `{ error: <kind>, message }`. */
const defaultShape: ErrorShape = {
  name: 'default',
  owns: () => true,
  toAnswer(problem) {
    if (problem.kind === 'thrown') return null
    const [status, message] = defaultTexts[problem.kind]
    return { status, body: { error: problem.kind, message } }
  },
}

/** `onProblem` hears each before it is answered. */
export function createProblems(log: Log, onProblem: (problem: Problem) => void = () => {}): Problems {
  const shapes: ErrorShape[] = []

  function shapeFor(path: string): ErrorShape {
    return shapes.find((shape) => shape.owns(path)) ?? defaultShape
  }

  function answerBy(shape: ErrorShape, problem: Problem, place: Place): Answer {
    const answer = shape.toAnswer(problem, place)
    if (answer !== null) return answer
    log.error(`${place.method} ${place.path} failed`, problem.error)
    return shape.toAnswer({ ...problem, kind: 'internal' }, place) ?? plainFailure
  }

  function toAnswer(problem: Problem, place: Place): Answer {
    try {
      onProblem(problem)
      return withHeaders(answerBy(shapeFor(place.path), problem, place), problem)
    } catch (error) {
      log.error(`${place.method} ${place.path}: the answer to "${problem.kind}" failed`, error)
      return plainFailure
    }
  }

  return { register: (shape) => void shapes.push(shape), toAnswer }
}

const plainFailure: Answer = { status: 500, body: { error: 'internal', message: 'Internal Server Error' } }

/** Header names are compared and handed on in lower case. */
function withHeaders(answer: Answer, problem: Problem): Answer {
  const headers: Record<string, string> = {}
  if (problem.allow !== undefined) headers['allow'] = problem.allow.join(', ')
  if (problem.retryAfterS !== undefined) headers['retry-after'] = String(problem.retryAfterS)
  if (problem.kind === 'upgrade_required') headers['upgrade'] = 'websocket'
  for (const [name, value] of Object.entries(answer.headers ?? {})) headers[name.toLowerCase()] = value
  return { ...answer, headers }
}

/** An answer as it goes on the wire; header names in lower case. */
export interface EncodedAnswer {
  status: number
  headers: Record<string, string>
  bytes: Buffer
}

/** Pure. Headers get `content-type` where there is a body and none is given, and always `content-length`. */
export function encodeAnswer(answer: Answer): EncodedAnswer {
  const { status, body } = answer
  const bytes = Buffer.from(typeof body === 'string' ? body : body === null ? '' : JSON.stringify(body))
  const headers: Record<string, string> = {}
  if (body !== null)
    headers['content-type'] = typeof body === 'string' ? 'text/plain; charset=utf-8' : 'application/json; charset=utf-8'
  for (const [name, value] of Object.entries(answer.headers ?? {})) headers[name.toLowerCase()] = value
  headers['content-length'] = String(bytes.length)
  return { status, headers, bytes }
}

/** The path as sent, without query and fragment. */
export function pathOf(url: string): string {
  const end = url.search(/[?#]/)
  return end === -1 ? url : url.slice(0, end)
}
