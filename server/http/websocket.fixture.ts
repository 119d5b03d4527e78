/** For tests: WebSockets on a port of ours, as their owner sees them, with stock clients and raw ones. */
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { WebSocket } from 'ws'
import { createKeeper } from './keeper.ts'
import type { Keeper } from './keeper.ts'
import { openRaw, upgradeRequest } from './raw-client.fixture.ts'
import type { RawClient } from './raw-client.fixture.ts'
import { createHttpServer } from './server.ts'
import { createTestClock } from './test-clock.fixture.ts'
import type { TestClock } from './test-clock.fixture.ts'
import { createWebSockets } from './websocket.ts'
import type { Connection, ConnectionEvents } from './websocket.ts'

/** A connection as its owner sees it, and all that it told. */
export interface Opened {
  connection: Connection
  socket: Socket
  told: string[]
  /** Once that was told. */
  until(text: string): Promise<string[]>
}

export class Scene {
  readonly clock: TestClock = createTestClock()
  readonly keeper: Keeper = createKeeper({ clock: this.clock })
  readonly opened: Opened[] = []
  port = 0
  /** What a test does at the moment of opening. */
  atOpen: (connection: Connection) => void = () => {}
  /** What a test does with each text. */
  atText: (text: string, connection: Connection) => void = () => {}
  private tellOpened = () => {}
  private readonly server = createHttpServer()

  async listen(): Promise<void> {
    const websockets = createWebSockets({ keeper: this.keeper, closeTimeoutMs: 50 })
    const patient = createWebSockets({ keeper: this.keeper, closeTimeoutMs: 60_000 })
    this.server.onUpgrade((request, socket, head) => {
      const kind = request.url === '/patient' ? patient : websockets
      kind.accept(request, socket, head, (connection) => this.open(connection, socket))
    })
    this.port = (await this.server.listen([{ host: '127.0.0.1', port: 0 }]))[0] as number
  }

  private open(connection: Connection, socket: Socket): ConnectionEvents {
    const told: string[] = []
    let check = () => {}
    const until = (text: string) =>
      new Promise<string[]>((resolve) => {
        check = () => told.includes(text) && resolve(told)
        check()
      })
    const tell = (text: string) => {
      told.push(text)
      check()
    }
    this.opened.push({ connection, socket, told, until })
    this.tellOpened()
    this.atOpen(connection)
    return {
      onText: (text: string) => {
        tell(text)
        this.atText(text, connection)
      },
      onBinary: (bytes: Buffer) => tell(`binary ${bytes.toString('hex')}`),
      onClose: () => tell('closed'),
    }
  }

  nextOpened(): Promise<Opened> {
    return new Promise((resolve) => (this.tellOpened = () => resolve(this.opened.at(-1)!)))
  }

  /** For tests that do not look at a peer who leaves a close unanswered: nobody is cut for being late on a busy machine. */
  async connectWs(): Promise<[Opened, WebSocket]> {
    const next = this.nextOpened()
    const socket = new WebSocket(`ws://127.0.0.1:${this.port}/patient`)
    await once(socket, 'open')
    return [await next, socket]
  }

  async connectRaw(): Promise<[Opened, RawClient]> {
    const next = this.nextOpened()
    const client = await openRaw(this.port)
    client.send(upgradeRequest('/'))
    await client.until('\r\n\r\n')
    return [await next, client]
  }

  async close(): Promise<void> {
    for (const one of this.opened) one.socket.destroy()
    await this.server.close({ graceMs: 0 })
  }
}

export function closeCodeOf(all: string): number {
  const at = all.lastIndexOf('\x88')
  return at === -1 ? 0 : Buffer.from(all, 'latin1').readUInt16BE(at + 2)
}
