/** Settings: environment variables, checked together, so that all problems with them are told at once. */
import { isIP } from 'node:net'
import { join, resolve } from 'node:path'
import { z } from 'zod'
import { isGuestName } from '../core/texts.ts'
import type { ProjectSecrets } from '../http/tokens.ts'
import type { LogSettings } from './log.ts'
import { logOf, logProblems, logShape } from './log/settings.ts'

export interface Config {
  isDevelopment: boolean
  /** Where to listen; development answers at the documents' own ports unless PORT is set. */
  addresses: { host: string; port: number }[]
  dataDir: string
  /** Attachments; all nodes share it (M1). */
  filesDir: string
  uploads: { fileBytesMax: number; filesMax: number; requestBytesMax: number }
  /** Null: the embedded database. */
  databaseUrl: string | null
  /** Null: no bus between processes. */
  redisUrl: string | null
  /** Where a token stands in Redis (C2). */
  tokenKey: string
  /** How long an empty Room waits before it closes (C10). */
  roomIdleMs: number
  /** A host's service that knows names (C7); null: the users table alone. */
  userServiceUrl: string | null
  secret: string
  algorithm: 'HS256' | 'HS384' | 'HS512'
  /** Of guests' tokens (W6). */
  projectSecrets: ProjectSecrets
  tokenLifetimeS: number
  serviceKeys: string[]
  /** Null: any origin, without credentials (A5). */
  allowedOrigins: string[] | null
  /** Origins whose pages may use a cookie (A5). */
  cookieOrigins: string[]
  trustedProxies: string[]
  limits: { login: string; register: string; sends: string; connects: string }
  isRegistrationOpen: boolean
  makesHostAccounts: boolean
  messageIdMax: number
  replayMax: number
  /** An IANA name. */
  timeZone: string
  historyMax: number
  log: LogSettings
}

/** All that is wrong with the settings, a line each. */
export class ConfigError extends Error {
  override name = 'ConfigError'
  readonly problems: string[]

  constructor(problems: string[]) {
    super(problems.join('\n'))
    this.problems = problems
  }
}

const secretBytes = 32
const developmentSecret = 'madang-development-secret-not-for-production'
/** Printed in documents and tutorials: whoever reads them could sign tokens. */
const wellKnown = [
  'secret',
  'changeme',
  'change-me',
  'your-secret-key',
  'your_jwt_secret',
  'supersecret',
  'development',
  'example',
  'password',
]

const rate = z.string().regex(/^(off|[1-9]\d{0,8}\/[1-9]\d{0,6})$/, 'must be <n>/<seconds> or off')
const list = z.string().transform((text) =>
  text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== ''),
)
const number = (least: number, most: number) => z.coerce.number().int().min(least).max(most)
const onOff = z.enum(['on', 'off']).transform((word) => word === 'on')
const origins = list.refine((all) => all.every(isOrigin), 'must be origins like https://shop.example, separated by commas')
const addresses = list.refine((all) => all.every((one) => isIP(one.split('/')[0]!) !== 0), 'must be IP addresses or networks')

