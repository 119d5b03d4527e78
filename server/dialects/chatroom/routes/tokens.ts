/** `/api/auth/tokens`: a host's own tokens, entered and ended by its back end (C2). */
import { decodeJwt } from 'jose'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { ChatError } from '../../../core/errors.ts'
import type { Claims } from '../../../http/tokens.ts'
import { closeLogin, readToken, type Door } from '../../door.ts'
import { requireHost } from '../auth.ts'
import { encodeTime, tokenBody } from '../wire.ts'

export function tokenRoutes(door: Door): FastifyPluginAsyncZod {
  return async (app) => {
    app.addHook('onRequest', async (request) => requireHost(door, request))

    app.post('/', { schema: { hide: true, body: tokenBody } }, async (request) => {
      const { user, login } = await readToken(door, request.body.token).catch(refuseField)
      await door.logins.enter(login)
      return { userId: user.username, expiresAt: login.expiresAt === null ? null : encodeTime(login.expiresAt) }
    })

    app.delete('/', { schema: { hide: true, body: tokenBody } }, async (request) => {
      const { token } = request.body
      const claims = (await door.tokens.verify(token)) ?? (await verifyProjects(door, token))
      if (claims === null) throw badToken()
      await closeLogin(door, token, claims)
      return { success: true }
    })
  }
}

/** A visitor's, signed with the secret of his project (W6). */
async function verifyProjects(door: Door, token: string): Promise<Claims | null> {
  const projectId = findClaims(token)?.['projectId']
  return typeof projectId === 'string' ? ((await door.projectTokens.find(projectId)?.verify(token)) ?? null) : null
}

function findClaims(token: string): Record<string, unknown> | null {
  try {
    return decodeJwt(token)
  } catch {
    return null
  }
}

/** Here a token is what the request is about and not its credential. */
function refuseField(error: unknown): never {
  throw error instanceof ChatError && error.code === 'bad_credentials' ? badToken() : error
}

function badToken(): ChatError {
  return new ChatError('invalid_field', { field: 'token' })
}
