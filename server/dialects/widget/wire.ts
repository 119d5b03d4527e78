/** What comes in at this door: tokens' claims, what a client says as it connects, its events, and the bodies of requests. */
import { z } from 'zod'
import type { Since } from '../../core/arrival.ts'
import { isBlank, isGuestName, isWithin, limits } from '../../core/texts.ts'

/** W4: in code points. */
const contentMax = 4_000

/** What a host signs (W1); more may be in it. */
export interface Claims {
  projectId: string
  username: string
  /** Null for none, and for one that is no text. */
  avatar: string | null
  /** Seconds since 1970; null for a token that does not end. */
  exp: number | null
}

/** The words are those of a `connect_error` (W2). */
export function parseClaims(claims: Readonly<Record<string, unknown>>): Claims | { refused: string } {
  const { projectId, username, avatar, exp } = claims
  if (typeof projectId !== 'string' || projectId === '') return { refused: 'token has no projectId' }
  if (typeof username !== 'string' || username === '') return { refused: 'token has no username' }
  if (!isGuestName(projectId)) return { refused: 'projectId is too long or has control characters' }
  if (!isGuestName(username)) return { refused: 'username is too long or has control characters' }
  return { projectId, username, avatar: typeof avatar === 'string' ? avatar : null, exp: typeof exp === 'number' ? exp : null }
}

/** W8: what is neither an id nor a text is a cursor that nobody knows. */
export function parseAuth(auth: unknown): { token: string; since: Since } {
  const { token, since } = Object(auth) as Record<string, unknown>
  return { token: typeof token === 'string' ? token : '', since: parseSince(since) }
}

function parseSince(since: unknown): Since {
  if (since === undefined || since === null) return null
  if (typeof since === 'number') return Number.isSafeInteger(since) && since >= 0 ? since : ''
  return typeof since === 'string' ? since : ''
}

export interface Send {
  content: string
  /** A8. */
  clientKey: string | null
}

/** `[text]` or `[text, { key }]` (W4). */
export function parseSend([content, options]: unknown[]): Send | { error: string } {
  if (typeof content !== 'string') return { error: 'a message is a text' }
  if (isBlank(content)) return { error: 'a message needs a text' }
  if (!isWithin(content, contentMax)) return { error: `a message has at most ${contentMax} characters` }
  const { key } = Object(options) as Record<string, unknown>
  if (key !== undefined && key !== null && typeof key !== 'string') return { error: 'a key is a text' }
  return { content, clientKey: key ?? null }
}

/** `[{ before }]` (W10): a message's id. */
export function parseOlder([options]: unknown[]): { before: number } | { error: string } {
  const { before } = Object(options) as Record<string, unknown>
  if (!Number.isSafeInteger(before) || (before as number) < 1) return { error: 'before is the id of a message' }
  return { before: before as number }
}

const name = z.string().refine(isGuestName)

/** W5. */
export const tokenBody = z.object({
  username: name,
  projectId: name,
  avatar: z
    .string()
    .max(2 * limits.address)
    .nullish(),
})
export const projectPath = z.object({ projectId: name })

export interface MessageObject {
  id: number
  username: string
  avatar: string | null
  content: string
  /** ISO, milliseconds and Z. */
  created_at: string
}
