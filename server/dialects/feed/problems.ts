/** Errors in this door's shape (F1): `{success:false, error}`, whoever made them (A3). */
import { errorTable, toChatError, type ChatError, type ErrorCode } from '../../core/errors.ts'
import type { Answer, ErrorShape, Problem, ProblemKind } from '../../http/problems.ts'
import { errorHeaders, errorStatuses } from '../door.ts'

const invalidText = 'Invalid request body'

/** Where this door differs from the table of errors. Everything else that is invalid is the contract's one 400. */
const exceptions: Partial<Record<ErrorCode, number>> = { owner_stays: 403, email_taken: 409, username_taken: 409 }

const problemAnswers: Record<Exclude<ProblemKind, 'thrown'>, [status: number, text: string]> = {
  not_found: [404, 'Not found'],
  method_not_allowed: [405, 'Method not allowed'],
  bad_request: [400, 'Bad request'],
  bad_body: [400, invalidText],
  bad_encoding: [400, invalidText],
  validation: [400, invalidText],
  too_large: [413, 'Request body too large'],
  unsupported: [415, 'Unsupported media type'],
  upgrade_required: [426, 'Upgrade required'],
  too_many: [429, errorTable.too_many.text],
  unavailable: [503, errorTable.unavailable.text],
  internal: [500, 'Internal server error'],
}

/** What foreign pages may call (A5). */
export function isApi(path: string): boolean {
  return path.startsWith('/api/v1/')
}

/** F1. */
export const feedShape: ErrorShape = { name: 'feed', owns: (path) => isApi(path) || path.startsWith('/ws/chat/'), toAnswer }

/** Null for what is no error of the chat. */
function toAnswer(problem: Problem): Answer | null {
  if (problem.kind !== 'thrown') return fail(...problemAnswers[problem.kind])
  const error = toChatError(problem.error)
  return error && encodeError(error)
}

function encodeError(error: ChatError): Answer {
  const { code, kind } = error
  const exception = exceptions[code]
  const text = kind === 'invalid' && exception === undefined ? invalidText : error.message
  return { ...fail(exception ?? errorStatuses[kind], text), headers: errorHeaders(error) }
}

function fail(status: number, text: string): Answer {
  return { status, body: { success: false, error: text } }
}
