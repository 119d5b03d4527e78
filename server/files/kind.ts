/** What bytes are, by themselves: a sender's word for it counts nothing (P10). */
import { isUtf8 } from 'node:buffer'

export interface Kind {
  mimeType: string | null
  /** For a stored name. */
  extension: string
}

/** As many as file-type asks for. */
export const headBytes = 4100

const unknown: Kind = { mimeType: null, extension: 'bin' }
const text: Kind = { mimeType: 'text/plain', extension: 'txt' }

/** By the first `headBytes` of a file. Text is what holds no control characters; HTML and SVG are text to us. */
export async function kindOf(head: Buffer, isWhole: boolean): Promise<Kind> {
  if (head.length === 0) return unknown
  // Loaded with the first file, as a start needs none of it.
  const { fileTypeFromBuffer } = await import('file-type')
  const found = await fileTypeFromBuffer(head).catch(() => undefined)
  if (found === undefined) return isText(head, isWhole) ? text : unknown
  const extension = found.ext.split('.').at(-1)!.toLowerCase()
  return { mimeType: found.mime, extension: /^[a-z0-9]{1,10}$/.test(extension) ? extension : 'bin' }
}

// oxlint-disable-next-line eslint/no-control-regex -- they are what is looked for
const controls = /[\0-\x08\x0e-\x1a\x1c-\x1f\x7f]/

function isText(head: Buffer, isWhole: boolean): boolean {
  const bytes = isWhole ? head : head.subarray(0, endOfCharacters(head))
  return isUtf8(bytes) && !controls.test(bytes.toString('latin1'))
}

/** Where the last character begins, which may be cut: a UTF-8 character has three bytes at most behind its first. */
function endOfCharacters(bytes: Buffer): number {
  for (let at = bytes.length - 1; at >= Math.max(0, bytes.length - 4); at--) {
    if ((bytes[at]! & 0xc0) !== 0x80) return at
  }
  return bytes.length
}
