/** The way out to real sockets, byte by byte: what goes past the stream and what goes through it, to readers quick and slow. */
import { createHash } from 'node:crypto'
import { closeSync, fstatSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as connectTls, createServer as createTlsServer } from 'node:tls'
import { afterEach, describe, expect, it } from 'vitest'
import { createKeeper, type Keeper } from './keeper.ts'
import { Pipe, type PipeOptions } from './pipe.ts'
import { createTestClock } from './test-clock.fixture.ts'

class PlainPipe extends Pipe<PipeOptions> {
  get isOpen(): boolean {
    return this.socket.writable
  }
  ping(): void {}
  close(): void {
    this.socket.end()
  }
  endSlow(): void {
    this.terminate()
  }
  terminate(): void {
    this.socket.destroy()
  }
}

/** Writes to it go on when the socket is gone. */
class UnawarePipe extends PlainPipe {
  override get isOpen(): boolean {
    return true
  }
}

const key = Buffer.from('of both ends')
/** Without a certificate. */
const preShared = { ciphers: 'PSK-AES128-GCM-SHA256', maxVersion: 'TLSv1.2' } as const
const transports = {
  TCP: { serve: () => createServer(), reach: (port: number): Socket => connect(port, '127.0.0.1') },
  TLS: {
    serve: (): Server => createTlsServer({ ...preShared, pskCallback: () => key }),
    reach: (port: number): Socket =>
      connectTls({ ...preShared, port, checkServerIdentity: () => undefined, pskCallback: () => ({ psk: key, identity: 'x' }) }),
  },
}

function descriptorOf(socket: Socket): number {
  // oxlint-disable-next-line no-underscore-dangle -- Node's own name
  return (socket as Socket & { _handle: { fd: number } })._handle.fd
}

let server: Server
let keeper: Keeper

afterEach(() => {
  keeper.stop()
  server.close()
})

/** Writes as a server does, sends what went out to the first who comes, and closes. */
async function serve(transport: keyof typeof transports, say: (pipe: PlainPipe, socket: Socket) => Promise<void>) {
  keeper = createKeeper({ clock: createTestClock() })
  server = transports[transport].serve()
  server.on(transport === 'TLS' ? 'secureConnection' : 'connection', (socket: Socket) => {
    const pipe = new PlainPipe(socket, { keeper, budgetBytes: Infinity })
    void say(pipe, socket).then(() => pipe.close())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return transports[transport].reach((server.address() as AddressInfo).port)
}

/** Pieces of all sizes, of which some go by the stream itself as `ws` and node:http write, and some wait for the kernel. */
async function saySizes(pipe: PlainPipe, socket: Socket, note: (bytes: Buffer) => void): Promise<void> {
  for (let nth = 0; nth < 120; nth++) {
    const bytes = Buffer.alloc(nth % 20 === 9 ? 8_000_000 : 1 + ((nth * 7919) % 5_000), `${nth} `)
    note(bytes)
    if (nth % 5 === 0) socket.cork()
    if (nth % 3 === 0) socket.write(bytes)
    else pipe.write(bytes)
    if (nth % 5 === 0) process.nextTick(() => socket.uncork())
    if (nth % 10 === 9) await pipe.drained()
    if (nth % 4 === 0) await new Promise((resolve) => setImmediate(resolve))
  }
}

describe('a pipe', () => {
  it.each([
    ['TCP', 'quick'],
    ['TCP', 'slow'],
    ['TLS', 'quick'],
    ['TLS', 'slow'],
  ] as const)(
    'brings every byte once and in order, beside what the stream brings: %s, to a %s reader',
    async (transport, pace) => {
      const [said, heard] = [createHash('sha256'), createHash('sha256')]
      const client = await serve(transport, (pipe, socket) => saySizes(pipe, socket, (bytes) => void said.update(bytes)))
      client.on('data', (bytes) => {
        heard.update(bytes)
        if (pace === 'quick') return
        client.pause()
        setImmediate(() => client.resume())
      })
      await new Promise((resolve, reject) => client.on('end', resolve).on('error', reject))
      expect(heard.digest('hex')).toBe(said.digest('hex'))
    },
  )

  it.each([
    ['TCP', true],
    ['TLS', false],
  ] as const)('can be ready over %s: %s; never with something queued or closed', async (transport, canBe) => {
    const found: boolean[] = []
    const client = await serve(transport, async (pipe, socket) => {
      const note = () => void found.push(pipe.findReady() !== null)
      note()
      socket.cork()
      socket.write('queued')
      note()
      socket.uncork()
      await pipe.drained()
      note()
      pipe.close()
      note()
      pipe.write(Buffer.from('too late'))
    })
    client.resume()
    await new Promise((resolve, reject) => client.on('close', resolve).on('error', reject))
    expect(found).toEqual([canBe, false, canBe, false])
  })

  it('writes nothing to what gets the number of its closed descriptor', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'madang-pipe-'))
    const files: number[] = []
    let number = -1
    const client = await serve('TCP', async (_, socket) => {
      const pipe = new UnawarePipe(socket, { keeper, budgetBytes: Infinity })
      number = descriptorOf(socket)
      pipe.write(Buffer.from('to the socket'))
      socket.destroy()
      // The lowest that is free is given out first.
      while ((files.at(-1) ?? -1) < number) files.push(openSync(join(directory, 'next'), 'w'))
      pipe.write(Buffer.from('to nobody'))
    })
    const heard: Buffer[] = []
    client.on('data', (bytes: Buffer) => heard.push(bytes))
    await new Promise((resolve, reject) => client.on('close', resolve).on('error', reject))
    const written = fstatSync(files.at(-1)!).size
    for (const file of files) closeSync(file)
    rmSync(directory, { recursive: true })
    expect(files.at(-1)).toBe(number)
    expect(Buffer.concat(heard).toString()).toBe('to the socket')
    expect(written).toBe(0)
  })
})
