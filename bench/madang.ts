/** Madang, started as anybody would start it: with a `guild` channel and its members, made over HTTP, or with visitors of the `widget` door. */
import { execFileSync } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { decodeJwt, SignJWT, type JWTPayload } from 'jose'
import { pinThreads } from './machine.ts'
import { answersOk, findFreePort, makeDirectory, startChild, waitFor, type Child } from './processes.ts'
import type { Context, Engine, OpenSubject, Room } from './context.ts'

const root = join(import.meta.dirname, '..')
const main = join(root, 'server/app/main.ts')

/** `built` is what runs in production; `source` is what `npm run dev` runs. Development: idle `feed` sockets name themselves (M2). */
const commands = {
  built: [process.execPath, join(root, 'dist/main.js'), '--development'],
  source: [process.execPath, '--import', 'tsx', main, '--development'],
}

const secret = 'a-secret-of-the-bench-that-opens-nothing-else'
const serviceKey = 'a-service-key-of-the-bench-alone'
const atOnce = 16
/** Behind those whom development makes by itself. */
export const firstUserId = 1_000
/** A room of 15,000 would measure its own presence: each arrival is told to all who are there. */
const idleMembersPerRoom = 100
/** Idle visitors are people of their own, so there are as many tokens as sockets at most. */
const idleVisitors = 15_000

export interface MadangServer {
  child: Child
  port: number
  /** From the start of the process to the first answer of /readyz. */
  startMs: number
}

export function hasMadang(): boolean {
  return existsSync(main)
}

/** Throws where it cannot be built. */
export function buildMadang(): void {
  execFileSync('npm', ['run', 'build'], { cwd: root, stdio: 'pipe' })
}

interface Start {
  engine: Engine
  /** Where its database is: an address, or a directory for the embedded one. */
  place: string
  from?: keyof typeof commands
  redisUrl?: string | undefined
}

export async function startMadang(context: Context, { engine, place, from = 'built', redisUrl }: Start): Promise<MadangServer> {
  const port = await findFreePort()
  const database = engine === 'postgres' ? { DATABASE_URL: place, DATA_DIR: makeDirectory('data') } : { DATA_DIR: place }
  const redis: Record<string, string> = redisUrl === undefined ? {} : { REDIS_URL: redisUrl }
  const secrets = { JWT_SECRET: secret, SERVICE_KEYS: serviceKey }
  const env = { ...database, ...redis, ...secrets, PORT: String(port), LOG_LEVEL: 'warn', NODE_ENV: 'production' }
  const { server, load } = context.cores
  // The embedded database is a thread of the server's process and gets the core that PostgreSQL would have.
  const cores = engine === 'embedded' && load !== server ? `${load},${server}` : server
  const startedAt = performance.now()
  const child = startChild(commands[from], { name: `madang-${engine}`, cores, env })
  await waitFor(child, () => answersOk(`http://127.0.0.1:${port}/readyz`), 30_000)
  const startMs = performance.now() - startedAt
  if (engine === 'embedded') pinThreads(child.pid, context.cores)
  return { child, port, startMs }
}

export async function openMadang(context: Context, room: Room): Promise<OpenSubject> {
  const start = { engine: room.engine, place: await placeOf(context, room.engine), redisUrl: room.redisUrl }
  const { child, port } = await startMadang(context, start)
  try {
    const userIds = Array.from({ length: room.members }, (_, i) => firstUserId + i)
    const tokens = await Promise.all(userIds.map((userId) => signToken(userId)))
    const origin = `http://127.0.0.1:${port}`
    const channelId = await makeChannel(origin, tokens)
    // `feed` wants to be told the user's id, too.
    const tokensFile = writeTokens(tokens.map((token, i) => `${token}&user_id=${userIds[i]}`))
    const bind = () => bindAll(origin, channelId, tokens)
    return { ...opened(child, port), path: `/ws/${channelId}?token=%t`, tokensFile, bind, database: start.place }
  } catch (error) {
    await child.stop()
    throw error
  }
}

/** For sockets that only listen. */
export async function openMadangFeed(context: Context, { engine }: Room): Promise<OpenSubject> {
  const { child, port } = await startMadang(context, { engine, place: await placeOf(context, engine) })
  return { ...opened(child, port), path: '/ws/chat/%r?user_id=%d', membersPerRoom: idleMembersPerRoom }
}

/** Visitors of one project, all on its page. */
export async function openMadangWidget(context: Context, { engine, members }: Room): Promise<OpenSubject> {
  const visitors = Array.from({ length: members || idleVisitors }, (_, i) => ({ username: `visitor${i}`, projectId: 'bench' }))
  const tokensFile = writeTokens(await Promise.all(visitors.map(sign)))
  const { child, port } = await startMadang(context, { engine, place: await placeOf(context, engine) })
  return {
    ...opened(child, port),
    path: '/socket.io/?EIO=4&transport=websocket',
    format: '42["chat message","%s"]',
    isSocketIo: true,
    auth: '{"token":"%t"}',
    tokensFile,
  }
}

function writeTokens(lines: string[]): string {
  const file = join(makeDirectory('tokens'), 'tokens')
  writeFileSync(file, lines.join('\n'))
  return file
}

function opened(child: Child, port: number): OpenSubject {
  const format = '{"content":"%s"}'
  return { pid: child.pid, port, path: '', format, isSocketIo: false, membersPerRoom: 1, close: () => child.stop() }
}

async function placeOf(context: Context, engine: Engine): Promise<string> {
  if (engine === 'embedded') return makeDirectory('data')
  if (context.postgres === undefined) throw new Error('there is no PostgreSQL')
  return context.postgres.createDatabase()
}

/** The account is made on first touch (A9), which spares a thousand password hashes. */
export function signToken(userId: number): Promise<string> {
  return sign({ username: `bench${userId}`, id: userId })
}

function sign(claims: JWTPayload): Promise<string> {
  return new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).setExpirationTime('2h').sign(new TextEncoder().encode(secret))
}

async function makeChannel(origin: string, tokens: string[]): Promise<number> {
  const [owner = '', ...others] = tokens
  const server = await post(origin, '/servers/', owner, { name: 'bench' })
  const channel = await post(origin, '/channels/', owner, { name: 'bench', server_id: server.id })
  await forEach(others, (token) => post(origin, `/servers/${server.id}/join`, token, {}))
  return channel.id
}

/** `/chat` takes only tokens that the registry has, ours as a host's login server would enter them. */
function bindAll(origin: string, roomId: number, tokens: string[]): Promise<void> {
  return forEach(tokens, async (token) => {
    await post(origin, '/api/auth/tokens', serviceKey, { token })
    await post(origin, `/api/chatrooms/${roomId}/connect`, token, { userId: decodeJwt(token)['username'] })
  })
}

async function forEach(tokens: string[], act: (token: string) => Promise<unknown>): Promise<void> {
  const left = [...tokens]
  const inTurn = async () => {
    for (let token = left.pop(); token !== undefined; token = left.pop()) await act(token)
  }
  await Promise.all(Array.from({ length: atOnce }, inTurn))
}

async function post(origin: string, path: string, token: string, body: object): Promise<{ id: number }> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  const answer = await fetch(origin + path, { method: 'POST', headers, body: JSON.stringify(body) })
  const text = await answer.text()
  if (!answer.ok) throw new Error(`POST ${path}: ${answer.status} ${text}`)
  return JSON.parse(text) as { id: number }
}
