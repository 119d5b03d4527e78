/** Who calls at this door (A9, M2, M3, P1). */
import type { FastifyRequest } from 'fastify'
import { ChatError } from '../../core/errors.ts'
import type { Principal, RoomId, User } from '../../core/model.ts'
import { findBearer, findCookie } from '../../http/credentials.ts'
import {
  accountCookies,
  approachOf,
  closeLogin,
  findCaller,
  getUser,
  mayCookieCount,
  openLogin,
  type Approach,
  type Caller,
  type Door,
} from '../door.ts'
import { parseId } from './wire.ts'

export interface Visitor extends Caller {
  /** Development: he showed no credential (M2). */
  isMadeUp: boolean
}

/** Who acts in development without a credential, and his chat that the contract's examples write to (M2). */
const developerId = 1
const exampleChatId = 123

/**
 * The account of a credential; with a service key the user in `X-User-Id`, if it names one; in development without a credential user 1,
 * or the one in `X-Dev-User`, but never for a foreign page (A5). Throws ChatError unauthenticated, bad_credentials, invalid_field,
 * user_not_found.
 */
export async function getCaller(door: Door, approach: Approach): Promise<Visitor> {
  const caller = await findCaller(door, approach)
  if (!caller) return { principal: await makeUp(door, approach), tokenHash: null, login: null, isMadeUp: true }
  if (caller.principal.kind !== 'service') return { ...caller, isMadeUp: false }
  const user = await findNamed(door, approach, 'X-User-Id')
  return { ...caller, principal: { kind: 'service', user }, isMadeUp: false }
}

async function makeUp(door: Door, approach: Approach): Promise<Principal> {
  const { headers, host } = approach
  if (!door.chat.settings.isDevelopment || !mayCookieCount(door, headers.origin, host)) throw new ChatError('unauthenticated')
  const user = (await findNamed(door, approach, 'X-Dev-User')) ?? (await door.chat.accounts.getOrMake(developerId))
  return { kind: 'user', user }
}

async function findNamed(door: Door, { headers }: Approach, field: 'X-User-Id' | 'X-Dev-User'): Promise<User | null> {
  const header = headers[field.toLowerCase()]
  if (header === undefined) return null
  const userId = parseId(header)
  if (userId === null) throw new ChatError('invalid_field', { field })
  return door.chat.accounts.getOrMake(userId)
}

/** Who calls; the routes' hook has put him there. */
export function visitorOf(request: FastifyRequest): Visitor {
  return request.getDecorator<Visitor>('groupwareVisitor')
}

/** The user whom a request is about. Throws ChatError unauthenticated for a service key that names none. */
export function userOf({ principal }: Visitor): User {
  return getUser(principal)
}

/** In development chat 123 is made for whom a request made up, when he first touches it (M2). */
export async function touch(door: Door, visitor: Visitor, roomId: RoomId): Promise<void> {
  if (visitor.isMadeUp && roomId === exampleChatId) await door.chat.rooms.touchPeers(userOf(visitor), roomId)
}

/** A5, A10: signing in and out is not for foreign pages. Throws ChatError forbidden. */
export function refuseForeignPage(door: Door, request: FastifyRequest): void {
  const { headers, host } = approachOf(door, request)
  if (!mayCookieCount(door, headers.origin, host)) throw new ChatError('forbidden')
}

/** P1: with the claims that other systems read from the cookie. */
export function openAccountLogin(door: Door, user: User): Promise<string> {
  return openLogin(door, user, { email: user.email, full_name: user.fullName })
}

/** Every good token that a request holds counts no more (A15); a bad one does not keep anyone from signing out. */
export async function closeLogins(door: Door, { headers }: FastifyRequest): Promise<void> {
  const cookies = accountCookies.map((name) => findCookie(headers.cookie, name))
  const tokens = new Set([findBearer(headers.authorization), ...cookies].filter((token) => token !== null))
  for (const token of tokens) {
    const claims = await door.tokens.verify(token)
    if (claims !== null) await closeLogin(door, token, claims)
  }
}
