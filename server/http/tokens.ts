/** Account tokens: JWTs signed with a shared secret (A9). */
import { hash, randomUUID, webcrypto } from 'node:crypto'
import { SignJWT, jwtVerify } from 'jose'

export type Algorithm = 'HS256' | 'HS384' | 'HS512'

/** What a token says. Beside `exp` (whole seconds since 1970) nothing is checked: the claims' types are the caller's to parse. */
export type Claims = Readonly<Record<string, unknown> & { exp?: number }>

export interface TokensOptions {
  /** Any length but 0; whether it is long enough is the configuration's to say (M1). */
  secret: string
  /** HS256 by default. Tokens signed with another are refused. */
  algorithm?: Algorithm
  /** Milliseconds since 1970. */
  now: () => number
}

export interface Tokens {
  /** `iat`, `exp` and a random `jti` are set here: of two tokens of one second, one can be revoked and the other not. */
  sign(claims: Record<string, unknown>, lifetimeS: number): Promise<string>
  /**
   * The claims, or null for anything that is not a good token now: another algorithm (`none` too), a wrong signature, expired, not yet valid,
   * over 8 KiB, spelled in a second way, garbage. A token without `exp` is good here; where it must have one, ask the claims (A9).
   */
  verify(token: string): Promise<Claims | null>
}

const tokenCharsMax = 8 * 1024
/** A cached token costs its own length and its claims: some 10 MB when full. */
const cacheEntriesMax = 10_000
/** Longer ones are rare and are verified each time, so that the cache's size is bounded in bytes too. */
const cachedCharsMax = 1024

export function createTokens(options: TokensOptions): Tokens {
  const { algorithm = 'HS256', now } = options
  const key = importSecret(options.secret, algorithm)
  const cache = createCache(now)

  return {
    async sign(claims, lifetimeS) {
      const issuedS = Math.floor(now() / 1000)
      const token = new SignJWT(claims).setProtectedHeader({ alg: algorithm, typ: 'JWT' }).setIssuedAt(issuedS)
      return token
        .setJti(randomUUID())
        .setExpirationTime(issuedS + lifetimeS)
        .sign(await key)
    },
    async verify(token) {
      if (token.length > tokenCharsMax || !isCanonical(token)) return null
      const known = cache.find(token)
      if (known !== null) return known
      const claims = await verifyWith(await key, token, algorithm, now())
      if (claims !== null) cache.keep(token, claims)
      return claims
    },
  }
}

/** Once, as jose would do it for every token: 90 µs of CPU a verification with the bare secret, 55 with this key. */
function importSecret(secret: string, algorithm: Algorithm): Promise<webcrypto.CryptoKey> {
  const bytes = new TextEncoder().encode(secret)
  return webcrypto.subtle.importKey('raw', bytes, { name: 'HMAC', hash: `SHA-${algorithm.slice(2)}` }, false, ['sign', 'verify'])
}

/**
 * Whether the token is spelled in the only way that counts. jose reads a signature also with blanks, or with other unused bits in its last
 * character: another SHA-256 then, and a revoked token (A15) would be good again. The other parts are signed as they are spelled.
 */
function isCanonical(token: string): boolean {
  const signature = /^[\w-]+\.[\w-]+\.([\w-]+)$/.exec(token)?.[1]
  return signature !== undefined && Buffer.from(signature, 'base64url').toString('base64url') === signature
}

async function verifyWith(key: webcrypto.CryptoKey, token: string, algorithm: Algorithm, nowMs: number): Promise<Claims | null> {
  try {
    const { payload } = await jwtVerify(token, key, { algorithms: [algorithm], currentDate: new Date(nowMs) })
    return Object.freeze(payload.exp === undefined ? payload : { ...payload, exp: wholeExp(payload.exp) })
  } catch {
    return null
  }
}

/** RFC 7519 lets `exp` be a fraction, or any number: it counts to the end of its second, and to the end of the year 9999. */
function wholeExp(exp: number): number {
  return Math.min(Math.ceil(exp), 253_402_300_799)
}

/**
 * The last verified tokens, so that a client's next request costs 0.1 µs and not 55. Only good ones are kept, until their `exp`; revocation is
 * asked of the registry each time and has nothing to do with it.
 */
function createCache(now: () => number) {
  const entries = new Map<string, Claims>()
  return {
    find(token: string): Claims | null {
      const claims = entries.get(token)
      if (claims === undefined) return null
      entries.delete(token)
      // As jose judges it: expired at `exp`, in whole seconds.
      if (claims.exp !== undefined && claims.exp <= Math.floor(now() / 1000)) return null
      entries.set(token, claims)
      return claims
    },
    keep(token: string, claims: Claims): void {
      if (token.length > cachedCharsMax) return
      entries.set(token, claims)
      if (entries.size > cacheEntriesMax) entries.delete(entries.keys().next().value as string)
    },
  }
}

export interface ProjectSecrets {
  /** By project. */
  listed: ReadonlyMap<string, string>
  /** Of the projects that are not listed; null where they have none (W6). */
  shared: string | null
}

/** Tokens of projects are HS256 (W1), whatever account tokens are signed with. */
export interface ProjectTokens {
  /** Null where no secret opens the project. */
  find(projectId: string): Tokens | null
}

export function createProjectTokens({ listed, shared }: ProjectSecrets, now: () => number): ProjectTokens {
  const tokensOf = new Map([...listed].map(([projectId, secret]) => [projectId, createTokens({ secret, now })]))
  const others = shared === null ? null : createTokens({ secret: shared, now })
  return { find: (projectId) => tokensOf.get(projectId) ?? others }
}

/** SHA-256 in hex: how a token is named wherever it must not stand itself (A6, A15, C2). */
export function sha256Hex(text: string): string {
  return hash('sha256', text)
}
