/** Who acts at this door (A9, M2, M3, C6). */
import type { FastifyRequest } from 'fastify'
import { ChatError } from '../../core/errors.ts'
import type { Principal, RoomId, User } from '../../core/model.ts'
import { actAs, approachOf, findCaller, mayCookieCount, type Approach, type Caller, type Door } from '../door.ts'
import { parseUserHeader } from './wire.ts'

/** This door's own first (A9). */
export const cookieNames = ['jwt_token', 'auth-token'] as const

const decorator = 'chatroomCaller'

/**
 * Null only in development, for a request without a credential that is not a foreign page's (A5). Throws ChatError unauthenticated,
 * bad_credentials.
 */
export async function getCaller(door: Door, approach: Approach): Promise<Caller | null> {
  const caller = await findCaller(door, approach, cookieNames)
  const mayGoWithout = isDevelopment(door) && mayCookieCount(door, approach.headers.origin, approach.host)
  if (!caller && !mayGoWithout) throw new ChatError('unauthenticated')
  return caller
}

/** For the routes' scope: who calls is known before a body is read. */
export function callerHook(door: Door): (request: FastifyRequest) => Promise<void> {
  return async (request) => request.setDecorator(decorator, await getCaller(door, approachOf(door, request)))
}

export { decorator as callerDecorator }

export function callerOf(request: FastifyRequest): Caller | null {
  return request.getDecorator<Caller | null>(decorator)
}

/** Whom a body or query names as the one who acts (M3). Throws as `actAs`. */
export function getNamed(door: Door, request: FastifyRequest, username: string): Promise<User> {
  return actAs(door, callerOf(request), username)
}

/**
 * Who acts where the contract names nobody (M3): the caller; with a service key, and in development without a credential, whom
 * `X-User-Id` names. Null where it names nobody. Throws ChatError invalid_field, user_not_found.
 */
export async function findActor(door: Door, request: FastifyRequest): Promise<Principal | null> {
  const caller = callerOf(request)
  if (caller?.principal.kind === 'user') return caller.principal
  const header = request.headers['x-user-id']
  const user = header === undefined ? null : await door.chat.accounts.getOrMakeNamed(parseUserHeader(String(header)))
  if (caller) return { kind: 'service', user }
  return user && { kind: 'user', user }
}

/** The same in a room: in development a request that names nobody acts as who stands for it (C6). Throws ChatError room_not_found and as `findActor`. */
export async function getActorIn(door: Door, request: FastifyRequest, roomId: RoomId): Promise<Principal> {
  const actor = await findActor(door, request)
  if (actor) return actor
  const nobody = { kind: 'nobody' } as const
  const { queries } = door.chat
  const { rule } = await queries.getRoom(nobody, roomId)
  // Such a room lets nobody's request do what its members may not (A13).
  const standIn = rule === 'service' ? null : await queries.findStandIn(roomId)
  return standIn === null ? nobody : { kind: 'user', user: standIn }
}

/** C2, M3. Throws ChatError forbidden. */
export function requireHost(door: Door, request: FastifyRequest): void {
  const caller = callerOf(request)
  const isHost = caller === null ? isDevelopment(door) : caller.principal.kind === 'service'
  if (!isHost) throw new ChatError('forbidden')
}

function isDevelopment(door: Door): boolean {
  return door.chat.settings.isDevelopment
}
