/** `/api/chatrooms/{roomId}/messages`: sending, changing, reading and reacting (2.1 to 2.5, C8). */
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { MessageId, RoomId, User } from '../../../core/model.ts'
import { parseClientKey } from '../../../core/texts.ts'
import { getUser, takeSend, type Door } from '../../door.ts'
import { encodeMessage, encodeMessages } from '../answers.ts'
import { callerOf, getActorIn, getNamed } from '../auth.ts'
import {
  actorBody,
  actorIfAnyBody,
  editBody,
  messagePath,
  messagesQuery,
  parseMessageId,
  parseRoomId,
  reactionBody,
  reactionPath,
  roomPath,
  sendBody,
} from '../wire.ts'

export function messageRoutes(door: Door): FastifyPluginAsyncZod {
  return async (app) => {
    app.register(textRoutes(door))
    app.register(reactionRoutes(door), { prefix: '/:messageId' })
  }
}

function textRoutes(door: Door): FastifyPluginAsyncZod {
  const { messages, queries } = door.chat

  return async (app) => {
    app.post('/', { schema: { hide: true, params: roomPath, body: sendBody } }, async (request, reply) => {
      const { userId, content } = request.body
      const roomId = parseRoomId(request.params.roomId)
      const clientKey = parseClientKey(request.headers['idempotency-key'] as string | undefined)
      const author = await getNamed(door, request, userId)
      takeSend(door, callerOf(request), request, author)
      const { event } = await messages.post(author, roomId, { content, clientKey })
      return reply.code(201).send(encodeMessage(event.message, event.user))
    })

    app.get('/', { schema: { hide: true, params: roomPath, querystring: messagesQuery } }, async (request) => {
      const roomId = parseRoomId(request.params.roomId)
      const actor = await getActorIn(door, request, roomId)
      await queries.getRoom(actor, roomId)
      const found = await findPage(door, roomId, request.query)
      const messageIds = found.map(({ message }) => message.id)
      return { messages: encodeMessages(found, await queries.listReactions(actor, roomId, messageIds)) }
    })

    app.delete('/:messageId', { schema: { hide: true, params: messagePath, body: actorBody } }, async (request) => {
      const place = parsePlace(request.params)
      const author = await getNamed(door, request, request.body.userId)
      await messages.remove(author, place.roomId, place.messageId)
      return encodeAct(place, author)
    })

    app.patch('/:messageId', { schema: { hide: true, params: messagePath, body: editBody } }, async (request) => {
      const { userId, newContent } = request.body
      const { roomId, messageId } = parsePlace(request.params)
      const author = await getNamed(door, request, userId)
      return encodeMessage(await messages.edit(author, roomId, messageId, newContent), author)
    })
  }
}

function reactionRoutes(door: Door): FastifyPluginAsyncZod {
  const { queries, reactions, reads } = door.chat

  return async (app) => {
    app.post('/read', { schema: { hide: true, params: messagePath, body: actorBody } }, async (request) => {
      const { roomId, messageId } = parsePlace(request.params)
      const reader = await getNamed(door, request, request.body.userId)
      await queries.getMessage({ kind: 'user', user: reader }, roomId, messageId)
      const { messageId: readId } = await reads.advance(reader, roomId, messageId)
      return encodeAct({ roomId, messageId: readId ?? messageId }, reader)
    })

    app.post('/reactions', { schema: { hide: true, params: messagePath, body: reactionBody } }, async (request) => {
      const { userId, reactionType } = request.body
      const place = parsePlace(request.params)
      const user = await getNamed(door, request, userId)
      takeSend(door, callerOf(request), request, user)
      await reactions.add(user, place.roomId, place.messageId, reactionType)
      return { ...encodeAct(place, user), reactionType }
    })

    app.delete(
      '/reactions/:reactionType',
      { schema: { hide: true, params: reactionPath, body: actorIfAnyBody } },
      async (request) => {
        const { reactionType } = request.params
        const place = parsePlace(request.params)
        const { userId } = request.body
        const user =
          userId === undefined ? getUser(await getActorIn(door, request, place.roomId)) : await getNamed(door, request, userId)
        takeSend(door, callerOf(request), request, user)
        await reactions.remove(user, place.roomId, place.messageId, reactionType)
        return { ...encodeAct(place, user), reactionType }
      },
    )
  }
}

interface MessagePlace {
  roomId: RoomId
  messageId: MessageId
}

function parsePlace({ roomId, messageId }: { roomId: string; messageId: string }): MessagePlace {
  return { roomId: parseRoomId(roomId), messageId: parseMessageId(messageId) }
}

/** What somebody did to a message. */
function encodeAct({ roomId, messageId }: MessagePlace, { username }: User) {
  return { messageId: String(messageId), roomId: String(roomId), userId: username }
}

/** The newest, or those before one, oldest first (C8). Throws ChatError message_not_found. */
async function findPage({ chat: { queries } }: Door, roomId: RoomId, page: { before?: string | undefined; limit: number }) {
  const { before, limit } = page
  if (before !== undefined) return queries.listBefore(roomId, parseMessageId(before), limit)
  const { messages } = await queries.listMessages({ kind: 'nobody' }, roomId, { offset: 0, limit })
  return messages.toReversed()
}
