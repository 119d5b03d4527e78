/** The `feed` door: a WebSocket that only receives, and every write over HTTP. README.md says what it promises. */
import type { Door } from '../door.ts'
import { registerGateway } from './gateway.ts'
import { feedShape, isApi } from './problems.ts'
import { registerRoutes } from './routes.ts'

/** Before the server listens. */
export function registerFeed(door: Door): void {
  const { http, allowedOrigins } = door
  http.problems.register(feedShape)
  http.cors.register({ owns: isApi, origins: allowedOrigins ?? '*', withCredentials: false })
  registerRoutes(door)
  registerGateway(door)
}
