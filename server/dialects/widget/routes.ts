/** The HTTP side: tokens for development and tests (W5), and where a project's people join (W9). */
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { ChatError } from '../../core/errors.ts'
import type { Door } from '../door.ts'
import { requireHost } from './auth.ts'
import { projectPath, tokenBody } from './wire.ts'

const tokenLifetimeS = 24 * 60 * 60

export function registerRoutes(door: Door): void {
  door.http.app.register(hostRoutes(door))
}

function hostRoutes(door: Door): FastifyPluginAsyncZod {
  return async (app) => {
    app.addHook('onRequest', async ({ headers }) => requireHost(door, headers))

    app.post('/api/generate-token', { schema: { hide: true, body: tokenBody } }, async ({ body }, reply) => {
      const { username, projectId, avatar } = body
      const tokens = door.projectTokens.find(projectId)
      // Where `*` is listed and this project is not (W6).
      if (tokens === null) throw new ChatError('forbidden')
      reply.header('cache-control', 'no-store')
      const claims = { username, ...(typeof avatar === 'string' && { avatar }), projectId }
      return { token: await tokens.sign(claims, tokenLifetimeS) }
    })

    app.get('/api/projects/:projectId', { schema: { hide: true, params: projectPath } }, async ({ params }) => {
      const { projectId } = params
      return { projectId, roomId: await door.chat.projects.open(projectId) }
    })
  }
}
