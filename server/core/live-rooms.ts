/**
 * The Rooms of this process (C10): whom each holds, its life in the registry, and its supervision. An error inside a Room ends that one
 * with a log line; who is in it is carried into a new one, and no other Room notices.
 */
import { leaseKeptMs, type Registry } from '../registry/registry.ts'
import type { Clock } from './clock.ts'
import { toChatError } from './errors.ts'
import { Holding, restoreAll, settleAll, type Naming } from './holding.ts'
import type { Log } from './log.ts'
import type { RoomId } from './model.ts'
import type { NodeLease } from './node-lease.ts'
import { changeRecord, parseRecord } from './records.ts'
import {
  activateRoom,
  closeRoom,
  closingMs,
  enterRoom,
  leaveRoom,
  recreateRoom,
  viewRoom,
  type RoomMoment,
  type RoomRecord,
  type RoomState,
} from './room-lifecycle.ts'

/** A Room that fails more often than this in so many ms is given up, as a supervisor of Erlang would. */
const restartsMax = 3
const restartsMs = 5_000

export interface LiveRoomsOptions<Seat> {
  registry: Registry
  lease: NodeLease
  clock: Clock
  log: Log
  /** How long a Room is idle before it closes (`ROOM_IDLE_MINUTES`). */
  idleMs: number
  /** Begins a Room anew for those who are in, after an error ended it. */
  carry(roomId: RoomId, seats: Seat[]): Promise<void>
  /** A Room that fails again and again was given up: they are in none now. */
  drop(roomId: RoomId, seats: Seat[]): void
}

/** `Seat`: what a Room holds, an open socket of a bound user. */
export interface LiveRooms<Seat> {
  /** False where the Room is closing. Throws RegistryUnavailable. Neither lets him in who was not in before. */
  enter(roomId: RoomId, seat: Seat): Promise<boolean>
  /** Where the registry is away, it learns of it at a later beat. */
  leave(roomId: RoomId, seat: Seat): Promise<void>
  seatsIn(roomId: RoomId): Seat[]
  /** Works inside a Room: what it throws ends the Room, but for a ChatError, which is thrown on. */
  run(roomId: RoomId, work: () => Promise<void> | void): Promise<void>
  /** Of the one Room that all nodes share. Throws RegistryUnavailable. */
  stateOf(roomId: RoomId): Promise<RoomState>
  /** Tells the registry all of what is so here: after it was away or emptied, and when this process was taken for dead. */
  restore(): Promise<void>
  /** What the registry could not be told before. */
  settle(): Promise<void>
  stop(): void
}

interface LiveRoom<Seat> {
  seats: Set<Seat>
  /** The Room open in the registry. */
  holding: Holding
  /** Counts its lives here: of what failed in an earlier one nobody need hear. */
  life: number
  failedAt: number[]
}

export function createLiveRooms<Seat>(options: LiveRoomsOptions<Seat>): LiveRooms<Seat> {
  return new Supervisor(options)
}

class Supervisor<Seat> implements LiveRooms<Seat> {
  private readonly options: LiveRoomsOptions<Seat>
  private readonly rooms = new Map<RoomId, LiveRoom<Seat>>()
  private readonly timers = new Map<RoomId, () => void>()

  constructor(options: LiveRoomsOptions<Seat>) {
    this.options = options
  }

  async enter(roomId: RoomId, seat: Seat): Promise<boolean> {
    const room = this.rooms.get(roomId) ?? this.takeIn(roomId)
    const isNew = !room.seats.has(seat)
    room.seats.add(seat)
    let isIn = false
    try {
      isIn = await room.holding.settle()
      return isIn
    } finally {
      if (!isIn && isNew) void this.leave(roomId, seat)
    }
  }

  private takeIn(roomId: RoomId): LiveRoom<Seat> {
    const seats = new Set<Seat>()
    const holding = new Holding({
      isWanted: () => seats.size > 0,
      hold: (naming) => this.hold(roomId, naming),
      release: (node) => this.release(roomId, node),
      onFree: () => void this.rooms.delete(roomId),
    })
    const room = { seats, holding, life: 1, failedAt: [] }
    this.rooms.set(roomId, room)
    return room
  }

  async leave(roomId: RoomId, seat: Seat): Promise<void> {
    const room = this.rooms.get(roomId)
    if (room?.seats.delete(seat)) await room.holding.settle().catch(() => {})
  }

  seatsIn(roomId: RoomId): Seat[] {
    return [...(this.rooms.get(roomId)?.seats ?? [])]
  }

