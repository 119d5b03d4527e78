/** `GET /uploads/<stored name>?name=<label>`: a room's files, for its members at any door (A16), in `groupware`'s manner (P10). */
import { Readable } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Attachment } from '../core/model.ts'
import type { ByteRange, OpenFile } from '../files/file-store.ts'
import { drainDeadlineMs } from '../http/keeper.ts'
import { labelOf } from '../http/multipart.ts'
import { ProblemError } from '../http/problems.ts'
import { approachOf, type Door } from './door.ts'
import { getCaller } from './groupware/auth.ts'

/** What a browser may show on its own page: images that hold no scripts. */
const safeImages = new Set(['image/png', 'image/jpeg', 'image/gif', 'image/webp'])

/** Before the server listens; errors are answered in `groupware`'s shape. */
export function registerUploads(door: Door): void {
  door.http.app.route({
    method: ['GET', 'HEAD'],
    url: '/uploads/:file',
    schema: { hide: true },
    handler: async (request, reply) => {
      const { file } = request.params as { file: string }
      await awaitTurn(request, reply)
      const { principal } = await getCaller(door, approachOf(door, request))
      const attachment = await door.chat.queries.findAttachment(principal, `/uploads/${file}`)
      const found = attachment && (await door.files.open(file))
      if (!attachment || !found) throw new ProblemError({ kind: 'not_found' })
      await closeAtEnd(reply, found)
      addHeaders(reply, attachment, request)
      return sendFile(request, reply, found)
    },
  })
}

/**
 * Of requests that came in one go only the first has the socket. The others wait for it without a file: when it closes, Node ends the
 * requests, but never the answers that have not had it.
 */
async function awaitTurn({ raw }: FastifyRequest, reply: FastifyReply): Promise<void> {
  if (raw.destroyed || reply.raw.socket !== null) return
  await new Promise<void>((resolve) => {
    reply.raw.once('socket', () => resolve())
    raw.once('close', resolve)
  })
}

/** The file lasts no longer than its answer, and an answer that nobody reads no longer than a live connection's queue. */
async function closeAtEnd({ raw }: FastifyReply, file: OpenFile): Promise<void> {
  const { socket } = raw
  if (raw.destroyed || socket === null) {
    await file.close()
    throw new ProblemError({ kind: 'not_found' })
  }
  raw.once('close', () => void file.close())
  socket.setTimeout(drainDeadlineMs)
  // Before Node's own listener, which gives an idle connection its time; what comes next may as well be a quiet stream.
  raw.prependOnceListener('finish', () => void socket.setTimeout(0))
}

/** Who may no longer see a room must not find its files in a cache: it asks each time, and is told 304. */
function addHeaders(reply: FastifyReply, { mimeType, url, fileName }: Attachment, { query }: FastifyRequest): void {
  const { name } = query as { name?: unknown }
  const label = labelOf(typeof name === 'string' && name !== '' ? name : fileName)
  const shown = mimeType !== null && safeImages.has(mimeType) ? 'inline' : 'attachment'
  reply.headers({
    'content-type': mimeType === 'text/plain' ? 'text/plain; charset=utf-8' : (mimeType ?? 'application/octet-stream'),
    'content-disposition': `${shown}; filename*=UTF-8''${encodeLabel(label)}`,
    'content-security-policy': "default-src 'none'; sandbox",
    'cache-control': 'private, no-cache',
    // A stored name is given once: its bytes never change.
    etag: `"${url}"`,
    'accept-ranges': 'bytes',
  })
}

/** RFC 5987: what encodeURIComponent leaves as it is, but for these. */
function encodeLabel(label: string): string {
  return encodeURIComponent(label.toWellFormed()).replaceAll(
    /['()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

function sendFile(request: FastifyRequest, reply: FastifyReply, file: OpenFile): FastifyReply {
  const { headers, method } = request
  const etag = String(reply.getHeader('etag'))
  const isKnown = headers['if-none-match']?.split(',').some((one) => one.trim().replace(/^W\//, '') === etag) ?? false
  const range = isKnown || (headers['if-range'] ?? etag) !== etag ? null : parseRange(headers.range, file.sizeBytes)
  if (range) reply.code(206).header('content-range', `bytes ${range.first}-${range.last}/${file.sizeBytes}`)
  if (isKnown) return reply.code(304).removeHeader('content-type').send()
  reply.header('content-length', range ? range.last - range.first + 1 : file.sizeBytes)
  if (method === 'HEAD' || file.sizeBytes === 0) return reply.send()
  return reply.send(Readable.from(file.read(range ?? undefined), { objectMode: false }))
}

/** One range; several, and what cannot be satisfied, are answered by the whole file, as RFC 9110 allows. */
function parseRange(header: string | undefined, sizeBytes: number): ByteRange | null {
  const found = /^bytes=(\d*)-(\d*)$/.exec(header ?? '')
  const [first = '', last = ''] = found?.slice(1) ?? []
  if (first === '' && last === '') return null
  const range =
    first === ''
      ? { first: Math.max(0, sizeBytes - Number(last)), last: sizeBytes - 1 }
      : { first: Number(first), last: last === '' ? sizeBytes - 1 : Math.min(Number(last), sizeBytes - 1) }
  return range.first <= range.last ? range : null
}
