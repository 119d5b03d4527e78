/** Puts the house together: storage and bus below, the chat, the doors, one HTTP server in front. */
import type { Bus } from '../bus/bus.ts'
import { openChat, type Chat } from '../core/chat.ts'
import type { Clock } from '../core/clock.ts'
import { registerFeed } from '../dialects/feed/feed.ts'
import { registerGroupware } from '../dialects/groupware/groupware.ts'
import { registerGuild } from '../dialects/guild/guild.ts'
import type { Door } from '../dialects/door.ts'
import { registerUploads } from '../dialects/uploads.ts'
import type { FileStore } from '../files/file-store.ts'
import { createServiceKeys } from '../http/credentials.ts'
import { createKeeper } from '../http/keeper.ts'
import { createLimit } from '../http/limits.ts'
import { createHttpServer } from '../http/server.ts'
import { createStreams } from '../http/sse.ts'
import { createTokens, sha256Hex } from '../http/tokens.ts'
import { createUpgrades } from '../http/upgrades.ts'
import { createWebSockets } from '../http/websocket.ts'
import type { Commit, JournalRecord, Storage } from '../storage/storage.ts'
import type { Config } from './config.ts'
import { createFileKeeping, type FileKeeping } from './file-keeping.ts'
import { registerHealth } from './health.ts'
import { createMessageIdWatch } from './message-ids.ts'
import type { Log } from './log.ts'
import { createMetrics } from './metrics.ts'
import { createPasswords } from './passwords.ts'

export interface AppOptions {
  config: Config
  storage: Storage
  files: FileStore
  bus: Bus
  clock: Clock
  log: Log
}

export interface App {
  chat: Chat
  /** Resolves with the ports, in the order of the addresses. */
  listen(): Promise<number[]>
  /** Drains: running requests end, live connections are closed (1012), what was submitted is stored. Storage stays open. */
  close(): Promise<void>
}

/** How long running requests may take at a stop. */
const graceMs = 5_000
/** Live connections are closed over this time, so that they do not all come back at once. */
const closeOverMs = 500
const heldBytesMax = 1024 * 1024

export async function openApp(options: AppOptions): Promise<App> {
  const { config, clock, log } = options
  const metrics = createMetrics()
  const fileKeeping = keepFiles(options)
  const chat = await openChat(chatOptions(options, metrics.observer, fileKeeping))
  fileKeeping.start()
  metrics.watch(chat.sessions)
  const http = createHttpServer({ log: problemLog(log), trustedProxies: config.trustedProxies })
  const keeper = createKeeper({ clock })
  const upgrades = createUpgrades({
    problems: http.problems,
    proxies: http.proxies,
    websockets: createWebSockets({ keeper, log: problemLog(log) }),
    log: problemLog(log),
  })
  const streams = createStreams({ keeper })
  http.onUpgrade((request, socket, head) => upgrades.handle(request, socket, head))
  let isStopping = false
  const isServiceKey = createServiceKeys(config.serviceKeys)
  const mayReadMetrics = (token: string | null) => config.isDevelopment || (token !== null && isServiceKey(token))
  const door: Door = {
    chat,
    http,
    upgrades,
    streams,
    files: options.files,
    uploads: config.uploads,
    clock,
    isServiceKey,
    tokens: createTokens({ secret: config.secret, algorithm: config.algorithm, now: () => clock.now() }),
    tokenLifetimeS: config.tokenLifetimeS,
    limits: limitsOf(config, clock),
    allowedOrigins: config.allowedOrigins,
    cookieOrigins: config.cookieOrigins,
    timeZone: config.timeZone,
    historyMax: config.historyMax,
  }
  await registerGuild(door)
  registerFeed(door)
  registerGroupware(door)
  registerUploads(door)
  registerHealth(http.app, { chat, metrics, mayReadMetrics, isStopping: () => isStopping })

  async function close(): Promise<void> {
    isStopping = true
    upgrades.stop()
    streams.stop()
    await Promise.all([keeper.closeAll(1012, 'server restart', closeOverMs), http.close({ graceMs })])
    await fileKeeping.stop()
    await chat.close()
    keeper.stop()
  }

  return { chat, listen: () => http.listen(config.addresses), close }
}

function keepFiles({ config, storage, files, clock, log }: AppOptions): FileKeeping {
  const isAlone = config.databaseUrl === null
  return createFileKeeping({ files, log: storage.log, clock, isAlone, warn: (text) => log.warn(text) })
}

type MetricsObserver = ReturnType<typeof createMetrics>['observer']

function chatOptions({ config, storage, bus, clock, log }: AppOptions, observer: MetricsObserver, files: FileKeeping) {
  const { isDevelopment, isRegistrationOpen, makesHostAccounts, replayMax } = config
  const watchIds = createMessageIdWatch(config.messageIdMax, (text) => log.warn(text))
  return {
    storage,
    bus,
    clock,
    passwords: createPasswords(),
    hash: sha256Hex,
    settings: { isDevelopment, isRegistrationOpen, makesHostAccounts },
    replayMax,
    heldBytesMax,
    observer: {
      onCommit(commit: Commit, how: { entries: number; tookMs: number }) {
        observer.onCommit(commit, how)
        watchIds(commit)
      },
      onFanOut: observer.onFanOut.bind(observer),
      onTrouble: (text: string) => log.warn(text),
      onJournal: (opened: JournalRecord) => files.adopt(opened),
    },
  }
}

function limitsOf({ limits }: Config, clock: Clock): Door['limits'] {
  const now = () => clock.now()
  return {
    login: createLimit(limits.login, now),
    register: createLimit(limits.register, now),
    sends: createLimit(limits.sends, now),
    connects: createLimit(limits.connects, now),
  }
}

/** An error's own text and stack, and nothing of what the request held (A6). */
function problemLog(log: Log) {
  const details = (error: unknown) => (error === undefined ? {} : { error: error instanceof Error ? error.stack : typeof error })
  return {
    warn: (text: string, error?: unknown) => log.warn(text, details(error)),
    error: (text: string, error?: unknown) => log.error(text, details(error)),
  }
}
