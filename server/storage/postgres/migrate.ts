/**
 * Brings a database up to date. Several nodes may start at once: one migrates, the others wait for its transaction's end. Not
 * kysely's Migrator: its lock belongs to the session, of which PGlite has one for all, and is given back before the commit.
 */
import { isRetryable } from './errors.ts'
import type { Connection, Lane } from './pool.ts'
import { migrations } from './migrations/index.ts'

/** Any number, the same at every node: names the lock. */
export const MIGRATION_LOCK = 7_234_562_911
/** A migration locks tables that running nodes append to, in an order of its own. */
const TRIES = 5

/** Throws where the database cannot hold our texts, with what to do about it. */
export async function prepare(lane: Lane): Promise<void> {
  const connection = await lane.connect()
  try {
    await checkDatabase(connection)
    await migrate(connection)
  } finally {
    connection.release()
  }
}

interface DatabaseTraits {
  encoding: string
  lower: string
  isolation: string
}

async function checkDatabase(connection: Connection): Promise<void> {
  const { rows } = await connection.query<DatabaseTraits>(
    `select current_setting('server_encoding') as encoding, lower('가힣A') as lower, current_setting('transaction_isolation') as isolation`,
  )
  const [traits] = rows
  if (traits?.encoding !== 'UTF8')
    throw new Error(`the database's encoding is ${traits?.encoding}; Madang needs one made with ENCODING 'UTF8'`)
  if (traits.lower !== '가힣a') {
    throw new Error(
      `the database's locale turns '가힣A' into '${traits.lower}' in lower case; Madang needs one that keeps Hangul, such as C.UTF-8`,
    )
  }
  if (traits.isolation !== 'read committed') {
    throw new Error(`the database's default_transaction_isolation is '${traits.isolation}'; Madang needs 'read committed'`)
  }
}

async function migrate(connection: Connection): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await runPending(connection)
      return
    } catch (error) {
      if (attempt === TRIES || !isRetryable(error)) throw error
    }
  }
}

async function runPending(connection: Connection): Promise<void> {
  if ((await pending(connection)).length === 0) return
  await connection.query('begin')
  try {
    await connection.query('set local statement_timeout = 0')
    await connection.query('select pg_advisory_xact_lock($1)', [MIGRATION_LOCK])
    await connection.query('create table if not exists migrations (name text primary key, at timestamptz not null default now())')
    for (const { name, sql } of await pending(connection)) {
      await connection.query(sql)
      await connection.query('insert into migrations (name) values ($1)', [name])
    }
    await connection.query('commit')
  } catch (error) {
    await connection.query('rollback').catch(() => undefined)
    throw error
  }
}

async function pending(connection: Connection): Promise<typeof migrations> {
  const { rows } = await connection.query<{ table: string | null }>(`select to_regclass('migrations')::text as table`)
  if (rows[0]?.table == null) return migrations
  const done = new Set((await connection.query<{ name: string }>('select name from migrations')).rows.map((row) => row.name))
  return migrations.filter((migration) => !done.has(migration.name))
}
