/** `/auth`: registering and signing in; no credential is read here (A5). */
import type { FastifyRequest } from 'fastify'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { readForm, readJsonIfSaid } from '../../../http/bodies.ts'
import { addressKey } from '../../../http/limits.ts'
import { openLogin, takeTurn, type Door } from '../../door.ts'
import { encodeUser } from '../encode.ts'
import { loginForm, token, userCreate, userResponse } from '../wire.ts'
import { answers } from './answers.ts'

const tags = ['auth']

export function authRoutes(door: Door): FastifyPluginAsyncZod {
  const { accounts } = door.chat

  function addressOf(request: FastifyRequest): string {
    return addressKey(door.http.proxies.clientAddress(request.raw))
  }

  return async (app) => {
    const register = {
      tags,
      summary: 'Register',
      body: userCreate,
      response: {
        201: userResponse,
        ...answers({ 400: 'Username or email already registered', 403: 'Registration is closed' }, ['body', 'limited']),
      },
    }
    app.post('/register', { schema: register, config: { readBody: readJsonIfSaid } }, async (request, reply) => {
      takeTurn(door.limits.register, null, addressOf(request))
      const { display_name, ...registration } = request.body
      const user = await accounts.register({ ...registration, fullName: display_name?.trim() || registration.username })
      return reply.code(201).send(encodeUser(user))
    })

    const login = {
      tags,
      summary: 'Sign in with a form; the token goes into the Authorization header',
      consumes: ['application/x-www-form-urlencoded'],
      body: loginForm,
      response: { 200: token, ...answers({ 401: 'Incorrect username or password' }, ['body', 'limited']) },
    }
    app.post('/login', { schema: login, config: { readBody: readForm }, preValidation: fillForm }, async (request) => {
      const { username, password } = request.body
      takeTurn(door.limits.login, null, addressOf(request))
      takeTurn(door.limits.login, null, `user:${username.normalize('NFC')}`)
      const user = await accounts.signIn(username, password)
      return { access_token: await openLogin(door, user), token_type: 'bearer' as const }
    })
  }
}

/** A form that was not sent is one without fields. */
async function fillForm(request: FastifyRequest): Promise<void> {
  request.body ??= {}
}
