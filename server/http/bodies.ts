/**
 * Request bodies: each route says how its own is read, `config: { readBody: readJson }`. A reader gets the whole body and throws
 * ProblemErrors. An empty body is undefined for every reader but `readRaw` (P10: a POST without a body is fine).
 */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { decodeUtf8, isSafeText, parseJson } from './json.ts'
import { ProblemError } from './problems.ts'

/** `mediaType` is the Content-Type in lower case without parameters; null where the request has none. */
export type BodyReader = (bytes: Buffer, mediaType: string | null) => unknown

declare module 'fastify' {
  interface FastifyContextConfig {
    /** How this route's body is read; `readJson` where it is not said. */
    readBody?: BodyReader
  }
}

/** JSON, whatever the Content-Type says (F2). */
export const readJson: BodyReader = (bytes) => (bytes.length === 0 ? undefined : parseJson(bytes))

/** JSON where the Content-Type is JSON or missing, as FastAPI does; any other body is handed on as a string, which is then no object. */
export const readJsonIfSaid: BodyReader = (bytes, mediaType) => {
  if (bytes.length === 0) return undefined
  return mediaType === null || isJsonType(mediaType) ? parseJson(bytes) : decodeUtf8(bytes)
}

/** `application/x-www-form-urlencoded`; a body of another type has no fields. */
export const readForm: BodyReader = (bytes, mediaType) => {
  const isForm = mediaType === null || mediaType === 'application/x-www-form-urlencoded'
  return isForm ? parseForm(bytes) : {}
}

/** The bytes as they came. */
export const readRaw: BodyReader = (bytes) => bytes

function isJsonType(mediaType: string): boolean {
  return /^application\/(?:[^/]+\+)?json$/.test(mediaType)
}

/** More fields than any form of ours; python-multipart's own limit. */
const formFieldsMax = 1000

/**
 * A form's fields; of a field given twice the last counts. Throws `bad_encoding` for broken UTF-8 or percent-encoding, `bad_body` for more
 * than 1,000 fields, `validation` for U+0000 (A4).
 */
export function parseForm(bytes: Buffer): Record<string, string> {
  const pairs = decodeUtf8(bytes).split('&', formFieldsMax + 1)
  if (pairs.length > formFieldsMax) throw new ProblemError({ kind: 'bad_body' })
  return Object.fromEntries(pairs.filter((pair) => pair !== '').map(parsePair))
}

function parsePair(pair: string): [name: string, value: string] {
  const end = pair.includes('=') ? pair.indexOf('=') : pair.length
  const name = decodeField(pair.slice(0, end))
  const value = decodeField(pair.slice(end + 1))
  if (isSafeText(name) && isSafeText(value)) return [name, value]
  const message = 'Text must not hold U+0000'
  throw new ProblemError({
    kind: 'validation',
    issues: [{ location: 'body', path: [name], code: 'unsafe_text', message, input: value, params: {} }],
  })
}

function decodeField(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    throw new ProblemError({ kind: 'bad_encoding' })
  }
}

/** In lower case and without parameters; null for a missing header. */
export function mediaTypeOf(header: string | undefined): string | null {
  if (header === undefined) return null
  return header.split(';', 1)[0]!.trim().toLowerCase()
}

const wellFormedType = /^\s*[\w!#$%&'*+.^`|~-]+\/[\w!#$%&'*+.^`|~-]+\s*(?:;|$)/

/** Makes the server read every content type with the route's reader. Multipart stays with whoever adds a parser for it. */
export function installBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (request, body, done) => {
    const bytes = body as Buffer
    try {
      done(null, readerOf(request)(bytes, mediaTypeOf(request.headers['content-type'])))
    } catch (error) {
      done(error as Error)
    }
  })
  app.addHook('onRequest', (request, _reply, done) => {
    healContentType(request)
    done()
  })
}

function readerOf(request: FastifyRequest): BodyReader {
  return request.routeOptions.config.readBody ?? readJson
}

/** Fastify answers a malformed Content-Type with a 415 before any reader is asked; F2 reads such a body all the same. */
function healContentType(request: FastifyRequest): void {
  const header = request.headers['content-type']
  if (header !== undefined && !wellFormedType.test(header)) request.raw.headers['content-type'] = 'application/octet-stream'
}
