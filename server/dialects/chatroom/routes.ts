/** The HTTP side. The WebSocket is the gateway's. */
import type { Door } from '../door.ts'
import { callerDecorator, callerHook } from './auth.ts'
import type { Place } from './place.ts'
import { messageRoutes } from './routes/messages.ts'
import { participantRoutes } from './routes/participants.ts'
import { roomRoutes } from './routes/rooms.ts'
import { tokenRoutes } from './routes/tokens.ts'
import { readBody } from './wire.ts'

const rooms = '/api/chatrooms'

/** In a scope of their own, where the caller is known before a body is read. */
export function registerRoutes(door: Door, place: Place): void {
  door.http.app.register(async (scope) => {
    scope.decorateRequest(callerDecorator, null)
    scope.addHook('onRequest', callerHook(door))
    scope.addHook('onRoute', (route) => {
      route.config = { ...route.config, readBody }
    })
    scope.register(roomRoutes(door, place), { prefix: rooms })
    scope.register(participantRoutes(door, place), { prefix: `${rooms}/:roomId/participants` })
    scope.register(messageRoutes(door), { prefix: `${rooms}/:roomId/messages` })
    scope.register(tokenRoutes(door), { prefix: '/api/auth/tokens' })
  })
}
