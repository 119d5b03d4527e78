/** F6: what this door adds to the contract, in its origin's style. */
import type { FastifyRequest } from 'fastify'
import { userIdOf } from '../../core/core.ts'
import { ChatError } from '../../core/errors.ts'
import type { Principal, UserId } from '../../core/model.ts'
import type { App } from '../../http/server.ts'
import { actAs, type Door } from '../door.ts'
import { doneWith, found, refusals, route } from './answers.ts'
import { findActor, findActorIn, requireHost } from './auth.ts'
import { encodeAccount, encodeMember, encodeMessage, encodeRoom } from './encode.ts'
import * as wire from './wire.ts'

const rooms = '/api/v1/chat/rooms'
const users = '/api/v1/users'

export function routeRooms(door: Door, app: App): void {
  app.post(rooms, { schema: createRoomSchema }, async (request, reply) => {
    const { name, description, member_ids } = request.body
    const actor = await findActor(door, request)
    const ids = await findFirstMembers(door, actor, member_ids ?? [])
    const made = await door.chat.rooms.createGroup({ name, description: description ?? null }, ids, userIdOf(actor))
    return reply.code(201).send({ success: true, message: 'Chat room created successfully', data: encodeRoom(made) })
  })

  app.get(rooms, { schema: listRoomsSchema }, async (request) => {
    const userId = await findWhose(door, request, request.query.user_id)
    return { success: true, data: (await door.chat.queries.listRoomsOf(userId)).map(encodeRoom) } as const
  })

  app.get(`${rooms}/:roomId`, { schema: getRoomSchema }, async (request) => {
    const { actor, roomId } = await findActorIn(door, request, request.params.roomId, null)
    return { success: true, data: encodeRoom(await door.chat.queries.getRoom(actor, roomId)) } as const
  })

  app.get(`${rooms}/:roomId/members`, { schema: listMembersSchema }, async (request) => {
    const { actor, roomId } = await findActorIn(door, request, request.params.roomId, null)
    const views = await door.chat.queries.listMembers(actor, roomId)
    return { success: true, data: views.map(({ member, user, unreadCount }) => encodeMember(member, user, unreadCount)) } as const
  })

  app.get(`${rooms}/:roomId/messages`, { schema: listMessagesSchema }, async (request) => {
    const { actor, roomId } = await findActorIn(door, request, request.params.roomId, null)
    const page = wire.pageOf(request.query, 50)
    const { messages, total } = await door.chat.queries.listMessages(actor, roomId, page)
    return {
      success: true,
      data: { messages: messages.map(({ message, author }) => encodeMessage(message, author)), total, ...page },
    } as const
  })
}

/** The admin first: the actor, else the first who is named, else in development user 1. Throws ChatError user_not_found. */
async function findFirstMembers(door: Door, actor: Principal, memberIds: UserId[]): Promise<UserId[]> {
  const admin = userIdOf(actor) ?? memberIds[0] ?? (actor.kind === 'nobody' ? 1 : undefined)
  const ids = new Set(admin === undefined ? [] : [admin, ...memberIds])
  await Promise.all([...ids].map((id) => door.chat.accounts.getOrMake(id)))
  return [...ids]
}

/** Whose rooms: whom the query names, who must be the caller; else the actor. */
async function findWhose(door: Door, request: FastifyRequest, named: string | undefined): Promise<UserId> {
  if (named !== undefined) return (await actAs(door, request.feedCaller, Number(named))).id
  const userId = userIdOf(await findActor(door, request))
  if (userId === null) throw new ChatError('invalid_field', { field: 'user_id' })
  return userId
}

export function routeUsers(door: Door, app: App): void {
  app.post(users, { schema: createUserSchema }, async (request, reply) => {
    requireHost(door, request.feedCaller)
    const made = await door.chat.accounts.create(request.body.email, request.body.name)
    return reply.code(201).send({ success: true, message: 'User created successfully', data: encodeAccount(made) })
  })

  app.get(users, { schema: listUsersSchema }, async (request) => {
    requireHost(door, request.feedCaller)
    const accounts = await door.chat.queries.listUsers(wire.pageOf(request.query, 100))
    return { success: true, data: accounts.map(encodeAccount) } as const
  })
}

const createRoomSchema = {
  ...route,
  summary: 'Make a group room; the caller is its admin',
  headers: wire.actorHeaders,
  body: wire.createRoomBody,
  response: { 201: doneWith('Chat room created successfully', wire.room), ...refusals(400, 403, 404, 413) },
}

const listRoomsSchema = {
  ...route,
  summary: 'The rooms of a user, by number',
  headers: wire.actorHeaders,
  querystring: wire.listRoomsQuery,
  response: { 200: found(wire.room.array()), ...refusals(400, 403, 404) },
}

const getRoomSchema = {
  ...route,
  summary: 'A room',
  params: wire.roomParams,
  headers: wire.actorHeaders,
  response: { 200: found(wire.room), ...refusals(400, 403, 404) },
}

const listMembersSchema = {
  ...route,
  summary: 'The members of a room, in order of entry',
  params: wire.roomParams,
  headers: wire.actorHeaders,
  response: { 200: found(wire.member.array()), ...refusals(400, 403, 404) },
}

const listMessagesSchema = {
  ...route,
  summary: 'The messages of a room, newest first',
  params: wire.roomParams,
  headers: wire.actorHeaders,
  querystring: wire.messagesQuery,
  response: { 200: found(wire.messagePage), ...refusals(400, 403, 404) },
}

const createUserSchema = {
  ...route,
  summary: 'Make an account (a service key; open in development)',
  body: wire.createUserBody,
  response: { 201: doneWith('User created successfully', wire.account), ...refusals(400, 403, 409, 413) },
}

const listUsersSchema = {
  ...route,
  summary: 'The accounts, by number (a service key; open in development)',
  querystring: wire.usersQuery,
  response: { 200: found(wire.account.array()), ...refusals(400, 403) },
}
