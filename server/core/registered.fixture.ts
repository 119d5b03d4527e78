/** Nodes on one database, each with what it has in the registry, and a clock that stands still until a test moves it. */
import { createManualClock, settle, type ManualClock } from '../../test/manual-clock.ts'
import { createMemoryRegistry } from '../registry/memory/memory-registry.ts'
import { RegistryUnavailable, type Registry, type RegistryListener } from '../registry/registry.ts'
import { createMemoryDatabase } from '../storage/memory/memory.ts'
import { formatCursor } from './cursor.ts'
import type { RoomId, UserId } from './model.ts'
import { createLogins, type Logins } from './logins.ts'
import { createRegistered, type Registered } from './registered.ts'

/** What befalls a change of a record: it is refused, or it is done and the answer is lost. The first that comes is the 1st. */
export interface Trouble {
  nth: number
  is: 'refused' | 'lost'
}

interface Outages {
  /** While it is away, all that is asked of its registry is refused. */
  setAway(isAway: boolean): void
  /** Of the changes from now on; null: none. */
  setTrouble(trouble: Trouble | null): void
  /** The next answer of this kind waits until what this gives is called. */
  hangNext(kind: keyof Registry): () => void
  /** The registry says that it is there anew. */
  reopen(): Promise<void>
  /** So many questions were asked at once at most. */
  atOnce: number
}

export interface TestNode extends Registered<string>, Outages {
  logins: Logins
  /** What it was told and what it logged, in order. */
  heard: string[]
  /** A socket opens: the rooms that it is bound to, and those of memberships that have ended. */
  arrive(userId: UserId, hasCursor: boolean): Promise<{ rooms: RoomId[]; lost: RoomId[] }>
  /** The process ends without a word. */
  kill(): Promise<void>
}

export interface Yard {
  clock: ManualClock
  database: ReturnType<typeof createMemoryDatabase>
  open(options?: { carry?: (roomId: RoomId, seats: string[]) => Promise<void>; isAway?: boolean }): Promise<TestNode>
}

/** A membership of a room that began with its 3rd event. */
export const memberOf = (roomId: RoomId, joinedSeq = 3) => ({ roomId, joinedSeq })
/** It ended with the event after the next. */
export const exitFrom = (roomId: RoomId, joinedSeq = 3) => ({ roomId, joinedSeq, stamp: { journal: 1, position: joinedSeq + 2 } })

/** Who has heard all until then. */
export const cursorAt = (ms: number) => formatCursor({ floor: 1, entries: new Map([[1, { tag: 'testtest', position: ms + 1 }]]) })

export function createYard(idleMs = 60_000): Yard {
  const clock = createManualClock()
  const database = createMemoryDatabase({ now: () => clock.now() })
  let nodes = 0
  return {
    clock,
    database,
    async open({ carry = async () => {}, isAway = false } = {}) {
      const { directory } = database.openStorage()
      const { registry, outages } = withOutages(createMemoryRegistry(directory))
      outages.setAway(isAway)
      const heard: string[] = []
      const say = (text: string, about?: { roomId?: unknown }) => void heard.push(`${text} ${String(about?.roomId)}`)
      const logins = createLogins({ registry, directory, clock })
      const registered = createRegistered<string>({
        registry,
        logins,
        clock,
        node: `n${++nodes}`,
        idleMs,
        log: { debug: say, info: say, warn: say, error: say, isOn: () => true },
        async carry(roomId, seats) {
          heard.push(`carry ${roomId}: ${seats.join(' ')}`)
          await carry(roomId, seats)
        },
        drop: (roomId, seats) => void heard.push(`drop ${roomId}: ${seats.join(' ')}`),
        onBound: (userId: UserId, bindings) =>
          void heard.push(`bound ${userId}: ${bindings.map(([roomId]) => roomId).join(' ')}`),
        cursor: () => cursorAt(clock.now()),
      })
      registered.start()
      await settle()
      const arrive = async (userId: UserId, hasCursor: boolean) => {
        const { rooms, lost } = await registered.bindings.open(userId, hasCursor)
        return { rooms: rooms.map(([roomId]) => roomId), lost: lost.map(({ roomId }) => roomId) }
      }
      return Object.assign(outages, { ...registered, logins, heard, arrive, kill: () => registered.stop() })
    },
  }
}

function withOutages(registry: Registry): { registry: Registry; outages: Outages } {
  const outages = new TestOutages()
  const guarded = new Proxy(registry, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name)
      if (typeof value !== 'function' || name === 'close' || name === 'announceBound') return value
      const call = (...values: unknown[]): unknown => Reflect.apply(value, target, values)
      if (name === 'listen') return (listener: RegistryListener) => call((outages.listener = listener))
      return (...values: unknown[]) => outages.ask(String(name), async () => call(...values))
    },
  })
  return { registry: guarded, outages }
}

class TestOutages implements Outages {
  listener: RegistryListener | null = null
  atOnce = 0
  private isAway = false
  private trouble: Trouble | null = null
  private readonly hanging = new Map<string, Promise<void>>()
  private asking = 0

  async ask(kind: string, call: () => Promise<unknown>): Promise<unknown> {
    this.asking += 1
    this.atOnce = Math.max(this.atOnce, this.asking)
    try {
      this.checkIsThere()
      const hanging = this.hanging.get(kind)
      this.hanging.delete(kind)
      const answer = await (kind === 'replaceRecord' ? this.change(call) : call())
      await hanging
      this.checkIsThere()
      return answer
    } finally {
      this.asking -= 1
    }
  }

  private checkIsThere(): void {
    if (this.isAway) throw new RegistryUnavailable('away, for a test')
  }

  private async change(call: () => Promise<unknown>): Promise<unknown> {
    const trouble = this.trouble && --this.trouble.nth === 0 ? this.trouble.is : null
    if (trouble === 'refused') throw new RegistryUnavailable('refused, for a test')
    const answer = await call()
    if (trouble === 'lost') throw new RegistryUnavailable('silent, for a test')
    return answer
  }

  setAway(isAway: boolean): void {
    this.isAway = isAway
  }

  setTrouble(trouble: Trouble | null): void {
    this.trouble = trouble && { ...trouble }
  }

  hangNext(kind: keyof Registry): () => void {
    let release = () => {}
    this.hanging.set(kind, new Promise((resolve) => (release = resolve)))
    return () => release()
  }

  async reopen(): Promise<void> {
    await this.listener?.onOpen()
  }
}
