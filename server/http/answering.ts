/** Sees to it that every failed HTTP request is answered by the dialect whose path it is, whoever made the error (A3). */
import type { FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods } from 'fastify'
import { mediaTypeOf } from './bodies.ts'
import { ProblemError, encodeAnswer, pathOf } from './problems.ts'
import type { EncodedAnswer, Place, Problem, Problems } from './problems.ts'

/** A17: after an early 413 the server reads on for this long or this much, or the client may see a reset in place of the answer. */
const readOnMs = 2_000
const readOnBytes = 16 * 1024 * 1024

const methods: HTTPMethods[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']

/** The methods that a path (as sent, without the query) has routes for; empty where it has none. */
export function findMethods(app: FastifyInstance, path: string): string[] {
  return methods.filter((method) => app.findRoute({ method, url: path, constraints: {} }) !== null)
}

export function placeOf(request: FastifyRequest): Place {
  return { method: request.method, path: pathOf(request.url) }
}

/** Register after the CORS hook, so that errors carry its headers. */
export function installAnswers(app: FastifyInstance, problems: Problems): void {
  app.setErrorHandler((error, request, reply) => answerError(problems, error, request, reply))
  // For `reply.callNotFound()` alone; the hook below is there before it.
  app.setNotFoundHandler((request, reply) => answerError(problems, new ProblemError({ kind: 'not_found' }), request, reply))
  app.addHook('onRequest', (request, reply, done) => {
    if (request.is404) answerUnrouted(app, request, reply, done)
    else done(targetProblem(request.url))
  })
}

/** For `frameworkErrors`: paths that the router could not decode. No hook has run for them. */
export function answerBadPath(problems: Problems, request: FastifyRequest, reply: FastifyReply): void {
  send(reply, encodeAnswer(problems.toAnswer({ kind: 'not_found' }, placeOf(request))))
}

/** In a hook, so that the body of a request that leads nowhere is neither awaited nor parsed. */
function answerUnrouted(app: FastifyInstance, request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void): void {
  const allow = findMethods(app, pathOf(request.url))
  if (allow.length === 0) return done(new ProblemError({ kind: 'not_found' }))
  if (request.method !== 'OPTIONS') return done(new ProblemError({ kind: 'method_not_allowed', allow }))
  void reply
    .code(204)
    .header('allow', [...allow, 'OPTIONS'].join(', '))
    .send()
}

/** A4 for addresses: U+0000 in a path leads nowhere, in a query it is bad input. */
function targetProblem(url: string): ProblemError | undefined {
  const at = url.indexOf('%00')
  if (at === -1) return undefined
  const isInPath = at < pathOf(url).length
  return new ProblemError(isInPath ? { kind: 'not_found' } : unsafeQuery)
}

/** A4: U+0000 in a query. */
export const unsafeQuery: Problem = {
  kind: 'validation',
  issues: [{ location: 'query', path: [], code: 'unsafe_text', message: 'Text must not hold U+0000', input: null, params: {} }],
}

function answerError(problems: Problems, error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const problem = problemOf(error)
  const answer = encodeAnswer(problems.toAnswer(problem, placeOf(request)))
  if (problem.kind === 'too_large' || isUploading(request)) return answerAndReadOn(request, reply, answer)
  // Fastify ends the connection after any error of a body's reader; where the body has come whole there is no need to.
  if (request.raw.complete) reply.removeHeader('connection')
  send(reply, answer)
}

/** Files that are still coming in would else be read to their end, however long that is, for nothing. */
function isUploading(request: FastifyRequest): boolean {
  return !request.raw.complete && mediaTypeOf(request.headers['content-type']) === 'multipart/form-data'
}

function send(reply: FastifyReply, answer: EncodedAnswer): void {
  void reply
    .code(answer.status)
    .headers(answer.headers)
    .send(answer.bytes.length === 0 ? undefined : answer.bytes)
}

/** What a framework's error is in our words. Anything unknown is `thrown`, for the dialect to recognise. */
export function problemOf(error: unknown): Problem {
  if (error instanceof ProblemError) return error.problem
  const { code, statusCode } = error as { code?: unknown; statusCode?: unknown }
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE' || statusCode === 413) return { kind: 'too_large' }
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE' || statusCode === 415) return { kind: 'unsupported' }
  if (typeof code === 'string' && code.startsWith('FST_ERR_CTP_')) return { kind: 'bad_body' }
  // The request broke off in mid-body; nobody is left to read the answer.
  if (code === 'ECONNRESET' && statusCode === 400) return { kind: 'bad_body' }
  return { kind: 'thrown', error }
}

/**
 * Sends the whole answer but keeps the exchange open while the client is still sending: a socket that is closed with unread bytes is reset,
 * and a reset takes the answer with it.
 */
function answerAndReadOn(request: FastifyRequest, reply: FastifyReply, answer: EncodedAnswer): void {
  const { raw } = reply
  const headers = { ...reply.getHeaders(), ...answer.headers, connection: 'close' }
  reply.hijack()
  raw.writeHead(answer.status, headers as Record<string, string>)
  raw.write(answer.bytes)
  readOn(request, () => raw.end())
}

function readOn(request: FastifyRequest, finished: () => void): void {
  let left = readOnBytes
  const finish = () => {
    clearTimeout(timer)
    request.raw.off('data', count).off('end', finish).off('close', finish)
    finished()
  }
  const count = (chunk: Buffer) => {
    left -= chunk.length
    if (left < 0) finish()
  }
  const timer = setTimeout(finish, readOnMs)
  request.raw.on('data', count).on('end', finish).on('close', finish)
}

/** F1: the route for a plain GET on a WebSocket path, a 426 in the dialect's shape: `app.get(path, answerPlainGet)`. */
export function answerPlainGet(): never {
  throw new ProblemError({ kind: 'upgrade_required' })
}
