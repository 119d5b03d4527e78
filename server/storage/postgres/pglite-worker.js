/**
 * The worker that PGlite lives in, so that no query stops the event loop of the server. It speaks PostgreSQL's protocol on a
 * Unix socket. Posts `listening` once it does; is told `stop`, closes the database and ends. Any error ends it, too.
 *
 * JavaScript, as Node 20 reads no TypeScript in a worker: with a loader of its own it would start half a second later.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { PGlite } from '@electric-sql/pglite'
import { PGLiteSocketServer } from '@electric-sql/pglite-socket'

/** @type {import('./keeper.ts').WorkerOptions} */
const { database, socket, maxConnections } = workerData

const db = await PGlite.create(database)
failOnError(db)
const server = new PGLiteSocketServer({ db, path: socket, maxConnections })
await server.start()
parentPort?.on('message', () => void stop())
parentPort?.postMessage('listening')

async function stop() {
  await server.stop()
  await db.close()
  process.exit(0)
}

/**
 * An error of PostgreSQL is an answer. One that is thrown stops pglite-socket's queue for good, so the worker ends with it.
 * @param {PGlite} inner
 */
function failOnError(inner) {
  const run = inner.execProtocolRawStream.bind(inner)
  inner.execProtocolRawStream = async (...args) => {
    try {
      await run(...args)
    } catch (error) {
      setImmediate(() => {
        throw error
      })
      throw error
    }
  }
}
