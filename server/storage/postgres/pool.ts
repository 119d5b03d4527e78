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
    try {
      return await this.#ask<pg.QueryResult<Row>>({ text, values: [...values] }, name)
    } catch (error) {
      if (name !== undefined && isPlanStale(error)) return await this.query(text, values)
      throw error
    }
  }

  /** The same with the rows as arrays, which takes half as long where they are many. */
  async queryArrays<Row extends unknown[]>(text: string, values: unknown[], name: string): Promise<Row[]> {
    const query = { text, values, rowMode: 'array' as const }
    try {
      return (await this.#ask<pg.QueryArrayResult<Row>>(query, name)).rows
    } catch (error) {
      if (isPlanStale(error)) return (await this.#ask<pg.QueryArrayResult<Row>>(query)).rows
      throw error
    }
  }

  /** By a callback: the promises of pg's own cost more than the rest of a small query. */
  #ask<Result>(query: pg.QueryConfig, name?: string): Promise<Result> {
    const { queryMs, keepsStatements = false } = this.#options
    return new Promise((resolve, reject) => {
      const fail = (error: Error) => {
        // Nor must another query wait behind one that timed out and is still running.
        this.#broken ||= isConnectionSuspect(error) || isPlanStale(error)
        reject(error)
      }
      const timer = setTimeout(() => fail(new TimedOut(`no answer in ${queryMs} ms`)), queryMs)
      this.#client.query(keepsStatements && name !== undefined ? { ...query, name } : query, (error, result) => {
        clearTimeout(timer)
        if (error) fail(error)
        else resolve(result as Result)
      })
    })
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
