/** Nodes on one database, each with what it has in the registry, and a clock that stands still until a test moves it. */
import { createManualClock, settle, type ManualClock } from '../../test/manual-clock.ts'
import { createMemoryRegistry } from '../registry/memory/memory-registry.ts'
import { RegistryUnavailable, type Registry } from '../registry/registry.ts'
import { createMemoryDatabase } from '../storage/memory/memory.ts'
import type { RoomId, UserId } from './model.ts'
import { createRegistered, type Registered } from './registered.ts'

export interface TestNode extends Registered<string> {
  /** What it was told and what it logged, in order. */
  heard: string[]
  /** While it is away, all that is asked of its registry is refused. */
  setAway(isAway: boolean): void
  /** The process ends without a word. */
  kill(): Promise<void>
}

export interface Yard {
  clock: ManualClock
  database: ReturnType<typeof createMemoryDatabase>
  open(options?: { carry?: (roomId: RoomId, seats: string[]) => Promise<void> }): Promise<TestNode>
}

export function createYard(idleMs = 60_000): Yard {
  const clock = createManualClock()
  const database = createMemoryDatabase({ now: () => clock.now() })
  let nodes = 0
  return {
    clock,
    database,
    async open({ carry = async () => {} } = {}) {
      const { directory } = database.openStorage()
      const outages = withOutages(createMemoryRegistry(directory))
      const { registry } = outages
      const heard: string[] = []
      const say = (text: string, about?: { roomId?: unknown }) => void heard.push(`${text} ${String(about?.roomId)}`)
      const registered = createRegistered<string>({
        registry,
        directory,
        clock,
        node: `n${++nodes}`,
        idleMs,
        log: { debug: say, info: say, warn: say, error: say, isOn: () => true },
        async carry(roomId, seats) {
          heard.push(`carry ${roomId}: ${seats.join(' ')}`)
          await carry(roomId, seats)
        },
        drop: (roomId, seats) => void heard.push(`drop ${roomId}: ${seats.join(' ')}`),
        onBound: (userId: UserId, roomIds) => void heard.push(`bound ${userId}: ${roomIds.join(' ')}`),
      })
      registered.start()
      await settle()
      return { ...registered, heard, setAway: (away) => outages.setAway(away), kill: () => registered.stop() }
    },
  }
}

function withOutages(registry: Registry): { registry: Registry; setAway(isAway: boolean): void } {
  let isAway = false
  const guarded = new Proxy(registry, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name)
      const isAsked = typeof value === 'function' && !['listen', 'close', 'announceBound'].includes(String(name))
      if (!isAsked) return value
      return async (...values: unknown[]): Promise<unknown> => {
        if (isAway) throw new RegistryUnavailable('away, for a test')
        return Reflect.apply(value, target, values)
      }
    },
  })
  return { registry: guarded, setAway: (away) => void (isAway = away) }
}
