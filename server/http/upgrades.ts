/** Takes the upgrades of all listeners to the routes that know them. Checks run before 101; a socket is not read meanwhile. */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { problemOf, unsafeQuery } from './answering.ts'
import { findHandshakeFault, refuse } from './handshake.ts'
import { isSafeText } from './json.ts'
import type { UpgradeHandler } from './listeners.ts'
import { pathOf } from './problems.ts'
import type { Answer, Log, Problem, Problems } from './problems.ts'
import type { Proxies } from './proxies.ts'
import type { Connection, ConnectionEvents, WebSockets } from './websocket.ts'

export interface UpgradeRequest {
  /** As sent, without the query. */
  path: string
  /** The pattern's named segments, decoded; never empty. */
  params: Record<string, string>
  query: URLSearchParams
  headers: IncomingHttpHeaders
  /** The client's, behind trusted proxies too (A12). */
  remoteAddress: string
  /** As the client named it; compare it with the Origin's (A5). */
  host: string
}

/** One of the two is called. */
export interface Acceptance {
  /** Right after 101 and before any frame; it says who listens. */
  open(connection: Connection): ConnectionEvents
  /** It comes to no 101: the socket has gone meanwhile, or the server is stopping. */
  abandon(): void
}

/** An answer refuses, whole, before 101 (F1, G7, C2). A rejected promise is answered as an error of the path's dialect. */
export type UpgradeRoute = (request: UpgradeRequest) => Promise<Answer | Acceptance>

/** Takes the socket as it is: for a transport with a handshake of its own (engine.io). */
export type RawUpgradeRoute = (request: IncomingMessage, socket: Socket, head: Buffer) => void

export interface UpgradesOptions {
  problems: Problems
  proxies: Proxies
  websockets: WebSockets
  log: Log
  /** Checks that take longer are a 503: 10 s by default. */
  checkDeadlineMs?: number
}

export interface Upgrades {
  /** `pattern`: segments, `:name` for any one (`/ws/chat/:roomId`). The first that fits counts. Add the plain GET with `answerPlainGet`. */
  route(pattern: string, handler: UpgradeRoute): void
  /** All paths that begin so. */
  routeRaw(prefix: string, handler: RawUpgradeRoute): void
  /** For `HttpServer.onUpgrade`. */
  readonly handle: UpgradeHandler
  /** From now on every upgrade is a 503: stopping. */
  stop(): void
}

interface Route {
  segments: string[]
  handler: UpgradeRoute
}

interface Match {
  handler: UpgradeRoute
  params: Record<string, string>
}

export function createUpgrades(options: UpgradesOptions): Upgrades {
  const { problems, proxies, websockets, log, checkDeadlineMs = 10_000 } = options
  const routes: Route[] = []
  const rawRoutes: { prefix: string; handler: RawUpgradeRoute }[] = []
  let isStopping = false

  function handle(request: IncomingMessage, socket: Socket, head: Buffer): void {
    // A client may reset at any time; unheard, that would end the process.
    socket.on('error', ignoreError)
    const path = pathOf(request.url ?? '/')
    const raw = rawRoutes.find((route) => path.startsWith(route.prefix))
    const found = raw === undefined ? findRoute(routes, path) : null
    const problem = isStopping ? stopping : raw !== undefined ? null : findProblem(request, found)
    if (problem !== null) return refuseWith(problem, request, socket)
    if (raw !== undefined) raw.handler(request, socket, head)
    else if (found !== null) void check(found, request, socket, head)
  }

  function refuseWith(problem: Problem, request: IncomingMessage, socket: Socket): void {
    const answer = problems.toAnswer(problem, { method: request.method ?? 'GET', path: pathOf(request.url ?? '/') })
    const versioned =
      problem === badVersion ? { ...answer, headers: { ...answer.headers, 'sec-websocket-version': '13' } } : answer
    refuse(socket, versioned)
  }

  /** Reading: the socket has no listener, so its own small buffer fills and the rest waits in the kernel. */
  async function check(found: Match, request: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    const outcome = await decide(async () => found.handler(requestOf(found, request, proxies)), checkDeadlineMs)
    if ('open' in outcome && (socket.destroyed || isStopping)) outcome.abandon()
    if (socket.destroyed) return
    if ('kind' in outcome) return refuseWith(outcome, request, socket)
    if ('status' in outcome) return refuse(socket, outcome)
    if (isStopping) return refuseWith(stopping, request, socket)
    accept(outcome, request, socket, head)
  }

  function accept(acceptance: Acceptance, request: IncomingMessage, socket: Socket, head: Buffer): void {
    let isOpened = false
    try {
      websockets.accept(request, socket, head, (connection) => {
        isOpened = true
        return acceptance.open(connection)
      })
      socket.off('error', ignoreError)
    } catch (error) {
      log.error(`${pathOf(request.url ?? '/')}: opening a connection failed`, error)
      socket.destroy()
    }
    // A socket that is half gone gets no 101.
    if (!isOpened) acceptance.abandon()
  }

  return {
    route: (pattern, handler) => void routes.push({ segments: pattern.split('/'), handler }),
    routeRaw: (prefix, handler) => void rawRoutes.push({ prefix, handler }),
    handle,
    stop: () => void (isStopping = true),
  }
}

