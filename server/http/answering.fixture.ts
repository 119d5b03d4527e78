/** For tests: a server of two dialects with the same routes, and requests to it as bytes. */
import { z } from 'zod'
import { answerPlainGet } from './answering.ts'
import { readForm, readJson, readJsonIfSaid, readRaw } from './bodies.ts'
import { ProblemError } from './problems.ts'
import type { ErrorShape, Problem } from './problems.ts'
import { bodyOf, exchange } from './raw-client.fixture.ts'
import { createHttpServer } from './server.ts'
import type { HttpServer } from './server.ts'

export class OwnError extends Error {}

/** Shows the whole problem, so that a test sees what a dialect would. */
export function shapeFor(name: string, prefix: string): ErrorShape {
  return {
    name,
    owns: (path) => path.startsWith(prefix),
    toAnswer(problem, place) {
      const { error, ...rest } = problem
      if (problem.kind === 'thrown')
        return error instanceof OwnError ? { status: 418, headers: { 'X-Own': 'yes' }, body: { own: error.message } } : null
      return { status: statuses[problem.kind], body: { dialect: name, ...rest, place } }
    },
  }
}

const statuses: Record<Problem['kind'], number> = {
  not_found: 404,
  method_not_allowed: 405,
  bad_request: 400,
  bad_body: 400,
  bad_encoding: 400,
  too_large: 413,
  unsupported: 415,
  validation: 422,
  upgrade_required: 426,
  too_many: 429,
  unavailable: 503,
  thrown: 500,
  internal: 500,
}

interface TwoDialects {
  server: HttpServer
  port: number
  /** Texts and errors, in turn. */
  logged: unknown[]
}

/** Two dialects, `/a` and `/b`, with the same routes. */
export async function openTwoDialects(): Promise<TwoDialects> {
  const logged: unknown[] = []
  const server = createHttpServer({ log: { warn: () => {}, error: (text, error) => void logged.push(text, error) } })
  for (const name of ['a', 'b']) {
    server.problems.register(shapeFor(name, `/${name}`))
    addRoutes(server, `/${name}`)
  }
  const [port] = await server.listen([{ host: '127.0.0.1', port: 0 }])
  return { server, port: port as number, logged }
}

function addRoutes({ app }: HttpServer, prefix: string): void {
  const body = z.object({ name: z.string(), list: z.array(z.number()).optional() })
  app.post(`${prefix}/echo`, { config: { readBody: readJson } }, async (request) => ({ got: request.body ?? null }))
  app.post(`${prefix}/said`, { config: { readBody: readJsonIfSaid } }, async (request) => ({ got: request.body ?? null }))
  app.post(`${prefix}/form`, { config: { readBody: readForm } }, async (request) => ({ got: request.body ?? null }))
  app.post(`${prefix}/raw`, { config: { readBody: readRaw } }, async (request) => ({
    got: (request.body as Buffer).toString('hex'),
  }))
  app.post(`${prefix}/checked`, { schema: { body } }, async (request) => ({ got: request.body.name }))
  app.get(
    `${prefix}/items/:id`,
    {
      schema: {
        params: z.object({ id: z.coerce.number() }),
        querystring: z.object({ limit: z.coerce.number().max(100).default(50) }),
      },
    },
    async (request) => request.query.limit,
  )
  app.delete(`${prefix}/items/:id`, async (request) => ({ got: request.body ?? null }))
  app.get(`${prefix}/own`, async () => {
    throw new OwnError('mine')
  })
  app.get(`${prefix}/bug`, async () => {
    throw new Error('SELECT password FROM users')
  })
  app.get(`${prefix}/nothing`, async () => {
    throw null
  })
  app.get(`${prefix}/busy`, async () => {
    throw new ProblemError({ kind: 'too_many', retryAfterS: 7 })
  })
  app.get(`${prefix}/ws/:id`, answerPlainGet)
}

export function ask(
  port: number,
  method: string,
  path: string,
  options: { body?: string | Buffer; headers?: Record<string, string> } = {},
): Promise<string> {
  const body = Buffer.from(options.body ?? '')
  const headers = {
    Host: 'x',
    Connection: 'close',
    ...(body.length > 0 ? { 'Content-Length': String(body.length) } : {}),
    ...options.headers,
  }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
  return exchange(port, Buffer.concat([Buffer.from(`${method} ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`), body]))
}

export function jsonOf(answer: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(bodyOf(answer), 'latin1').toString()) as Record<string, unknown>
}
