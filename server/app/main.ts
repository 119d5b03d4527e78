/** Starts Madang: settings, database, doors; stops it at SIGTERM or SIGINT without losing anything. */
import { Command } from 'commander'
import { createMemoryBus } from '../bus/memory/memory-bus.ts'
import { openEmbeddedStorage, openPostgresStorage } from '../storage/postgres/index.ts'
import type { Storage } from '../storage/storage.ts'
import { systemClock } from './clock.ts'
import { openApp, type App } from './compose.ts'
import { ConfigError, parseConfig, type Config } from './config.ts'
import { createLog, type Log } from './log.ts'

/** A stop that takes longer than this is ended anyway. */
const stopDeadlineMs = 20_000

const program = new Command('madang')
  .description('One chat server that speaks five existing chat contracts. Settings are environment variables: docs/operations.md')
  .option('--development', 'for trying out: loopback only, embedded database, identities in requests are believed')
  .action(({ development = false }: { development?: boolean }) => main(development))

await program.parseAsync()

async function main(isDevelopment: boolean): Promise<void> {
  const config = readConfig(isDevelopment)
  const log = createLog(config.logLevel)
  const storage = await orEnd('cannot open the database', openStorage(config, log))
  await orEnd('cannot use this database', checkMode(storage, isDevelopment))
  const bus = createMemoryBus().connect()
  const app = await orEnd('cannot start', openApp({ config, storage, bus, clock: systemClock, log }))
  const ports = await orEnd('cannot listen', app.listen())
  announce(config, ports, log)
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void stop(signal, { app, storage, log }))
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

async function orEnd<T>(what: string, attempt: Promise<T>): Promise<T> {
  try {
    return await attempt
  } catch (error) {
    process.stderr.write(`Madang ${what}: ${error instanceof Error ? error.message : String(error)}\n`)
    process.exit(1)
  }
}

function openStorage(config: Config, log: Log): Promise<Storage> {
  const { databaseUrl, dataDir, messageIdMax } = config
  const onNotice = (text: string) => log.warn(text)
  if (databaseUrl !== null) return openPostgresStorage({ url: databaseUrl, messageIdMax, onNotice })
  return openEmbeddedStorage({ dataDir, messageIdMax, onNotice })
}

/** M1: development marks its database; production refuses one so marked, development one that is production's. */
async function checkMode({ log, directory }: Storage, isDevelopment: boolean): Promise<void> {
  const isMarked = await directory.isDevelopment()
  if (!isDevelopment && isMarked)
    throw new Error('it was made by development mode, where identities are believed; give production one of its own')
  if (!isDevelopment || isMarked) return
  const isFresh = (await log.listJournals(1)).length === 0
  if (!isFresh) throw new Error('it is in production use; give development mode one of its own')
  await directory.markDevelopment()
}

function announce({ isDevelopment, addresses, databaseUrl, dataDir }: Config, ports: number[], log: Log): void {
  const urls = ports.map((port, index) => `http://${addresses[index]!.host}:${port}`)
  log.info('Madang listens', { addresses: urls, database: databaseUrl === null ? `embedded in ${dataDir}` : 'PostgreSQL' })
  if (!isDevelopment) return
  log.warn(
    'DEVELOPMENT MODE: identities named in requests are believed, unknown users and rooms are made up, rate limits are off; loopback only',
  )
  log.info(`Documents: ${urls.at(-1)}/docs and ${urls.at(-1)}/redoc`)
}

async function stop(signal: string, { app, storage, log }: { app: App; storage: Storage; log: Log }): Promise<void> {
  log.info(`${signal}: stopping`)
  setTimeout(() => process.exit(1), stopDeadlineMs).unref()
  await app.close()
  await storage.close()
  log.info('stopped')
  process.exit(0)
}
