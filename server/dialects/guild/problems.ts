/** Errors in FastAPI's manner (G1, G2): `{detail: "..."}`, and 422 `{detail: [{type, loc, msg, input}]}` in pydantic's words. */
import { ChatError, toChatError, type ErrorCode } from '../../core/errors.ts'
import type { Answer, ErrorShape, Issue, Place, Problem } from '../../http/problems.ts'
import { validatorCompiler } from '../../http/validation.ts'
import { errorHeaders, errorStatuses } from '../door.ts'
import type { ValidationDetail } from './wire.ts'

/** One of the chat's errors with the status and text that a route prints for it. */
export class Refusal extends Error {
  readonly status: number

  constructor(status: number, detail: string) {
    super(detail)
    this.status = status
  }
}

/** Does the work, and refuses with this route's words (G2) where it throws that code. */
export async function refusing<T>(code: ErrorCode, [status, detail]: [number, string], work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw error instanceof ChatError && error.code === code ? new Refusal(status, detail) : error
  }
}

/** `/ws/{channel_id}` has one segment; what is deeper is another door's. */
const webSocketPath = /^\/ws\/[^/]+$/
const ownPaths = /^\/(?:auth|users|servers|channels|openapi\.json|docs|redoc)(?:\/|$)/

export function ownsPath(path: string): boolean {
  return ownPaths.test(path) || webSocketPath.test(path)
}

export const guildShape: ErrorShape = { name: 'guild', owns: ownsPath, toAnswer }

function toAnswer(problem: Problem, place: Place): Answer | null {
  const answer = answerOf(problem)
  return answer !== null && webSocketPath.test(place.path) ? refuseUpgrade(problem, answer) : answer
}

/**
 * G7: a refused upgrade is a 403 that does not say why (M4); what may pass keeps its status, and so does what is no refusal: a
 * plain GET, a broken handshake, a bug of ours.
 */
function refuseUpgrade({ kind }: Problem, answer: Answer): Answer {
  const isRefusal = (kind === 'thrown' && ![429, 503].includes(answer.status)) || kind === 'validation'
  return isRefusal ? { status: 403, body: { detail: 'Forbidden' } } : answer
}

const problemAnswers: Record<
  Exclude<Problem['kind'], 'bad_body' | 'bad_encoding' | 'validation' | 'thrown'>,
  [status: number, detail: string]
> = {
  not_found: [404, 'Not Found'],
  method_not_allowed: [405, 'Method Not Allowed'],
  bad_request: [400, 'Bad Request'],
  too_large: [413, 'Request Entity Too Large'],
  unsupported: [415, 'Unsupported Media Type'],
  upgrade_required: [426, 'Upgrade Required'],
  too_many: [429, 'Too Many Requests'],
  unavailable: [503, 'Service Unavailable'],
  internal: [500, 'Internal Server Error'],
}

function answerOf(problem: Problem): Answer | null {
  if (problem.kind === 'thrown') return answerThrown(problem.error)
  if (problem.kind === 'validation') return invalid((problem.issues ?? []).map(encodeIssue))
  if (problem.kind === 'bad_body' || problem.kind === 'bad_encoding') {
    return invalid([{ type: 'json_invalid', loc: ['body', problem.position ?? 0], msg: 'JSON decode error', input: {} }])
  }
  const [status, detail] = problemAnswers[problem.kind]
  return { status, body: { detail } }
}

function invalid(detail: ValidationDetail[]): Answer {
  return { status: 422, body: { detail } }
}

// ---------------------------------------------------------------------------------------------------------- the chat's errors

/** Where this door's status or text is another than the table's. */
const exceptions: Partial<Record<ErrorCode, [status: number, detail?: string]>> = {
  room_not_found: [404, 'Channel not found'],
  not_a_member: [403, 'You are not a member of this server'],
  already_a_member: [400, 'You are already a member of this server'],
  username_taken: [400],
  email_taken: [400],
  owner_stays: [400],
}

function answerThrown(thrown: unknown): Answer | null {
  if (thrown instanceof Refusal) return { status: thrown.status, body: { detail: thrown.message } }
  const error = toChatError(thrown)
  if (error === null) return null
  // The schemas refuse first; this is where the chat is stricter than they are.
  if (error.code === 'invalid_field') {
    return invalid([{ type: 'value_error', loc: ['body', error.field ?? ''], msg: `Value error, ${error.message}`, input: null }])
  }
  const usual = error.kind === 'invalid' ? 422 : errorStatuses[error.kind]
  const [status = usual, detail = error.message] = exceptions[error.code] ?? []
  return { status, headers: errorHeaders(error), body: { detail } }
}

// ------------------------------------------------------------------------------------------------------------ pydantic's words

function encodeIssue(issue: Issue): ValidationDetail {
  const loc = [issue.location, ...issue.path]
  const input = encodeInput(issue.input)
  const { type, msg } = wordsOf(issue)
  return { type, loc, msg, input }
}

interface Words {
  type: string
  msg: string
}

function wordsOf(issue: Issue): Words {
  if (issue.code === 'unsafe_text') return { type: 'string_unicode', msg: unicodeText }
  if (issue.code === 'invalid_type') return typeWords(issue)
  if (issue.code === 'too_small' || issue.code === 'too_big') return lengthWords(issue)
  const { type } = (issue.params['params'] ?? {}) as { type?: string }
  return type === undefined ? valueWords(issue.message) : { type, msg: issue.message }
}

const unicodeText = 'Input should be a valid string, unable to parse raw data as a unicode string'

/** As pydantic's EmailStr and as its validators say it. */
function valueWords(text: string): Words {
  return { type: 'value_error', msg: text.startsWith('value is') ? text : `Value error, ${text}` }
}

function typeWords({ path, params, input }: Issue): Words {
  const isMissing = params['isMissing'] === true || (path.length === 0 && input === null)
  if (isMissing) return { type: 'missing', msg: 'Field required' }
  if (params['expected'] === 'string') return { type: 'string_type', msg: 'Input should be a valid string' }
  return { type: 'model_attributes_type', msg: 'Input should be a valid dictionary or object to extract fields from' }
}

function lengthWords({ code, params }: Issue): Words {
  const count = Number(params[code === 'too_small' ? 'minimum' : 'maximum'])
  const [type, bound] =
    code === 'too_small' ? (['string_too_short', 'at least'] as const) : (['string_too_long', 'at most'] as const)
  return { type, msg: `String should have ${bound} ${count} character${count === 1 ? '' : 's'}` }
}

const echoCharsMax = 4_000

/** What was sent, or its beginning as a text where it is long; never more than the answer to a small request should hold. */
function encodeInput(input: unknown): unknown {
  const json = JSON.stringify(input ?? null)
  if (json.length > echoCharsMax) return `${json.slice(0, echoCharsMax)}...`.toWellFormed()
  return typeof input === 'string' ? input.toWellFormed() : JSON.parse(json)
}

/** The kit's, and as pydantic has it the input of a field that is missing is what it is missing from. */
export const guildValidator: typeof validatorCompiler = (route) => {
  const check = validatorCompiler(route)
  return (data) => {
    const result = check(data)
    const { problem } = ((result as { error?: unknown }).error ?? {}) as { problem?: Problem }
    for (const issue of problem?.issues ?? [])
      if (issue.code === 'invalid_type' && issue.input === undefined) markMissing(issue, data)
    return result
  }
}

function markMissing(issue: Issue, data: unknown): void {
  issue.params = { ...issue.params, isMissing: true }
  const parents = issue.path.slice(0, -1)
  issue.input = parents.reduce<unknown>((value, key) => (value as Record<string | number, unknown>)[key], data)
}
