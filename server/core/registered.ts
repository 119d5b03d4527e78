/** What stands in the registry, as a door with one uses it: logins, bindings and Rooms, kept true there while this process lives. */
import type { Registry } from '../registry/registry.ts'
import { createBindings, type Bindings, type BindingsOptions } from './bindings.ts'
import { every, type Clock } from './clock.ts'
import { createLiveRooms, type LiveRooms, type LiveRoomsOptions } from './live-rooms.ts'
import type { Logins } from './logins.ts'
import { beatMs, createNodeLease } from './node-lease.ts'

/** What another node's word was lost of is read anew after so many sweeps. */
const sweepsPerReread = 3
/** What stands in the registry is kept for days beyond this process's life, and renewed each day while it lives. */
const sweepsPerRenewal = (24 * 3_600_000) / beatMs

type Own = 'registry' | 'lease'

export interface RegisteredOptions<Seat> extends Omit<BindingsOptions, Own>, Omit<LiveRoomsOptions<Seat>, Own> {
  registry: Registry
  /** Watched over while this runs. */
  logins: Logins
  clock: Clock
  /** This process among those of its database: unique, also over time. */
  node: string
}

export interface Registered<Seat> {
  bindings: Bindings
  rooms: LiveRooms<Seat>
  start(): void
  /** Without a word to the registry: the sockets are to be closed before. */
  stop(): Promise<void>
}

export function createRegistered<Seat>(options: RegisteredOptions<Seat>): Registered<Seat> {
  const { registry, logins, clock, node } = options
  const lease = createNodeLease(registry, node)
  const bindings = createBindings({ registry, lease, onBound: options.onBound, cursor: options.cursor })
  const rooms = createLiveRooms({ ...options, registry, lease })
  let sweeps = 0
  let stopBeating = () => {}
  let stopSweeping = () => {}

  async function restore(): Promise<void> {
    await Promise.all([bindings.restore(), rooms.restore()])
  }

  /** Waits for nothing but the lease: whatever else takes long, this process is not to be taken for dead over it. */
  async function beat(): Promise<void> {
    if (await lease.beat()) void restore()
  }

  async function sweep(): Promise<void> {
    sweeps += 1
    if (sweeps % sweepsPerRenewal === 0) await restore()
    else await Promise.all([bindings.settle(), rooms.settle()])
    if (sweeps % sweepsPerReread === 0) await bindings.reread()
  }

  return {
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
      stopSweeping = every(clock, beatMs, () => sweep().catch(() => {}))
    },
    async stop() {
      stopBeating()
      stopSweeping()
      logins.stop()
      rooms.stop()
      await registry.close()
    },
  }
}
