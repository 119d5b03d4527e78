/** The `groupware` door: an organisation's messenger over REST and Server-Sent Events. README.md says what it promises. */
import { isCookieOrigin, type Door } from '../door.ts'
import { registerGateway } from './gateway.ts'
import { groupwareShape, ownsPath } from './problems.ts'
import { registerRoutes } from './routes.ts'

/** Before the server listens. */
export function registerGroupware(door: Door): void {
  const { http } = door
  http.problems.register(groupwareShape)
  http.cors.register({ owns: ownsPath, origins: (origin) => isCookieOrigin(door, origin), withCredentials: true })
  registerRoutes(door)
  registerGateway(door)
}
