/** The postgres adapter: a PostgreSQL server, or PGlite, which is PostgreSQL in WebAssembly in a worker of this process. */
export { openEmbeddedStorage } from './embedded.ts'
export { openPostgresStorage, type PostgresOptions } from './server.ts'
