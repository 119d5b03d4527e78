/** The client of all adapters over Redis. When a connection is made anew, and what is kept meanwhile, is theirs to say. */
import { createClient, ErrorReply } from 'redis'

/** A connection that does not stand after so long will not. */
export const connectMs = 5_000

export type RedisClient = ReturnType<typeof createRedisClient>

/** It does not come back by itself, and keeps nothing for later. `url`: `redis://` or `rediss://`, with name and password where Redis wants them. */
export function createRedisClient(url: string) {
  return createClient({
    url,
    disableOfflineQueue: true,
    maintNotifications: 'disabled',
    socket: { reconnectStrategy: false, connectTimeout: connectMs },
  })
}

/** Its code alone: Redis quotes a command's arguments in some of its texts, and there are passwords and tokens among them (A6). */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error
  if ('code' in error && typeof error.code === 'string') return error.code
  return error instanceof ErrorReply ? (error.message.split(' ', 1)[0] ?? '') : error.name
}
