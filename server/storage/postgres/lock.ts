/**
 * One process at a time in a directory. The lock is a socket that its holder listens on, so that it ends with its holder,
 * however that ends. Each starter first listens on a socket of his own and only then calls on all others there: of two
 * starters, at least one hears the other. A holder answers HELD; a starter his number, and the lower number goes first.
 */
import { randomInt } from 'node:crypto'
import { readdir, unlink } from 'node:fs/promises'
import { connect, createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const HELD = 'held'
const NAME = /^lock-(\d+)\.sock$/
/** Who is connected to and says nothing for so long is a process that hangs, and holds the lock. */
const ANSWER_MS = 2_000
const RETRY_MS = 20
const NUMBERS = 2 ** 47

/** Thrown where another process has the directory. */
export class DirectoryInUse extends Error {
  override name = 'DirectoryInUse'
}

/** Resolves with what gives the directory back. Throws DirectoryInUse. */
export async function lockDirectory(directory: string): Promise<() => Promise<void>> {
  const number = randomInt(NUMBERS)
  const door: Door = { answer: String(number) }
  const server = await listen(join(directory, `lock-${number}.sock`), door)
  const unlock = () => new Promise<void>((resolve) => server.close(() => resolve()))
  try {
    await waitForOthers(directory, number)
  } catch (error) {
    await unlock()
    throw error
  }
  door.answer = HELD
  return unlock
}

interface Door {
  /** What who knocks is told. */
  answer: string
}

function listen(path: string, door: Door): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => {
      socket.on('error', () => undefined)
      // Whatever he does now: `unlock` waits for every connection.
      socket.end(door.answer, () => socket.destroy())
    })
    server.once('error', reject)
    // Never unref'd: while its holder starts, there may be nothing else that keeps the process.
    server.listen(path, () => resolve(server))
  })
}

async function waitForOthers(directory: string, number: number): Promise<void> {
  for (const name of await readdir(directory)) {
    const other = NAME.exec(name)?.[1]
    if (other !== undefined && Number(other) !== number) await waitFor(join(directory, name), number)
  }
}

/** Resolves once nobody listens there any more. */
async function waitFor(path: string, number: number): Promise<void> {
  for (;;) {
    const answer = await knock(path)
    if (answer === null) {
      // Left by a process that was killed. Or by one that is about to listen: it will hear us when it looks around itself.
      await unlink(path).catch(() => undefined)
      return
    }
    if (answer === HELD || (answer !== '' && Number(answer) < number)) throw new DirectoryInUse()
    await sleep(RETRY_MS)
  }
}

/** What is answered there: null where nobody listens, '' where he hung up without a word, as one does who just gave up. */
function knock(path: string): Promise<string | null> {
  return new Promise((resolve) => {
    let answer = ''
    const socket = connect(path)
    socket.setEncoding('utf8')
    socket.setTimeout(ANSWER_MS, () => {
      resolve(HELD)
      socket.destroy()
    })
    socket.on('data', (text: string) => (answer += text))
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(meaningOf(error.code)))
    socket.on('close', () => resolve(answer))
  })
}

function meaningOf(code: string | undefined): string | null {
  if (code === 'ECONNREFUSED' || code === 'ENOENT') return null
  return code === 'ECONNRESET' || code === 'EPIPE' ? '' : HELD
}
