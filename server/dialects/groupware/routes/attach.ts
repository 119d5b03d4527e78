/** `POST /api/chats/:id/attach`: files, and a text with them (P10). */
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { DraftAttachment, Posted } from '../../../core/actions/messages.ts'
import { ChatError, toChatError } from '../../../core/errors.ts'
import type { RoomId, User } from '../../../core/model.ts'
import { parseClientKey } from '../../../core/texts.ts'
import type { StoredFile } from '../../../files/file-store.ts'
import { acceptMultipart, isMultipart, readForm, type Form, type FormFile, type Storing } from '../../../http/multipart.ts'
import { ProblemError } from '../../../http/problems.ts'
import { takeSend, type Door } from '../../door.ts'
import { touch, userOf, visitorOf } from '../auth.ts'
import { encodeMessage } from '../encode.ts'
import { cutContent, idPath } from '../wire.ts'

export function attachRoutes(door: Door): FastifyPluginAsyncZod {
  const { queries, messages } = door.chat

  return async (app) => {
    acceptMultipart(app)

    app.post('/attach', { schema: { hide: true, params: idPath } }, async (request) => {
      const roomId = request.params.id
      const visitor = visitorOf(request)
      const author = userOf(visitor)
      const clientKey = parseClientKey(request.headers['idempotency-key'] as string | undefined)
      takeSend(door, visitor, request, author)
      await touch(door, visitor, roomId)
      await queries.getMember(roomId, author.id)
      if (!isMultipart(request)) throw new ProblemError({ kind: 'bad_body' })
      const form = await readForm(request, storingIn(door))
      const { event } = await post(author, roomId, { form, clientKey })
      return { success: true, data: { message: encodeMessage(event.message, event.user) } }
    })
  }

  /** Of what is refused, and of a retry, whose files came with the first, nothing stays. */
  async function post(author: User, roomId: RoomId, { form, clientKey }: Upload): Promise<Posted> {
    if (form.files.length === 0) throw new ChatError('invalid_field', { field: 'file' })
    const attachments = form.files.map(attachmentOf)
    try {
      const draft = { content: cutContent(form.fields.get('content') ?? ''), attachments, clientKey }
      const posted = await messages.post(author, roomId, draft)
      if (posted.isRepeated) await form.discard()
      return posted
    } catch (error) {
      if (isRefused(error)) await form.discard()
      throw error
    }
  }
}

interface Upload {
  form: Form<StoredFile>
  clientKey: string | null
}

function storingIn({ files, uploads }: Door): Storing<StoredFile> {
  return {
    limits: uploads,
    // P6: its first 2,000 characters are in there.
    cutFields: ['content'],
    store: (bytes) => files.put(bytes, uploads.fileBytesMax),
    discard: ({ name }) => files.remove(name),
  }
}

function attachmentOf({ label, stored }: FormFile<StoredFile>): DraftAttachment {
  const { name, mimeType, sizeBytes, sha256 } = stored
  return { fileName: label, url: `/uploads/${name}`, mimeType, sizeBytes, sha256 }
}

/** Whether it is certain that no message has the files: a commit whose end is not known may stand, and what no message has is swept at start. */
function isRefused(error: unknown): boolean {
  const known = toChatError(error)
  return known !== null && known.kind !== 'unavailable'
}
