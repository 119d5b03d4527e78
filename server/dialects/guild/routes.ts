/** The HTTP side. Each route and its schemas are also what the document says of it. */
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { approachOf, type Door } from '../door.ts'
import { getCaller } from './auth.ts'
import { guildValidator } from './problems.ts'
import { authRoutes } from './routes/auth.ts'
import { channelRoutes } from './routes/channels.ts'
import { serverRoutes } from './routes/servers.ts'
import { userRoutes } from './routes/users.ts'

export function registerRoutes(door: Door): void {
  door.http.app.register(async (scope) => {
    scope.setValidatorCompiler(guildValidator)
    scope.register(authRoutes(door), { prefix: '/auth' })
    scope.register(withToken(door))
  })
}

/** All but `/auth` needs a token, and it is looked at before the body. */
function withToken(door: Door): FastifyPluginAsyncZod {
  return async (scope) => {
    scope.decorateRequest('guildCaller')
    scope.addHook('onRequest', async (request) => {
      request.setDecorator('guildCaller', await getCaller(door, approachOf(door, request)))
    })
    scope.register(userRoutes(door), { prefix: '/users' })
    scope.register(serverRoutes(door), { prefix: '/servers' })
    scope.register(channelRoutes(door), { prefix: '/channels' })
  }
}
