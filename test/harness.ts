/** A whole server for tests, inside the test's process: over memory storage unless another is given, on a free port. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createMemoryBus } from '../server/bus/memory/memory-bus.ts'
import { systemClock } from '../server/app/clock.ts'
import { openApp, type App } from '../server/app/compose.ts'
import { parseConfig } from '../server/app/config.ts'
import { createLog } from '../server/app/log.ts'
import type { Bus } from '../server/bus/bus.ts'
import type { Clock } from '../server/core/clock.ts'
import type { Log } from '../server/core/log.ts'
import { openDiskFileStore } from '../server/files/disk/disk-file-store.ts'
import type { FileStore } from '../server/files/file-store.ts'
import { createMemoryRegistry } from '../server/registry/memory/memory-registry.ts'
import type { Registry } from '../server/registry/registry.ts'
import { openMemoryStorage } from '../server/storage/memory/memory.ts'
import type { Storage } from '../server/storage/storage.ts'

export const testSecret = 'Zq7-signs-tokens-only-in-this-suite-0123456789'
export const testServiceKey = 'service-key-of-the-test-suite-0123456789abcdef'

export interface ServerOptions {
  /** Development by default. */
  isProduction?: boolean
  /** With development's organisation, as `npm run dev` has it: ten people, who take the first user ids. */
  hasOrganisation?: boolean
  storage?: Storage
  /** Nodes of one database share it; a directory of its own, that goes with the server, unless another is given. */
  files?: FileStore
  bus?: Bus
  /** Over the storage's directory unless another is given. */
  registry?: Registry
  clock?: Clock
  /** In place of `logged`. */
  log?: Log
  /** Settings beside the secret and a service key. */
  env?: Record<string, string>
}

export interface TestServer {
  app: App
  port: number
  /** `http://127.0.0.1:<port>`. */
  url: string
  /** `ws://127.0.0.1:<port>`. */
  wsUrl: string
  /** What was logged of faults and trouble, a line each: not what the chat does, nor who was refused. */
  logged: string[]
  stop(): Promise<void>
}

export async function startServer(options: ServerOptions = {}): Promise<TestServer> {
  const logged: string[] = []
  const env = { PORT: '0', HOST: '127.0.0.1', JWT_SECRET: testSecret, SERVICE_KEYS: testServiceKey, ...options.env }
  const config = parseConfig(env, !options.isProduction)
  const filesDir = await mkdtemp(join(tmpdir(), 'madang-files-'))
  const storage = options.storage ?? openMemoryStorage({ messageIdMax: config.messageIdMax })
  const app = await openApp({
    config,
    files: options.files ?? (await openDiskFileStore(filesDir)),
    storage,
    bus: options.bus ?? createMemoryBus().connect(),
    registry: options.registry ?? createMemoryRegistry(storage.directory),
    clock: options.clock ?? systemClock,
    log: options.log ?? keepLines(logged),
  })
  if (options.hasOrganisation) await app.chat.organisation.seedDevelopment()
  const [port] = await app.listen()
  async function stop(): Promise<void> {
    await app.close()
    await rm(filesDir, { recursive: true, force: true })
  }
  return { app, port: port!, url: `http://127.0.0.1:${port}`, wsUrl: `ws://127.0.0.1:${port}`, logged, stop }
}

function keepLines(lines: string[]): Log {
  return createLog('warn', (level, text, { error } = {}) => {
    if (text === 'Authentication failed.') return
    lines.push(`${level} ${text} ${error instanceof Error ? error.stack : ''}`)
  })
}
