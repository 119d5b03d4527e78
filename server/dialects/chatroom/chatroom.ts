/** The `chatroom` door: rooms with roles and a life cycle over HTTP, and one WebSocket for a user. README.md says what it promises. */
import { isCookieOrigin, type Door } from '../door.ts'
import { registerGateway } from './gateway.ts'
import { LivePlace, type PlaceParts } from './place.ts'
import { chatroomShape, ownsPath } from './problems.ts'
import { registerRoutes } from './routes.ts'

export interface Chatroom {
  /** Its sockets are closed by then. */
  stop(): Promise<void>
}

/** Before the server listens. From now on the registry is asked, and told. */
export function registerChatroom(door: Door, parts: PlaceParts): Chatroom {
  const { http } = door
  http.problems.register(chatroomShape)
  http.cors.register({ owns: ownsPath, origins: (origin) => isCookieOrigin(door, origin), withCredentials: true })
  const place = new LivePlace(door, parts)
  registerRoutes(door, place)
  registerGateway(door, place)
  place.start()
  return { stop: () => place.stop() }
}
