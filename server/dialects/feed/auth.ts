/** Who acts at this door (A9, M2, M3). */
import type { FastifyRequest } from 'fastify'
import { ChatError } from '../../core/errors.ts'
import type { Principal, RoomId, User, UserId } from '../../core/model.ts'
import { findCaller, type Approach, type Caller, type Door } from '../door.ts'
import { parseId, parseRoomId } from './wire.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Set before this dialect's handlers run; null in development without a credential. */
    feedCaller: Caller | null
  }
}

/** Null only in development, for a request without a credential. Throws ChatError unauthenticated, bad_credentials. */
export async function getCaller(door: Door, approach: Approach): Promise<Caller | null> {
  const caller = await findCaller(door, approach)
  if (!caller && !isDevelopment(door)) throw new ChatError('unauthenticated')
  return caller
}

/**
 * Who acts where the contract names nobody (M3): the caller; with a service key, and in development without a credential, whom
 * `X-User-Id` names, if anyone. Throws ChatError invalid_field, user_not_found.
 */
export async function findActor(door: Door, { feedCaller: caller, headers }: FastifyRequest): Promise<Principal> {
  if (caller?.principal.kind === 'user') return caller.principal
  const user = await findNamed(door, headers['x-user-id'])
  if (caller) return { kind: 'service', user }
  return user ? { kind: 'user', user } : { kind: 'nobody' }
}

/**
 * The same in a room, which the actor touches; not into it, where it is about his own membership (`targetId`). Throws ChatError
 * room_not_found and as `findActor`.
 */
export async function findActorIn(door: Door, request: FastifyRequest, room: string, targetId: UserId | null) {
  const roomId = parseRoomId(room)
  const actor = await findActor(door, request)
  const user = actor.kind === 'nobody' ? null : actor.user
  await touch(door, roomId, user?.id === targetId ? null : user)
  return { roomId, actor }
}

async function findNamed(door: Door, header: string | string[] | undefined): Promise<User | null> {
  if (header === undefined) return null
  const userId = parseId(String(header))
  if (userId === null) throw new ChatError('invalid_field', { field: 'X-User-Id' })
  return door.chat.accounts.getOrMake(userId)
}

/** `/api/v1/users` is a host's (M3). Throws ChatError forbidden. */
export function requireHost(door: Door, caller: Caller | null): void {
  if (caller?.principal.kind !== 'service' && !isDevelopment(door)) throw new ChatError('forbidden')
}

/** M2: in development an unknown room is made up, and touching an open one joins it. Throws ChatError room_not_found. */
export async function touch(door: Door, roomId: RoomId, user: User | null): Promise<void> {
  if (isDevelopment(door)) await door.chat.rooms.touchOpen(user, roomId)
}

export function isDevelopment(door: Door): boolean {
  return door.chat.settings.isDevelopment
}
