/**
 * What crosses the wire at this door. Requests are read by the first half; the second says what answers and frames look like, and tests
 * hold each of them against it. Lengths are in code points (A17).
 */
import { z } from 'zod'
import { isBlank, isWithin, limits } from '../../core/texts.ts'

// ------------------------------------------------------------------------------------------------------------------ fields

/** P9: number strings are numbers. Undefined for what is no whole number up to 2^53-1. */
function findNumber(given: unknown): number | undefined {
  const number = typeof given === 'string' && /^(?:0|-?[1-9]\d{0,15})$/.test(given) ? Number(given) : given
  return Number.isSafeInteger(number) ? (number as number) : undefined
}

/** A field that `find` reads, also where it is absent; what it finds nothing in is bad input. */
function read<Value extends {} | null>(find: (given: unknown) => Value | undefined) {
  return z
    .unknown()
    .optional()
    .transform((given, context) => {
      const found = find(given)
      if (found !== undefined) return found
      context.addIssue({ code: 'custom', message: 'not as it should be', input: given })
      return z.NEVER
    })
}

/** A number from 1, or null for one that is none. */
export function parseId(given: unknown): number | null {
  const number = findNumber(given)
  return number !== undefined && number > 0 ? number : null
}

const id = read((given) => parseId(given) ?? undefined)
const ids = z.array(id).max(1000).nullish()

/** 0, null and absent mean none (P9). */
const idOrNone = read((given) => {
  if (given === undefined || given === null) return null
  return findNumber(given) === 0 ? null : (parseId(given) ?? undefined)
})

/** Of a body: a whole number from 0; 0 where it is absent or null. */
const count = read((given) => {
  const number = given === undefined || given === null ? 0 : findNumber(given)
  return number !== undefined && number >= 0 ? number : undefined
})

interface Span {
  usual: number
  least: number
  most: number
}

/** Of a query: numbers over a limit are clamped, not refused (P6). */
function clamped({ usual, least, most }: Span) {
  return read((given) => {
    if (given === undefined) return usual
    if (typeof given !== 'string' || !/^-?\d+$/.test(given)) return undefined
    return Math.min(most, Math.max(least, Number(given)))
  })
}

function text(max: number) {
  return z.string().refine((value) => isWithin(value, max))
}

const flag = z.boolean().nullish()

/** P10: a body may be absent, or null, and then has no fields. */
function bodyOf<Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  return z.preprocess((given) => given ?? {}, z.object(shape))
}

// ---------------------------------------------------------------------------------------------------------------- requests

export const idPath = z.object({ id })

export const messagesQuery = z.object({ days: clamped({ usual: 7, least: 1, most: 30 }) })

const side = clamped({ usual: 50, least: 0, most: 200 })
export const aroundQuery = z.object({ messageId: id, before: side, after: side })

export const searchQuery = z.object({
  q: text(limits.message).refine((value) => !isBlank(value)),
  limit: clamped({ usual: 50, least: 1, most: 200 }),
  offset: clamped({ usual: 0, least: 0, most: Number.MAX_SAFE_INTEGER }),
})

const contentMax = 2000

/** P6: what is over the limit is cut off; a blank text is an empty one. */
export function cutContent(content: string): string {
  if (isBlank(content)) return ''
  return isWithin(content, contentMax) ? content : [...content.slice(0, 2 * contentMax)].slice(0, contentMax).join('')
}

export const messageBody = bodyOf({ content: z.string().nullish() })
export const readBody = bodyOf({ lastMessageId: count })
export const inviteBody = bodyOf({ userIds: ids, departmentId: idOrNone, includeSub: flag })
export const startBody = bodyOf({ targetUserId: id })
export const startGroupBody = bodyOf({
  title: text(limits.name).nullish(),
  memberUserIds: ids,
  departmentId: idOrNone,
  includeSub: flag,
})

/** Whether a sign-in can succeed is not said by its form. */
const credential = text(256)
export const loginBody = bodyOf({ username: credential, password: credential })

/** What the organisation's own system may not say is checked by the chat. */
export const departmentBody = bodyOf({
  name: z.string(),
  code: z.string().nullish(),
  parent_id: idOrNone,
  sort_order: read((given) => (given === undefined || given === null ? 0 : findNumber(given))),
})

export const newUserBody = bodyOf({
  username: z.string(),
  password: z.string(),
  email: z.string().nullish(),
  full_name: z.string().nullish(),
  department_id: idOrNone,
})

/** Absent fields stay; so do those that are null, but for the department, which is then none. */
export const userBody = bodyOf({
  full_name: z.string().nullish(),
  email: z.string().nullish(),
  department_id: idOrNone.optional(),
  is_active: flag,
})