function ignoreError(): void {}

type Outcome = Answer | Acceptance | Problem

async function decide(check: () => Promise<Answer | Acceptance>, deadlineMs: number): Promise<Outcome> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<Problem>((resolve) => {
    timer = setTimeout(() => resolve(tooLate), deadlineMs)
  })
  const checked = check()
  try {
    const outcome = await Promise.race([checked, late])
    if (outcome === tooLate) checked.then(abandon, () => {})
    return outcome
  } catch (error) {
    return problemOf(error)
  } finally {
    clearTimeout(timer)
  }
}

function abandon(outcome: Answer | Acceptance): void {
  if ('open' in outcome) outcome.abandon()
}

function requestOf(found: Match, request: IncomingMessage, proxies: Proxies): UpgradeRequest {
  const url = request.url ?? '/'
  const path = pathOf(url)
  return {
    path,
    params: found.params,
    query: new URLSearchParams(url.slice(path.length + 1)),
    headers: request.headers,
    remoteAddress: proxies.clientAddress(request),
    host: proxies.hostOf(request),
  }
}

const stopping: Problem = { kind: 'unavailable', retryAfterS: 1 }
const tooLate: Problem = { kind: 'unavailable', retryAfterS: 1 }
const badVersion: Problem = { kind: 'upgrade_required' }

function findProblem(request: IncomingMessage, found: Match | null): Problem | null {
  if (found === null) return { kind: 'not_found' }
  const fault = findHandshakeFault(request)
  if (fault !== null) return fault === 'version' ? badVersion : { kind: 'bad_request' }
  return request.url?.includes('%00') ? unsafeQuery : null
}

function findRoute(routes: Route[], path: string): Match | null {
  const segments = path.split('/')
  for (const { segments: pattern, handler } of routes) {
    const params = matchSegments(pattern, segments)
    if (params !== null) return { handler, params }
  }
  return null
}

/** Null where the path does not fit, or a segment is broken percent-encoding or holds U+0000. */
function matchSegments(pattern: string[], segments: string[]): Record<string, string> | null {
  if (pattern.length !== segments.length) return null
  const params: Record<string, string> = {}
  for (const [at, part] of pattern.entries()) {
    const segment = segments[at] ?? ''
    if (!part.startsWith(':')) {
      if (part !== segment) return null
      continue
    }
    const value = decodeSegment(segment)
    if (value === null || value === '') return null
    params[part.slice(1)] = value
  }
  return params
}

function decodeSegment(segment: string): string | null {
  try {
    const value = decodeURIComponent(segment)
    return isSafeText(value) ? value : null
  } catch {
    return null
  }
}
