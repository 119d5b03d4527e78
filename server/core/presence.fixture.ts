/** For tests: nodes that tell each other of their presence, on a clock that stands still and a line that loses what a test says. */
import { createManualClock, type ManualClock } from '../../test/manual-clock.ts'
import type { PresenceNews } from '../bus/bus.ts'
import { createPresence, type Presence } from './presence.ts'

/** A process, as far as presence goes. */
export interface Node {
  presence: Presence
  /** What it announced, a string for each change: `+1@7`. */
  announced: string[]
  /** What it said to the others. */
  said: PresenceNews[]
  /** False: it was killed, and says nothing any more, not even that. */
  isAlive: boolean
}

export class Yard {
  readonly clock: ManualClock = createManualClock()
  /** Whether what one says does not reach the other. */
  isLost: (from: string, to: string) => boolean = () => false
  private readonly nodes = new Map<string, Node>()

  open(name: string): Node {
    const node: Node = { presence: this.createPresence(name), announced: [], said: [], isAlive: true }
    this.nodes.set(name, node)
    node.presence.reconnect()
    return node
  }

  private createPresence(name: string): Presence {
    return createPresence({
      clock: this.clock,
      node: name,
      tell: (news) => this.tell(name, news),
      announce: (changes) =>
        this.at(name).announced.push(...changes.map(({ roomId, userId, online }) => `${online ? '+' : '-'}${userId}@${roomId}`)),
    })
  }

  at(name: string): Node {
    return this.nodes.get(name)!
  }

  private tell(name: string, news: PresenceNews): void {
    this.at(name).said.push(news)
    if (!this.at(name).isAlive) return
    for (const [to, { presence, isAlive }] of this.nodes) {
      if (to !== name && isAlive && !this.isLost(name, to)) presence.hear(name, structuredClone(news))
    }
  }
}

export function listOnline({ presence }: Node, roomId: number): number[] {
  return rising(presence.listOnline(roomId))
}

export function rising(ids: Iterable<number>): number[] {
  return [...ids].toSorted((a, b) => a - b)
}
