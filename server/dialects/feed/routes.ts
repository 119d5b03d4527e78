/** The HTTP side of the contract: every write. What F6 adds is in additions.ts. */
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { ChatError } from '../../core/errors.ts'
import type { Principal, RoomId } from '../../core/model.ts'
import { parseClientKey } from '../../core/texts.ts'
import type { App } from '../../http/server.ts'
import { actAs, approachOf, takeSend, type Door } from '../door.ts'
import { routeRooms, routeUsers } from './additions.ts'
import { done, doneWith, refusals, route } from './answers.ts'
import { findActorIn, getCaller, touch } from './auth.ts'
import { encodeMessage, encodeNewMember } from './encode.ts'
import * as wire from './wire.ts'

const room = '/api/v1/chat/rooms/:roomId'

/** In a scope of their own, where the caller is known before a body is read. */
export function registerRoutes(door: Door): void {
  door.http.app.register(async (scope) => {
    scope.decorateRequest('feedCaller', null)
    scope.addHook('onRequest', async (request) => {
      request.feedCaller = await getCaller(door, approachOf(door, request))
    })
    const app = scope.withTypeProvider<ZodTypeProvider>()
    routeMessages(door, app)
    routeMembers(door, app)
    routeRooms(door, app)
    routeUsers(door, app)
  })
}

function routeMessages(door: Door, app: App): void {
  app.post(`${room}/messages`, { schema: sendSchema }, async (request, reply) => {
    const { user_id, message, message_type, file_url } = request.body
    const roomId = wire.parseRoomId(request.params.roomId)
    const clientKey = parseClientKey(request.headers['idempotency-key'])
    const author = await actAs(door, request.feedCaller, user_id)
    takeSend(door, request.feedCaller, request, author)
    await touch(door, roomId, author)
    const draft = { content: message ?? '', kind: message_type || 'text', fileUrl: file_url || null, clientKey }
    const { event } = await door.chat.messages.post(author, roomId, draft)
    const data = encodeMessage(event.message, event.user)
    return reply.code(201).send({ success: true, message: 'Message sent successfully', data })
  })

  app.post(`${room}/read`, { schema: readSchema }, async (request) => {
    const roomId = wire.parseRoomId(request.params.roomId)
    const reader = await actAs(door, request.feedCaller, request.body.user_id)
    await touch(door, roomId, reader)
    await door.chat.reads.advance(reader, roomId, null)
    return { success: true, message: 'Messages marked as read' } as const
  })
}

const sendSchema = {
  ...route,
  summary: 'Send a message',
  params: wire.roomParams,
  headers: wire.sendHeaders,
  body: wire.sendBody,
  response: { 201: doneWith('Message sent successfully', wire.message), ...refusals(400, 403, 404, 409, 413, 429) },
}

const readSchema = {
  ...route,
  summary: 'Mark everything as read',
  params: wire.roomParams,
  body: wire.readBody,
  response: { 200: done('Messages marked as read'), ...refusals(400, 403, 404, 413) },
}

function routeMembers(door: Door, app: App): void {
  app.post(`${room}/members`, { schema: addMemberSchema }, async (request, reply) => {
    const targetId = request.body.user_id
    const { roomId, actor } = await findActorIn(door, request, request.params.roomId, targetId)
    const { member, user } = await asSeenBy(door, actor, roomId, door.chat.members.add(actor, roomId, targetId))
    return reply.code(201).send({ success: true, message: 'Member added successfully', data: encodeNewMember(member, user) })
  })

  app.delete(`${room}/members/:userId`, { schema: removeMemberSchema }, async (request) => {
    const targetId = wire.parseId(request.params.userId)
    if (targetId === null) throw new ChatError('member_not_found')
    const { roomId, actor } = await findActorIn(door, request, request.params.roomId, targetId)
    await asSeenBy(door, actor, roomId, door.chat.members.remove(actor, roomId, targetId))
    return { success: true, message: 'Member removed successfully' } as const
  })
}

/** M4: what a stranger may not is refused with the contract's text for strangers. */
async function asSeenBy<Result>(door: Door, actor: Principal, roomId: RoomId, change: Promise<Result>): Promise<Result> {
  try {
    return await change
  } catch (error) {
    if (error instanceof ChatError && error.code === 'forbidden') await door.chat.queries.getRoom(actor, roomId)
    throw error
  }
}

const addMemberSchema = {
  ...route,
  summary: 'Add a member',
  params: wire.roomParams,
  headers: wire.actorHeaders,
  body: wire.addMemberBody,
  response: { 201: doneWith('Member added successfully', wire.member), ...refusals(400, 403, 404, 409, 413) },
}

const removeMemberSchema = {
  ...route,
  summary: 'Remove a member',
  params: wire.memberParams,
  headers: wire.actorHeaders,
  response: { 200: done('Member removed successfully'), ...refusals(400, 403, 404, 413) },
}
