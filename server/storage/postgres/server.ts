/** A PostgreSQL server, 14 or newer, shared by any number of nodes. */
import type pg from 'pg'
import type { Storage } from '../storage.ts'
import { assembleStorage } from './assemble.ts'
import type { LaneOptions } from './pool.ts'

export interface PostgresOptions {
  /** `postgres://user:password@host:port/database`. */
  url: string
  /** Connections for reads and the directory; 10. Appends have two of their own. */
  poolSize?: number
  /** The largest message id to give out (A2); 2147483647. */
  messageIdMax?: number
  /** How long a connection may take to be had, ms; 5,000. */
  connectTimeoutMs?: number
  /** How long a statement may take, ms; 10,000. */
  statementTimeoutMs?: number
  /** Hears, for the log, of connections that broke while idle. */
  onNotice?: (text: string) => void
}

/** One for the append in flight, one for when the link of the first hangs. */
const WRITERS = 2
/** The server's own limit comes first, as it also stops the statement; ours is for when the server does not answer. */
const GRACE_MS = 1_000

export function openPostgresStorage(options: PostgresOptions): Promise<Storage> {
  const { url, poolSize = 10, messageIdMax, connectTimeoutMs = 5_000, statementTimeoutMs = 10_000 } = options
  const config: pg.PoolConfig = {
    connectionString: url,
    application_name: 'madang',
    statement_timeout: statementTimeoutMs,
    keepAlive: true,
  }
  const lane = (size: number, more: pg.PoolConfig = {}): LaneOptions => ({
    config: { ...config, ...more },
    size,
    waitMs: connectTimeoutMs,
    queryMs: statementTimeoutMs + GRACE_MS,
    onNotice: options.onNotice ?? (() => undefined),
    keepsStatements: true,
  })
  // A new connection would have to make the plans of madang_append anew.
  const writes = lane(WRITERS, { idleTimeoutMillis: 0 })
  return assembleStorage({ reads: lane(poolSize), writes, messageIdMax, hasAutovacuum: true })
}
