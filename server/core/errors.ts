/**
 * Every error that the chat answers, in one table. A dialect maps a code (or its kind) to its own status and body, and takes the
 * text where its contract prints none. docs/errors.md lists the same table; a test holds the two together.
 */
import { FilesUnavailable } from '../files/file-store.ts'
import { RegistryUnavailable } from '../registry/registry.ts'
import { StorageUnavailable } from '../storage/storage.ts'

export type ErrorKind = 'invalid' | 'unauthenticated' | 'forbidden' | 'not_found' | 'conflict' | 'too_many' | 'unavailable'

export const errorTable = {
  // what the caller sent
  invalid_field: { kind: 'invalid', text: 'A field is missing or not as it should be' },
  text_empty: { kind: 'invalid', text: 'A message needs a text' },
  text_too_long: { kind: 'invalid', text: 'The text is too long' },
  invalid_key: { kind: 'invalid', text: 'Idempotency-Key must be 1 to 128 visible ASCII characters' },
  username_taken: { kind: 'invalid', text: 'Username already registered' },
  email_taken: { kind: 'invalid', text: 'Email already registered' },
  owner_stays: { kind: 'invalid', text: 'Server owner cannot leave. Transfer ownership or delete the server.' },
  last_admin: { kind: 'conflict', text: 'The last admin of a room stays one while others are in it' },
  too_many_reactions: { kind: 'conflict', text: 'A message takes 20 different reactions at most' },
  already_a_member: { kind: 'conflict', text: 'User is already a member' },
  key_conflict: { kind: 'conflict', text: 'Idempotency-Key was used for another request' },
  room_exists: { kind: 'conflict', text: 'Room id is taken' },
  room_closing: { kind: 'conflict', text: 'The room is closing' },
  // who he is
  unauthenticated: { kind: 'unauthenticated', text: 'Not authenticated' },
  bad_credentials: { kind: 'unauthenticated', text: 'Could not validate credentials' },
  wrong_password: { kind: 'unauthenticated', text: 'Incorrect username or password' },
  // what he may
  forbidden: { kind: 'forbidden', text: 'Not allowed' },
  not_a_member: { kind: 'forbidden', text: 'User is not a member of this chat room' },
  not_the_author: { kind: 'forbidden', text: 'Only the author may change a message' },
  registration_closed: { kind: 'forbidden', text: 'Registration is closed' },
  // what there is not
  room_not_found: { kind: 'not_found', text: 'Chat room not found' },
  space_not_found: { kind: 'not_found', text: 'Server not found' },
  user_not_found: { kind: 'not_found', text: 'User not found' },
  member_not_found: { kind: 'not_found', text: 'Member not found' },
  message_not_found: { kind: 'not_found', text: 'Message not found' },
  // what passes
  too_many: { kind: 'too_many', text: 'Too many requests' },
  unavailable: { kind: 'unavailable', text: 'The server cannot do this just now' },
  ids_exhausted: { kind: 'unavailable', text: 'No message ids are left below MESSAGE_ID_MAX' },
} as const satisfies Record<string, { kind: ErrorKind; text: string }>

export type ErrorCode = keyof typeof errorTable

/** What an action throws. `retryAfterS` (seconds) comes with `too_many` and `unavailable`; `field` with `invalid_field`. */
export class ChatError extends Error {
  override name = 'ChatError'
  readonly code: ErrorCode
  readonly retryAfterS: number | undefined
  readonly field: string | undefined

  constructor(code: ErrorCode, details: { retryAfterS?: number; field?: string } = {}) {
    super(errorTable[code].text)
    this.code = code
    this.field = details.field
    const { kind } = errorTable[code]
    this.retryAfterS = details.retryAfterS ?? (kind === 'too_many' || kind === 'unavailable' ? 1 : undefined)
  }

  get kind(): ErrorKind {
    return errorTable[this.code].kind
  }
}

const unavailables = [StorageUnavailable, FilesUnavailable, RegistryUnavailable]

/** What was thrown, as an error of this table: a database, a file store or a registry that is away is `unavailable`. Null for a fault. */
export function toChatError(error: unknown): ChatError | null {
  if (unavailables.some((Kind) => error instanceof Kind)) return new ChatError('unavailable')
  return error instanceof ChatError ? error : null
}

/** Throws ChatError invalid_field. */
export function checkField(field: string, isRight: boolean): void {
  if (!isRight) throw new ChatError('invalid_field', { field })
}
