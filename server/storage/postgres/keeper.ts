/** Keeps the worker of the embedded database running. */
import { unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { messageOf } from './errors.ts'

/** pg looks for a server in a directory under a name with its port. */
export const PORT = 5432
const SOCKET = `.s.PGSQL.${PORT}`
/** The database's own directory, in the data directory. */
export const DATABASE = 'db'
/** One for reads, one for appends, the tests' own, and such as are just being thrown away. */
const MAX_CONNECTIONS = 16
const RESTART_MS = 500
/** How long the worker may take to end when it is told to; a query cannot be stopped, and nothing is lost by ending in it. */
const STOP_MS = 5_000

/** What the worker is given (pglite-worker.js). */
export interface WorkerOptions {
  /** Where the database's files are. */
  database: string
  socket: string
  maxConnections: number
}

/** Starts the worker, again whenever it ends before it is told to; until it is back, storage is unavailable. */
export class WorkerKeeper {
  readonly #dataDir: string
  readonly #onNotice: (text: string) => void
  #worker: Worker | null = null
  #restarting: Promise<void> | null = null
  #isStopping = false

  constructor(dataDir: string, onNotice: (text: string) => void) {
    this.#dataDir = dataDir
    this.#onNotice = onNotice
  }

  /** Resolves when the database listens. */
  async start(): Promise<void> {
    const socket = join(this.#dataDir, SOCKET)
    await unlink(socket).catch(() => undefined)
    const options: WorkerOptions = { database: join(this.#dataDir, DATABASE), socket, maxConnections: MAX_CONNECTIONS }
    const worker = startWorker(options)
    await firstMessage(worker)
    this.#worker = worker
    let reason = ''
    worker.on('error', (error) => (reason = `: ${error.message}`))
    worker.once('exit', () => {
      this.#restarting = this.#restart(reason)
    })
  }

  async stop(): Promise<void> {
    this.#isStopping = true
    await this.#restarting
    const worker = this.#worker
    if (worker === null) return
    const ended = new Promise<void>((done) => worker.once('exit', () => done()))
    worker.postMessage('stop')
    const impatience = setTimeout(() => void worker.terminate(), STOP_MS)
    await ended
    clearTimeout(impatience)
  }

  /** Ends the worker as a crash would. For tests. */
  async crash(): Promise<void> {
    await this.#worker?.terminate()
  }

  async #restart(reason: string): Promise<void> {
    this.#worker = null
    while (!this.#isStopping) {
      this.#onNotice(`the embedded database ended${reason}; it is started again`)
      await sleep(RESTART_MS)
      try {
        await this.start()
        return
      } catch (error) {
        reason = `: ${messageOf(error)}`
      }
    }
  }
}

/** The worker stands beside us, built too. It needs no loader that this process was started with. */
function startWorker(workerData: WorkerOptions): Worker {
  return new Worker(new URL('./pglite-worker.js', import.meta.url), { workerData, execArgv: [] })
}

function firstMessage(worker: Worker): Promise<void> {
  return new Promise((resolve, reject) => {
    worker.once('message', () => {
      worker.off('error', reject)
      resolve()
    })
    worker.once('error', reject)
    worker.once('exit', () => reject(new Error('the embedded database ended before it was open')))
  })
}
