/** What a client's frame says (C3). Text and bytes are the same: UTF-8. */
import type { MessageId, RoomId } from '../../core/model.ts'
import { isBlank } from '../../core/texts.ts'
import { parseJsonText } from '../../http/json.ts'
import { parseId } from './wire.ts'

export type ClientFrame =
  /** `roomId` is null where the frame is the text itself. */
  | { type: 'message'; roomId: RoomId | null; content: string; clientKey: string | null }
  | { type: 'read'; roomId: RoomId; messageId: MessageId }
  | { type: 'blank' }
  | { type: 'invalid' }

const invalid: ClientFrame = { type: 'invalid' }
const blank: ClientFrame = { type: 'blank' }

/** A JSON object with a `type` is a frame, and any other text a message. */
export function parseFrame(text: string): ClientFrame {
  if (isBlank(text)) return blank
  const object = readObject(text)
  if (object === null) return { type: 'message', roomId: null, content: text, clientKey: null }
  if (object === 'unsafe') return invalid
  const { type, roomId, content, messageId, key = null } = object
  const room = readId(roomId)
  if (type === 'read') {
    const message = readId(messageId)
    return room === null || message === null ? invalid : { type, roomId: room, messageId: message }
  }
  if (type !== 'message' || room === null || typeof content !== 'string') return invalid
  if (key !== null && typeof key !== 'string') return invalid
  return isBlank(content) ? blank : { type, roomId: room, content, clientKey: key }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Of a binary frame. */
export function parseBytes(bytes: Uint8Array): ClientFrame {
  try {
    return parseFrame(utf8.decode(bytes))
  } catch {
    return invalid
  }
}

type Fields = Partial<Record<string, unknown>>

/** Null for text that is no object with a `type`; `unsafe` for one that cannot be kept (A4). */
function readObject(text: string): Fields | 'unsafe' | null {
  if (!isObject(parsePlain(text))) return null
  try {
    return parseJsonText(text) as Fields
  } catch {
    return 'unsafe'
  }
}

function parsePlain(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && Object.hasOwn(value, 'type')
}

function readId(value: unknown): number | null {
  return typeof value === 'string' ? parseId(value) : null
}
