/** For operators: `/healthz` (the process runs), `/readyz` (it can serve), `/metrics`. */
import type { Chat } from '../core/chat.ts'
import { findBearer } from '../http/credentials.ts'
import type { App } from '../http/server.ts'
import type { Metrics } from './metrics.ts'

export interface HealthOptions {
  chat: Chat
  metrics: Metrics
  isStopping(): boolean
  /** In production metrics are shown to a service key only. */
  mayReadMetrics(token: string | null): boolean
}

export function registerHealth(app: App, options: HealthOptions): void {
  app.get('/healthz', { schema: { hide: true } }, async () => ({ status: 'ok' }))

  app.get('/readyz', { schema: { hide: true } }, async (_request, reply) => {
    const problem = options.isStopping() ? 'stopping' : await findProblem(options.chat)
    if (problem === null) return { status: 'ready' }
    return reply.code(503).header('retry-after', '1').send({ status: problem })
  })

  app.get('/metrics', { schema: { hide: true } }, async (request, reply) => {
    if (!options.mayReadMetrics(findBearer(request.headers.authorization))) {
      return reply
        .code(401)
        .header('www-authenticate', 'Bearer')
        .send({ error: 'unauthenticated', message: 'A service key is needed' })
    }
    return reply.type(options.metrics.contentType).send(await options.metrics.print())
  })
}

async function findProblem(chat: Chat): Promise<string | null> {
  try {
    await chat.ping()
    return null
  } catch {
    return 'the database does not answer'
  }
}
