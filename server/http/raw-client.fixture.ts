/** For tests: a TCP client that sends what no HTTP client would, and WebSocket frames by hand. */
import { connect } from 'node:net'
import type { Socket } from 'node:net'

export interface RawClient {
  socket: Socket
  send(bytes: string | Buffer): void
  /** All that has come, once it contains the text; rejects when the connection ends without it. */
  until(text: string): Promise<string>
  /** All that has come, once the connection is closed. */
  closed: Promise<string>
}

export async function openRaw(port: number): Promise<RawClient> {
  const socket = connect(port, '127.0.0.1')
  let received = ''
  let check = () => {}
  socket.on('data', (chunk) => {
    received += chunk.toString('latin1')
    check()
  })
  socket.on('error', () => {})
  const closed = new Promise<string>((resolve) => socket.on('close', () => resolve(received)))
  await new Promise((resolve) => socket.once('connect', resolve))
  return {
    socket,
    send: (bytes) => void socket.write(bytes),
    until: (text) =>
      new Promise((resolve, reject) => {
        check = () => received.includes(text) && resolve(received)
        check()
        void closed.then((all) => reject(new Error(`ended without "${text}": ${all}`)))
      }),
    closed,
  }
}

/** Sends one request and gives all that came until the server closed the connection. */
export async function exchange(port: number, bytes: string | Buffer): Promise<string> {
  const client = await openRaw(port)
  client.send(bytes)
  return client.closed
}

export function statusOf(answer: string): number {
  return Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1])
}

export function bodyOf(answer: string): string {
  return answer.slice(answer.indexOf('\r\n\r\n') + 4)
}

export function upgradeRequest(path: string, headers: Record<string, string | null> = {}): string {
  const all: Record<string, string | null> = {
    Host: 'localhost',
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    ...headers,
  }
  const lines = Object.entries(all)
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `${name}: ${value}`)
  return `GET ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`
}

/** A client's frame, masked with zeros. `opcode`: 0 continuation, 1 text, 2 binary, 8 close, 9 ping, 10 pong. */
export function clientFrame(opcode: number, payload: string | Buffer, isFinal = true): Buffer {
  const bytes = Buffer.from(payload)
  const first = (isFinal ? 0x80 : 0) | opcode
  const mask = Buffer.alloc(4)
  if (bytes.length < 126) return Buffer.concat([Buffer.from([first, 0x80 | bytes.length]), mask, bytes])
  const length = Buffer.alloc(bytes.length < 65_536 ? 2 : 8)
  if (length.length === 2) length.writeUInt16BE(bytes.length)
  else length.writeBigUInt64BE(BigInt(bytes.length))
  return Buffer.concat([Buffer.from([first, 0x80 | (length.length === 2 ? 126 : 127)]), length, mask, bytes])
}
