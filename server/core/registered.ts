/** What stands in the registry, as a door with one uses it: logins, bindings and Rooms, kept true there while this process lives. */
import type { Registry } from '../registry/registry.ts'
import type { Directory } from '../storage/storage.ts'
import { createBindings, type Bindings, type BindingsOptions } from './bindings.ts'
import { every, type Clock } from './clock.ts'
import { createLiveRooms, type LiveRooms, type LiveRoomsOptions } from './live-rooms.ts'
import { createLogins, type Logins } from './logins.ts'
import { beatMs, createNodeLease } from './node-lease.ts'

/** What another node's word was lost of is read anew after so many beats. */
const beatsPerSweep = 3

type Own = 'registry' | 'lease'

export interface RegisteredOptions<Seat> extends Omit<BindingsOptions, Own>, Omit<LiveRoomsOptions<Seat>, Own> {
  registry: Registry
  directory: Directory
  clock: Clock
  /** This process among those of its database: unique, also over time. */
  node: string
}

export interface Registered<Seat> {
  logins: Logins
  bindings: Bindings
  rooms: LiveRooms<Seat>
  start(): void
  /** Without a word to the registry: the sockets are to be closed before. */
  stop(): Promise<void>
}

export function createRegistered<Seat>(options: RegisteredOptions<Seat>): Registered<Seat> {
  const { registry, directory, clock, node } = options
  const lease = createNodeLease(registry, node)
  const logins = createLogins({ registry, directory, clock })
  const bindings = createBindings({ registry, lease, onBound: options.onBound })
  const rooms = createLiveRooms({ ...options, registry, lease })
  let beats = 0
  let stopBeating = () => {}

  async function restore(): Promise<void> {
    await Promise.all([bindings.restore(), rooms.restore()])
  }

  async function beat(): Promise<void> {
    if (await lease.beat()) return restore()
    await Promise.all([bindings.settle(), rooms.settle()])
    beats += 1
    if (beats % beatsPerSweep === 0) await bindings.reread()
  }

  return {
    logins,
    bindings,
    rooms,
    start() {
      registry.listen({
        async onOpen() {
          await lease.beat()
          await restore()
        },
        onEnded: (sha256) => logins.recheck(sha256),
        onBound: (userId) => void bindings.reread([userId]).catch(() => {}),
      })
      logins.start()
      stopBeating = every(clock, beatMs, () => beat().catch(() => {}))
    },
    async stop() {
      stopBeating()
      logins.stop()
      rooms.stop()
      await registry.close()
    },
  }
}
