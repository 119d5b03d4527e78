/** `/users`: profiles. */
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { readJsonIfSaid } from '../../../http/bodies.ts'
import type { Door } from '../../door.ts'
import { userOf } from '../auth.ts'
import { encodeUser } from '../encode.ts'
import { userPath, userResponse, userUpdate } from '../wire.ts'
import { answers, security, withoutNulls } from './answers.ts'

const tags = ['users']

/** The router would also take an empty segment for one. */
const one = '/:user_id(.+)'

export function userRoutes(door: Door): FastifyPluginAsyncZod {
  const { accounts } = door.chat

  return async (app) => {
    const readMe = { tags, security, summary: 'My profile', response: { 200: userResponse, ...answers({}, ['token']) } }
    app.get('/me', { schema: readMe }, async (request) => encodeUser(userOf(request)))

    const updateMe = {
      tags,
      security,
      summary: 'Change my profile or password',
      body: userUpdate,
      response: { 200: userResponse, ...answers({}, ['token', 'body', 'limited']) },
    }
    app.put('/me', { schema: updateMe, config: { readBody: readJsonIfSaid } }, async (request) => {
      const { display_name, bio, avatar_url, password } = request.body
      const profile = withoutNulls({ fullName: display_name, bio, avatarUrl: avatar_url, password })
      return encodeUser(await accounts.update(userOf(request), profile))
    })

    const readOne = {
      tags,
      security,
      summary: "Someone's profile",
      params: userPath,
      response: { 200: userResponse, ...answers({ 404: 'User not found' }, ['token']) },
    }
    app.get(one, { schema: readOne }, async (request) => encodeUser(await accounts.get(request.params.user_id)))
  }
}
