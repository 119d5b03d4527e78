/** Where a token stands in Redis, and what stands there (C2): also a login server writes and reads it. */
import { hash } from 'node:crypto'
import type { Login } from '../../core/model.ts'

export interface TokenKeys {
  /** The keys hold tokens themselves. */
  needsTokens: boolean
  /** Null where it needs a token that is not known. */
  keyOf(login: Login): string | null
  valueOf(login: Login): string
  /** Whether a value that stands at its key says that the token counts. */
  isOf(login: Login, value: string): boolean
}

/** `pattern`: with `{sha256}` or `{token}`, whose value names the user, or with `{userId}` alone, whose value is the token or its SHA-256. */
export function createTokenKeys(pattern: string): TokenKeys {
  const needsTokens = pattern.includes('{token}')
  const isPerUser = !needsTokens && !pattern.includes('{sha256}')
  return {
    needsTokens,
    keyOf: (login) => (needsTokens && login.token === null ? null : fill(pattern, login)),
    valueOf: ({ sha256, userId }) => (isPerUser ? sha256 : `${userId}`),
    isOf: isPerUser
      ? ({ sha256 }, value) => value === sha256 || hash('sha256', value) === sha256
      : ({ userId, username, subject }, value) => ['', `${userId}`, username, subject].includes(value),
  }
}

function fill(pattern: string, { sha256, token, subject }: Login): string {
  const parts: Record<string, string> = { '{sha256}': sha256, '{token}': token ?? '', '{userId}': subject }
  return pattern.replace(/\{(sha256|token|userId)\}/g, (name) => parts[name]!)
}
