/** One Fastify app behind any number of listeners: they share its routes and its upgrades. */
import Fastify from 'fastify'
import type {
  FastifyBaseLogger,
  FastifyInstance,
  FastifyReply,
  FastifyRequest,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from 'fastify'
import { serializerCompiler } from 'fastify-type-provider-zod'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { answerBadPath, installAnswers } from './answering.ts'
import { installBodies } from './bodies.ts'
import { installCors } from './cors.ts'
import type { Cors } from './cors.ts'
import { createListeners } from './listeners.ts'
import type { ListenAddress, Timeouts, UpgradeHandler } from './listeners.ts'
import { createProblems, silentLog } from './problems.ts'
import type { Log, Problem, Problems } from './problems.ts'
import { createProxies } from './proxies.ts'
import type { Proxies } from './proxies.ts'
import { validatorCompiler } from './validation.ts'

/** Fastify with zod schemas: `app.post(path, { schema: { body: z.object(...) } }, ...)` types `request.body`. */
export type App = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  ZodTypeProvider
>

/** A17; a route's `bodyLimit` overrides it. */
const bodyBytesMax = 256 * 1024

export interface HttpServerOptions {
  /** Silent by default. */
  log?: Log
  /** Hears of each request and upgrade that is refused. */
  onProblem?: (problem: Problem) => void
  /** A12: addresses or networks whose `X-Forwarded-*` are believed. None by default. */
  trustedProxies?: readonly string[]
  timeouts?: Partial<Timeouts>
}

export interface HttpServer {
  readonly app: App
  readonly problems: Problems
  readonly cors: Cors
  readonly proxies: Proxies
  /** Hands upgrades of all listeners to one handler; without one they are answered as plain HTTP. Before `listen`. */
  onUpgrade(handler: UpgradeHandler): void
  /**
   * All of them or none: an address that cannot be had rejects with its error. Port 0 takes a free one.
   * The answer: the ports in the order of the addresses.
   */
  listen(addresses: readonly ListenAddress[]): Promise<number[]>
  /**
   * Stops accepting, ends idle keep-alive sockets, lets running requests end for `graceMs`, then cuts those still open. WebSockets are
   * their keeper's to close, before or beside this.
   */
  close(options: { graceMs: number }): Promise<void>
}

/** Long enough for any name; the dialects say what is too long (A17). */
const pathParameterMax = 4096

export function createHttpServer(options: HttpServerOptions = {}): HttpServer {
  const log = options.log ?? silentLog
  const problems = createProblems(log, options.onProblem)
  const proxies = createProxies(options.trustedProxies ?? [])
  // The router's own errors pass by all hooks.
  const app = createApp(options, proxies, (request, reply) => {
    addSafeHeaders(reply)
    cors.addTo(request, reply)
    answerBadPath(problems, request, reply)
  })
  app.addHook('onRequest', (_request, reply, done) => {
    addSafeHeaders(reply)
    done()
  })
  const cors = installCors(app)
  installBodies(app)
  installAnswers(app, problems)
  const listeners = createListeners((request, response) => app.routing(request, response), options.timeouts ?? {})
  endConnectionsWhile(app, () => listeners.isClosing)
  sendTextsAsBytes(app)

  return {
    app: app.withTypeProvider<ZodTypeProvider>(),
    problems,
    cors,
    proxies,
    onUpgrade: (handler) => listeners.onUpgrade(handler),
    async listen(addresses) {
      await app.ready()
      return listeners.listen(addresses)
    },
    async close({ graceMs }) {
      await listeners.close(graceMs)
      await app.close()
    },
  }
}

type OnBadPath = (request: FastifyRequest, reply: FastifyReply) => void

function createApp(options: HttpServerOptions, proxies: Proxies, onBadPath: OnBadPath): FastifyInstance {
  const hasProxies = (options.trustedProxies ?? []).length > 0
  const app = Fastify({
    logger: false,
    bodyLimit: bodyBytesMax,
    trustProxy: hasProxies ? (address: string) => proxies.trusts(address) : false,
    routerOptions: { maxParamLength: pathParameterMax },
    frameworkErrors: (_error, request, reply) => onBadPath(request, reply),
  })
  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(serializerCompiler)
  return app
}

/** What breaks no contract; a page adds its own CSP. */
function addSafeHeaders(reply: FastifyReply): void {
  reply.header('x-content-type-options', 'nosniff').header('referrer-policy', 'no-referrer')
}

/** A request that still comes in on a keep-alive connection while stopping is served, and is the last one there. */
function endConnectionsWhile(app: FastifyInstance, isClosing: () => boolean): void {
  app.addHook('onSend', (_request, reply, payload, done) => {
    if (isClosing()) reply.header('connection', 'close')
    done(null, payload)
  })
}

/** A text would be measured, copied behind the headers and then encoded: of a long answer that takes longer than making it. */
function sendTextsAsBytes(app: FastifyInstance): void {
  app.addHook('onSend', (_request, _reply, payload, done) => {
    done(null, typeof payload === 'string' ? Buffer.from(payload) : payload)
  })
}
