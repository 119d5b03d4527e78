/** The `widget` door: socket.io chat on a host's pages, one room per project. README.md says what it promises. */
import type { Door } from '../door.ts'
import { registerGateway } from './gateway.ts'
import { ownsPath, widgetShape } from './problems.ts'
import { registerRoutes } from './routes.ts'

/** Before the server listens. */
export function registerWidget(door: Door): void {
  const { http, allowedOrigins } = door
  http.problems.register(widgetShape)
  http.cors.register({ owns: ownsPath, origins: allowedOrigins ?? '*', withCredentials: false })
  registerRoutes(door)
  registerGateway(door)
}
