/** Errors in this door's shape (C4): `{error, message}`, a code of lower-case words and a text, whoever made them (A3). */
import { errorTable, toChatError, type ChatError, type ErrorCode } from '../../core/errors.ts'
import type { Answer, ErrorShape, Place, Problem, ProblemKind } from '../../http/problems.ts'
import { errorHeaders, errorStatuses } from '../door.ts'
import type { Failure } from './wire.ts'

const ownPaths = /^\/(?:chat|api\/chatrooms|api\/auth\/tokens)(?:\/|$)/

export function ownsPath(path: string): boolean {
  return ownPaths.test(path)
}

export const chatroomShape: ErrorShape = { name: 'chatroom', owns: ownsPath, toAnswer }

/** As the contract prints it for its handshake. */
const invalidToken: Failure = { error: 'invalid_token', message: 'JWT token is invalid' }
/** And to the byte. */
const refusedHandshake = '{"error": "invalid_token", "message": "JWT token is invalid"}'

/** Where this door differs from the table of errors. */
const statuses: Partial<Record<ErrorCode, number>> = { owner_stays: 403, username_taken: 409, email_taken: 409 }
const codes: Partial<Record<ErrorCode, string>> = { not_a_member: 'forbidden', text_too_long: 'too_long' }

const problemAnswers: Record<Exclude<ProblemKind, 'thrown' | 'validation'>, [status: number, error: string, message: string]> = {
  not_found: [404, 'not_found', 'Not found'],
  method_not_allowed: [405, 'method_not_allowed', 'Method not allowed'],
  bad_request: [400, 'bad_request', 'Bad request'],
  bad_body: [400, 'invalid_json', 'The body is not JSON'],
  bad_encoding: [400, 'invalid_json', 'The body is not UTF-8'],
  too_large: [413, 'too_large', 'The body is too large'],
  unsupported: [415, 'unsupported', 'Unsupported media type'],
  upgrade_required: [426, 'upgrade_required', 'Upgrade required'],
  too_many: [429, 'too_many', errorTable.too_many.text],
  unavailable: [503, 'unavailable', errorTable.unavailable.text],
  internal: [500, 'internal', 'Internal server error'],
}

/** What is answered, and what a frame of type `error` says (C3). */
export function encodeFailure({ code, field, message }: ChatError): Failure {
  if (code === 'bad_credentials') return invalidToken
  return { error: codes[code] ?? code, message: field === undefined ? message : withField(message, [field]) }
}

/** Null for what is no error of the chat. */
function toAnswer(problem: Problem, { path }: Place): Answer | null {
  if (problem.kind === 'validation') {
    const message = withField(errorTable.invalid_field.text, problem.issues?.[0]?.path ?? [])
    return { status: 400, body: { error: 'invalid_field', message } }
  }
  if (problem.kind === 'thrown') {
    const error = toChatError(problem.error)
    return error && answerOf(error, path)
  }
  const [status, error, message] = problemAnswers[problem.kind]
  return { status, body: { error, message } }
}

/** C2: whatever is wrong with a handshake's token, also that there is none, is the documented answer. */
function answerOf(error: ChatError, path: string): Answer {
  const headers = errorHeaders(error)
  if (error.kind === 'unauthenticated' && path === '/chat') {
    return { status: 401, headers: { ...headers, 'content-type': 'application/json; charset=utf-8' }, body: refusedHandshake }
  }
  return { status: statuses[error.code] ?? errorStatuses[error.kind], headers, body: encodeFailure(error) }
}

/** A path may hold keys that the sender made up: no more of it than helps. */
function withField(text: string, path: (string | number)[]): string {
  return path.length === 0 ? text : `${text} (${path.join('.').slice(0, 60).toWellFormed()})`
}
