/**
 * What crosses the wire at this door by HTTP. Requests are read by the first half; the second says what answers look like, and tests hold
 * each of them against it. Rooms and messages are named by strings of digits, users by username (A2). Lengths are in code points (A17).
 */
import stripJsonComments from 'strip-json-comments'
import { z } from 'zod'
import { ChatError } from '../../core/errors.ts'
import type { MessageId, RoomId } from '../../core/model.ts'
import { isName, isText, isUsername, limits } from '../../core/texts.ts'
import type { BodyReader } from '../../http/bodies.ts'
import { decodeUtf8, parseJsonText } from '../../http/json.ts'

// ----------------------------------------------------------------------------------------------------------------- parsing

/** C9: JSON, whatever the Content-Type says, with comments as the contract's examples have them. */
export const readBody: BodyReader = (bytes) => {
  return bytes.length === 0 ? undefined : parseJsonText(stripJsonComments(decodeUtf8(bytes)))
}

/** Throws ChatError room_not_found: no room has such an id. */
export function parseRoomId(text: string): RoomId {
  return parseId(text) ?? refuse('room_not_found')
}

/** Throws ChatError message_not_found: no message has such an id. */
export function parseMessageId(text: string): MessageId {
  return parseId(text) ?? refuse('message_not_found')
}

/** Null for what no room and no message is called. */
export function parseId(text: string): number | null {
  const number = /^[1-9]\d{0,15}$/.test(text) ? Number(text) : 0
  return number > 0 && Number.isSafeInteger(number) ? number : null
}

function refuse(code: 'room_not_found' | 'message_not_found'): never {
  throw new ChatError(code)
}

/** A username in a header, which Node reads as Latin-1. Throws ChatError invalid_field. */
export function parseUserHeader(header: string): string {
  const name = username.safeParse(Buffer.from(header, 'latin1').toString('utf8'))
  if (!name.success) throw new ChatError('invalid_field', { field: 'X-User-Id' })
  return name.data
}

/** C4: UTC, whole seconds. */
export function encodeTime(timeMs: number): string {
  return `${new Date(timeMs).toISOString().slice(0, 19)}Z`
}

// ---------------------------------------------------------------------------------------------------------------- requests

const username = z.string().normalize('NFC').refine(isUsername)
const name = z.string().refine(isName)
/** As http/tokens.ts reads them at most. */
const tokenCharsMax = 8 * 1024
const role = z.enum(['admin', 'sub-admin', 'member'])

/** Milliseconds since 1970; the years are those that four digits can name. */
const time = z.iso
  .datetime({ offset: true })
  .transform((text) => Date.parse(text))
  .refine((timeMs) => /^\d/.test(new Date(timeMs).toISOString()))

/** Read by the parsers above. */
const inPath = z.string()
export const roomPath = z.object({ roomId: inPath })
export const messagePath = z.object({ roomId: inPath, messageId: inPath })
export const reactionPath = z.object({ roomId: inPath, messageId: inPath, reactionType: name })
export const participantPath = z.object({ roomId: inPath, userId: inPath })

export const createBody = z.object({
  creatorId: username,
  targetUserIds: z.array(username).max(1000),
  name,
  createdAt: time.nullish(),
})

export const renameBody = z.object({ name })
export const addBody = z.object({ userId: username, role: role.nullish() })
export const roleBody = z.object({ role })
/** A blank one takes it away (C5). */
export const nicknameBody = z.object({ edited_name: z.string().refine((text) => isText(text, limits.name)) })

/** What a text may be is checked by the chat. */
export const sendBody = z.object({ userId: username, content: z.string() })
export const editBody = z.object({ userId: username, newContent: z.string() })
/** Who reads, deletes or connects. */
export const actorBody = z.object({ userId: username })
export const reactionBody = z.object({ userId: username, reactionType: name })
/** C8: the contract does not print this one; without a body the request names nobody. */
export const actorIfAnyBody = z.preprocess((given) => given ?? {}, z.object({ userId: username.optional() }))

export const tokenBody = z.object({ token: z.string().min(1).max(tokenCharsMax) })

/** C8 prints its queries with nothing behind the `=`: so they count as absent. */
function inQuery<Value extends z.ZodType>(value: Value) {
  return z.preprocess((given) => (given === '' ? undefined : given), value.optional())
}

export const listQuery = z.object({ userId: inQuery(username) })

const pageUsual = 50
const pageMax = 200
/** Numbers over a limit are clamped (C8). */
export const messagesQuery = z.object({
  before: inQuery(z.string()),
  limit: inQuery(
    z
      .string()
      .regex(/^-?\d+$/)
      .transform((digits) => Math.min(pageMax, Math.max(1, Number(digits)))),
  ).transform((limit) => limit ?? pageUsual),
})

// ----------------------------------------------------------------------------------------------------------------- answers

const answerId = z.string().regex(/^[1-9]\d*$/)
/** C4: UTC, whole seconds. */
const answerTime = z.iso.datetime({ precision: 0 })
/** Also a guest's (W9), which is longer than an account's. */
const answerUser = z.string().min(1)

/** 1.1: `edited_name` is the name to show (C5). */
export const participant = z.strictObject({ userId: answerUser, edited_name: z.string(), role })

const roomFields = {
  roomId: answerId,
  name: z.string(),
  createdAt: answerTime,
  participants: z.array(participant),
  userCount: z.int().min(0),
}
/** 1.1. */
export const room = z.strictObject(roomFields)
export const roomList = z.strictObject({ chatrooms: z.array(room) })

const state = z.enum(['creating', 'active', 'idle', 'closing', 'closed'])
/** C8: `state` is its Room's (C10). */
export const roomWithState = z.strictObject({ ...roomFields, state })

export const changedParticipant = z.strictObject({ roomId: answerId, ...participant.shape })
export const removedParticipant = z.strictObject({ roomId: answerId, userId: answerUser })
export const removedRoom = z.strictObject({ roomId: answerId })
/** Of the Room that he enters (C10). */
export const connected = z.strictObject({ roomId: answerId, userId: answerUser, state: state.exclude(['closing', 'closed']) })

const messageFields = {
  messageId: answerId,
  roomId: answerId,
  userId: answerUser,
  content: z.string(),
  createdAt: answerTime,
}
/** 2.1. */
export const message = z.strictObject(messageFields)
const reactions = z.array(z.strictObject({ userId: answerUser, reactionType: z.string() }))
const listedMessage = z.strictObject({ ...messageFields, reactions })
export const messageList = z.strictObject({ messages: z.array(listedMessage) })
export const removedMessage = z.strictObject({ messageId: answerId, roomId: answerId, userId: answerUser })
/** How far he has read: null where the room has no message. */
export const readMarker = z.strictObject({ messageId: answerId.nullable(), roomId: answerId, userId: answerUser })
export const reaction = z.strictObject({ messageId: answerId, roomId: answerId, userId: answerUser, reactionType: z.string() })

/** C2: null where it does not expire. */
export const login = z.strictObject({ userId: answerUser, expiresAt: answerTime.nullable() })
export const endedLogin = z.strictObject({ success: z.literal(true) })

/** C4. */
export const failure = z.strictObject({ error: z.string().regex(/^[a-z]+(?:_[a-z]+)*$/), message: z.string().min(1) })

export type ParticipantObject = z.infer<typeof participant>
export type RoomObject = z.infer<typeof room>
export type MessageObject = z.infer<typeof message>
export type ListedMessageObject = z.infer<typeof listedMessage>
export type Failure = z.infer<typeof failure>
