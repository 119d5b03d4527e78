/** The HTTP side of a WebSocket handshake: what a good request is, and how a bad one is answered. */
import type { IncomingMessage } from 'node:http'
import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { encodeAnswer } from './problems.ts'
import type { Answer } from './problems.ts'

/** As A17 for an early 413: how long and how much is read on, so that the client sees the answer. */
const readOnMs = 2_000
const readOnBytes = 16 * 1024 * 1024

/** 16 bytes in base64. */
const keyShape = /^[A-Za-z0-9+/]{22}==$/

/** What is wrong with the handshake itself: `version` is to be answered with 426 and the version we speak. */
export function findHandshakeFault(request: IncomingMessage): 'version' | 'bad' | null {
  const { headers } = request
  if (request.method !== 'GET' || request.httpVersion !== '1.1') return 'bad'
  if (headers['sec-websocket-version'] !== '13') return headers['sec-websocket-version'] === undefined ? 'bad' : 'version'
  return keyShape.test(headers['sec-websocket-key'] ?? '') ? null : 'bad'
}

/** Writes a whole HTTP answer to an upgraded socket and closes it. Reads on for a moment: closed with unread bytes, it would be reset. */
export function refuse(socket: Socket, answer: Answer): void {
  const { status, headers, bytes } = encodeAnswer(answer)
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Error'}`,
    'Connection: close',
    `Date: ${new Date().toUTCString()}`,
  ]
  for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${headerValue(value)}`)
  socket.end(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), bytes]))
  const timer = setTimeout(() => socket.destroy(), readOnMs)
  let left = readOnBytes
  socket.on('data', (chunk: Buffer) => {
    left -= chunk.length
    if (left < 0) socket.destroy()
  })
  socket.on('close', () => clearTimeout(timer))
}

/** No header of ours has a line break; one that came from elsewhere must not make two of it. */
function headerValue(value: string): string {
  return value.replace(/[^\t\x20-\x7e\x80-\xff]/g, '')
}
