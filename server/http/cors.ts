/** Which foreign pages may call which paths (A5). Decided in the first hook, so that every answer carries it: 401, 404, 413 too. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { findMethods } from './answering.ts'
import { pathOf } from './problems.ts'

/** One rule; the first whose `owns` says yes counts, a path that nobody owns has no CORS. */
export interface CorsRule {
  /** `path` is as sent, without the query. */
  owns(path: string): boolean
  /** `*`: any page, never with credentials. Else the origins let in, as browsers send them (`https://example.com`), or a test for one. */
  origins: '*' | readonly string[] | ((origin: string) => boolean)
  /** Whether cookies may come along; does not go with `*`. */
  withCredentials: boolean
}

export interface Cors {
  /** Before the server listens. Throws a TypeError for `*` with credentials, which browsers refuse. */
  register(rule: CorsRule): void
  /** For an answer that no hook has seen: the headers of the rule whose path it is, if there is one. */
  addTo(request: FastifyRequest, reply: FastifyReply): void
}

const allowedHeaders = 'Content-Type, Authorization, Idempotency-Key'
const exposedHeaders = 'Retry-After'
/** Asked for a path that does not exist: the page shall get to see the 404. */
const anyMethods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']
const preflightAgeS = 600

export function installCors(app: FastifyInstance): Cors {
  const rules: CorsRule[] = []

  function addTo(request: FastifyRequest, reply: FastifyReply): boolean {
    const rule = rules.find((one) => one.owns(pathOf(request.url)))
    if (rule !== undefined) addHeaders(rule, request, reply)
    return rule !== undefined
  }

  app.addHook('onRequest', (request, reply, done) => {
    if (addTo(request, reply) && isPreflight(request)) answerPreflight(app, request, reply)
    else done()
  })
  return {
    addTo,
    register(rule) {
      if (rule.origins === '*' && rule.withCredentials) throw new TypeError('CORS: any origin and credentials do not go together')
      rules.push(rule)
    },
  }
}

function addHeaders(rule: CorsRule, request: FastifyRequest, reply: FastifyReply): void {
  const allowed = allowedOrigin(rule, request.headers.origin)
  if (rule.origins !== '*') reply.header('vary', 'Origin')
  if (allowed === null) return
  reply.header('access-control-allow-origin', allowed).header('access-control-expose-headers', exposedHeaders)
  if (rule.withCredentials) reply.header('access-control-allow-credentials', 'true')
}

function allowedOrigin(rule: CorsRule, origin: string | undefined): string | null {
  const { origins } = rule
  if (origins === '*') return '*'
  if (origin === undefined) return null
  const isIn = typeof origins === 'function' ? origins(origin) : origins.includes(origin)
  return isIn ? origin : null
}

function isPreflight(request: FastifyRequest): boolean {
  return request.method === 'OPTIONS' && request.headers['access-control-request-method'] !== undefined
}

/** Also without an allowed origin: the browser then sees that the headers are missing. */
function answerPreflight(app: FastifyInstance, request: FastifyRequest, reply: FastifyReply): void {
  const found = findMethods(app, pathOf(request.url))
  const methods = found.length === 0 ? anyMethods : found
  reply.header('access-control-allow-methods', methods.join(', ')).header('access-control-allow-headers', allowedHeaders)
  void reply.header('access-control-max-age', String(preflightAgeS)).code(204).send()
}
