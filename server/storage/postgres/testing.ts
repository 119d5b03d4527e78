/** Databases for tests: PGlite in a directory of its own, a schema of its own on the server of TEST_DATABASE_URL. */
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { describe, it } from 'vitest'
import type { ContractStorage, OpenOptions, OpenStorage } from '../storage.contract.ts'
import type { Storage } from '../storage.ts'
import { openEmbeddedStorage, openPostgresStorage } from './index.ts'
import { DATABASE, WorkerKeeper } from './keeper.ts'

const serverUrl = process.env['TEST_DATABASE_URL'] ?? ''

/** Without a server the tests are skipped by name; where CI is set, their absence is a failure. */
export function describeServer(name: string, tests: () => void): void {
  if (serverUrl !== '') describe(name, tests)
  else if (process.env['CI'] === 'true')
    // A test that fails says more than a suite that throws.
    it(`${name}: TEST_DATABASE_URL names a server`, () => {
      throw new Error('it is not set')
    })
  else
    describe.skip(`${name}: TEST_DATABASE_URL is not set`, () => {
      it('needs a server')
    })
}

export async function makeDataDir(): Promise<{ dataDir: string; remove: () => Promise<void> }> {
  const dataDir = await mkdtemp(join(tmpdir(), 'madang-'))
  return { dataDir, remove: () => rm(dataDir, { recursive: true, force: true }) }
}

/** As `makeDataDir`, with what PGlite makes there at its first start, which takes it seconds: a copy, without anything of ours. */
export async function makeStartedDir(): ReturnType<typeof makeDataDir> {
  const made = await makeDataDir()
  await cp(await findStarted(), join(made.dataDir, DATABASE), { recursive: true })
  return made
}

const cache = fileURLToPath(new URL('../../../node_modules/.cache/madang', import.meta.url))

/** Made once per version of PGlite. */
async function findStarted(): Promise<string> {
  const main = createRequire(import.meta.url).resolve('@electric-sql/pglite')
  const { version } = JSON.parse(await readFile(join(dirname(main), '../package.json'), 'utf8')) as { version: string }
  const started = join(cache, `pglite-${version}`)
  if (!existsSync(started)) await makeStarted(started)
  return started
}

/** Beside others that do the same: the first one's stays. */
async function makeStarted(started: string): Promise<void> {
  const { dataDir, remove } = await makeDataDir()
  const keeper = new WorkerKeeper(dataDir, () => undefined)
  await keeper.start()
  await keeper.stop()
  await mkdir(cache, { recursive: true })
  const own = await mkdtemp(`${started}-`)
  await cp(join(dataDir, DATABASE), own, { recursive: true })
  await rename(own, started).catch(() => rm(own, { recursive: true }))
  await remove()
}

/**
 * One embedded database for many tests, emptied for each, as making one takes seconds. Other options get one of their own. It
 * has one process, so `second` is the same storage.
 */
export function shareEmbedded(): { open: OpenStorage; close: () => Promise<void> } {
  let shared: Promise<Embedded> | null = null
  return {
    open: async (options) => {
      if (options !== undefined) return contractOver(await makeEmbedded(options))
      const embedded = await (shared ??= makeEmbedded({}))
      await run(embedded.config, EMPTY)
      return { ...contractOver(embedded), close: async () => undefined }
    },
    close: async () => (await shared)?.close(),
  }
}

interface Embedded {
  storage: Storage
  config: pg.ClientConfig
  close: () => Promise<void>
}

async function makeEmbedded(options: OpenOptions): Promise<Embedded> {
  const { dataDir, remove } = await makeStartedDir()
  const storage = await openEmbeddedStorage({ dataDir, ...options })
  const close = async () => {
    await storage.close()
    await remove()
  }
  return { storage, config: { host: dataDir, user: 'postgres', database: 'postgres' }, close }
}

function contractOver({ storage, config, close }: Embedded): ContractStorage {
  return { storage, second: async () => storage, moveClock: (ms) => moveClock(config, ms), close }
}

const EMPTY = `
  truncate settings, journals, commits, spaces, space_members, rooms, members, log, attachments, reactions, client_keys, search_texts, search_progress, users, departments, revoked_tokens, logins, registry_records, registry_leases restart identity;
  update counters set value = 0;
  create table if not exists test_clock (moved bigint not null);
  truncate test_clock;
`

export interface Schema {
  /** Of the server, with the schema as its search path. */
  url: string
  drop: () => Promise<void>
}

export async function makeSchema(): Promise<Schema> {
  const name = `madang_test_${randomBytes(6).toString('hex')}`
  await run({ connectionString: serverUrl }, `create schema ${name}`)
  const url = new URL(serverUrl)
  url.searchParams.set('options', `-c search_path=${name}`)
  // By this a test tells its own connections from those of tests beside it.
  url.searchParams.set('application_name', name)
  return { url: url.href, drop: () => run({ connectionString: serverUrl }, `drop schema ${name} cascade`) }
}

/** A database of its own; `how` goes behind CREATE DATABASE. */
export async function makeDatabase(how: string): Promise<Schema> {
  const name = `madang_test_${randomBytes(6).toString('hex')}`
  await run({ connectionString: serverUrl }, `create database ${name} ${how}`)
  const url = new URL(serverUrl)
  url.pathname = `/${name}`
  return { url: url.href, drop: () => run({ connectionString: serverUrl }, `drop database ${name} with (force)`) }
}

export async function openServer(options: OpenOptions = {}): Promise<ContractStorage> {
  const { url, drop } = await makeSchema()
  const opened: Storage[] = []
  const open = async () => {
    const storage = await openPostgresStorage({ url, ...options })
    opened.push(storage)
    return storage
  }
  return {
    storage: await open(),
    second: open,
    moveClock: (ms) => moveClock({ connectionString: url }, ms),
    close: async () => {
      await Promise.all(opened.map((storage) => storage.close()))
      await drop()
    },
  }
}

/** All times come from one function. */
async function moveClock(config: pg.ClientConfig, ms: number): Promise<void> {
  await run(
    config,
    `
    create table if not exists test_clock (moved bigint not null);
    insert into test_clock values (${Math.round(ms)});
    create or replace function madang_now() returns bigint language plpgsql as $$
    begin
      return floor(extract(epoch from clock_timestamp()) * 1000)::bigint + (select coalesce(sum(moved), 0) from test_clock)::bigint;
    end $$`,
  )
}

async function run(config: pg.ClientConfig, sql: string): Promise<void> {
  const client = new pg.Client(config)
  await client.connect()
  try {
    await client.query(sql)
  } finally {
    await client.end()
  }
}
