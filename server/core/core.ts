/** What actions and queries work with: the parts that chat.ts puts together. */
import type { Storage } from '../storage/storage.ts'
import type { Clock } from './clock.ts'
import { ChatError } from './errors.ts'
import type { Journal } from './journal.ts'
import type { Principal, Room, RoomId, Space, SpaceId, UserId } from './model.ts'
import type { Sessions } from './sessions.ts'
import type { UserCache } from './user-cache.ts'

export interface Core {
  storage: Storage
  clock: Clock
  journal: Journal
  sessions: Sessions
  users: UserCache
  passwords: Passwords
  /** SHA-256 in hex. */
  hash: (text: string) => string
  settings: CoreSettings
  /** Tells of attachments whose message was deleted, by their addresses. */
  onDetached: (urls: string[]) => void
}

/** Slow on purpose; throws ChatError too_many where too many are under way (A12). */
export interface Passwords {
  hash(password: string): Promise<string>
  verify(password: string, hash: string): Promise<boolean>
}

export interface CoreSettings {
  /** Identities named in a request are believed, unknown users and rooms made up (M2). */
  isDevelopment: boolean
  /** Whether anybody may register (`REGISTRATION`). */
  isRegistrationOpen: boolean
  /** Whether a host's token makes the account that it names (A9). */
  makesHostAccounts: boolean
}

/** Throws ChatError room_not_found. */
export async function getRoom({ storage }: Core, roomId: RoomId): Promise<Room> {
  const room = await storage.log.findRoom(roomId)
  if (!room) throw new ChatError('room_not_found')
  return room
}

/** Throws ChatError space_not_found. */
export async function getSpace({ storage }: Core, spaceId: SpaceId): Promise<Space> {
  const space = await storage.directory.findSpace(spaceId)
  if (!space) throw new ChatError('space_not_found')
  return space
}

/** For its owner, or a service. Throws ChatError space_not_found, forbidden. */
export async function getOwnSpace(core: Core, principal: Principal, spaceId: SpaceId): Promise<Space> {
  const space = await getSpace(core, spaceId)
  if (principal.kind !== 'service' && space.ownerId !== userIdOf(principal)) throw new ChatError('forbidden')
  return space
}

/** Whom a request is for; null where it names nobody. */
export function userIdOf(principal: Principal): UserId | null {
  return principal.kind === 'nobody' ? null : (principal.user?.id ?? null)
}
