/** Splits a `multipart/form-data` body (RFC 7578) into parts while it comes: what is handed on is not kept. */
import { isUtf8 } from 'node:buffer'
import { isSafeText } from './json.ts'
import { ProblemError } from './problems.ts'

export interface Part {
  /** The field's name. */
  name: string
  /** As sent, with its path and whatever else; null where the part has none, or an empty one, as browsers send where no file was chosen. */
  fileName: string | null
  /** To be read to their end before the next part. */
  bytes: AsyncIterable<Buffer>
}

/** RFC 2046's own limit. */
const boundaryMax = 70
/** A part's headers, and so its file name, in bytes. */
const headBytesMax = 16 * 1024

const separator = Buffer.from('\r\n\r\n')

/** The boundary that a Content-Type names. Throws ProblemError bad_body where it names none. */
export function boundaryOf(contentType: string | undefined): string {
  const found = /;\s*boundary=(?:"([^"]+)"|([^\s;"]+))/i.exec(contentType ?? '')
  const boundary = found?.[1] ?? found?.[2] ?? ''
  if (boundary === '' || boundary.length > boundaryMax) throw new ProblemError({ kind: 'bad_body' })
  return boundary
}

/** Throws ProblemError: bad_body (truncated, or no multipart), bad_encoding (headers that are no UTF-8), and what `source` throws. */
export async function* readParts(source: AsyncIterable<Buffer>, boundary: string): AsyncGenerator<Part, void> {
  const delimiter = Buffer.from(`\r\n--${boundary}`, 'latin1')
  const input = new Input(source)
  try {
    await input.skipUntil(delimiter)
    while (!(await input.isLast())) {
      const head = parseHead(await input.readHead())
      yield { ...head, bytes: input.readUntil(delimiter) }
    }
    await input.skipRest()
  } finally {
    await input.close()
  }
}

class Input {
  readonly #source: AsyncIterator<Buffer>
  /** The first delimiter may stand at the very start, without the line break that belongs to it. */
  #held: Buffer = Buffer.from('\r\n')

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]()
  }

  /** What comes before this, which itself is taken too. Holds back no more than the beginning of what may be it. */
  async *readUntil(end: Buffer): AsyncGenerator<Buffer, void> {
    for (;;) {
      const at = this.#held.indexOf(end)
      const safe = at === -1 ? this.#held.length - end.length + 1 : at
      const given = this.#held.subarray(0, Math.max(0, safe))
      this.#held = this.#held.subarray(given.length + (at === -1 ? 0 : end.length))
      if (given.length > 0) yield given
      if (at !== -1) return
      await this.#fill()
    }
  }

  async skipUntil(end: Buffer): Promise<void> {
    const bytes = this.readUntil(end)
    while (!(await bytes.next()).done);
  }

  /** Whether the delimiter that was just read closes the whole. */
  async isLast(): Promise<boolean> {
    while (this.#held.length < 2) await this.#fill()
    return this.#held.subarray(0, 2).toString('latin1') === '--'
  }

  /** From behind a delimiter to the empty line before a part's bytes. */
  async readHead(): Promise<Buffer> {
    const chunks: Buffer[] = []
    let length = 0
    for await (const chunk of this.readUntil(separator)) {
      length += chunk.length
      if (length > headBytesMax) throw new ProblemError({ kind: 'bad_body' })
      chunks.push(Buffer.from(chunk))
    }
    return Buffer.concat(chunks)
  }

  /** Reads to the end, so that a limit on the whole holds here too. */
  async skipRest(): Promise<void> {
    this.#held = Buffer.alloc(0)
    while (!(await this.#source.next()).done);
  }

  /** Lets go of the source where it is. */
  async close(): Promise<void> {
    await this.#source.return?.()
  }

  async #fill(): Promise<void> {
    const next = await this.#source.next()
    if (next.done) throw new ProblemError({ kind: 'bad_body' })
    this.#held = this.#held.length === 0 ? next.value : Buffer.concat([this.#held, next.value])
  }
}

/** Of all headers Content-Disposition alone counts: what a sender says of a type or an encoding is not believed. */
function parseHead(head: Buffer): Pick<Part, 'name' | 'fileName'> {
  if (!isUtf8(head)) throw new ProblemError({ kind: 'bad_encoding' })
  const [padding = '', ...lines] = head.toString('utf8').split('\r\n')
  const [value] = lines.flatMap((line) => /^content-disposition:(.*)$/isu.exec(line)?.[1] ?? [])
  const parameters = value === undefined ? null : parseDisposition(value)
  const name = parameters?.get('name')
  if (padding.trim() !== '' || !parameters || name === undefined) throw new ProblemError({ kind: 'bad_body' })
  const fileName = parameters.get('filename*') ?? parameters.get('filename')
  return { name, fileName: fileName || null }
}

/** Old browsers send Windows paths without escapes, so a backslash stands for itself where it escapes nothing. */
const parameter = /;[ \t]*([\w!#$%&+\-^`|~]+\*?)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\["\\]|\\(?!["\\]))*)"|([^;"]*))[ \t]*/uy

/** Null where it is no form-data that one can read. */
function parseDisposition(value: string): Map<string, string> | null {
  const start = /^[ \t]*form-data[ \t]*/i.exec(value)
  if (start === null) return null
  const found = new Map<string, string>()
  let at = start[0].length
  while (at < value.length) {
    parameter.lastIndex = at
    const match = parameter.exec(value)
    if (match === null) return null
    const [whole, name = '', quoted, bare = ''] = match
    const text = decode(name, quoted?.replaceAll(/\\(["\\])/g, '$1') ?? bare.trim())
    if (text === null || !isSafeText(text)) return null
    found.set(name.toLowerCase(), text)
    at += whole.length
  }
  return found
}

/** `name*` is percent-encoded behind its charset (RFC 5987); of UTF-8 alone, as nobody sends another. */
function decode(name: string, value: string): string | null {
  if (!name.endsWith('*')) return value
  const encoded = /^utf-8'[^']*'(.*)$/isu.exec(value)?.[1]
  try {
    return encoded === undefined ? null : decodeURIComponent(encoded)
  } catch {
    return null
  }
}
