/** What every dialect receives, how a caller is recognised at all account doors (A9), and what errors have in common. */
import type { IncomingHttpHeaders } from 'node:http'
import type { FastifyRequest } from 'fastify'
import type { Chat } from '../core/chat.ts'
import type { Clock } from '../core/clock.ts'
import { ChatError, type ErrorKind } from '../core/errors.ts'
import type { Log } from '../core/log.ts'
import type { Logins } from '../core/logins.ts'
import type { Login, Principal, User, UserId } from '../core/model.ts'
import type { FileStore } from '../files/file-store.ts'
import { findBearer, findCookie } from '../http/credentials.ts'
import { addressKey, type Limit } from '../http/limits.ts'
import type { MultipartLimits } from '../http/multipart.ts'
import type { HttpServer } from '../http/server.ts'
import type { SocketIo } from '../http/socketio.ts'
import type { Streams } from '../http/sse.ts'
import { sha256Hex, type Claims, type ProjectTokens, type Tokens } from '../http/tokens.ts'
import type { Upgrades } from '../http/upgrades.ts'

export interface Door {
  chat: Chat
  http: HttpServer
  upgrades: Upgrades
  streams: Streams
  socketIo: SocketIo
  files: FileStore
  /** Of files that come in (P10). */
  uploads: MultipartLimits
  tokens: Tokens
  /** The tokens that count at a door with a registry (C2); who signs in or out at another enters or ends them (A10). */
  logins: Logins
  /** Of guests (W6). */
  projectTokens: ProjectTokens
  clock: Clock
  /** For what the kit and the core cannot tell by themselves: they tell refused requests, and who comes and goes. */
  log: Log
  isServiceKey(text: string): boolean
  /** How long a token made here lasts (`ACCESS_TOKEN_EXPIRE_MINUTES`). */
  tokenLifetimeS: number
  limits: Limits
  /** Null: any origin, without credentials (A5). */
  allowedOrigins: string[] | null
  /** Origins whose pages may use a cookie (A5), beside the server's own. */
  cookieOrigins: string[]
  /** By whose clocks a door writes times for people to read (P7). */
  timeZone: string
  /** A list of what is recent holds at most so many messages (P6). */
  historyMax: number
}

/** Rates (A12), by address or user; service keys are not asked. */
export interface Limits {
  login: Limit
  register: Limit
  sends: Limit
  connects: Limit
}

export interface Caller {
  principal: Principal
  /** SHA-256 in hex of the token that he showed; null where he showed none, or a service key. */
  tokenHash: string | null
  /** The same token as the registry knows it (C2). */
  login: Login | null
}

/** Where a request may carry a credential. */
export interface Approach {
  headers: IncomingHttpHeaders
  /** As the client named it. */
  host: string
  /** The `token` of an upgrade's or stream's query; null elsewhere. */
  queryToken: string | null
}

/** As a request shows him; no `?token=`, which is for upgrades and streams alone. */
export function approachOf(door: Door, { headers, raw }: FastifyRequest): Approach {
  return { headers, host: door.http.proxies.hostOf(raw), queryToken: null }
}

/** In the order of most doors (A9); a login sets both (A10). */
export const accountCookies = ['auth-token', 'jwt_token'] as const

/**
 * Who calls: bearer header, then `?token=`, then the cookies, in the dialect's order; the first found decides (A9), also a bearer
 * header without a token. A service key counts as a bearer header alone (M3). Null without a credential. Throws ChatError
 * bad_credentials.
 */
export async function findCaller(
  door: Door,
  approach: Approach,
  cookies: readonly string[] = accountCookies,
): Promise<Caller | null> {
  const bearer = findBearer(approach.headers.authorization)
  const token = bearer ?? findToken(door, approach, cookies)
  if (token === null) return null
  if (bearer !== null && door.isServiceKey(bearer)) {
    return { principal: { kind: 'service', user: null }, tokenHash: null, login: null }
  }
  const { user, login } = await readToken(door, token)
  return { principal: { kind: 'user', user }, tokenHash: login.sha256, login }
}

/** Whose a good token is (A9), and how the registry knows it. Throws ChatError bad_credentials. */
export async function readToken(door: Door, token: string): Promise<{ user: User; login: Login }> {
  const claims = await door.tokens.verify(token)
  if (!claims) throw new ChatError('bad_credentials')
  const user = await door.chat.accounts.authenticate(claims, sha256Hex(token))
  return { user, login: loginOf(token, claims, user) }
}

function loginOf(token: string, { sub, exp }: Claims, { id, username }: Pick<User, 'id' | 'username'>): Login {
  const subject = typeof sub === 'string' && sub !== '' ? sub : username
  return { sha256: sha256Hex(token), token, userId: id, username, subject, expiresAt: exp === undefined ? null : exp * 1000 }
}

