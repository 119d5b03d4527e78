/** A PostgreSQL of the run's own: made anew, durable (fsync is on), on the load's core, gone afterwards. */
import { execFileSync, spawnSync } from 'node:child_process'
import { chownSync, existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { findFreePort, makeDirectory, startChild, waitFor, type Child } from './processes.ts'

export interface Postgres {
  version: string
  /** An empty database; its address. */
  createDatabase(): Promise<string>
  close(): Promise<void>
}

const debianVersions = '/usr/lib/postgresql'

/** undefined where PostgreSQL is not installed, or where this is root and there is no user `postgres` to run it as. */
export async function openPostgres(cores: string | undefined): Promise<Postgres | undefined> {
  const programs = findPrograms()
  const user = findUser()
  if (programs === undefined || user === 'none') return undefined
  const directory = makeDirectory('postgres')
  if (user !== 'self') chownSync(directory, user.uid, user.gid)
  const asUser = user === 'self' ? {} : user
  const cluster = join(directory, 'data')
  const locale = ['--encoding=UTF8', '--locale=C.UTF-8']
  execFileSync(join(programs, 'initdb'), ['-D', cluster, '-A', 'trust', '-U', 'bench', ...locale], {
    stdio: 'pipe',
    cwd: directory,
    ...asUser,
  })
  const port = await findFreePort()
  const child = startPostgres(join(programs, 'postgres'), { cluster, port, cores, user: user === 'self' ? undefined : user })
  await waitFor(child, () => isReady(port), 20_000)
  await recycleSegments(port)
  return describe(child, port)
}

/** It takes connections before it takes queries. */
function isReady(port: number): Promise<boolean> {
  return query(addressOf(port, 'postgres'), 'SELECT 1').then(
    () => true,
    () => false,
  )
}

function addressOf(port: number, database: string): string {
  return `postgres://bench@127.0.0.1:${port}/${database}`
}

interface Start {
  cluster: string
  port: number
  cores: string | undefined
  user: { uid: number; gid: number } | undefined
}

function startPostgres(program: string, { cluster, port, cores, user }: Start): Child {
  const settings = [
    'listen_addresses=127.0.0.1',
    `port=${port}`,
    `unix_socket_directories=${cluster}`,
    'fsync=on',
    'synchronous_commit=on',
    'shared_buffers=256MB',
    // No checkpoint falls into a counted window.
    'max_wal_size=8GB',
    'checkpoint_timeout=1h',
    'min_wal_size=2GB',
  ]
  const command = [program, '-D', cluster, ...settings.flatMap((setting) => ['-c', setting])]
  return startChild(command, { name: 'postgres', cores, user, stopSignal: 'SIGINT', killSignal: 'SIGQUIT' })
}

const walSegments = 64

/**
 * A database that has run for a while writes into recycled WAL segments; a new one must fill each with zeros first, which stops all
 * writers for 50 ms. So segments are used up and given back before anything is measured.
 */
async function recycleSegments(port: number): Promise<void> {
  const address = addressOf(port, 'postgres')
  const use = "SELECT pg_logical_emit_message(true, 'bench', 'x'); SELECT pg_switch_wal();"
  for (let segment = 0; segment < walSegments; segment++) await query(address, use)
  await query(address, 'CHECKPOINT')
}

async function describe(child: Child, port: number): Promise<Postgres> {
  const { rows } = await query<{ server_version: string }>(addressOf(port, 'postgres'), 'SHOW server_version')
  let databases = 0
  return {
    version: rows[0]?.server_version ?? 'unknown',
    async createDatabase() {
      const name = `bench_${++databases}`
      await query(addressOf(port, 'postgres'), `CREATE DATABASE ${name}`)
      return addressOf(port, name)
    },
    close: () => child.stop(),
  }
}

async function query<Row extends pg.QueryResultRow>(address: string, sql: string): Promise<pg.QueryResult<Row>> {
  const client = new pg.Client({ connectionString: address })
  await client.connect()
  try {
    return await client.query<Row>(sql)
  } finally {
    await client.end()
  }
}

/** The directory of initdb and postgres, the newest version's. */
function findPrograms(): string | undefined {
  const versions = existsSync(debianVersions) ? readdirSync(debianVersions) : []
  const newest = versions.toSorted((a, b) => Number(b) - Number(a)).map((version) => join(debianVersions, version, 'bin'))
  const inPath = (process.env['PATH'] ?? '').split(':')
  return [...newest, ...inPath].find(
    (directory) => existsSync(join(directory, 'initdb')) && existsSync(join(directory, 'postgres')),
  )
}

function findUser(): 'self' | 'none' | { uid: number; gid: number } {
  if (process.getuid?.() !== 0) return 'self'
  const [uid, gid] = ['-u', '-g'].map((flag) => Number(spawnSync('id', [flag, 'postgres'], { encoding: 'utf8' }).stdout || NaN))
  return uid === undefined || gid === undefined || Number.isNaN(uid) ? 'none' : { uid, gid }
}
