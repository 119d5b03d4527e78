/**
 * Whether answers are what /openapi.json says of them. `watchFetch` in a setup file holds a whole suite to it: every answer that a
 * test gets by `fetch` from one of our servers.
 */
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'

interface Operation {
  responses: Record<string, { content?: Record<string, object> }>
}
interface Document {
  paths: Record<string, Record<string, Operation>>
}

export interface Answered {
  method: string
  /** May have a query. */
  path: string
  status: number
  /** As text; empty where there is none. */
  body: string
}

export interface Conformance {
  /** Throws an Error that says what is not as documented. */
  check(answered: Answered): void
}

/** Paths of the documented doors: one of these that is not in the document can only be a 404. */
const ownPaths = /^\/(auth|users|servers|channels|api\/v1)(\/|$)/
const json = 'application/json'

export function createConformance(document: Document): Conformance {
  const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true })
  ajv.addSchema(document, 'document')
  // Compiled once: ajv keeps what it was given for good, and takes a new object for a new schema.
  const validators = new Map<string, ValidateFunction>()
  const routes = Object.keys(document.paths).map((path) => ({ path, pattern: patternOf(path) }))
  // A literal segment goes before a parameter, as in the router.
  routes.sort((a, b) => a.path.split('{').length - b.path.split('{').length)

  function check({ method, path, status, body }: Answered): void {
    const bare = path.split(/[?#]/, 1)[0]!
    const fail = (text: string) => {
      throw new Error(`${method} ${bare} ${status}: ${text}\n${body.slice(0, 500)}`)
    }
    const route = routes.find(({ pattern }) => pattern.test(bare))
    if (!route)
      return ownPaths.test(bare) && status !== 404 && method !== 'OPTIONS' ? fail('the path is not documented') : undefined
    const operation = document.paths[route.path]![method.toLowerCase()]
    if (!operation)
      return ['OPTIONS', 'HEAD'].includes(method) || [404, 405].includes(status)
        ? undefined
        : fail('the method is not documented')
    const answer = operation.responses[String(status)]
    if (!answer) return fail('the status is not documented')
    if (!answer.content) return body === '' ? undefined : fail('documented without a body')
    const where = ['paths', route.path, method.toLowerCase(), 'responses', String(status), 'content', json, 'schema']
    const pointer = `document#/${where.map(encodePointer).join('/')}`
    const validate = validators.get(pointer) ?? ajv.compile({ $ref: pointer })
    validators.set(pointer, validate)
    if (!validate(JSON.parse(body))) fail(ajv.errorsText(validate.errors))
  }

  return { check }
}

function patternOf(path: string): RegExp {
  const parts = path.replace(/\/$/, '').split(/\{[^}]+\}/)
  return new RegExp(`^${parts.join('[^/]+')}/?$`)
}

function encodePointer(part: string): string {
  return encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'))
}

const known = new Map<string, Promise<Conformance | null>>()
const plainFetch = globalThis.fetch

/** Throws as `Conformance.check`; a server without a document passes. `origin` is `http://host:port`. */
export async function checkAgainstDocument(origin: string, answered: Answered): Promise<void> {
  let conformance = known.get(origin)
  if (!conformance) known.set(origin, (conformance = readConformance(origin)))
  ;(await conformance)?.check(answered)
}

async function readConformance(origin: string): Promise<Conformance | null> {
  const answer = await plainFetch(`${origin}/openapi.json`).catch(() => null)
  return answer?.ok ? createConformance((await answer.json()) as Document) : null
}

/** From now on `fetch` rejects where an answer of a local server is not as documented. */
export function watchFetch(): void {
  globalThis.fetch = async (input, init) => {
    const answer = await plainFetch(input, init)
    const { origin, hostname, pathname } = new URL(answer.url)
    // Elsewhere may be streams, which do not end, and files; what a documented door answers is JSON.
    const mayEnd = answer.body === null || answer.headers.get('content-type')?.startsWith(json) || ownPaths.test(pathname)
    if (hostname !== '127.0.0.1' || !mayEnd) return answer
    const method = init?.method ?? (input instanceof Request ? input.method : 'GET')
    const body = await answer.clone().text()
    await checkAgainstDocument(origin, { method: method.toUpperCase(), path: pathname, status: answer.status, body })
    return answer
  }
}
