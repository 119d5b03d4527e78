/** Node's HTTP servers, as many as there are addresses, with one request handler and one upgrade handler behind them all. */
import { createServer } from 'node:http'
import type { IncomingMessage, RequestListener, Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'

export interface ListenAddress {
  host: string
  /** 0: any free one. */
  port: number
}

/** Milliseconds. */
export interface Timeouts {
  /** From a connection's or request's first byte to its last header: 15 s. Ends a slow-loris. */
  headersMs: number
  /** For a whole request: 5 min, as uploads are among them. */
  requestMs: number
  /** How long an idle keep-alive connection stays: 72 s, longer than usual proxies hold theirs. */
  keepAliveMs: number
  /** How often the first two are looked at: 5 s. */
  checkEveryMs: number
}

const defaultTimeouts: Timeouts = { headersMs: 15_000, requestMs: 300_000, keepAliveMs: 72_000, checkEveryMs: 5_000 }

/** `head`: what has come behind the request's headers. The listener server's own hold on the socket is gone. */
export type UpgradeHandler = (request: IncomingMessage, socket: Socket, head: Buffer) => void

export interface Listeners {
  readonly isClosing: boolean
  onUpgrade(handler: UpgradeHandler): void
  listen(addresses: readonly ListenAddress[]): Promise<number[]>
  close(graceMs: number): Promise<void>
}

export function createListeners(handle: RequestListener, timeouts: Partial<Timeouts>): Listeners {
  const servers: Server[] = []
  let upgrade: UpgradeHandler | null = null
  let isClosing = false

  function createOne(): Server {
    const server = createHttp(handle, { ...defaultTimeouts, ...timeouts })
    if (upgrade !== null) attachUpgrade(server, upgrade)
    return server
  }

  return {
    get isClosing() {
      return isClosing
    },
    onUpgrade: (handler) => void (upgrade = handler),
    async listen(addresses) {
      const opened = addresses.map(createOne)
      servers.push(...opened)
      const outcomes = await Promise.allSettled(opened.map((server, at) => listenOn(server, addresses[at]!)))
      const failed = outcomes.find((outcome) => outcome.status === 'rejected')
      if (failed !== undefined) {
        for (const server of servers.splice(0)) server.close()
        throw failed.reason
      }
      return opened.map((server) => (server.address() as AddressInfo).port)
    },
    async close(graceMs) {
      isClosing = true
      await Promise.all(servers.splice(0).map((server) => closeOne(server, graceMs)))
    },
  }
}

function createHttp(handle: RequestListener, timeouts: Timeouts): Server {
  const server = createServer(
    {
      headersTimeout: timeouts.headersMs,
      requestTimeout: timeouts.requestMs,
      keepAliveTimeout: timeouts.keepAliveMs,
      connectionsCheckingInterval: timeouts.checkEveryMs,
    },
    handle,
  )
  return server.on('clientError', answerClientError)
}

function listenOn(server: Server, address: ListenAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(address, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

const idleCheckMs = 20

/** Node's `close` waits for upgraded sockets too, so after the grace it is no longer awaited. */
function closeOne(server: Server, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    // Node ends the idle connections once; those whose last answer is still going out become idle after that.
    const idling = setInterval(() => server.closeIdleConnections(), idleCheckMs)
    const finish = () => {
      clearInterval(idling)
      clearTimeout(timer)
      resolve()
    }
    const timer = setTimeout(() => {
      server.closeAllConnections()
      finish()
    }, graceMs)
    server.close(finish)
  })
}

/** What Node could not read as HTTP belongs to no path, so it gets a plain answer. */
function answerClientError(error: NodeJS.ErrnoException, socket: Duplex): void {
  // Once an answer has begun, these bytes would land in the midst of it.
  const { _httpMessage: running } = socket as { _httpMessage?: { headersSent: boolean } | null }
  if (socket.writable && error.code !== 'ECONNRESET' && !running?.headersSent)
    socket.write(clientErrorAnswers[error.code ?? ''] ?? badRequest)
  socket.destroy()
}

function plainAnswer(status: string): string {
  return `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: ${status.length - 4}\r\n\r\n${status.slice(4)}`
}

const badRequest = plainAnswer('400 Bad Request')
const clientErrorAnswers: Record<string, string> = {
  HPE_HEADER_OVERFLOW: plainAnswer('431 Request Header Fields Too Large'),
  ERR_HTTP_REQUEST_TIMEOUT: plainAnswer('408 Request Timeout'),
}

/**
 * Node hands over every request with an Upgrade header once there is one listener. What does not ask for a WebSocket (`h2c`: Java's and
 * curl's HTTP/2 on a plain port) is answered as the plain request that it also is, as RFC 9110 has it.
 */
function attachUpgrade(server: Server, upgrade: UpgradeHandler): void {
  server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    if (request.headers.upgrade?.toLowerCase() === 'websocket') upgrade(request, socket, head)
    else serveAsPlain(server, request, socket, head)
  })
}

/** Feeds the request to the server again, without the headers that made it an upgrade. */
function serveAsPlain(server: Server, request: IncomingMessage, socket: Socket, head: Buffer): void {
  const lines = [`${request.method} ${request.url} HTTP/${request.httpVersion}`]
  const { rawHeaders } = request
  for (let at = 0; at < rawHeaders.length; at += 2) {
    if (!upgradeHeaders.has(rawHeaders[at]!.toLowerCase())) lines.push(`${rawHeaders[at]}: ${rawHeaders[at + 1]}`)
  }
  socket.unshift(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), head]))
  server.emit('connection', socket)
}

const upgradeHeaders = new Set(['upgrade', 'connection', 'http2-settings'])
