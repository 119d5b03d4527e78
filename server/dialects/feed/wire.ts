/** What goes over the wire in this dialect: the same schemas check requests, shape answers and make the OpenAPI document. */
import { z } from 'zod'
import { ChatError } from '../../core/errors.ts'
import { isBlank, isFileUrl, isStorable, isWithin, limits } from '../../core/texts.ts'

// --------------------------------------------------------------------------------------------------------------- parts

const idPattern = /^[1-9]\d{0,15}$/
const id = z.int().positive()
const time = z.iso.datetime({ precision: 0 }).meta({ description: 'UTC, whole seconds', example: '2024-11-13T16:30:00Z' })

/** At most so many code points. */
function textUpTo(max: number) {
  return z
    .string()
    .refine((text) => isWithin(text, max))
    .meta({ maxLength: max })
}

/** A number in an address; checked by its reader, and documented as what it stands for. */
function inAddress(description: string) {
  return z.string().meta({ type: 'integer', minimum: 1, maximum: Number.MAX_SAFE_INTEGER, description })
}

const wholePattern = /^-?\d+$/

/** Any whole number; what lies outside is clamped (A17). */
function clampedInQuery(meta: { description: string; default: number; minimum: number; maximum?: number }) {
  return z
    .string()
    .refine((text) => wholePattern.test(text))
    .optional()
    .meta({ type: 'integer', ...meta })
}

// ------------------------------------------------------------------------------------------------------------- requests

export const roomParams = z.object({ roomId: inAddress('Room') })
export const memberParams = z.object({ roomId: inAddress('Room'), userId: inAddress('User to be removed') })

export const sendBody = z
  .object({
    user_id: id.meta({ description: 'Author; must be the caller', example: 123 }),
    message: textUpTo(limits.message)
      .nullish()
      .meta({ description: 'May be empty only beside a file_url', example: '안녕하세요!' }),
    message_type: textUpTo(limits.name).nullish().meta({ description: '"text" where absent or empty' }),
    file_url: z
      .string()
      .refine((url) => url === '' || isFileUrl(url))
      .nullish()
      .meta({ maxLength: limits.address, description: 'http, https or our own /uploads/; "" is null' }),
  })
  .refine(({ message, file_url }) => !isBlank(message ?? '') || Boolean(file_url))

export const readBody = z.object({ user_id: id.meta({ description: 'Reader; must be the caller', example: 123 }) })
export const addMemberBody = z.object({ user_id: id.meta({ description: 'Who is added', example: 456 }) })

export const createRoomBody = z.object({
  name: textUpTo(limits.name).refine((name) => !isBlank(name)),
  description: textUpTo(limits.description).nullish(),
  room_type: z.literal('group').nullish().meta({ description: '"group" where absent' }),
  member_ids: z.array(id).max(1000).nullish().meta({ description: 'Members beside the admin' }),
})

export const createUserBody = z.object({
  email: z.string().refine(isStorable).meta({ maxLength: 254, example: 'user@example.com' }),
  name: textUpTo(limits.name).refine((name) => !isBlank(name)),
})

const userIdInQuery = z.string().refine((text) => parseId(text) !== null)
export const listRoomsQuery = z.object({
  user_id: userIdInQuery.optional().meta({ type: 'integer', minimum: 1, description: 'Whose rooms; must be the caller' }),
})

export const messagesQuery = z.object({
  limit: clampedInQuery({ default: 50, minimum: 1, maximum: 100, description: 'Clamped to 1 to 100' }),
  offset: clampedInQuery({ default: 0, minimum: 0, description: 'How many of the newest to leave out' }),
})

export const usersQuery = z.object({
  limit: clampedInQuery({ default: 100, minimum: 1, maximum: 100, description: 'Clamped to 1 to 100' }),
  offset: clampedInQuery({ default: 0, minimum: 0, description: 'How many of the lowest ids to leave out' }),
})

export const sendHeaders = z.looseObject({
  'idempotency-key': z.string().optional().meta({ minLength: 1, maxLength: 128, description: 'Makes a retry harmless (A8)' }),
})

const inUpgrade = z.unknown().optional()
/** For the document: an upgrade's query is read by the parsers below, and a plain GET's by nobody. */
export const socketQuery = z.looseObject({
  user_id: inUpgrade.meta({ type: 'integer', minimum: 1, description: 'Who listens; must be the caller. Required' }),
  token: inUpgrade.meta({ type: 'string', description: 'For clients that cannot send an Authorization header' }),
  since: inUpgrade.meta({ type: 'string', description: 'Asks for cursors (F7): empty from now on, else the last one seen' }),
})

