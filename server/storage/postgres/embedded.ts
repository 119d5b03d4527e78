/**
 * The embedded database: PGlite in a worker, behind a Unix socket in the data directory. It survives a killed process, not a
 * power cut, as PGlite does not fsync.
 */
import { existsSync } from 'node:fs'
import { chmod, mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { Storage } from '../storage.ts'
import { DATABASE, PORT, WorkerKeeper } from './keeper.ts'
import { DirectoryInUse, lockDirectory } from './lock.ts'
import type { LaneOptions } from './pool.ts'
import { Turns } from './turns.ts'

export interface EmbeddedOptions {
  /** Made if it is not there, with mode 0700. */
  dataDir: string
  /** The largest message id to give out (A2); 2147483647. */
  messageIdMax?: number
  /** How long a statement, and the wait for one's turn, may take, ms; 10,000. */
  statementTimeoutMs?: number
  /** Hears, for the log, of a worker that ended and was started again. */
  onNotice?: (text: string) => void
  /** Is called where there is no database yet: PGlite takes seconds to make one. */
  onMake?: () => void
}

/** The kernel's limit on a socket's path is 107 bytes (103 on macOS); our longest name is lock-<15 digits>.sock. */
const DIRECTORY_MAX_BYTES = 103 - '/lock-000000000000000.sock'.length

/** Throws where the directory is in use, its path is too long, or it holds no database of ours. */
export async function openEmbeddedStorage(options: EmbeddedOptions): Promise<Storage> {
  const dataDir = resolve(options.dataDir)
  await makeDirectory(dataDir)
  const unlock = await lock(dataDir)
  if (!existsSync(join(dataDir, DATABASE))) options.onMake?.()
  const keeper = new WorkerKeeper(dataDir, options.onNotice ?? (() => undefined))
  const close = async () => {
    await keeper.stop()
    await unlock()
  }
  const opened = keeper.start()
  // What speaks to the database is loaded while the worker opens it: each takes a good part of a second.
  const [{ assembleStorage }] = await Promise.all([import('./assemble.ts'), opened.catch(close)])
  await opened
  return assembleStorage({
    ...lanesTo(dataDir, options),
    messageIdMax: options.messageIdMax,
    hasAutovacuum: false,
    onClose: close,
  })
}

async function makeDirectory(dataDir: string): Promise<void> {
  if (Buffer.byteLength(dataDir) > DIRECTORY_MAX_BYTES) {
    throw new Error(
      `the path of the data directory is longer than ${DIRECTORY_MAX_BYTES} bytes, too long for a socket in it: ${dataDir}`,
    )
  }
  await mkdir(dataDir, { recursive: true, mode: 0o700 })
  // pglite-socket takes any password: nobody else may come near it.
  await chmod(dataDir, 0o700)
}

async function lock(dataDir: string): Promise<() => Promise<void>> {
  try {
    return await lockDirectory(dataDir)
  } catch (error) {
    if (!(error instanceof DirectoryInUse)) throw error
    throw new Error(
      `the data directory ${dataDir} is in use by another Madang; stop that one, or set DATA_DIR to another directory`,
      { cause: error },
    )
  }
}

/** One connection for reads, one for appends, which go first; they take turns. */
export function lanesTo(dataDir: string, options: EmbeddedOptions): { reads: LaneOptions; writes: LaneOptions } {
  const { statementTimeoutMs = 10_000, onNotice = () => undefined } = options
  const turns = new Turns()
  const lane = (urgent: boolean): LaneOptions => ({
    config: {
      host: dataDir,
      port: PORT,
      user: 'postgres',
      database: 'postgres',
      password: '',
      ssl: false,
      // A closing connection would speak out of turn.
      idleTimeoutMillis: 0,
    },
    size: 1,
    waitMs: statementTimeoutMs,
    queryMs: statementTimeoutMs,
    onNotice,
    turns: { turns, urgent },
  })
  return { reads: lane(false), writes: lane(true) }
}
