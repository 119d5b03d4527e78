/**
 * Forms with files (RFC 7578), read while they come: each file's bytes go to whoever stores them, and memory stays flat. In a scope of
 * their own (`acceptMultipart`), where a handler decides who may before the first byte is read.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { mediaTypeOf } from './bodies.ts'
import { isSafeText } from './json.ts'
import { boundaryOf, readParts, type Part } from './multipart-parts.ts'
import { ProblemError } from './problems.ts'

/** P10. */
export interface MultipartLimits {
  /** Of one file. */
  fileBytesMax: number
  filesMax: number
  /** Of the whole request, its headers and boundaries too. */
  requestBytesMax: number
}

export interface FormFile<Stored> {
  /** The field's name. */
  field: string
  /** What it was called, kept to the byte but for its path and control characters: a label, no name of a file of ours. */
  label: string
  stored: Stored
}

export interface Form<Stored> {
  /** Of a field given twice the last counts. */
  fields: Map<string, string>
  /** In the order of the parts. */
  files: FormFile<Stored>[]
  /** Gives back what was stored, for who cannot use it after all. Never throws. */
  discard(): Promise<void>
}

export interface Storing<Stored> {
  limits: MultipartLimits
  /** Fields of which the first 64 KiB count, whatever they hold; another one that is longer is refused. */
  cutFields: readonly string[]
  /** Reads the bytes to their end; what it throws ends the request. */
  store(bytes: AsyncIterable<Buffer>): Promise<Stored>
  /** Takes back what `store` gave. */
  discard(stored: Stored): Promise<void>
}

/** Of a field that is no file. A decoded chunk has no more UTF-16 units than bytes. */
const fieldBytesMax = 64 * 1024
const fieldsMax = 100
const labelMax = 255

/** Lets a scope's handlers read multipart requests by `readForm`; their body is then undefined. */
export function acceptMultipart(scope: FastifyInstance): void {
  scope.addContentTypeParser('multipart/form-data', (_request, _payload, done) => done(null))
}

export function isMultipart(request: FastifyRequest): boolean {
  return mediaTypeOf(request.headers['content-type']) === 'multipart/form-data'
}

/**
 * Throws ProblemError: bad_body (truncated, or no multipart), bad_encoding, validation (U+0000), too_large (any of the limits), and
 * what `store` throws. Nothing stays stored then.
 */
export async function readForm<Stored>(request: FastifyRequest, storing: Storing<Stored>): Promise<Form<Stored>> {
  const boundary = boundaryOf(request.headers['content-type'])
  const fields = new Map<string, string>()
  const files: FormFile<Stored>[] = []
  const discard = async () => void (await Promise.allSettled(files.splice(0).map(({ stored }) => storing.discard(stored))))
  let partsLeft = storing.limits.filesMax + fieldsMax
  try {
    for await (const part of readParts(bytesOf(request, storing.limits.requestBytesMax), boundary)) {
      if (partsLeft-- === 0) throw new ProblemError({ kind: 'too_large' })
      if (part.fileName === null) await readField(part, fields, storing.cutFields)
      else files.push(await readFile(part, part.fileName, files.length, storing))
    }
    return { fields, files, discard }
  } catch (error) {
    await discard()
    throw error
  }
}

/** A request's body. Stops without an end to the request, as its answer is still to come. */
async function* bytesOf({ raw }: FastifyRequest, bytesMax: number): AsyncGenerator<Buffer, void> {
  let left = bytesMax
  if (Number(raw.headers['content-length'] ?? 0) > bytesMax) throw new ProblemError({ kind: 'too_large' })
  try {
    for await (const chunk of raw.iterator({ destroyOnReturn: false })) {
      left -= (chunk as Buffer).length
      if (left < 0) throw new ProblemError({ kind: 'too_large' })
      yield chunk as Buffer
    }
  } catch (error) {
    // It broke off: nobody is left to read the answer.
    throw raw.errored === null ? error : new ProblemError({ kind: 'bad_body' })
  }
}

async function readFile<Stored>(part: Part, name: string, count: number, storing: Storing<Stored>): Promise<FormFile<Stored>> {
  const { filesMax, fileBytesMax } = storing.limits
  if (count === filesMax) throw new ProblemError({ kind: 'too_large' })
  return { field: part.name, label: labelOf(name), stored: await storing.store(limited(part.bytes, fileBytesMax)) }
}

/** What is cut off is read and checked all the same, and not kept. */
async function readField(part: Part, fields: Map<string, string>, cutFields: readonly string[]): Promise<void> {
  const { name, bytes } = part
  let value = ''
  for await (const text of decoded(cutFields.includes(name) ? bytes : limited(bytes, fieldBytesMax))) {
    if (!isSafeText(text)) throw new ProblemError({ kind: 'validation', issues: [unsafeField(name, text)] })
    if (value.length < fieldBytesMax) value += text
  }
  fields.set(name, value)
}

async function* decoded(bytes: AsyncIterable<Buffer>): AsyncGenerator<string, void> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  const decode = (chunk?: Buffer) => {
    try {
      return decoder.decode(chunk, { stream: chunk !== undefined })
    } catch {
      throw new ProblemError({ kind: 'bad_encoding' })
    }
  }
  for await (const chunk of bytes) yield decode(chunk)
  yield decode()
}

function unsafeField(name: string, input: string) {
  const message = 'Text must not hold U+0000'
  return { location: 'body' as const, path: [name], code: 'unsafe_text', message, input, params: {} }
}

async function* limited(bytes: AsyncIterable<Buffer>, bytesMax: number): AsyncGenerator<Buffer, void> {
  let left = bytesMax
  for await (const chunk of bytes) {
    left -= chunk.length
    if (left < 0) throw new ProblemError({ kind: 'too_large' })
    yield chunk
  }
}

/** The last part of a path, of Windows' too, without control characters; `file` where that leaves nothing. */
export function labelOf(fileName: string): string {
  const last = fileName.split(/[/\\]/).at(-1)!
  const visible = Array.from(last.replaceAll(/\p{Cc}/gu, ''))
    .slice(0, labelMax)
    .join('')
  return ['', '.', '..'].includes(visible) ? 'file' : visible
}
