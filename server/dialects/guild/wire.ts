/**
 * What crosses the wire at this door. The same schemas check requests, write answers and make the document. Failures keep zod's
 * issues; problems.ts words them as pydantic does. Lengths are in code points (A17).
 */
import { z } from 'zod'
import { isBlank, isEmail, isText, isUsername, isWithin, isWithinBytes, limits, parseClientKey } from '../../core/texts.ts'

// ------------------------------------------------------------------------------------------------------------------ fields

/** A text of `min` to `max` code points. */
function text(max: number, min = 0) {
  const checked = z.string().check(({ value, issues }) => {
    if (value.length < min) issues.push({ code: 'too_small', origin: 'string', minimum: min, inclusive: true, input: value })
    else if (!isWithin(value, max))
      issues.push({ code: 'too_big', origin: 'string', maximum: max, inclusive: true, input: value })
  })
  return checked.meta({ maxLength: max, ...(min > 0 && { minLength: min }) })
}

const name = text(limits.name, 1).refine((value) => value === '' || !isBlank(value), 'name must not be blank')
const description = text(limits.description)
const address = text(limits.address)
const email = z.string().refine(isEmail, 'value is not a valid email address').meta({ format: 'email', maxLength: 254 })
const username = z
  .string()
  .normalize('NFC')
  .pipe(
    text(limits.username, 1).refine(
      (value) => !isWithin(value, limits.username) || isUsername(value) || value === '',
      'username must not have control characters or /, begin or end with a blank, be . or .., or begin with guest:',
    ),
  )
  .meta({ minLength: 1, maxLength: limits.username })
const password = text(limits.passwordBytes, 1).refine(
  isShortEnough,
  `password cannot be longer than ${limits.passwordBytes} bytes`,
)

/** G8: what bcrypt does not look at must not count as right. */
function isShortEnough(value: string): boolean {
  return !isWithin(value, limits.passwordBytes) || isWithinBytes(value, limits.passwordBytes)
}

interface Bounds {
  min: number
  max: number
}

/** As pydantic reads an `int`: a number without a fraction, or its digits as a text; of a parameter given twice the last counts. */
function integer(bounds: Bounds = { min: -Infinity, max: Infinity }) {
  return z.unknown().transform((given, context) => {
    const value = Array.isArray(given) && given.every((one) => typeof one === 'string') ? given.at(-1) : given
    const number = typeof value === 'string' && /^[+-]?\d+$/.test(value) ? Number(value) : value
    const issue = findIntegerIssue(number, bounds)
    if (issue === null) return number as number
    context.addIssue({ ...issue, input: value })
    return z.NEVER
  })
}

function findIntegerIssue(number: unknown, { min, max }: Bounds) {
  if (number === undefined) return { code: 'invalid_type', expected: 'int' } as const
  if (typeof number === 'string')
    return pydantic('int_parsing', 'Input should be a valid integer, unable to parse string as an integer')
  if (typeof number !== 'number') return pydantic('int_type', 'Input should be a valid integer')
  if (!Number.isFinite(number)) return pydantic('finite_number', 'Input should be a finite number')
  if (!Number.isInteger(number))
    return pydantic('int_from_float', 'Input should be a valid integer, got a number with a fractional part')
  if (number < min) return pydantic('greater_than_equal', `Input should be greater than or equal to ${min}`)
  return number > max ? pydantic('less_than_equal', `Input should be less than or equal to ${max}`) : null
}

/** An issue in pydantic's own words. */
function pydantic(type: string, message: string) {
  return { code: 'custom', message, params: { type } } as const
}

/** What no id can be becomes 0, which names nothing: a 404 and no error of the database's. */
const id = integer()
  .transform((number) => (Number.isSafeInteger(number) && number > 0 ? number : 0))
  .meta({ type: 'integer' })

/** An id in a header or an upgrade's path; 0 for what none can be, null for what is no whole number. */
export function parseId(given: string): number | null {
  return id.safeParse(given).data ?? null
}

/** Forms have no empty fields: FastAPI takes them for missing. */
const formField = z
  .unknown()
  .transform((value, context) => {
    if (typeof value === 'string' && value !== '') return value
    context.addIssue({ ...pydantic('missing', 'Field required'), input: null })
    return z.NEVER
  })
  .meta({ type: 'string', minLength: 1 })

// ---------------------------------------------------------------------------------------------------------------- requests

export const userPath = z.object({ user_id: id })
export const serverPath = z.object({ server_id: id })
export const channelPath = z.object({ channel_id: id })

const limitBounds = { min: 1, max: 100 }
export const pageQuery = z.object({
  limit: integer(limitBounds).default(50).meta({ type: 'integer', minimum: 1, maximum: 100, description: '50 by default' }),
  offset: integer({ min: 0, max: Infinity })
    .transform((number) => Math.min(number, Number.MAX_SAFE_INTEGER))
    .default(0)
    .meta({ type: 'integer', minimum: 0, description: '0 by default' }),
})

