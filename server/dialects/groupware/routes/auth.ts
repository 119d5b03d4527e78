/** `/api/auth`: signing in and out, and who one is (P1, A10). */
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { addressKey } from '../../../http/limits.ts'
import { accountCookies, takeTurn, type Door } from '../../door.ts'
import { closeLogins, openAccountLogin, refuseForeignPage, userOf, visitorOf } from '../auth.ts'
import { encodeAccount } from '../encode.ts'
import { loginBody } from '../wire.ts'

export function signInRoutes(door: Door): FastifyPluginAsyncZod {
  return async (app) => {
    app.addHook('onRequest', async (request) => refuseForeignPage(door, request))

    app.post('/login', { schema: { hide: true, body: loginBody } }, async (request, reply) => {
      const { username, password } = request.body
      takeTurn(door.limits.login, null, addressKey(door.http.proxies.clientAddress(request.raw)))
      takeTurn(door.limits.login, null, `user:${username.normalize('NFC')}`)
      const user = await door.chat.accounts.signIn(username, password)
      setCookies(door, request, reply, { value: await openAccountLogin(door, user), lifetimeS: door.tokenLifetimeS })
      return { success: true, user: encodeAccount(user) }
    })

    app.post('/logout', { schema: { hide: true } }, async (request, reply) => {
      await closeLogins(door, request)
      setCookies(door, request, reply, { value: '', lifetimeS: 0 })
      return { success: true }
    })
  }
}

interface Token {
  value: string
  lifetimeS: number
}

/** The same token for both contracts that sign in here (A10). */
function setCookies(door: Door, request: FastifyRequest, reply: FastifyReply, { value, lifetimeS }: Token): void {
  const secure = door.http.proxies.isSecure(request.raw) ? '; Secure' : ''
  const rest = `Path=/; Max-Age=${lifetimeS}; HttpOnly; SameSite=Lax${secure}`
  void reply.header(
    'set-cookie',
    accountCookies.map((name) => `${name}=${value}; ${rest}`),
  )
}

/** Madang has no permissions beside membership; the front end's list of them stays empty. */
const permissions: string[] = []

export const accountRoutes: FastifyPluginAsyncZod = async (app) => {
  app.get('/me', { schema: { hide: true } }, async (request) => ({ user: encodeAccount(userOf(visitorOf(request))) }))
  app.get('/permissions', { schema: { hide: true } }, async () => ({ success: true, permissions }))
}