function findToken(door: Door, { headers, host, queryToken }: Approach, cookies: readonly string[]): string | null {
  if (queryToken !== null && queryToken !== '') return queryToken
  if (!mayCookieCount(door, headers.origin, host)) return null
  for (const name of cookies) {
    const value = findCookie(headers.cookie, name)
    if (value) return value
  }
  return null
}

const loopback = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/

/** A5: without an Origin, from the server's own, from `COOKIE_ORIGINS`, in development also from a loopback one. */
export function mayCookieCount(door: Door, origin: string | undefined, host: string): boolean {
  if (origin === undefined || isCookieOrigin(door, origin)) return true
  return URL.canParse(origin) && new URL(origin).host === host.toLowerCase()
}

/** Foreign pages that the cookie doors answer, by name and with credentials (A5). */
export function isCookieOrigin(door: Door, origin: string): boolean {
  if (door.cookieOrigins.includes(origin)) return true
  return door.chat.settings.isDevelopment && URL.canParse(origin) && loopback.test(new URL(origin).hostname)
}

/** The user whom a request is about. Throws ChatError unauthenticated for a service key that names none. */
export function getUser(principal: Principal): User {
  if (principal.kind === 'nobody' || principal.user === null) throw new ChatError('unauthenticated')
  return principal.user
}

/** A12; service keys have no limit. Throws ChatError too_many. */
export function takeTurn(limit: Limit, caller: Caller | null, key: string): void {
  if (caller?.principal.kind === 'service') return
  const taken = limit.take(key)
  if (!taken.ok) throw new ChatError('too_many', { retryAfterS: taken.retryAfterS })
}

/** A12, per address and user. Throws ChatError too_many. */
export function takeSend({ limits }: Door, caller: Caller | null, request: FastifyRequest, author: User): void {
  takeTurn(limits.sends, caller, addressKey(request.ip))
  takeTurn(limits.sends, caller, `user:${author.id}`)
}

/** A token of ours for an account (A9), which from now on counts also where the registry is asked (A10). `more` are claims beside ours. */
export async function openLogin(door: Door, user: User, more: Record<string, unknown> = {}): Promise<string> {
  const { id, username } = user
  const token = await door.tokens.sign({ sub: username, username, id, ...more }, door.tokenLifetimeS)
  await door.logins.enter(loginOf(token, (await door.tokens.verify(token)) ?? {}, user))
  return token
}

/** As long as a revocation must be remembered for a token that never expires by itself, which only development takes. */
const foreverMs = 10 * 365 * 86_400_000

/** A token whose claims were verified counts no more, at any door (A15). */
export async function closeLogin(door: Door, token: string, claims: Claims): Promise<void> {
  const { accounts } = door.chat
  const name = claims['username'] ?? claims['sub']
  const user = typeof name === 'string' ? await accounts.findNamed(name) : null
  const login = loginOf(token, claims, user ?? { id: 0, username: '' })
  await accounts.revokeToken(login.sha256, login.expiresAt ?? door.clock.now() + foreverMs)
  if (user) await door.logins.end(login)
}

/**
 * For whom a request acts that names somebody (M2, M3): the caller himself; with a service key, anyone; in development without a
 * credential, anyone. `named` is an id or a username. Throws ChatError unauthenticated, forbidden (somebody else's identity),
 * user_not_found.
 */
export async function actAs(door: Door, caller: Caller | null, named: UserId | string): Promise<User> {
  const { accounts, settings } = door.chat
  if (caller?.principal.kind === 'user') {
    const { id, username } = caller.principal.user
    if (named !== (typeof named === 'string' ? username : id)) throw new ChatError('forbidden')
    return caller.principal.user
  }
  if (!caller && !settings.isDevelopment) throw new ChatError('unauthenticated')
  return typeof named === 'string' ? accounts.getOrMakeNamed(named) : accounts.getOrMake(named)
}

/** The status of each kind of error where a contract says nothing else. */
export const errorStatuses: Record<ErrorKind, number> = {
  invalid: 400,
  unauthenticated: 401,
  forbidden: 403,
  not_found: 404,
  conflict: 409,
  too_many: 429,
  unavailable: 503,
}

/** What HTTP wants beside the status. */
export function errorHeaders({ kind, retryAfterS }: ChatError): Record<string, string> {
  return {
    ...(kind === 'unauthenticated' && { 'www-authenticate': 'Bearer' }),
    ...(retryAfterS !== undefined && { 'retry-after': String(retryAfterS) }),
  }
}