export const loginForm = z
  .object({
    username: formField,
    password: formField
      .refine(isShortEnough, `password cannot be longer than ${limits.passwordBytes} bytes`)
      .meta({ type: 'string', format: 'password' }),
  })
  .meta({ id: 'LoginForm', description: 'Other fields (grant_type, scope ...) are ignored.' })

export const userCreate = z
  .object({ username, email, password, display_name: text(limits.name).nullish() })
  .meta({ id: 'UserCreate', description: 'display_name is the username by default.' })

const unchanged = 'Absent and null fields stay as they are.'
export const userUpdate = z
  .object({
    display_name: text(limits.name).nullish(),
    bio: description.nullish(),
    avatar_url: address.nullish(),
    password: password.nullish(),
  })
  .meta({ id: 'UserUpdate', description: unchanged })

export const serverCreate = z
  .object({ name, description: description.nullish(), icon_url: address.nullish() })
  .meta({ id: 'ServerCreate' })
export const serverUpdate = z
  .object({ name: name.nullish(), description: description.nullish(), icon_url: address.nullish() })
  .meta({ id: 'ServerUpdate', description: unchanged })

export const channelCreate = z.object({ name, description: description.nullish(), server_id: id }).meta({ id: 'ChannelCreate' })
export const channelUpdate = z
  .object({ name: name.nullish(), description: description.nullish() })
  .meta({ id: 'ChannelUpdate', description: unchanged })

// ----------------------------------------------------------------------------------------------------------------- answers

/** G5: no zone, so not what OpenAPI calls `date-time`. */
const time = z
  .string()
  .regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?$/)
  .meta({ examples: ['2025-01-15T12:30:00.120000'] })

const answerId = z.int().min(1)
const times = { created_at: time, updated_at: time }

export const token = z
  .object({ access_token: z.string(), token_type: z.literal('bearer') })
  .meta({ id: 'Token', description: 'Send it as `Authorization: Bearer ...`' })

export const userResponse = z
  .object({
    id: answerId,
    username: z.string(),
    email: z.string(),
    display_name: z.string(),
    bio: z.string().nullable(),
    avatar_url: z.string().nullable(),
    ...times,
  })
  .meta({ id: 'UserResponse', description: 'A user' })

export const channelResponse = z
  .object({ id: answerId, name: z.string(), description: z.string().nullable(), server_id: answerId.nullable(), ...times })
  .meta({ id: 'ChannelResponse', description: 'A channel; server_id is null for a room that belongs to no server' })

const serverFields = {
  id: answerId,
  name: z.string(),
  description: z.string().nullable(),
  icon_url: z.string().nullable(),
  owner_id: answerId,
  ...times,
}
export const serverResponse = z.object(serverFields).meta({ id: 'ServerResponse', description: 'A server' })
export const serverDetail = z
  .object({ ...serverFields, channels: z.array(channelResponse) })
  .meta({ id: 'ServerDetail', description: 'A server with its channels' })

export const messageResponse = z
  .object({ id: answerId, content: z.string(), channel_id: answerId, author_id: answerId, author_username: z.string(), ...times })
  .meta({ id: 'MessageResponse', description: 'A message, as it also comes over the WebSocket' })

export const noContent = z.null().meta({ description: 'Done' })
export const serverList = z.array(serverResponse).meta({ description: 'Servers, by id' })
export const messageList = z.array(messageResponse).meta({ description: 'Messages, newest first' })

export const httpError = z.object({ detail: z.string() }).meta({ id: 'HTTPError', description: 'Why not' })

const validationError = z
  .object({ type: z.string(), loc: z.array(z.union([z.string(), z.int()])), msg: z.string(), input: z.unknown() })
  .meta({ id: 'ValidationError' })
export const httpValidationError = z
  .object({ detail: z.array(validationError) })
  .meta({ id: 'HTTPValidationError', description: 'Each field that is not right' })

export type ValidationDetail = z.infer<typeof validationError>
export type UserResponse = z.infer<typeof userResponse>
export type ServerResponse = z.infer<typeof serverResponse>
export type ChannelResponse = z.infer<typeof channelResponse>
export type MessageResponse = z.infer<typeof messageResponse>

// ------------------------------------------------------------------------------------------------------------------ frames

export interface Send {
  content: string
  clientKey: string | null
}

/**
 * A client's frame (G7): a JSON object's `content` and `key`, or a text that is no JSON, which is the content itself. Null for what is
 * dropped: blank, too long, U+0000 or lone surrogates, JSON that is no object, a `content` that is no text, a `key` that is none.
 */
export function parseFrame(frame: string): Send | null {
  const { content, key } = readFrame(frame)
  if (typeof content !== 'string' || isBlank(content) || !isText(content, limits.message)) return null
  if (key === undefined || key === null) return { content, clientKey: null }
  return isClientKey(key) ? { content, clientKey: key } : null
}

function readFrame(frame: string): { content?: unknown; key?: unknown } {
  try {
    const value: unknown = JSON.parse(frame)
    return typeof value === 'object' && value !== null ? value : {}
  } catch {
    return { content: frame }
  }
}

function isClientKey(key: unknown): key is string {
  try {
    return typeof key === 'string' && parseClientKey(key) !== null
  } catch {
    return false
  }
}
