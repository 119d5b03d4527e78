/** Who comes to this door: visitors with a token that their host signed (W1, W6), and hosts with a service key (M3). */
import type { IncomingHttpHeaders } from 'node:http'
import { decodeJwt } from 'jose'
import { ChatError } from '../../core/errors.ts'
import { findBearer } from '../../http/credentials.ts'
import { sha256Hex, type ProjectTokens } from '../../http/tokens.ts'
import type { Door } from '../door.ts'
import { parseClaims, type Claims } from './wire.ts'

export interface Credential extends Claims {
  /** SHA-256 in hex. */
  tokenHash: string
}

/** The words are those of a `connect_error` (W2). Whether it was revoked is asked elsewhere. */
export async function readToken(tokens: ProjectTokens, token: string, nowMs: number): Promise<Credential | { refused: string }> {
  if (token === '') return { refused: 'token missing' }
  const told = findClaims(token)
  if (told === null) return { refused: 'token invalid' }
  const claims = parseClaims(told)
  if ('refused' in claims) return claims
  const isGood = (await tokens.find(claims.projectId)?.verify(token)) ?? null
  if (isGood === null) return { refused: isPast(claims, nowMs) ? 'token expired' : 'token invalid' }
  return { ...claims, tokenHash: sha256Hex(token) }
}

/** What it says, unverified: which project's secret is to verify it stands in it. */
function findClaims(token: string): Record<string, unknown> | null {
  try {
    return decodeJwt(token)
  } catch {
    return null
  }
}

function isPast({ exp }: Claims, nowMs: number): boolean {
  return exp !== null && exp * 1000 <= nowMs
}

/** M2, M3: a service key; in development also a request without a credential. Throws ChatError unauthenticated, bad_credentials. */
export function requireHost(door: Door, { authorization }: IncomingHttpHeaders): void {
  const bearer = findBearer(authorization)
  if (bearer === null && !door.chat.settings.isDevelopment) throw new ChatError('unauthenticated')
  if (bearer !== null && !door.isServiceKey(bearer)) throw new ChatError('bad_credentials')
}
