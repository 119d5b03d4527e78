/** GET over one connection and into one buffer: `fetch` takes about as long as some answers, and new buffers for each of long ones make p99 that of our own collector. */
import { connect } from 'node:net'

/** Throws where the status is not 200. */
export type Ask = (path: string) => Promise<void>

interface Waiting {
  /** What has come, until all headers have. */
  head: string
  /** Of the body; NaN until then. */
  bytesLeft: number
  path: string
  settle(error?: Error): void
}

/** The connection is the server's to close. */
export function openAsker(port: number, token: string): Ask {
  let waiting: Waiting | undefined
  const settle = (error?: Error) => {
    const settled = waiting
    waiting = undefined
    settled?.settle(error)
  }
  const onread = {
    buffer: Buffer.alloc(64 * 1024),
    callback(size: number, buffer: Uint8Array) {
      try {
        if (waiting && take(waiting, size, buffer)) settle()
      } catch (error) {
        settle(error as Error)
      }
      return true
    },
  }
  const socket = connect({ host: '127.0.0.1', port, onread })
  socket.on('error', settle)
  socket.on('close', () => settle(new Error('the server closed the connection')))
  return (path) =>
    new Promise((resolve, reject) => {
      const end = (error?: Error) => (error ? reject(error) : resolve())
      waiting = { head: '', bytesLeft: NaN, path, settle: end }
      socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${token}\r\n\r\n`)
    })
}

/** Whether the answer is whole. Its length is announced. */
function take(waiting: Waiting, size: number, buffer: Uint8Array): boolean {
  if (Number.isNaN(waiting.bytesLeft)) {
    waiting.head += Buffer.from(buffer.buffer, buffer.byteOffset, size).toString('latin1')
    const end = waiting.head.indexOf('\r\n\r\n')
    if (end < 0) return false
    if (!waiting.head.startsWith('HTTP/1.1 200 ')) throw new Error(`GET ${waiting.path}: ${waiting.head}`)
    const length = /^content-length: (\d+)/im.exec(waiting.head.slice(0, end))?.[1]
    waiting.bytesLeft = Number(length) - (waiting.head.length - end - '\r\n\r\n'.length)
  } else waiting.bytesLeft -= size
  return waiting.bytesLeft === 0
}
