/**
 * The embed (W7): `/widget.js`, which hosts put on their pages, the panel that it opens in a frame, and in development two sites to try
 * it on at `/widget/demo`.
 */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Door } from '../door.ts'
import { createWebFiles, readWebFiles, type WebFile, type WebFiles } from './embed-files.ts'

/** The address that hosts write has no version in it, so browsers look for a new one after this time. */
const loaderCache = 'public, max-age=600'
/** It names the assets, whose names change with their bytes. */
const panelCache = 'no-cache'
const assetCache = 'public, max-age=31536000, immutable'

const hidden = { schema: { hide: true } }
const demoDirectory = fileURLToPath(new URL('../../../web/demo', import.meta.url))

/** Before the server listens. */
export function registerEmbed(door: Door): void {
  const { app } = door.http
  const findFiles = createWebFiles()
  const policy = panelPolicy(door.allowedOrigins)

  app.get('/widget.js', hidden, async (request, reply) => {
    // A page under COEP loads foreign scripts only with this.
    reply.header('cross-origin-resource-policy', 'cross-origin').header('cache-control', loaderCache)
    return answer(request, reply, (await findFiles()).get('widget.js'))
  })
  app.get('/widget/panel', hidden, async (request, reply) => {
    reply.header('content-security-policy', policy).header('cache-control', panelCache)
    return answer(request, reply, (await findFiles()).get('index.html'))
  })
  app.get<{ Params: { name: string } }>('/widget/assets/:name', hidden, async (request, reply) => {
    const file = (await findFiles()).get(`assets/${request.params.name}`)
    if (file !== undefined) reply.header('cache-control', assetCache)
    return answer(request, reply, file)
  })
  if (door.chat.settings.isDevelopment && existsSync(demoDirectory)) registerDemo(door)
}

function answer(request: FastifyRequest, reply: FastifyReply, file: WebFile | undefined): FastifyReply | void {
  if (file === undefined) return reply.callNotFound()
  reply.header('etag', file.etag).header('vary', 'accept-encoding')
  if (request.headers['if-none-match'] === file.etag) return reply.code(304).send()
  const isGzipped = /\bgzip\b/.test(String(request.headers['accept-encoding']))
  if (isGzipped) reply.header('content-encoding', 'gzip')
  return reply.type(file.type).send(isGzipped ? file.gzipped : file.bytes)
}

/** Nothing leaves the origin but for avatars; who may show the panel is `ALLOWED_ORIGINS` (W6), and ourselves. */
function panelPolicy(allowedOrigins: string[] | null): string {
  return [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    'img-src https:',
    "base-uri 'none'",
    "form-action 'none'",
    "require-trusted-types-for 'script'",
    `frame-ancestors ${allowedOrigins === null ? '*' : ["'self'", ...allowedOrigins].join(' ')}`,
  ].join('; ')
}

/** Read anew for each request, so that they can be worked on. */
function registerDemo({ http }: Door): void {
  const find = async (name: string): Promise<WebFile | undefined> => (await readDemo()).get(name)
  http.app.get('/widget/demo', hidden, async (request, reply) => answer(request, reply, await find('index.html')))
  http.app.get<{ Params: { name: string } }>('/widget/demo/:name', hidden, async (request, reply) =>
    answer(request, reply, await find(request.params.name)),
  )
}

function readDemo(): Promise<WebFiles> {
  return readWebFiles(demoDirectory)
}
