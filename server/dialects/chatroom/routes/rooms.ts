/** `/api/chatrooms`: rooms, and entering them (1.1, 1.2, 1.6, 3.1, C8). */
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { userIdOf } from '../../../core/core.ts'
import { ChatError } from '../../../core/errors.ts'
import type { UserId } from '../../../core/model.ts'
import type { Door } from '../../door.ts'
import { createAnswers } from '../answers.ts'
import { findActor, getActorIn, getNamed } from '../auth.ts'
import type { Place } from '../place.ts'
import { actorBody, createBody, encodeTime, listQuery, parseRoomId, renameBody, roomPath } from '../wire.ts'

export function roomRoutes(door: Door, place: Place): FastifyPluginAsyncZod {
  const { rooms, queries, accounts } = door.chat
  const answers = createAnswers(door, place)

  return async (app) => {
    app.post('/', { schema: { hide: true, body: createBody } }, async (request, reply) => {
      const { creatorId, targetUserIds, name, createdAt } = request.body
      const creator = await getNamed(door, request, creatorId)
      const targetIds: UserId[] = []
      for (const username of new Set(targetUserIds)) targetIds.push((await accounts.getOrMakeNamed(username)).id)
      const made = await answers.room(await rooms.createRanked(creator, { name, description: null }, targetIds))
      // C4: it is echoed, and orders nothing.
      if (typeof createdAt === 'number') made.createdAt = encodeTime(createdAt)
      return reply.code(201).send(made)
    })

    app.get('/', { schema: { hide: true, querystring: listQuery } }, async (request) => {
      const { userId: named } = request.query
      const actor = named === undefined ? await findActor(door, request) : null
      const userId = named === undefined ? actor && userIdOf(actor) : (await getNamed(door, request, named)).id
      if (userId === null) throw new ChatError('invalid_field', { field: 'userId' })
      return { chatrooms: await answers.rooms(await queries.listRoomsOf(userId)) }
    })

    app.get('/:roomId', { schema: { hide: true, params: roomPath } }, async (request) => {
      const roomId = parseRoomId(request.params.roomId)
      const actor = await getActorIn(door, request, roomId)
      const room = await queries.getRoom(actor, roomId)
      return { ...(await answers.room(room)), state: await place.stateOf(roomId) }
    })

    app.patch('/:roomId/name', { schema: { hide: true, params: roomPath, body: renameBody } }, async (request) => {
      const roomId = parseRoomId(request.params.roomId)
      const actor = await getActorIn(door, request, roomId)
      return answers.room(await rooms.update(actor, roomId, { name: request.body.name, description: null }))
    })

    app.delete('/:roomId', { schema: { hide: true, params: roomPath } }, async (request) => {
      const roomId = parseRoomId(request.params.roomId)
      await rooms.remove(await getActorIn(door, request, roomId), roomId)
      return { roomId: String(roomId) }
    })

    app.post('/:roomId/connect', { schema: { hide: true, params: roomPath, body: actorBody } }, async (request) => {
      const roomId = parseRoomId(request.params.roomId)
      const user = await getNamed(door, request, request.body.userId)
      if (door.chat.settings.isDevelopment) await door.chat.members.touch(user, roomId)
      await queries.getRoom({ kind: 'nobody' }, roomId)
      const state = await place.connect(user, await queries.getMember(roomId, user.id))
      return { roomId: String(roomId), userId: user.username, state }
    })
  }
}
