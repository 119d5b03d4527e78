/** The HTTP side. The stream is the gateway's. */
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { approachOf, type Door } from '../door.ts'
import { getCaller } from './auth.ts'
import { attachRoutes } from './routes/attach.ts'
import { accountRoutes, signInRoutes } from './routes/auth.ts'
import { chatRoutes } from './routes/chats.ts'
import { memberRoutes } from './routes/members.ts'
import { messageRoutes } from './routes/messages.ts'
import { organisationRoutes } from './routes/organisation.ts'

export function registerRoutes(door: Door): void {
  door.http.app.register(signInRoutes(door), { prefix: '/api/auth' })
  door.http.app.register(withCaller(door), { prefix: '/api' })
}

/** All but signing in and out is for somebody, who is known before a body is read. */
function withCaller(door: Door): FastifyPluginAsyncZod {
  return async (scope) => {
    scope.decorateRequest('groupwareVisitor')
    scope.addHook('onRequest', async (request) => {
      request.setDecorator('groupwareVisitor', await getCaller(door, approachOf(door, request)))
    })
    scope.register(accountRoutes, { prefix: '/auth' })
    scope.register(organisationRoutes(door))
    scope.register(chatRoutes(door), { prefix: '/chats' })
    scope.register(messageRoutes(door), { prefix: '/chats/:id' })
    scope.register(memberRoutes(door), { prefix: '/chats/:id' })
    scope.register(attachRoutes(door), { prefix: '/chats/:id' })
  }
}
