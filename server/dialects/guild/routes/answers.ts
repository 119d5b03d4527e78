/** What a route answers beside its success, for the document. */
import { httpError, httpValidationError } from '../wire.ts'

/** `token`: asks for one. `body`: reads one. `limited`: A12's rates or the queue for password hashes. */
type Trait = 'token' | 'body' | 'limited'

export const security = [{ OAuth2PasswordBearer: [] }]

const unidentified = { 401: 'No token, or one that does not count', 404: 'A service key named a user who does not exist' }

/** `own` says for which reasons this route refuses, by status. */
export function answers(own: Record<number, string>, traits: Trait[]) {
  const texts: Record<number, string> = {
    ...(traits.includes('token') && unidentified),
    ...(traits.includes('body') && { 413: 'The body is over 256 KiB' }),
    ...(traits.includes('limited') && { 429: 'Too many requests; Retry-After says when' }),
    500: 'A fault of the server',
    503: 'The server cannot do this just now; Retry-After says when',
    ...own,
  }
  const refusals = Object.entries(texts).map(([status, description]) => [status, answer(description, httpError)])
  return { ...Object.fromEntries(refusals), 422: answer('A field is missing or not as it should be', httpValidationError) }
}

function answer(description: string, schema: typeof httpError | typeof httpValidationError) {
  return { description, content: { 'application/json': { schema } } }
}

/** PUT leaves absent and null fields alone (G3). */
export function withoutNulls<T extends object>(fields: T): { [K in keyof T]?: NonNullable<T[K]> } {
  const given = Object.entries(fields).filter(([, value]) => value !== undefined && value !== null)
  return Object.fromEntries(given) as { [K in keyof T]?: NonNullable<T[K]> }
}