const settings = z.object({
  PORT: number(0, 65_535).optional(),
  HOST: z.string().min(1).optional(),
  DATA_DIR: z.string().min(1).default('data'),
  FILES_DIR: z.string().min(1).optional(),
  FILE_MAX_MB: number(1, 1_000_000).default(150),
  FILES_MAX: number(1, 1000).default(50),
  UPLOAD_MAX_MB: number(1, 1_000_000).default(1024),
  DATABASE_URL: z
    .string()
    .regex(/^postgres(ql)?:\/\//, 'must begin with postgresql://')
    .optional(),
  REDIS_URL: z.string().refine(isRedisUrl, 'must be like redis://:password@host:6379, or rediss:// for TLS').optional(),
  TOKEN_KEY: z
    .string()
    .refine(isTokenKey, 'must hold {sha256}, {token} or {userId}, and no other braces')
    .refine(isForeignKey, 'must begin with a text of its own, like session:, so that no key of it can be one of ours')
    .default('auth:token:{sha256}'),
  ROOM_IDLE_MINUTES: z.coerce.number().positive().max(10_080).default(30),
  USER_SERVICE_URL: z.string().refine(isServiceUrl, 'must begin with http:// or https://, without a query').optional(),
  JWT_SECRET: z.string().optional(),
  SECRET_KEY: z.string().optional(),
  PROJECT_SECRETS: z.string().transform(parseSecrets).optional(),
  ALGORITHM: z.enum(['HS256', 'HS384', 'HS512']).default('HS256'),
  ACCESS_TOKEN_EXPIRE_MINUTES: number(1, 5_256_000).default(30),
  SERVICE_KEYS: list
    .refine((keys) => keys.every((key) => key.length >= secretBytes), `each needs ${secretBytes} characters at least`)
    .default([]),
  ALLOWED_ORIGINS: origins.optional(),
  COOKIE_ORIGINS: origins.default([]),
  TRUSTED_PROXIES: addresses.default([]),
  LIMIT_LOGIN: rate.optional(),
  LIMIT_REGISTER: rate.optional(),
  LIMIT_SENDS: rate.optional(),
  LIMIT_CONNECTS: rate.optional(),
  REGISTRATION: onOff.default(true),
  HOST_ACCOUNTS: onOff.default(true),
  MESSAGE_ID_MAX: number(1, Number.MAX_SAFE_INTEGER).default(2_147_483_647),
  REPLAY_MAX: number(1, 1_000_000).default(10_000),
  TIME_ZONE: z.string().refine(isTimeZone, 'must be a time zone like Asia/Seoul').default('Asia/Seoul'),
  HISTORY_MAX: number(1, 1_000_000).default(5_000),
  ...logShape,
})

/** docs/operations.md lists each. */
export const settingNames = Object.keys(settings.shape)

type Settings = z.infer<typeof settings>

/** An empty variable counts as absent, as compose files write them. Throws ConfigError. */
export function parseConfig(env: Record<string, string | undefined>, isDevelopment: boolean): Config {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''))
  const parsed = settings.safeParse(given)
  const problems = parsed.success ? [] : parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`)
  const secret = given.JWT_SECRET ?? given.SECRET_KEY ?? (isDevelopment ? developmentSecret : undefined)
  if (!isDevelopment) {
    problems.push(...secretProblems('JWT_SECRET', secret))
    for (const [project, own] of ownSecrets(parsed.data?.PROJECT_SECRETS ?? {}))
      problems.push(...secretProblems(`PROJECT_SECRETS.${project}`, own))
  }
  if (isDevelopment && given.HOST !== undefined && !isLoopback(given.HOST))
    problems.push('HOST: development listens on loopback only')
  problems.push(...logProblems(given))
  if (!parsed.success || problems.length > 0) throw new ConfigError(problems)
  return configOf(parsed.data, secret!, isDevelopment)
}

function configOf(from: Settings, secret: string, isDevelopment: boolean): Config {
  const limit = (given: string | undefined, usual: string) => given ?? (isDevelopment ? 'off' : usual)
  return {
    isDevelopment,
    addresses: addressesOf(from, isDevelopment),
    dataDir: resolve(from.DATA_DIR),
    filesDir: resolve(from.FILES_DIR ?? join(from.DATA_DIR, 'files')),
    uploads: uploadsOf(from),
    databaseUrl: from.DATABASE_URL ?? null,
    redisUrl: from.REDIS_URL ?? null,
    tokenKey: from.TOKEN_KEY,
    roomIdleMs: Math.ceil(from.ROOM_IDLE_MINUTES * 60_000),
    userServiceUrl: from.USER_SERVICE_URL ?? null,
    secret,
    algorithm: from.ALGORITHM,
    projectSecrets: projectSecretsOf(from, secret),
    tokenLifetimeS: from.ACCESS_TOKEN_EXPIRE_MINUTES * 60,
    serviceKeys: from.SERVICE_KEYS,
    allowedOrigins: from.ALLOWED_ORIGINS ?? null,
    cookieOrigins: from.COOKIE_ORIGINS,
    trustedProxies: from.TRUSTED_PROXIES,
    limits: {
      login: limit(from.LIMIT_LOGIN, '20/60'),
      register: limit(from.LIMIT_REGISTER, '20/60'),
      sends: limit(from.LIMIT_SENDS, '100/10'),
      connects: limit(from.LIMIT_CONNECTS, '300/60'),
    },
    isRegistrationOpen: from.REGISTRATION,
    makesHostAccounts: from.HOST_ACCOUNTS,
    messageIdMax: from.MESSAGE_ID_MAX,
    replayMax: from.REPLAY_MAX,
    timeZone: from.TIME_ZONE,
    historyMax: from.HISTORY_MAX,
    log: logOf(from),
  }
}

const megabyte = 1024 * 1024

function uploadsOf({ FILE_MAX_MB, FILES_MAX, UPLOAD_MAX_MB }: Settings) {
  return { fileBytesMax: FILE_MAX_MB * megabyte, filesMax: FILES_MAX, requestBytesMax: UPLOAD_MAX_MB * megabyte }
}

/** The documents' own ports (M2): feed, widget and groupware 3000, guild 8000, chatroom 8080. */
function addressesOf({ PORT, HOST }: Settings, isDevelopment: boolean) {
  const ports = PORT !== undefined ? [PORT] : isDevelopment ? [3000, 8000, 8080] : [3000]
  return ports.map((port) => ({ host: HOST ?? (isDevelopment ? '127.0.0.1' : '0.0.0.0'), port }))
}

function secretProblems(name: string, secret: string | undefined): string[] {
  if (secret === undefined) return [`${name}: production needs one of ${secretBytes} bytes at least (try: openssl rand -hex 32)`]
  const problems = []
  if (Buffer.byteLength(secret) < secretBytes) problems.push(`${name}: must have ${secretBytes} bytes at least`)
  if (isWellKnown(secret)) problems.push(`${name}: is a well-known one; make your own (openssl rand -hex 32)`)
  return problems
}

type Secrets = Record<string, unknown>

/** Listed, it says that `JWT_SECRET` opens no project (W6); what stands with it does not matter. */
const allProjects = '*'
const secretsShape = z.record(z.string(), z.unknown())

/** `{"myshop":"..."}`. Never shows what it was given. */
function parseSecrets(text: string, context: z.RefinementCtx): Secrets {
  try {
    const parsed = secretsShape.parse(JSON.parse(text))
    if (ownSecrets(parsed).every(([projectId, secret]) => isGuestName(projectId) && typeof secret === 'string' && secret !== ''))
      return parsed
  } catch {
    // Told below, without the text.
  }
  context.addIssue('must be a JSON object of projects and their secrets, like {"myshop":"..."}')
  return z.NEVER
}

function ownSecrets(secrets: Secrets): [string, string][] {
  return Object.entries(secrets).filter(([projectId]) => projectId !== allProjects) as [string, string][]
}

function projectSecretsOf({ PROJECT_SECRETS = {} }: Settings, secret: string): ProjectSecrets {
  return { listed: new Map(ownSecrets(PROJECT_SECRETS)), shared: allProjects in PROJECT_SECRETS ? null : secret }
}

function isWellKnown(secret: string): boolean {
  const plain = secret.toLowerCase()
  return plain === developmentSecret || new Set(plain).size < 8 || wellKnown.some((word) => plain.includes(word))
}

function isOrigin(text: string): boolean {
  return URL.canParse(text) && new URL(text).origin === text
}

function isRedisUrl(text: string): boolean {
  return /^rediss?:\/\/./.test(text) && URL.canParse(text)
}

/** Of its own for each token, or each user. */
function isTokenKey(text: string): boolean {
  const rest = text.replace(/\{(sha256|token|userId)\}/g, '')
  return rest !== text && !/[{}]/.test(rest)
}

/** Ours begin with `madang:`, and `auth:generation` is one. Of what fills the braces a user chooses his name alone. */
function isForeignKey(text: string): boolean {
  const start = text.slice(0, text.indexOf('{'))
  const isNameNext = text.startsWith('{userId}', start.length)
  if (start.startsWith('madang:') || (isNameNext && 'madang:'.startsWith(start))) return false
  const isNameAlone = isNameNext && !/\{(sha256|token)\}/.test(text)
  const end = text.slice(text.lastIndexOf('}') + 1)
  return !isNameAlone || !'auth:generation'.startsWith(start) || !'auth:generation'.endsWith(end)
}

function isServiceUrl(text: string): boolean {
  return /^https?:\/\/[^?#]+$/.test(text) && URL.canParse(text)
}

function isTimeZone(text: string): boolean {
  try {
    return Boolean(new Intl.DateTimeFormat('en', { timeZone: text }))
  } catch {
    return false
  }
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host)
}
