/**
 * Connections to one database: a lane of them for reads and the directory, and one for appends, so that a full lane of readers
 * does not stop writing.
 */
import pg from 'pg'
import { StorageUnavailable } from '../storage.ts'
import { isConnectionSuspect, isPlanStale, messageOf, TimedOut } from './errors.ts'
import type { Turns } from './turns.ts'

export interface LaneOptions {
  config: pg.PoolConfig
  /** How many connections it opens at most. */
  size: number
  /** How long a query may wait for a connection, ms. */
  waitMs: number
  /** How long a query may take, ms; then its connection is thrown away. */
  queryMs: number
  /** Hears of a connection that broke while nobody used it. */
  onNotice: (text: string) => void
  /** Whether the database keeps prepared statements per connection; PGlite is one backend for all of its clients. */
  keepsStatements?: boolean
  /** Where the database takes one client at a time (PGlite). */
  turns?: { turns: Turns; urgent: boolean }
}

const INT8 = 20

/** Our bigints are all below 2^53. */
const types = new pg.TypeOverrides()
types.setTypeParser(INT8, Number)

/** A connection that is ours until it is released. */
export class Connection {
  readonly #client: pg.PoolClient
  readonly #options: LaneOptions
  readonly #onRelease: () => void
  #broken = false

  constructor(client: pg.PoolClient, options: LaneOptions, onRelease: () => void) {
    this.#client = client
    this.#options = options
    this.#onRelease = onRelease
  }

  /** `name` is for a statement that comes often: where it can be, it is parsed once per connection. Throws TimedOut, or what pg throws. */
  async query<Row extends pg.QueryResultRow>(
    text: string,
    values: readonly unknown[] = [],
    name?: string,
  ): Promise<pg.QueryResult<Row>> {
    const { queryMs, keepsStatements = false } = this.#options
    const { timeout, cancel } = timer(queryMs)
    const query = { text, values: [...values], ...(keepsStatements && name !== undefined && { name }) }
    try {
      return await Promise.race([this.#client.query<Row>(query), timeout])
    } catch (error) {
      // Nor must another query wait behind one that timed out and is still running.
      this.#broken ||= isConnectionSuspect(error) || isPlanStale(error)
      if (name !== undefined && isPlanStale(error)) return await this.query(text, values)
      throw error
    } finally {
      cancel()
    }
  }

  release(): void {
    this.#client.release(this.#broken)
    this.#onRelease()
  }
}

export class Lane {
  readonly #pool: pg.Pool
  readonly #options: LaneOptions

  constructor(options: LaneOptions) {
    this.#options = options
    this.#pool = new pg.Pool({
      ...options.config,
      types,
      max: options.size,
      connectionTimeoutMillis: options.waitMs,
    })
    // Without these two, a connection that breaks would end the process.
    this.#pool.on('error', (error) => options.onNotice(`lost an idle connection to the database: ${error.message}`))
    this.#pool.on('connect', (client) => client.on('error', () => undefined))
  }

  /** Throws StorageUnavailable where no connection is to be had in time. */
  async connect(): Promise<Connection> {
    const { turns, waitMs } = this.#options
    const giveBack = (await turns?.turns.take(turns.urgent, waitMs)) ?? (() => undefined)
    try {
      return new Connection(await this.#pool.connect(), this.#options, giveBack)
    } catch (error) {
      giveBack()
      throw new StorageUnavailable(`no connection to the database: ${messageOf(error)}`, { cause: error })
    }
  }

  async end(): Promise<void> {
    await this.#pool.end()
  }
}

function timer(ms: number): { timeout: Promise<never>; cancel: () => void } {
  let handle: NodeJS.Timeout | undefined
  const timeout = new Promise<never>((_, reject) => {
    handle = setTimeout(() => reject(new TimedOut(`no answer in ${ms} ms`)), ms)
  })
  return { timeout, cancel: () => clearTimeout(handle) }
}
