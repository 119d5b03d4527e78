/**
 * `/openapi.json`, made from the schemas that check the requests, and two readers of it: `/docs` (Swagger UI) and `/redoc` (G8). Their
 * files are served from here; no request leaves the origin, and the Content-Security-Policy would not let it.
 */
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import fastifySwagger from '@fastify/swagger'
import { createJsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod'
import type { App } from '../../http/server.ts'

/** What the two pages load, by name; `npm run build` copies each into `documents/` beside the bundle. */
export const documentFiles = {
  'swagger-ui.css': '@fastify/swagger-ui/static/swagger-ui.css',
  'swagger-ui-bundle.js': '@fastify/swagger-ui/static/swagger-ui-bundle.js',
  'favicon.png': '@fastify/swagger-ui/static/favicon-32x32.png',
  'redoc.standalone.js': 'redoc/bundles/redoc.standalone.js',
} as const

const types: Record<string, string> = { css: 'text/css; charset=utf-8', js: 'text/javascript; charset=utf-8', png: 'image/png' }

/** Both pages write style elements and draw inline images; Redoc's search would run in a worker that it is not given. */
const contentPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ')

/** Before the routes that the document shall show. */
export async function registerDocuments(app: App): Promise<void> {
  await app.register(fastifySwagger, {
    openapi: documentInfo,
    transform: createJsonSchemaTransform({}),
    transformObject: (document) => tidy(jsonSchemaTransformObject(document) as OpenApi),
  })
  app.get('/openapi.json', hidden, async () => app.swagger())
  for (const [path, page] of Object.entries(pages)) {
    app.get(path, hidden, (_request, reply) =>
      reply.type('text/html; charset=utf-8').header('content-security-policy', contentPolicy).send(page),
    )
  }
  registerFiles(app)
}

interface OpenApi {
  paths?: Record<string, Record<string, { responses?: Record<string, OpenApiAnswer> }>>
  components?: { schemas?: Schemas }
}
type Schemas = Record<string, { description?: string }>
interface OpenApiAnswer {
  description: string
  content?: Record<string, { schema?: { $ref?: string } }>
}

/**
 * Every named schema comes twice, as `X` for answers and `XInput` for requests. What nobody refers to goes, a request's gets its plain
 * name, and an answer without a description takes its schema's.
 */
function tidy(document: OpenApi): OpenApi {
  const { schemas = {} } = document.components ?? {}
  const used = findUsed(document.paths ?? {}, schemas)
  const kept = Object.entries(schemas).filter(([name]) => used.has(name))
  describeAnswers(document, schemas)
  const named = kept.map(([name, schema]) => [name.replace(/Input$/, ''), schema] as const)
  const tidied = { ...document, components: { ...document.components, schemas: Object.fromEntries(named) } }
  return JSON.parse(JSON.stringify(tidied).replaceAll(/(#\/components\/schemas\/\w+?)Input"/g, '$1"')) as OpenApi
}

/** The schemas that some path leads to. */
function findUsed(from: object, schemas: Schemas, used = new Set<string>()): Set<string> {
  for (const [, name] of JSON.stringify(from).matchAll(/#\/components\/schemas\/(\w+)/g)) {
    if (used.has(name!)) continue
    used.add(name!)
    findUsed(schemas[name!] ?? {}, schemas, used)
  }
  return used
}

function describeAnswers({ paths = {} }: OpenApi, schemas: Schemas): void {
  const answers = Object.values(paths).flatMap((methods) =>
    Object.values(methods).flatMap(({ responses = {} }) => Object.values(responses)),
  )
  for (const answer of answers) {
    const name = answer.content?.['application/json']?.schema?.$ref?.split('/').at(-1)
    if (answer.description === 'Default Response' && name) answer.description = schemas[name]?.description ?? 'Done'
  }
}

const hidden = { schema: { hide: true } }

function registerFiles(app: App): void {
  for (const [name, source] of Object.entries(documentFiles)) {
    let bytes: Promise<Buffer> | null = null
    app.get(`/docs/${name}`, hidden, async (_request, reply) => {
      bytes ??= readFile(findFile(name, source)).then(name === 'redoc.standalone.js' ? withoutMark : (read) => read)
      const type = types[name.slice(name.lastIndexOf('.') + 1)]!
      return reply
        .type(type)
        .header('cache-control', 'public, max-age=3600')
        .send(await bytes)
    })
  }
  for (const [name, script] of Object.entries(scripts)) {
    app.get(`/docs/${name}`, hidden, (_request, reply) => reply.type(types.js!).send(script))
  }
}

/** Redoc draws its maker's mark from another origin; an empty image takes its place. */
function withoutMark(bytes: Buffer): Buffer {
  return Buffer.from(
    bytes.toString('utf8').replace('https://cdn.redoc.ly/redoc/logo-mini.svg', 'data:image/gif;base64,R0lGODlhAQABAAAAACw='),
  )
}

/** In production beside the bundle, in development where npm put it. */
function findFile(name: string, source: string): string {
  const copied = fileURLToPath(new URL(`documents/${name}`, import.meta.url))
  return existsSync(copied) ? copied : createRequire(import.meta.url).resolve(source)
}

const scripts = {
  'swagger.js': `SwaggerUIBundle({ url: '/openapi.json', dom_id: '#page', deepLinking: true, validatorUrl: null })\n`,
  'redoc.js': `Redoc.init('/openapi.json', { disableSearch: true, hideLoading: true }, document.getElementById('page'))\n`,
}

function page(title: string, head: string, scriptNames: string[]): string {
  const elements = scriptNames.map((name) => `<script src="/docs/${name}"></script>`).join('\n')
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<link rel="icon" href="/docs/favicon.png">
${head}
</head>
<body>
<div id="page"></div>
${elements}
</body>
</html>
`
}

const pages = {
  '/docs': page('Madang - Swagger UI', '<link rel="stylesheet" href="/docs/swagger-ui.css">', [
    'swagger-ui-bundle.js',
    'swagger.js',
  ]),
  '/redoc': page('Madang - ReDoc', '<style>body { margin: 0 }</style>', ['redoc.standalone.js', 'redoc.js']),
}

const description = `Madang's HTTP interface at its doors \`guild\` and \`feed\`. What goes over a WebSocket is no part of OpenAPI:

- \`/ws/{channel_id}?token=<JWT>\` (guild) receives the channel's messages, each as a MessageResponse, and sends what it is given:
  \`{"content": "..."}\` or plain text. \`&since=\` (empty, or the last cursor seen) asks for cursors.
- \`/ws/chat/{roomId}\` (feed) only receives.`

const documentInfo = {
  openapi: '3.1.0',
  info: { title: 'Madang', version: '0.1.0', description },
  tags: [
    { name: 'auth', description: 'Register and sign in' },
    { name: 'users', description: 'Profiles' },
    { name: 'servers', description: 'Servers: channels that share their members' },
    { name: 'channels', description: 'Channels and their messages' },
    { name: 'feed', description: 'Rooms for a front end that receives over a WebSocket and writes over HTTP' },
  ],
  components: {
    securitySchemes: {
      OAuth2PasswordBearer: {
        type: 'oauth2' as const,
        description: 'A host with a service key sends that as the bearer, and in X-User-Id for whom it acts.',
        flows: { password: { tokenUrl: '/auth/login', scopes: {} } },
      },
    },
  },
}
