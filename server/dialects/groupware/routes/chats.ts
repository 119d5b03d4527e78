/** `/api/chats`: the list of conversations, and what makes one (P8, P9). */
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { Door } from '../../door.ts'
import { userOf, visitorOf } from '../auth.ts'
import { createTimeText, encodeConversation } from '../encode.ts'
import { startBody, startGroupBody } from '../wire.ts'
import { peopleIn } from './people.ts'

export function chatRoutes(door: Door): FastifyPluginAsyncZod {
  const { queries, reads, rooms } = door.chat
  const timeText = createTimeText(door.timeZone)

  return async (app) => {
    app.get('/', { schema: { hide: true } }, async (request) => {
      const chats = await queries.listChats(userOf(visitorOf(request)))
      return { success: true, data: chats.map((chat) => encodeConversation(chat, timeText)) }
    })

    app.post('/start', { schema: { hide: true, body: startBody } }, async (request) => {
      const { roomId } = await rooms.openDirect(userOf(visitorOf(request)), request.body.targetUserId)
      return { success: true, chatId: roomId }
    })

    app.post('/start-group', { schema: { hide: true, body: startGroupBody } }, async (request) => {
      const { title = null, memberUserIds, departmentId, includeSub } = request.body
      const me = userOf(visitorOf(request))
      const memberIds = await peopleIn(door, { userIds: memberUserIds, departmentId, includeSub })
      const { id } = await rooms.createPeers(me, { title, memberIds })
      return { success: true, chatId: id }
    })

    app.post('/read-all', { schema: { hide: true } }, async (request) => {
      await reads.advanceAll(userOf(visitorOf(request)))
      return { success: true }
    })
  }
}
