/** `/servers`: what the chat calls spaces (G2). */
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { readJsonIfSaid } from '../../../http/bodies.ts'
import type { Door } from '../../door.ts'
import { principalOf, userOf } from '../auth.ts'
import { encodeChannel, encodeServer } from '../encode.ts'
import { refusing } from '../problems.ts'
import { noContent, serverCreate, serverDetail, serverList, serverPath, serverResponse, serverUpdate } from '../wire.ts'
import { answers, security, withoutNulls } from './answers.ts'

const tags = ['servers']
const stranger = 'You are not a member of this server'
const notFound = 'Server not found'
const common = { tags, security }

/** The router would also take an empty segment for one. */
const one = '/:server_id(.+)'

export function serverRoutes(door: Door): FastifyPluginAsyncZod {
  return async (app) => {
    app.register(listRoutes(door))
    app.register(ownerRoutes(door))
    app.register(memberRoutes(door))
  }
}

/** Registered for `/servers/` and `/servers` alike (G6). */
function listRoutes({ chat }: Door): FastifyPluginAsyncZod {
  return async (app) => {
    const create = {
      ...common,
      summary: 'Make a server',
      body: serverCreate,
      response: { 201: serverResponse, ...answers({}, ['token', 'body']) },
    }
    app.post('/', { schema: create, config: { readBody: readJsonIfSaid } }, async (request, reply) => {
      const { name, description = null, icon_url: iconUrl = null } = request.body
      const space = await chat.spaces.create(userOf(request), { name, description, iconUrl })
      return reply.code(201).send(encodeServer(space))
    })

    const list = { ...common, summary: 'The servers that I am in', response: { 200: serverList, ...answers({}, ['token']) } }
    app.get('/', { schema: list }, async (request) => {
      const spaces = await chat.queries.listSpacesOf(userOf(request).id)
      return spaces.map(encodeServer)
    })
  }
}

function ownerRoutes({ chat }: Door): FastifyPluginAsyncZod {
  const notOwner = (what: string): [number, string] => [403, `Only the server owner can ${what} the server`]

  return async (app) => {
    const update = {
      ...common,
      summary: 'Change a server (owner)',
      params: serverPath,
      body: serverUpdate,
      response: { 200: serverResponse, ...answers({ 403: notOwner('update')[1], 404: notFound }, ['token', 'body']) },
    }
    app.put(one, { schema: update, config: { readBody: readJsonIfSaid } }, async (request) => {
      const { name, description, icon_url: iconUrl } = request.body
      const patch = withoutNulls({ name, description, iconUrl })
      const updating = chat.spaces.update(principalOf(request), request.params.server_id, patch)
      return encodeServer(await refusing('forbidden', notOwner('update'), updating))
    })

    const remove = {
      ...common,
      summary: 'Delete a server (owner)',
      params: serverPath,
      response: { 204: noContent, ...answers({ 403: notOwner('delete')[1], 404: notFound }, ['token']) },
    }
    app.delete(one, { schema: remove }, async (request, reply) => {
      await refusing('forbidden', notOwner('delete'), chat.spaces.remove(principalOf(request), request.params.server_id))
      return reply.code(204).send(null)
    })
  }
}

function memberRoutes({ chat }: Door): FastifyPluginAsyncZod {
  return async (app) => {
    const read = {
      ...common,
      summary: 'A server with its channels',
      params: serverPath,
      response: { 200: serverDetail, ...answers({ 403: stranger, 404: notFound }, ['token']) },
    }
    app.get(one, { schema: read }, async (request) => {
      const { space, rooms } = await chat.queries.getSpace(principalOf(request), request.params.server_id)
      return { ...encodeServer(space), channels: rooms.map(encodeChannel) }
    })

    const join = {
      ...common,
      summary: 'Join a server',
      params: serverPath,
      response: { 200: serverResponse, ...answers({ 400: 'You are already a member of this server', 404: notFound }, ['token']) },
    }
    app.post(`${one}/join`, { schema: join }, async (request) =>
      encodeServer(await chat.spaces.join(userOf(request), request.params.server_id)),
    )

    const leave = {
      ...common,
      summary: 'Leave a server',
      params: serverPath,
      response: { 204: noContent, ...answers({ 400: `${stranger}, or you own it`, 404: notFound }, ['token']) },
    }
    app.post(`${one}/leave`, { schema: leave }, async (request, reply) => {
      await refusing('not_a_member', [400, stranger], chat.spaces.leave(userOf(request), request.params.server_id))
      return reply.code(204).send(null)
    })
  }
}
