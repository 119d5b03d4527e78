/** `/api/chats/:id`: reading, finding and sending messages (P5, P6). */
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { CountedMessage } from '../../../core/counted-messages.ts'
import { parseClientKey } from '../../../core/texts.ts'
import { takeSend, type Door } from '../../door.ts'
import { touch, userOf, visitorOf } from '../auth.ts'
import { createTimeText, encodeListed, encodeMessage } from '../encode.ts'
import { aroundQuery, cutContent, idPath, messageBody, messagesQuery, searchQuery } from '../wire.ts'

const dayMs = 86_400_000

export function messageRoutes(door: Door): FastifyPluginAsyncZod {
  const { queries, messages } = door.chat
  const timeText = createTimeText(door.timeZone)

  /** `{ success, data: ChatMessage[] }`. */
  function listed(found: CountedMessage[]) {
    return { success: true, data: found.map((one) => encodeListed(one, timeText)) }
  }

  return async (app) => {
    app.addHook('preHandler', async (request) => touch(door, visitorOf(request), (request.params as { id: number }).id))

    app.get('/messages', { schema: { hide: true, params: idPath, querystring: messagesQuery } }, async (request) => {
      const span = { sinceMs: door.clock.now() - request.query.days * dayMs, limit: door.historyMax }
      return listed(await queries.listRecent(userOf(visitorOf(request)), request.params.id, span))
    })

    app.get('/around', { schema: { hide: true, params: idPath, querystring: aroundQuery } }, async (request) => {
      const { messageId, before, after } = request.query
      return listed(await queries.listAround(userOf(visitorOf(request)), request.params.id, messageId, { before, after }))
    })

    app.get('/search', { schema: { hide: true, params: idPath, querystring: searchQuery } }, async (request) => {
      const { q, limit, offset } = request.query
      return listed(await queries.search(userOf(visitorOf(request)), request.params.id, q, { offset, limit }))
    })

    app.post('/message', { schema: { hide: true, params: idPath, body: messageBody } }, async (request) => {
      const clientKey = parseClientKey(request.headers['idempotency-key'] as string | undefined)
      const author = userOf(visitorOf(request))
      takeSend(door, visitorOf(request), request, author)
      const draft = { content: cutContent(request.body.content ?? ''), mayBeEmpty: true, clientKey }
      const { event } = await messages.post(author, request.params.id, draft)
      return { success: true, data: { message: encodeMessage(event.message, event.user) } }
    })
  }
}
