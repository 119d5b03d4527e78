/** `/channels`: rooms; one without a server has `server_id: null` and its own rule (A13). */
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { readJsonIfSaid } from '../../../http/bodies.ts'
import type { Door } from '../../door.ts'
import { principalOf } from '../auth.ts'
import { encodeChannel, encodeMessage } from '../encode.ts'
import { refusing } from '../problems.ts'
import { channelCreate, channelPath, channelResponse, channelUpdate, messageList, noContent, pageQuery } from '../wire.ts'
import { answers, security } from './answers.ts'

const common = { tags: ['channels'], security }
const stranger = 'You are not a member of this server'
const notFound = 'Channel not found'
const notOwner = (what: string): [number, string] => [403, `Only the server owner can ${what} channels`]

/** The router would also take an empty segment for one. */
const one = '/:channel_id(.+)'

export function channelRoutes(door: Door): FastifyPluginAsyncZod {
  return async (app) => {
    app.register(ownerRoutes(door))
    app.register(memberRoutes(door))
  }
}

function ownerRoutes({ chat }: Door): FastifyPluginAsyncZod {
  return async (app) => {
    const create = {
      ...common,
      summary: "Make a channel (the server's owner)",
      body: channelCreate,
      response: { 201: channelResponse, ...answers({ 403: notOwner('create')[1], 404: 'Server not found' }, ['token', 'body']) },
    }
    app.post('/', { schema: create, config: { readBody: readJsonIfSaid } }, async (request, reply) => {
      const { server_id, name, description = null } = request.body
      const creating = chat.rooms.createChannel(principalOf(request), server_id, { name, description })
      return reply.code(201).send(encodeChannel(await refusing('forbidden', notOwner('create'), creating)))
    })

    const update = {
      ...common,
      summary: "Change a channel (the server's owner)",
      params: channelPath,
      body: channelUpdate,
      response: { 200: channelResponse, ...answers({ 403: notOwner('update')[1], 404: notFound }, ['token', 'body']) },
    }
    app.put(one, { schema: update, config: { readBody: readJsonIfSaid } }, async (request) => {
      const { name = null, description = null } = request.body
      const updating = chat.rooms.update(principalOf(request), request.params.channel_id, { name, description })
      return encodeChannel(await refusing('forbidden', notOwner('update'), updating))
    })

    const remove = {
      ...common,
      summary: "Delete a channel (the server's owner)",
      params: channelPath,
      response: { 204: noContent, ...answers({ 403: notOwner('delete')[1], 404: notFound }, ['token']) },
    }
    app.delete(one, { schema: remove }, async (request, reply) => {
      await refusing('forbidden', notOwner('delete'), chat.rooms.remove(principalOf(request), request.params.channel_id))
      return reply.code(204).send(null)
    })
  }
}

function memberRoutes({ chat }: Door): FastifyPluginAsyncZod {
  return async (app) => {
    const read = {
      ...common,
      summary: 'A channel',
      params: channelPath,
      response: { 200: channelResponse, ...answers({ 403: stranger, 404: notFound }, ['token']) },
    }
    app.get(one, { schema: read }, async (request) =>
      encodeChannel(await chat.queries.getRoom(principalOf(request), request.params.channel_id)),
    )

    const list = {
      ...common,
      summary: 'Messages of a channel, newest first',
      params: channelPath,
      querystring: pageQuery,
      response: { 200: messageList, ...answers({ 403: stranger, 404: notFound }, ['token']) },
    }
    app.get(`${one}/messages`, { schema: list }, async (request) => {
      const { messages } = await chat.queries.listMessages(principalOf(request), request.params.channel_id, request.query)
      return messages.map(({ message, author }) => encodeMessage(message, author))
    })
  }
}
