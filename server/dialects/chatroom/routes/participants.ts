/** `/api/chatrooms/{roomId}/participants`: who is in, as what, and by which name (1.3 to 1.5.1, C5, C6). */
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { User } from '../../../core/model.ts'
import type { Door } from '../../door.ts'
import { createAnswers } from '../answers.ts'
import { getActorIn } from '../auth.ts'
import type { Place } from '../place.ts'
import { addBody, nicknameBody, parseRoomId, participantPath, roleBody, roomPath } from '../wire.ts'

/** Who has no account is in no room; whether the actor may is said before that (A18). */
const nobodysId = 0

export function participantRoutes(door: Door, place: Place): FastifyPluginAsyncZod {
  const { members, roles, accounts } = door.chat
  const answers = createAnswers(door, place)

  /** Who is about to come in: in development he is made up (M2). */
  async function findComing(username: string): Promise<User | null> {
    return door.chat.settings.isDevelopment ? accounts.getOrMakeNamed(username) : accounts.findNamed(username)
  }

  return async (app) => {
    app.post('/', { schema: { hide: true, params: roomPath, body: addBody } }, async (request) => {
      const roomId = parseRoomId(request.params.roomId)
      const { userId, role } = request.body
      const actor = await getActorIn(door, request, roomId)
      const target = await findComing(userId)
      const { member, user } = await members.add(actor, roomId, target?.id ?? nobodysId, role ?? 'member')
      return answers.participant(roomId, { member, user })
    })

    app.delete('/:userId', { schema: { hide: true, params: participantPath } }, async (request) => {
      const roomId = parseRoomId(request.params.roomId)
      const actor = await getActorIn(door, request, roomId)
      const target = await accounts.findNamed(request.params.userId)
      const { user } = await members.remove(actor, roomId, target?.id ?? nobodysId)
      return { roomId: String(roomId), userId: user.username }
    })

    app.patch('/:userId/role', { schema: { hide: true, params: participantPath, body: roleBody } }, async (request) => {
      const roomId = parseRoomId(request.params.roomId)
      const actor = await getActorIn(door, request, roomId)
      const user = await accounts.findNamed(request.params.userId)
      const member = await roles.change(actor, roomId, user?.id ?? nobodysId, request.body.role)
      return answers.participant(roomId, { member, user: user! })
    })

    app.patch('/:userId/name', { schema: { hide: true, params: participantPath, body: nicknameBody } }, async (request) => {
      const roomId = parseRoomId(request.params.roomId)
      const actor = await getActorIn(door, request, roomId)
      const user = await accounts.findNamed(request.params.userId)
      const member = await roles.rename(actor, roomId, user?.id ?? nobodysId, request.body.edited_name)
      return answers.participant(roomId, { member, user: user! })
    })
  }
}
