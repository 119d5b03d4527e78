/** kysely over a lane of connections. */
import { hash } from 'node:crypto'
import {
  CompiledQuery,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type DatabaseConnection,
  type Driver,
  type QueryResult,
} from 'kysely'
import { toStorageError } from './errors.ts'
import type { Connection, Lane } from './pool.ts'
import type { Tables } from './tables.ts'

export type Database = Kysely<Tables>

export function databaseOver(lane: Lane): Database {
  return new Kysely<Tables>({
    dialect: {
      createAdapter: () => new PostgresAdapter(),
      createDriver: () => new LaneDriver(lane),
      createIntrospector: (db) => new PostgresIntrospector(db),
      createQueryCompiler: () => new PostgresQueryCompiler(),
    },
  })
}

/** Takes a connection for each query and gives it back; the lane is closed by whoever opened it. */
class LaneDriver implements Driver {
  readonly #lane: Lane
  readonly #names = new StatementNames()

  constructor(lane: Lane) {
    this.#lane = lane
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<LaneConnection> {
    return new LaneConnection(await this.#lane.connect(), this.#names)
  }

  async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('begin'))
  }

  async commitTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('commit'))
  }

  async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('rollback'))
  }

  async releaseConnection(connection: LaneConnection): Promise<void> {
    connection.inner.release()
  }

  async destroy(): Promise<void> {}
}

class LaneConnection implements DatabaseConnection {
  readonly inner: Connection
  readonly #names: StatementNames

  constructor(inner: Connection, names: StatementNames) {
    this.inner = inner
    this.#names = names
  }

  async executeQuery<Row>({ sql, parameters }: CompiledQuery): Promise<QueryResult<Row>> {
    try {
      const { rows, rowCount } = await this.inner.query(sql, parameters, this.#names.nameOf(sql))
      return { rows: rows as Row[], numAffectedRows: BigInt(rowCount ?? 0) }
    } catch (error) {
      throw toStorageError(error)
    }
  }

  streamQuery<Row>(): AsyncIterableIterator<QueryResult<Row>> {
    throw new Error('no query of ours is streamed')
  }
}

/** A text that came so often is to be kept parsed and planned, by a name. */
const OFTEN = 3
/** Each costs a connection some 20 KB at the server. Ours are fewer; some lists make a text for each of their lengths. */
const NAMES_MAX = 200

class StatementNames {
  readonly #counts = new Map<string, { name: string; count: number }>()

  /** Undefined for a text that does not come often. */
  nameOf(text: string): string | undefined {
    const known = this.#counts.get(text)
    if (known !== undefined) return ++known.count > OFTEN ? known.name : undefined
    if (this.#counts.size < NAMES_MAX) this.#counts.set(text, { name: statementName(text), count: 1 })
    return undefined
  }
}

/** By the text, so that behind a pooler another process's statement of this name is this one, also of another version. */
export function statementName(text: string): string {
  return `often-${hash('sha256', text).slice(0, 32)}`
}

/** Stands for a value while a query is built. */
class Blank {
  readonly nth: number

  constructor(nth: number) {
    this.nth = nth
  }
}

/** A query that is built once, at its first call: building a small one takes longer than its answer. `build` only passes its values on. */
export function prepareQuery<Values extends unknown[], Row>(
  build: (db: Database, ...values: Values) => { compile(db: Database): CompiledQuery<Row> },
): (db: Database, ...values: Values) => Promise<Row[]> {
  let built: CompiledQuery<Row> | undefined
  return async (db, ...values) => {
    built ??= build(db, ...(Array.from(values, (_, nth) => new Blank(nth)) as Values)).compile(db)
    const { sql, query, queryId } = built
    const parameters = built.parameters.map((value) => (value instanceof Blank ? values[value.nth] : value))
    return (await db.executeQuery<Row>({ sql, query, queryId, parameters })).rows
  }
}

/** Where rows are many: as arrays they come in half the time. Throws as all reads. */
export async function readArrays<Row extends unknown[]>(
  lane: Lane,
  { text, values, name }: { text: string; values: unknown[]; name: string },
): Promise<Row[]> {
  const connection = await lane.connect()
  try {
    return await connection.queryArrays<Row>(text, values, name)
  } catch (error) {
    throw toStorageError(error)
  } finally {
    connection.release()
  }
}
