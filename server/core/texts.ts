/** What texts may be (A4, A8, A17). Lengths are in code points. */
import { ChatError } from './errors.ts'
import type { Message } from './model.ts'

export const limits = {
  message: 10_000,
  name: 100,
  description: 1_000,
  address: 2_048,
  username: 50,
  /** In bytes of UTF-8, as bcrypt counts. */
  passwordBytes: 72,
  clientKey: 128,
  /** Different ones to one message, whoever put them: as many as Discord takes (its error 30010). */
  reactionKinds: 20,
} as const

/** Not broken, and without U+0000, which PostgreSQL cannot keep. */
export function isStorable(text: string): boolean {
  return !text.includes('\0') && text.isWellFormed()
}

export function isWithin(text: string, max: number): boolean {
  return text.length <= max || (text.length <= 2 * max && [...text].length <= max)
}

/** One that can be kept. */
export function isText(text: string, max: number): boolean {
  return isStorable(text) && isWithin(text, max)
}

/** Counted without an encoder. */
export function isWithinBytes(text: string, max: number): boolean {
  let bytes = 0
  for (const character of text) {
    const code = character.codePointAt(0)!
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4
    if (bytes > max) return false
  }
  return true
}

export function isBlank(text: string): boolean {
  return text.trim() === ''
}

/** Of a person or a thing; free text. */
export function isName(name: string): boolean {
  return !isBlank(name) && isText(name, limits.name)
}

/** One @ with something on both sides and no blanks: who can receive at it is the mail system's to say. */
export function isEmail(email: string): boolean {
  return isStorable(email) && email.length <= 254 && /^[^\s@\p{Cc}]+@[^\s@\p{Cc}]+$/u.test(email)
}

export function isPassword(password: string): boolean {
  return password !== '' && isStorable(password) && isWithinBytes(password, limits.passwordBytes)
}

/** 1 to 50 code points, no control characters or `/`, no blanks at the ends, not `.` or `..`, not a guest's (A17). */
export function isUsername(name: string): boolean {
  return (
    name.length > 0 &&
    isText(name, limits.username) &&
    name.trim() === name &&
    !/[\p{Cc}/]/u.test(name) &&
    name !== '.' &&
    name !== '..' &&
    !name.startsWith('guest:')
  )
}

/** A project's name, or a visitor's: 1 to 100 code points without control characters (W9). */
export function isGuestName(name: string): boolean {
  return name !== '' && isStorable(name) && isWithin(name, limits.name) && !/\p{Cc}/u.test(name)
}

/** By which a guest goes at the other doors (W9). */
export function guestUsername({ projectId, name }: { projectId: string; name: string }): string {
  return `guest:${projectId}:${name}`
}

/** http, https or our own `/uploads/`, which no dot segment leaves (A16). */
export function isFileUrl(url: string): boolean {
  if (!isText(url, limits.address) || /[\s\p{Cc}]/u.test(url)) return false
  return /^https?:\/\/[^/?#]/i.test(url) || isUpload(url)
}

function isUpload(url: string): boolean {
  const [root, folder, ...parts] = url.split(/[?#]/, 1)[0]!.split('/')
  const isInside = parts.every((part) => !/\\|^(\.|%2e){1,2}$/i.test(part))
  return root === '' && folder === 'uploads' && Boolean(parts[0]) && isInside
}

/** A client key (A8), or null where none was given. */
export function parseClientKey(key: string | null | undefined): string | null {
  if (key === null || key === undefined) return null
  if (!/^[\x21-\x7e]{1,128}$/.test(key)) throw new ChatError('invalid_key')
  return key
}

/**
 * What search compares (P11): equal for spellings that differ in case or in NFC and NFD. By way of upper case, so that "ß" meets
 * "SS"; and "σ" for "ς", which toLowerCase makes of a "Σ" at the end of what it is given. So no letter depends on its neighbours,
 * and a part of a text folds to a part of the folded text. Last NFC again, as changing case takes some letters apart.
 */
export function foldText(text: string): string {
  const lower = text.normalize('NFC').toLowerCase().toUpperCase().toLowerCase()
  return lower.replaceAll('ς', 'σ').normalize('NFC')
}

/** A capital is in no folded text, so nothing is found across it. */
export const searchSeparator = 'A'

/** Where search looks for a folded text: the folded content and file names, with `searchSeparator` between them. */
export function searchedTextOf({ content, attachments, fileUrl }: Message): string {
  const names = (attachments ?? []).map(({ fileName }) => fileName)
  if (names.length === 0 && fileUrl !== null) names.push(decodeName(fileNameOf(fileUrl)))
  return [content, ...names].map(foldText).join(searchSeparator)
}

/** As people spell it, who look for it; as it stands where that is nothing that can be kept. */
function decodeName(name: string): string {
  try {
    const decoded = decodeURIComponent(name)
    return isStorable(decoded) ? decoded : name
  } catch {
    return name
  }
}

/** The last part of an address's path; of one without a path, its host (A16). */
export function fileNameOf(url: string): string {
  const parts = url.split(/[?#]/, 1)[0]!.split('/')
  return parts.findLast((part) => part !== '') ?? ''
}

/** What a door without files shows: the text, or where there is none the names of the files, one a line (A16). */
export function textOrNamesOf({ content, fileUrl, attachments, deletedAt }: Message): string {
  if (content !== '' || deletedAt !== null) return content
  const names = attachments.map(({ fileName }) => fileName)
  return (fileUrl === null ? names : [fileNameOf(fileUrl), ...names]).join('\n')
}
