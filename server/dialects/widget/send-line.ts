/** A12: what one client sends over its limit waits, in order. Reading goes on for a while, so that pongs are heard, and then waits as well. */
import type { SocketIoConnection } from '../../http/socketio.ts'
import type { Door } from '../door.ts'

/** In UTF-16 units, each message counted with something for itself. */
const waitingMax = 256 * 1024
const messageCost = 64

export interface SendLineOptions<T> {
  door: Pick<Door, 'limits' | 'clock'>
  connection: Pick<SocketIoConnection, 'pause' | 'resume'>
  /** Under which a send counts; all of them must let it pass. */
  keys: string[]
  take(send: T): void
}

export class SendLine<T> {
  private readonly options: SendLineOptions<T>
  private waiting: { send: T; cost: number }[] = []
  private cost = 0

  constructor(options: SendLineOptions<T>) {
    this.options = options
  }

  add(send: T, length: number): void {
    const isFree = this.waiting.length === 0
    const cost = length + messageCost
    this.waiting.push({ send, cost })
    this.cost += cost
    if (isFree) this.drain(this.options.keys)
    if (this.cost > waitingMax) this.options.connection.pause()
  }

  /** `keys`: those that the first in line has not been let through by. */
  private drain(keys: string[]): void {
    const { door } = this.options
    let left = keys
    for (let first = this.waiting[0]; first !== undefined; first = this.waiting[0]) {
      for (let key = left[0]; key !== undefined; key = left[0]) {
        const taken = door.limits.sends.take(key)
        if (!taken.ok) return this.drainLater(left, taken.retryAfterS)
        left = left.slice(1)
      }
      this.waiting.shift()
      this.cost -= first.cost
      left = this.options.keys
      this.options.take(first.send)
    }
    this.options.connection.resume()
  }

  private drainLater(keys: string[], afterS: number): void {
    if (this.cost < waitingMax / 2) this.options.connection.resume()
    this.options.door.clock.after(afterS * 1000, () => this.drain(keys))
  }
}
