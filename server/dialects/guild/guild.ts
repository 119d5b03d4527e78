/** The `guild` door: servers and channels over REST, and a WebSocket per channel. README.md says what it promises. */
import type { Door } from '../door.ts'
import { registerDocuments } from './documents.ts'
import { registerGateway } from './gateway.ts'
import { guildShape, ownsPath } from './problems.ts'
import { registerRoutes } from './routes.ts'

/** Before the server listens, and before other doors whose routes the documents show. */
export async function registerGuild(door: Door): Promise<void> {
  const { http, allowedOrigins } = door
  http.problems.register(guildShape)
  http.cors.register({ owns: ownsPath, origins: allowedOrigins ?? '*', withCredentials: false })
  await registerDocuments(http.app)
  registerRoutes(door)
  registerGateway(door)
}
