/** A12: what one client sends over its limit waits, in order. Reading goes on for a while, so that pongs are heard, and then waits as well. */
import type { SocketIoConnection } from '../../http/socketio.ts'
import type { Door } from '../door.ts'

/** Of one sender, over all his connections, those that have closed too: in UTF-16 units, each message counted with something for itself. */
const waitingMax = 256 * 1024
const messageCost = 64

export interface SendLineOptions<T> {
  door: Pick<Door, 'limits' | 'clock'>
  connection: Pick<SocketIoConnection, 'pause' | 'resume'>
  /** Under which a send counts; all of them must let it pass. The last is the sender's own. */
  keys: string[]
  /** What waits of each sender, shared by all lines. */
  costs: Map<string, number>
  take(send: T): void
}

export class SendLine<T> {
  private readonly options: SendLineOptions<T>
  private waiting: { send: T; cost: number }[] = []
  private readonly sender: string

  constructor(options: SendLineOptions<T>) {
    this.options = options
    this.sender = options.keys.at(-1) ?? ''
  }

  private get cost(): number {
    return this.options.costs.get(this.sender) ?? 0
  }

  private count(cost: number): void {
    const { costs } = this.options
    const total = this.cost + cost
    if (total > 0) costs.set(this.sender, total)
    else costs.delete(this.sender)
  }

  add(send: T, length: number): void {
    const isFree = this.waiting.length === 0
    const cost = length + messageCost
    this.waiting.push({ send, cost })
    this.count(cost)
    if (isFree) this.drain(this.options.keys)
    // A line that is empty has nothing by which it would take up reading again.
    if (this.waiting.length > 0 && this.cost > waitingMax) this.options.connection.pause()
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
      this.count(-first.cost)
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
