/** For tests: nodes of one database that are told when they hear of commits, and get an answer from log or registry when the test says so. */
import { fastClock, until } from '../../../test/chat.ts'
import type { Bus } from '../../bus/bus.ts'
import { createMemoryBus } from '../../bus/memory/memory-bus.ts'
import { createMemoryRegistry } from '../../registry/memory/memory-registry.ts'
import { RegistryUnavailable, type Registry, type RegistryListener } from '../../registry/registry.ts'
import { createMemoryDatabase } from '../../storage/memory/memory.ts'
import type { AppendResult, LogStore, Storage } from '../../storage/storage.ts'
import { chatrooms, type Person } from './chatroom.fixture.ts'
import { openLive, type Live } from './live.fixture.ts'

type Kind = keyof LogStore | keyof Registry

/** Which question waits. */
interface Held {
  /** The first thing that is said in it; undefined: whatever is. */
  about?: unknown
  /** Of those from now on. */
  nth?: number
  /** It is asked when it is released, not answered. */
  isUnasked?: boolean
}

export interface HeldNode extends Live {
  hold(kind: Kind, held?: Held): { held: () => Promise<void>; release: () => void }
  /** It hears of no commit until what this gives is called. */
  deafen(): () => void
  /** While it is away, all that is asked of its registry is refused. */
  setAway(isAway: boolean): void
  /** Its registry is there anew, or filled again; resolves when the node has told it all. */
  reopen(): Promise<void>
  add(roomId: string, by: Person, who: Person): Promise<unknown>
  remove(roomId: string, by: Person, who: Person): Promise<unknown>
}

export interface Yard {
  database: ReturnType<typeof createMemoryDatabase>
  open(): Promise<HeldNode>
  stop(): Promise<void>
}

/** Messages of this text cannot be shown when they come live. */
export const poison = 'poison'

export function openYard(): Yard {
  const database = createMemoryDatabase()
  const bus = createMemoryBus()
  const nodes: HeldNode[] = []
  return {
    database,
    async open() {
      const node = await openNode(database.openStorage(), bus.connect())
      nodes.push(node)
      return node
    },
    async stop() {
      for (const node of nodes) await node.stop()
    },
  }
}

async function openNode(under: Storage, bus: Bus): Promise<HeldNode> {
  const questions = new Questions()
  let deafness = Promise.resolve()
  const log = questions.through(under.log, async (kind) => {
    if (kind === 'listJournals' || kind === 'readCommits') await deafness
  })
  let isAway = false
  const asked = questions.through(createMemoryRegistry(under.directory), async () => {
    if (isAway) throw new RegistryUnavailable('away')
  })
  let heard!: RegistryListener
  const registry: Registry = { ...asked, listen: (listener) => asked.listen((heard = listener)) }
  const listen: Bus['listen'] = (name, listener) =>
    bus.listen(name, {
      onOpen: () => listener.onOpen(),
      onPresence: (...about) => listener.onPresence(...about),
      onCommit: (commit) => void deafness.then(() => listener.onCommit(commit)),
    })
  const env = { LIMIT_REGISTER: 'off', LIMIT_SENDS: 'off', LIMIT_CONNECTS: 'off' }
  const parts = { storage: { ...under, log }, registry, bus: { ...bus, listen } }
  const live = await openLive({ ...parts, clock: fastClock, isProduction: true, env })
  const participants = (roomId: string) => `${chatrooms}/${roomId}/participants`
  let isOpen = true
  return {
    ...live,
    hold: (kind, held) => questions.hold(kind, held),
    deafen() {
      let hear = () => {}
      deafness = new Promise((resolve) => (hear = resolve))
      return hear
    },
    setAway: (is) => void (isAway = is),
    reopen: () => heard.onOpen(),
    add: (roomId, by, { username }) => live.done(`POST ${participants(roomId)}`, by.bearer, { userId: username }),
    remove: (roomId, by, { username }) => live.done(`DELETE ${participants(roomId)}/${username}`, by.bearer),
    async stop() {
      if (isOpen) await live.stop()
      isOpen = false
    },
  }
}

/** What is not asked, but told. */
const unanswered = new Set<string | symbol>(['listen', 'announceBound', 'close'])

interface Hold extends Required<Held> {
  kind: string
  isHeld: boolean
  released: Promise<void>
}

class Questions {
  private readonly holds = new Set<Hold>()

  hold(kind: Kind, { about, nth = 1, isUnasked = false }: Held = {}): { held: () => Promise<void>; release: () => void } {
    let release = () => {}
    const released = new Promise<void>((resolve) => (release = resolve))
    const hold: Hold = { kind, about, nth, isUnasked, isHeld: false, released }
    this.holds.add(hold)
    return { held: () => until(`${kind} is held`, () => hold.isHeld), release }
  }

  through<T extends object>(under: T, before: (kind: string | symbol) => Promise<void>): T {
    return new Proxy(under, {
      get: (target, kind) => {
        const method = Reflect.get(target, kind) as unknown
        if (typeof method !== 'function' || unanswered.has(kind)) return method
        return async (...values: unknown[]) => {
          await before(kind)
          const hold = this.take(kind, values[0])
          if (hold?.isUnasked) await wait(hold)
          const result = await Reflect.apply(method as (...values: unknown[]) => unknown, target, values)
          if (hold && !hold.isUnasked) await wait(hold)
          return kind === 'append' ? withoutTimes(result as AppendResult) : result
        }
      },
    })
  }

  private take(kind: string | symbol, about: unknown): Hold | undefined {
    const hold = [...this.holds].find((one) => one.kind === kind && (one.about === undefined || one.about === about))
    if (!hold || --hold.nth > 0) return undefined
    this.holds.delete(hold)
    return hold
  }
}

async function wait(hold: Hold): Promise<void> {
  hold.isHeld = true
  await hold.released
}

export function withoutTimes(result: AppendResult): AppendResult {
  for (const fact of result.facts) {
    if (fact.type === 'message.posted' && fact.message.content === poison)
      fact.message = { ...fact.message, createdAt: Number.NaN }
  }
  return result
}
