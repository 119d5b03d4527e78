/** `/api/chats/:id`: who is in, comes, goes, and has read (P6, P9). */
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { Door } from '../../door.ts'
import { touch, userOf, visitorOf } from '../auth.ts'
import { encodePerson } from '../encode.ts'
import { idPath, inviteBody, readBody } from '../wire.ts'
import { peopleIn } from './people.ts'

export function memberRoutes(door: Door): FastifyPluginAsyncZod {
  const { queries, members, reads } = door.chat

  return async (app) => {
    app.addHook('preHandler', async (request) => touch(door, visitorOf(request), (request.params as { id: number }).id))

    app.get('/members', { schema: { hide: true, params: idPath } }, async (request) => {
      const people = await queries.listPeople(userOf(visitorOf(request)), request.params.id)
      return { success: true, data: people.map(({ user }) => encodePerson(user)) }
    })

    app.post('/invite', { schema: { hide: true, params: idPath, body: inviteBody } }, async (request) => {
      const userIds = await peopleIn(door, request.body)
      const added = await members.invite(visitorOf(request).principal, request.params.id, userIds)
      return { success: true, added }
    })

    app.post('/leave', { schema: { hide: true, params: idPath } }, async (request) => {
      await members.leave(userOf(visitorOf(request)), request.params.id)
      return { success: true }
    })

    app.post('/read', { schema: { hide: true, params: idPath, body: readBody } }, async (request) => {
      await reads.advance(userOf(visitorOf(request)), request.params.id, request.body.lastMessageId)
      return { success: true }
    })
  }
}
