/** A Storage out of two lanes to one database. */
import { sql } from 'kysely'
import type { Storage } from '../storage.ts'
import { databaseOver } from './database.ts'
import { createDirectory } from './directory.ts'
import { createLogStore } from './log.ts'
import { prepare } from './migrate.ts'
import { Lane, type LaneOptions } from './pool.ts'

/** The largest message id where nothing else is said (A2). */
const MESSAGE_ID_MAX = 2_147_483_647

/** How long a migration's statement, or the wait for another node's migration, may take. */
const MIGRATION_MS = 600_000

export interface Assembly {
  reads: LaneOptions
  writes: LaneOptions
  messageIdMax: number | undefined
  /** Whether the database clears away by itself what was deleted. */
  hasAutovacuum: boolean
  /** Runs behind the connections' end. */
  onClose?: () => Promise<void>
}

/** Migrates first. Throws StorageUnavailable where the database is not there, an Error with what to do where it does not fit. */
export async function assembleStorage({ messageIdMax = MESSAGE_ID_MAX, onClose, ...options }: Assembly): Promise<Storage> {
  try {
    await migrateOver(options.reads)
  } catch (error) {
    await onClose?.()
    throw error
  }
  const reads = new Lane(options.reads)
  const writes = new Lane(options.writes)
  const db = databaseOver(reads)
  return {
    log: createLogStore({ db, reads, writes, messageIdMax, hasAutovacuum: options.hasAutovacuum }),
    directory: createDirectory(db),
    ping: async () => {
      await sql`select 1`.execute(db)
    },
    close: async () => {
      await Promise.all([reads.end(), writes.end()])
      await onClose?.()
    },
  }
}

async function migrateOver(options: LaneOptions): Promise<void> {
  const lane = new Lane({ ...options, size: 1, queryMs: MIGRATION_MS })
  try {
    await prepare(lane)
  } finally {
    await lane.end()
  }
}
