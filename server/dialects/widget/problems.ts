/** Errors in this door's shape: `{ error: text }` (W5), whoever made them (A3). */
import { errorTable, toChatError } from '../../core/errors.ts'
import type { Answer, ErrorShape, Problem, ProblemKind } from '../../http/problems.ts'
import { errorHeaders, errorStatuses } from '../door.ts'

const ownPaths = /^\/(?:socket\.io|api\/generate-token|api\/projects|widget|widget\.js)(?:\/|$)/

export function ownsPath(path: string): boolean {
  return ownPaths.test(path)
}

export const widgetShape: ErrorShape = { name: 'widget', owns: ownsPath, toAnswer }

const problemAnswers: Record<Exclude<ProblemKind, 'thrown' | 'validation'>, [status: number, text: string]> = {
  not_found: [404, 'Not found'],
  method_not_allowed: [405, 'Method not allowed'],
  bad_request: [400, 'Bad request'],
  bad_body: [400, 'The body is not JSON'],
  bad_encoding: [400, 'The body is not UTF-8'],
  too_large: [413, 'The body is too large'],
  unsupported: [415, 'Unsupported media type'],
  upgrade_required: [426, 'Upgrade required'],
  too_many: [429, errorTable.too_many.text],
  unavailable: [503, errorTable.unavailable.text],
  internal: [500, 'Internal server error'],
}

/** Null for what is no error of the chat. */
function toAnswer(problem: Problem): Answer | null {
  if (problem.kind === 'validation') return { status: 400, body: { error: textOf(problem) } }
  if (problem.kind !== 'thrown') {
    const [status, error] = problemAnswers[problem.kind]
    return { status, body: { error } }
  }
  const error = toChatError(problem.error)
  return error && { status: errorStatuses[error.kind], headers: errorHeaders(error), body: { error: error.message } }
}

/** Names the field, and whether it is there at all. */
function textOf({ issues = [] }: Problem): string {
  const [issue] = issues
  const field = issue?.path.at(-1)
  if (field === undefined) return 'username and projectId are required'
  const isThere = issue?.input !== undefined && issue.input !== null && issue.input !== ''
  return isThere ? `${String(field)} is not as it should be` : `${String(field)} is required`
}