/** Where the contract names no actor (M3). */
export const actorHeaders = z.looseObject({
  'x-user-id': z.string().optional().meta({ type: 'integer', minimum: 1, description: 'For whom a service key acts' }),
})

// -------------------------------------------------------------------------------------------------------------- answers

const user = z.object({ id, email: z.string(), name: z.string() }).meta({ id: 'FeedUser', description: 'A user' })

export const message = z
  .object({
    id,
    chat_room_id: id,
    user_id: id,
    message: z.string(),
    message_type: z.string(),
    file_url: z.string().nullable(),
    is_read: z.literal(false),
    created_at: time,
    updated_at: time,
    user,
  })
  .meta({ id: 'FeedMessage', description: 'A message, as it also comes over the WebSocket' })

export const member = z
  .object({
    id: id.meta({ description: 'Number of this entry: stable while he is in' }),
    chat_room_id: id,
    user_id: id,
    role: z.enum(['admin', 'sub-admin', 'member']),
    joined_at: time,
    last_read_at: time.nullable(),
    unread_count: z.int().nonnegative(),
    created_at: time,
    user,
  })
  .meta({ id: 'FeedMember', description: 'A member, as he also comes over the WebSocket' })

export const room = z
  .object({
    id,
    name: z.string(),
    description: z.string().nullable(),
    room_type: z.enum(['channel', 'direct', 'group', 'project', 'open']),
    created_at: time,
    updated_at: time,
  })
  .meta({ id: 'FeedRoom', description: 'A room' })

export const account = user.extend({ created_at: time, updated_at: time }).meta({ id: 'FeedAccount', description: 'An account' })

export const messagePage = z.object({
  messages: z.array(message).meta({ description: 'Newest first' }),
  total: z.int().nonnegative(),
  limit: z.int().min(1).max(100),
  offset: z.int().nonnegative(),
})

export const failure = z
  .object({ success: z.literal(false), error: z.string() })
  .meta({ id: 'FeedError', description: 'Why not' })

// --------------------------------------------------------------------------------------------------------------- frames

const presence = z.object({ user_id: id, status: z.enum(['online', 'offline']) })

function envelopeOf<Type extends string, Data extends z.ZodType>(type: Type, data: Data) {
  return z.strictObject({ type: z.literal(type), room_id: id, user_id: id, data, cursor: z.string().optional() })
}

/** One frame (F3, F7). */
export const envelope = z.discriminatedUnion('type', [
  envelopeOf('message', message),
  envelopeOf('read', z.object({ user_id: id, last_read_at: time })),
  envelopeOf('member_join', member),
  envelopeOf('member_leave', z.object({ user_id: id })),
  envelopeOf('member_online', presence),
  envelopeOf('member_offline', presence),
  envelopeOf('reload', z.strictObject({})),
])

export type MessageObject = z.infer<typeof message>
export type MemberObject = z.infer<typeof member>
export type RoomObject = z.infer<typeof room>
export type AccountObject = z.infer<typeof account>
export type Envelope = z.infer<typeof envelope>

// -------------------------------------------------------------------------------------------------------------- parsing

/** A positive whole number up to 2^53-1, or null. */
export function parseId(text: string): number | null {
  const number = idPattern.test(text) ? Number(text) : 0
  return number > 0 && Number.isSafeInteger(number) ? number : null
}

/** Throws ChatError room_not_found: no room has such a number. */
export function parseRoomId(text: string | undefined): number {
  const roomId = parseId(text ?? '')
  if (roomId === null) throw new ChatError('room_not_found')
  return roomId
}

/** Of the upgrade's query. Throws ChatError invalid_field where it is missing, given twice or no id. */
export function parseQueryUserId(query: URLSearchParams): number {
  const [text = '', ...more] = query.getAll('user_id')
  const userId = more.length === 0 ? parseId(text) : null
  if (userId === null) throw new ChatError('invalid_field', { field: 'user_id' })
  return userId
}

/** Null for a client that asks for no cursors, '' for one that wants them from now on (also `0`), else the last it saw (F7). */
export function parseSince(query: URLSearchParams): string | null {
  const since = query.get('since')
  return since === '0' ? '' : since
}

/** A17: numbers outside are clamped. */
export function pageOf(
  query: { limit?: string | undefined; offset?: string | undefined },
  usualLimit: number,
): { limit: number; offset: number } {
  return {
    limit: clamp(Number(query.limit ?? usualLimit), 1, 100),
    offset: clamp(Number(query.offset ?? 0), 0, Number.MAX_SAFE_INTEGER),
  }
}

function clamp(number: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, number))
}
