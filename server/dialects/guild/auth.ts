/** Who calls at this door (A9, G1): an account's token, or a host with a service key for the user in `X-User-Id` (M3). */
import type { FastifyRequest } from 'fastify'
import { ChatError } from '../../core/errors.ts'
import type { Principal, User } from '../../core/model.ts'
import { ProblemError } from '../../http/problems.ts'
import { findCaller, getUser, type Approach, type Caller, type Door } from '../door.ts'
import { parseId } from './wire.ts'

/** Throws ChatError unauthenticated, bad_credentials, user_not_found, and what a bad `X-User-Id` is. */
export async function getCaller(door: Door, approach: Approach): Promise<Caller> {
  const caller = await findCaller(door, approach)
  if (!caller) throw new ChatError('unauthenticated')
  if (caller.principal.kind !== 'service') return caller
  return { ...caller, principal: { kind: 'service', user: await findNamed(door, approach.headers['x-user-id']) } }
}

async function findNamed(door: Door, header: string | string[] | undefined): Promise<User | null> {
  if (header === undefined) return null
  const userId = parseId(String(header))
  if (userId === null) throw badUserId(String(header))
  return userId === 0 ? Promise.reject(new ChatError('user_not_found')) : door.chat.accounts.getOrMake(userId)
}

function badUserId(input: string): ProblemError {
  const params = { params: { type: 'int_parsing' } }
  const message = 'Input should be a valid integer, unable to parse string as an integer'
  return new ProblemError({
    kind: 'validation',
    issues: [{ location: 'header', path: ['x-user-id'], code: 'custom', message, input, params }],
  })
}

/** Who calls; the routes' hook has put him there. */
export function principalOf(request: FastifyRequest): Principal {
  return request.getDecorator<Caller>('guildCaller').principal
}

/** The user whom a request is about. Throws ChatError unauthenticated for a service key that names none. */
export function userOf(request: FastifyRequest): User {
  return getUser(principalOf(request))
}
