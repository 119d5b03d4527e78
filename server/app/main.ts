/** Starts Madang: settings, database, doors; stops it at SIGTERM or SIGINT without losing anything. */
import { Command } from 'commander'
import type { Bus } from '../bus/bus.ts'
import { createMemoryBus } from '../bus/memory/memory-bus.ts'
import type { Log } from '../core/log.ts'
import { createMemoryRegistry } from '../registry/memory/memory-registry.ts'
import type { Registry } from '../registry/registry.ts'
import { openDiskFileStore } from '../files/disk/disk-file-store.ts'
import { openEmbeddedStorage } from '../storage/postgres/embedded.ts'
import type { Storage } from '../storage/storage.ts'
import { systemClock } from './clock.ts'
import type { App } from './compose.ts'
import { ConfigError, parseConfig, type Config } from './config.ts'
import { openLog, type OpenLog } from './log.ts'

/** A stop that takes longer than this is ended anyway. */
const stopDeadlineMs = 20_000

const program = new Command('madang')
  .description('One chat server that speaks five existing chat contracts. Settings are environment variables: docs/operations.md')
  .option('--development', 'for trying out: loopback only, embedded database, identities in requests are believed')
  .action(({ development = false }: { development?: boolean }) => main(development))

await program.parseAsync()

async function main(isDevelopment: boolean): Promise<void> {
  process.once('beforeExit', giveUp)
  const config = readConfig(isDevelopment)
  const log = openLog(config.log, systemClock)
  process.once('uncaughtException', (error) => void endFaulty(error, log))
  // The doors take as long to load as the embedded database takes to open.
  const opening = orEnd(log, 'cannot open the database', openStorage(config, log))
  const [storage, { openApp }] = await Promise.all([opening, import('./compose.ts')])
  await orEnd(log, 'cannot use this database', checkMode(storage, isDevelopment))
  const bus = await openBus(config, log)
  const registry = await openRegistry(config, storage, log)
  const files = await orEnd(log, 'cannot use FILES_DIR', openDiskFileStore(config.filesDir))
  const app = await orEnd(log, 'cannot start', openApp({ config, storage, files, bus, registry, clock: systemClock, log }))
  const organisation = await orEnd(log, 'cannot make the organisation', app.chat.organisation.seedDevelopment())
  const ports = await orEnd(log, 'cannot listen', app.listen())
  announce(config, ports, log)
  if (organisation !== null) log.info(describeOrganisation(organisation))
  let stopping: Promise<void> | undefined
  // npm passes a Ctrl-C on which the terminal has sent us, too: the second one must not cut the stop short.
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.on(signal, () => void (stopping ??= stop(signal, { app, storage, log })))
}

/** We always end by process.exit. Where nothing is left to wait for, what is awaited will never come, and Node would end without a word. */
function giveUp(): void {
  process.stderr.write('Madang cannot go on: it waits for something that nothing is left to bring\n')
  process.exit(1)
}

function readConfig(isDevelopment: boolean): Config {
  try {
    return parseConfig(process.env, isDevelopment)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    process.stderr.write(
      `Madang cannot start with these settings:\n${error.problems.map((problem) => `  ${problem}\n`).join('')}`,
    )
    process.exit(1)
  }
}

async function orEnd<T>(log: OpenLog, what: string, attempt: Promise<T>): Promise<T> {
  try {
    return await attempt
  } catch (error) {
    process.stderr.write(`Madang ${what}: ${error instanceof Error ? error.message : String(error)}\n`)
    await log.close()
    process.exit(1)
  }
}

async function openStorage(config: Config, log: Log): Promise<Storage> {
  const { databaseUrl, dataDir, messageIdMax } = config
  const onNotice = (text: string) => log.warn(text)
  if (databaseUrl !== null) {
    const { openPostgresStorage } = await import('../storage/postgres/server.ts')
    return openPostgresStorage({ url: databaseUrl, messageIdMax, onNotice })
  }
  const onMake = () => log.info(`Making a database in ${dataDir}, which takes some seconds`)
  return openEmbeddedStorage({ dataDir, messageIdMax, onNotice, onMake })
}

/** Redis' client takes longer to load than all the rest: only who needs it waits for it. */
async function openBus({ redisUrl }: Config, log: Log): Promise<Bus> {
  if (redisUrl === null) return createMemoryBus().connect()
  const { openRedisBus } = await import('../bus/redis/redis-bus.ts')
  return openRedisBus({ url: redisUrl, onNotice: (text) => log.warn(text) })
}

/** As the bus, where there is Redis; else the database is the registry (C2). */
async function openRegistry({ redisUrl, tokenKey }: Config, { directory }: Storage, log: Log): Promise<Registry> {
  if (redisUrl === null) return createMemoryRegistry(directory)
  const { createRedisRegistry } = await import('../registry/redis/redis-registry.ts')
  return createRedisRegistry({ url: redisUrl, tokenKey, directory, onNotice: (text) => log.warn(text) })
}

/** M1: development marks its database; production refuses one so marked, development one that is production's. */
async function checkMode({ log, directory }: Storage, isDevelopment: boolean): Promise<void> {
  const isMarked = await directory.isDevelopment()
  if (!isDevelopment && isMarked)
    throw new Error(
      'it was made by development mode, where identities are believed; give production one of its own (DATABASE_URL or DATA_DIR)',
    )
  if (!isDevelopment || isMarked) return
  const isFresh = (await log.listJournals(1)).length === 0
  if (!isFresh) throw new Error('it is in production use; give development mode one of its own (DATABASE_URL or DATA_DIR)')
  await directory.markDevelopment()
}

function announce({ isDevelopment, addresses, databaseUrl, dataDir }: Config, ports: number[], log: Log): void {
  const urls = ports.map((port, index) => `http://${addresses[index]!.host}:${port}`)
  log.info(`Madang listens on ${urls.join(', ')}; database: ${databaseUrl === null ? `embedded in ${dataDir}` : 'PostgreSQL'}`)
  if (!isDevelopment) return
  log.warn(
    'DEVELOPMENT MODE: identities named in requests are believed, unknown users and rooms are made up, rate limits are off; loopback only',
  )
  log.info(`Documents: ${urls.at(-1)}/docs and ${urls.at(-1)}/redoc`)
}

function describeOrganisation({ usernames, password }: { usernames: string[]; password: string }): string {
  return `The organisation of development: sign in as ${usernames.join(', ')}; password: ${password}`
}

interface Running {
  app: App
  storage: Storage
  log: OpenLog
}

async function stop(signal: string, { app, storage, log }: Running): Promise<void> {
  log.info(`${signal}: stopping`)
  // Not unref'd: it may be all that keeps the process while a commit is tried until the database is back.
  setTimeout(() => void endUnfinished(log), stopDeadlineMs)
  await app.close()
  await storage.close()
  log.info('stopped')
  await log.close()
  process.exit(0)
}

async function endUnfinished(log: OpenLog): Promise<void> {
  log.error(`not stopped after ${stopDeadlineMs} ms; what was under way is not settled`)
  await log.close()
  process.exit(1)
}

/** Whatever else runs may be in no state to go on. */
async function endFaulty(error: unknown, log: OpenLog): Promise<void> {
  log.error('Madang ends: an error that nobody caught', { error })
  await log.close()
  process.exit(1)
}
