/** Checks requests with zod and keeps what zod found, path and all, for the dialect to word. */
import type { FastifySchemaCompiler } from 'fastify'
import { safeParse } from 'zod/v4/core'
import type { $ZodIssue, $ZodType } from 'zod/v4/core'
import { ProblemError } from './problems.ts'
import type { Issue } from './problems.ts'

const locations: Record<string, Issue['location']> = { body: 'body', querystring: 'query', params: 'path', headers: 'header' }

/** For `app.setValidatorCompiler`: a failure is a ProblemError `validation`. An absent body is checked as null: Fastify hands it on so. */
export const validatorCompiler: FastifySchemaCompiler<$ZodType> = ({ schema, httpPart }) => {
  const location = locations[httpPart ?? 'body'] ?? 'body'
  return (data: unknown) => {
    const result = safeParse(schema, data)
    if (result.success) return { value: result.data }
    const issues = result.error.issues.map((issue) => toIssue(issue, location, data))
    return { error: new ProblemError({ kind: 'validation', issues }) }
  }
}

/** Pure. `data` is what was parsed, to find the input at the issue's path. */
export function toIssue(issue: $ZodIssue, location: Issue['location'], data: unknown): Issue {
  const { path, code, message, input: _, ...params } = issue
  const keys = path.map((key) => (typeof key === 'symbol' ? String(key) : key))
  return { location, path: keys, code, message, input: inputAt(data, keys), params }
}

function inputAt(data: unknown, path: (string | number)[]): unknown {
  let value = data
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined
    value = (value as Record<string | number, unknown>)[key]
  }
  return value
}
