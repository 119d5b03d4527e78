/** Puts the house together: storage and bus below, the chat, the doors, one HTTP server in front. */
import type { Bus } from '../bus/bus.ts'
import { openChat, type Chat } from '../core/chat.ts'
import type { Clock } from '../core/clock.ts'
import type { Log } from '../core/log.ts'
import { createLogins } from '../core/logins.ts'
import { createUserNames } from '../core/user-names.ts'
import { registerChatroom, type Chatroom } from '../dialects/chatroom/chatroom.ts'
import { registerFeed } from '../dialects/feed/feed.ts'
import { registerGroupware } from '../dialects/groupware/groupware.ts'
import { registerGuild } from '../dialects/guild/guild.ts'
import type { Door } from '../dialects/door.ts'
import { registerEmbed } from '../dialects/widget/embed.ts'
import { registerWidget } from '../dialects/widget/widget.ts'
import { registerUploads } from '../dialects/uploads.ts'
import type { FileStore } from '../files/file-store.ts'
import { createServiceKeys } from '../http/credentials.ts'
import { createKeeper } from '../http/keeper.ts'
import { createLimit } from '../http/limits.ts'
import { createHttpServer } from '../http/server.ts'
import { createSocketIo } from '../http/socketio.ts'
import { createStreams } from '../http/sse.ts'
import { createProjectTokens, createTokens, sha256Hex } from '../http/tokens.ts'
import { createUpgrades } from '../http/upgrades.ts'
import { createWebSockets } from '../http/websocket.ts'
import type { Registry } from '../registry/registry.ts'
import type { Commit, JournalRecord, Storage } from '../storage/storage.ts'
import type { Config } from './config.ts'
import { createFileKeeping, type FileKeeping } from './file-keeping.ts'
import { registerHealth } from './health.ts'
import { createMessageIdWatch } from './message-ids.ts'
import { createActivity, type Activity } from './log/activity.ts'
import { createMetrics, type Metrics } from './metrics.ts'
import { createPasswords } from './passwords.ts'
import { createUserService } from './user-service.ts'

export interface AppOptions {
  config: Config
  storage: Storage
  files: FileStore
  bus: Bus
  registry: Registry
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
  const { config, log } = options
  const metrics = createMetrics()
  const activity = createActivity(log)
  const fileKeeping = keepFiles(options)
  const chat = await openChat(chatOptions(options, { metrics: metrics.observer, activity, fileKeeping }))
  fileKeeping.start()
  metrics.watch(chat)
  const { http, keeper, upgrades, streams, socketIo } = openKit(options, activity)
  let isStopping = false
  const isServiceKey = createServiceKeys(config.serviceKeys)
  const mayReadMetrics = (token: string | null) => config.isDevelopment || (token !== null && isServiceKey(token))
  const door = openDoor(options, { chat, http, upgrades, streams, socketIo, isServiceKey, metrics })
  const chatroom = await registerDoors(door, options)
  registerHealth(http.app, { chat, metrics, mayReadMetrics, isStopping: () => isStopping })

  async function close(): Promise<void> {
    isStopping = true
    for (const entrance of [upgrades, streams, socketIo]) entrance.stop()
    await Promise.all([keeper.closeAll(1012, 'server restart', closeOverMs), http.close({ graceMs })])
    await chatroom.stop()
    await fileKeeping.stop()
    await chat.close()
    keeper.stop()
  }

  return { chat, listen: () => http.listen(config.addresses), close }
}

/** The transport kit. */
function openKit({ config, clock, log }: AppOptions, activity: Activity) {
  const kitLog = problemLog(log)
  const http = createHttpServer({ log: kitLog, onProblem: activity.onProblem, trustedProxies: config.trustedProxies })
  const keeper = createKeeper({ clock })
  const upgrades = createUpgrades({
    problems: http.problems,
    proxies: http.proxies,
    websockets: createWebSockets({ keeper, log: kitLog }),
    log: kitLog,
  })
  const streams = createStreams({ keeper })
  const socketIo = createSocketIo({ http, upgrades, keeper, log: kitLog })
  http.onUpgrade((request, socket, head) => upgrades.handle(request, socket, head))
  return { http, keeper, upgrades, streams, socketIo }
}

type Parts = Pick<Door, 'chat' | 'http' | 'upgrades' | 'streams' | 'socketIo' | 'isServiceKey'> & { metrics: Metrics }

function openDoor({ config, storage, files, registry, clock, log }: AppOptions, { metrics, ...parts }: Parts): Door {
  const onCheck = (check: Promise<unknown>) => metrics.onTokenCheck(check)
  return {
    ...parts,
    files,
    uploads: config.uploads,
    clock,
    log,
    logins: createLogins({ registry, directory: storage.directory, clock, onCheck }),
    tokens: createTokens({ secret: config.secret, algorithm: config.algorithm, now: () => clock.now() }),
    projectTokens: createProjectTokens(config.projectSecrets, () => clock.now()),
    tokenLifetimeS: config.tokenLifetimeS,
    limits: limitsOf(config, clock),
    allowedOrigins: config.allowedOrigins,
    cookieOrigins: config.cookieOrigins,
    timeZone: config.timeZone,
    historyMax: config.historyMax,
  }
}

async function registerDoors(door: Door, { config, storage, registry, clock, log }: AppOptions): Promise<Chatroom> {
  await registerGuild(door)
  registerFeed(door)
  registerGroupware(door)
  registerWidget(door)
  registerEmbed(door)
  registerUploads(door)
  const { userServiceUrl: url } = config
  const findName = url === null ? null : createUserService({ url, clock, onNotice: (text) => log.warn(text) })
  const names = createUserNames(findName, clock)
  return registerChatroom(door, { stores: { registry, log: storage.log }, names, idleMs: config.roomIdleMs })
}

function keepFiles({ config, storage, files, clock, log }: AppOptions): FileKeeping {
  const isAlone = config.databaseUrl === null
  return createFileKeeping({ files, log: storage.log, clock, isAlone, warn: (text) => log.warn(text) })
}

interface Observers {
  metrics: ReturnType<typeof createMetrics>['observer']
  activity: Activity
  fileKeeping: FileKeeping
}

function chatOptions({ config, storage, bus, clock, log }: AppOptions, { metrics, activity, fileKeeping }: Observers) {
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
        metrics.onCommit(commit, how)
        watchIds(commit)
      },
      onFanOut: metrics.onFanOut.bind(metrics),
      onTrouble: (text: string, error?: unknown) => (error === undefined ? log.warn(text) : log.error(text, { error })),
      onEvents: activity.onEvents,
      onEnter: activity.onEnter,
      onLeave: activity.onLeave,
      onJournal(opened: JournalRecord) {
        activity.onJournal(opened)
        fileKeeping.adopt(opened)
      },
      onDetached: (urls: string[]) => fileKeeping.forget(urls),
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

/** The kit knows nobody whom a line could be about. */
function problemLog(log: Log) {
  return {
    warn: (text: string, error?: unknown) => log.warn(text, { error }),
    error: (text: string, error?: unknown) => log.error(text, { error }),
  }
}