// ----------------------------------------------------------------------------------------------------------------- answers

const answerId = z.int().min(1)
/** P7: ISO with milliseconds. */
const time = z.iso.datetime({ precision: 3 })
/** P7: by the clock of the organisation. */
const timeText = z.string().regex(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/)

export const attachment = z.strictObject({
  id: answerId,
  message_id: answerId,
  file_name: z.string(),
  file_path: z.string(),
  mime_type: z.string().nullable(),
  size: z.int().min(0),
})

const messageFields = {
  id: answerId,
  chat_id: answerId,
  sender_id: answerId,
  sender_name: z.string(),
  content: z.string().nullable(),
  created_at: time,
}

/** P5: as it is answered to its sender and as everybody gets it. */
export const message = z.strictObject({ ...messageFields, attachments: z.array(attachment).min(1).optional() })

/** P5: as it stands in a list. */
export const listedMessage = z.strictObject({
  ...messageFields,
  created_at_text: timeText,
  attachments: z.array(attachment),
  unread_count: z.int().min(0),
})

export const conversation = z.strictObject({
  id: answerId,
  is_group: z.boolean(),
  title: z.string().nullable(),
  updated_at: time,
  last_content: z.string().nullable(),
  last_at: time.nullable(),
  last_at_text: timeText.nullable(),
  last_sender_name: z.string().nullable(),
  unread_count: z.int().min(0),
  other_user_id: answerId.nullable(),
  other_user_name: z.string().nullable(),
  member_count: z.int().min(1),
})

export const person = z.strictObject({ id: answerId, name: z.string(), username: z.string(), is_active: z.boolean() })

/** P1: the caller himself. */
export const account = z.strictObject({ id: answerId, username: z.string(), email: z.string(), full_name: z.string() })

export const department = z.strictObject({
  id: answerId,
  name: z.string(),
  code: z.string().nullable(),
  parent_id: answerId.nullable(),
  sort_order: z.int(),
  is_active: z.boolean(),
})

const nodeType = z.enum(['dept', 'user'])
/** P1: a department, or a user, who has no children. */
export const treeNode = z.strictObject({
  key: z.string().regex(/^(d-\d+|u-\d+|d-__unassigned__)$/),
  label: z.string(),
  type: nodeType,
  data: z.strictObject({ id: answerId.nullable(), type: nodeType }),
  get children() {
    return z.array(treeNode)
  },
})

/** P2. */
export const failure = z.strictObject({
  error: z.literal(true),
  url: z.string().regex(/^[^?#]*$/),
  statusCode: z.int().min(400).max(599),
  statusMessage: z.string().regex(/^[\x20-\x7e]+$/),
  message: z.string().regex(/[가-힣]/),
})

// ------------------------------------------------------------------------------------------------------------------ frames

const nameOrNull = z.string().nullable()

const change = z.discriminatedUnion('action', [
  z.strictObject({
    chat_id: answerId,
    action: z.literal('invited'),
    inviter_id: answerId.nullable(),
    inviter_name: nameOrNull,
    invited_user_ids: z.array(answerId).min(1),
    invited_user_names: z.array(z.string()).min(1),
  }),
  z.strictObject({ chat_id: answerId, action: z.literal('left'), user_id: answerId, user_name: z.string() }),
  z.strictObject({ chat_id: answerId, action: z.literal('message_edited'), message_id: answerId, content: nameOrNull }),
  z.strictObject({ chat_id: answerId, action: z.literal('message_deleted'), message_id: answerId }),
  z.strictObject({ action: z.enum(['resumed', 'reload']) }),
])

/** What stands behind `data: ` (P3, P4). */
export const frame = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('connected') }),
  z.strictObject({ type: z.literal('ping'), t: z.int() }),
  z.strictObject({ type: z.literal('message'), data: z.strictObject({ chat_id: answerId, message }) }),
  z.strictObject({
    type: z.literal('read'),
    data: z.strictObject({ chat_id: answerId, user_id: answerId, last_message_id: answerId.nullable() }),
  }),
  z.strictObject({ type: z.literal('conversation'), data: change }),
])

export type AttachmentObject = z.infer<typeof attachment>
export type MessageObject = z.infer<typeof message>
export type ListedMessageObject = z.infer<typeof listedMessage>
export type ConversationObject = z.infer<typeof conversation>
export type PersonObject = z.infer<typeof person>
export type AccountObject = z.infer<typeof account>
export type DepartmentObject = z.infer<typeof department>
export type TreeNode = z.infer<typeof treeNode>
export type Failure = z.infer<typeof failure>
export type FrameObject = z.infer<typeof frame>
