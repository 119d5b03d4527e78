/** What routes answer, for their schemas and so for the document. */
import { z } from 'zod'
import { failure } from './wire.ts'

/** For every route but the users': a token, where this is no development server. */
export const route = { tags: ['feed'], security: [{ OAuth2PasswordBearer: [] }] }

/** `{ success, message }`. */
export function done<Text extends string>(text: Text) {
  return z.object({ success: z.literal(true), message: z.literal(text) }).meta({ description: 'Done' })
}

/** `{ success, message, data }`. */
export function doneWith<Text extends string, Data extends z.ZodType>(text: Text, data: Data) {
  return z.object({ success: z.literal(true), message: z.literal(text), data }).meta({ description: 'Done' })
}

/** `{ success, data }`. */
export function found<Data extends z.ZodType>(data: Data) {
  return z.object({ success: z.literal(true), data }).meta({ description: 'Found' })
}

const reasons = {
  400: 'The body, the query or a header is not as it should be',
  401: 'No credential, or one that does not count',
  403: 'Not a member of the room, or not allowed',
  404: 'No such room, member or user',
  409: 'It is so already, or the Idempotency-Key was used for another body',
  413: 'The body is over 256 KiB',
  426: 'A plain GET: come back with an upgrade',
  429: 'Too many requests; Retry-After says when',
  500: 'A fault of the server',
  503: 'The server cannot do this just now; Retry-After says when',
}

type Status = keyof typeof reasons

/** The statuses that a route may refuse with; each may besides be a 401, 500 or 503. */
export function refusals(...statuses: Status[]) {
  const answers = [...statuses, 401, 500, 503].map((status) => [status, refusal(status as Status)])
  return Object.fromEntries(answers) as Record<Status, ReturnType<typeof refusal>>
}

function refusal(status: Status) {
  return { description: reasons[status], content: { 'application/json': { schema: failure } } }
}