  /** Null where it is closing. One that was not activated is not held: it is tried again. */
  private async hold(roomId: RoomId, naming: Naming): Promise<RoomRecord | null> {
    const { lease, log } = this.options
    let isClosing = false
    const entered = await this.change(roomId, (record, moment) => {
      const node = lease.nodeAt(moment)
      const next = enterRoom(record, node, moment)
      isClosing = next === null
      if (next !== null) naming(node)
      return next ?? record
    })
    if (isClosing) return null
    this.timers.get(roomId)?.()
    if (entered?.isMade === false) {
      await this.change(roomId, activateRoom)
      log.info('Room created successfully.', { roomId })
    }
    return entered
  }

  private async release(roomId: RoomId, node: string): Promise<void> {
    const left = await this.change(roomId, (record, moment) => leaveRoom(record, node, moment))
    if (left !== null && left.closesAt !== null) this.closeAfter(roomId, this.options.idleMs)
  }

  /** The node at which the last one left closes the Room; where that node dies, its time closes it. */
  private closeAfter(roomId: RoomId, ms: number): void {
    this.timers.get(roomId)?.()
    const cancel = this.options.clock.after(ms, () => {
      this.timers.delete(roomId)
      void this.close(roomId).catch(() => {})
    })
    this.timers.set(roomId, cancel)
  }

  private async close(roomId: RoomId): Promise<void> {
    const { registry, log } = this.options
    const view = await this.view(roomId)
    // The registry's clock judges: by ours it may be early.
    if (view.state === 'idle') return this.closeAfter(roomId, Math.max(1, view.changesAt! - view.nowMs))
    if (view.state !== 'closing') return
    await registry.dropRecent(roomId)
    if ((await this.change(roomId, closeRoom)) === null) log.info('Room closed.', { roomId })
  }

  async run(roomId: RoomId, work: () => Promise<void> | void): Promise<void> {
    const room = this.rooms.get(roomId)
    const life = room?.life
    try {
      await work()
    } catch (error) {
      if (toChatError(error) !== null) throw error
      if (room?.life !== life) return
      this.options.log.error('Room ended by an error.', { roomId, error })
      if (room !== undefined) await this.recreate(roomId, room)
    }
  }

  /** A new Room for those who are in, or none where it only fails. */
  private async recreate(roomId: RoomId, room: LiveRoom<Seat>): Promise<void> {
    room.life += 1
    const { clock } = this.options
    room.failedAt = [...room.failedAt.filter((at) => at > clock.now() - restartsMs), clock.now()]
    if (room.failedAt.length > restartsMax) return this.giveUp(roomId, room)
    // Those who are in are carried whether the registry hears of it or not.
    await this.change(roomId, recreateRoom).catch(() => {})
    await this.run(roomId, () => this.options.carry(roomId, [...room.seats]))
    await this.change(roomId, activateRoom).catch(() => room.holding.doubt())
  }

  private async giveUp(roomId: RoomId, room: LiveRoom<Seat>): Promise<void> {
    const seats = [...room.seats]
    room.seats.clear()
    this.options.log.error('Room given up: it fails again and again.', { roomId })
    this.options.drop(roomId, seats)
    await room.holding.settle().catch(() => {})
  }

  async stateOf(roomId: RoomId): Promise<RoomState> {
    return (await this.view(roomId)).state
  }

  private async view(roomId: RoomId) {
    const { values, ...moment } = await this.options.registry.readRecords([nameOf(roomId)])
    const record = parseRecord(values[0] ?? null) as RoomRecord | null
    return { ...viewRoom(record, this.at(moment)), nowMs: moment.nowMs }
  }

  private change(roomId: RoomId, step: (record: RoomRecord | null, moment: RoomMoment) => RoomRecord | null) {
    const { registry, idleMs } = this.options
    return changeRecord<RoomRecord>(registry, nameOf(roomId), (before, read) => {
      const moment = this.at(read)
      const record = step(before, moment)
      if (record === before) return null
      const keepMs = idleMs + (record?.nodes.length === 0 ? closingMs : leaseKeptMs)
      return { record, beforeMs: viewRoom(before, moment).changesAt, keepMs }
    })
  }

  private at(moment: Omit<RoomMoment, 'idleMs'>): RoomMoment {
    return { ...moment, idleMs: this.options.idleMs }
  }

  restore(): Promise<void> {
    return restoreAll(this.listHoldings())
  }

  settle(): Promise<void> {
    return settleAll(this.listHoldings())
  }

  private listHoldings(): Holding[] {
    return [...this.rooms.values()].map(({ holding }) => holding)
  }

  stop(): void {
    for (const cancel of this.timers.values()) cancel()
    this.timers.clear()
  }
}

function nameOf(roomId: RoomId): string {
  return `room:${roomId}`
}
