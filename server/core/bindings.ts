/** To which rooms the users with sockets at this process are bound (C1, C12); the registry holds it for all processes. */
import type { Registry } from '../registry/registry.ts'
import { arrive, bind, depart, keepMsOf, noBindings, unbind, viewBindings, type BindingRecord } from './binding-record.ts'
import type { RoomId, UserId } from './model.ts'
import type { NodeLease } from './node-lease.ts'
import { changeRecord, parseRecord } from './records.ts'

/** Records that are asked for at once. */
const batchSize = 500

export interface BindingsOptions {
  registry: Registry
  lease: NodeLease
  /** Rooms that a user with sockets here was bound to, here or at another node; once each. */
  onBound(userId: UserId, roomIds: RoomId[]): void
}

/** All but `close`, `reread` and `settle` throw RegistryUnavailable. */
export interface Bindings {
  /**
   * A socket of his has opened; resolves with the rooms that it is bound to. With a cursor also those that are remembered (C12): he is
   * bound to them from now on. Where it throws, the socket does not count.
   */
  open(userId: UserId, hasCursor: boolean): Promise<RoomId[]>
  /** Binds his sockets, also those at other nodes and those opened later. */
  bind(userId: UserId, roomId: RoomId): Promise<void>
  /** He is out of the room, or it is gone: to be said at every node, as each hears of it. */
  unbind(userId: UserId, roomId: RoomId): Promise<void>
  /** A socket of his has closed. Where the registry is away, it learns of it at a later beat. */
  close(userId: UserId): Promise<void>
  /** Another node says that his bindings have changed, or may have. */
  reread(userIds?: UserId[]): Promise<void>
  /** Tells the registry all of what is so here: after it was emptied, or this process was taken for dead. */
  restore(): Promise<void>
  /** What the registry could not be told before. */
  settle(): Promise<void>
}

interface LocalUser {
  sockets: number
  /** What `onBound` and `open` have told of. */
  rooms: Set<RoomId>
  /** Counts what this process did to his bindings: what was read before is not news then. */
  changes: number
  /** The node's name under which the registry knows that he is here; null where it does not. */
  heldAs: string | null
  /** What was begun last: the registry is told one after the other. */
  last: Promise<unknown>
}

export function createBindings(options: BindingsOptions): Bindings {
  return new LocalBindings(options)
}

class LocalBindings implements Bindings {
  private readonly options: BindingsOptions
  private readonly users = new Map<UserId, LocalUser>()

  constructor(options: BindingsOptions) {
    this.options = options
  }

  async open(userId: UserId, hasCursor: boolean): Promise<RoomId[]> {
    const user = this.users.get(userId) ?? { sockets: 0, rooms: new Set(), changes: 0, heldAs: null, last: Promise.resolve() }
    this.users.set(userId, user)
    user.sockets += 1
    try {
      return await this.inTurn(user, () => this.hold(userId, user, hasCursor))
    } catch (error) {
      await this.close(userId)
      throw error
    }
  }

  private inTurn<T>(user: LocalUser, act: () => Promise<T>): Promise<T> {
    const done = user.last.then(act)
    user.last = done.catch(() => {})
    return done
  }

  private async hold(userId: UserId, user: LocalUser, hasCursor: boolean): Promise<RoomId[]> {
    const { node } = this.options.lease
    const { rooms } = await this.change(userId, (bindings) => arrive(bindings, node, hasCursor))
    user.heldAs = node
    for (const roomId of rooms) user.rooms.add(roomId)
    return rooms
  }

  async bind(userId: UserId, roomId: RoomId): Promise<void> {
    const bindings = await this.change(userId, (before) => bind(before, [roomId]))
    this.note(userId, bindings)
    this.options.registry.announceBound(userId)
  }

  async unbind(userId: UserId, roomId: RoomId): Promise<void> {
    this.noteUnbound(userId, roomId)
    const isKnown = ({ rooms, remembered }: BindingRecord) =>
      rooms.includes(roomId) || remembered.some(([remembered]) => remembered === roomId)
    await this.change(userId, (before) => (isKnown(before) ? unbind(before, roomId) : null))
    this.noteUnbound(userId, roomId)
  }

  private noteUnbound(userId: UserId, roomId: RoomId): void {
    const user = this.users.get(userId)
    if (!user) return
    user.rooms.delete(roomId)
    user.changes += 1
  }

  async close(userId: UserId): Promise<void> {
    const user = this.users.get(userId)
    if (!user) return
    user.sockets -= 1
    if (user.sockets === 0) await this.inTurn(user, () => this.tell(userId, user)).catch(() => {})
  }

  /** Makes the registry hold what is so here. */
  private async tell(userId: UserId, user: LocalUser): Promise<void> {
    if (user.sockets > 0) {
      if (user.heldAs === null) await this.renew(userId, user)
      return
    }
    const { heldAs } = user
    if (heldAs !== null) await this.change(userId, (bindings, nowMs) => depart(bindings, heldAs, nowMs))
    user.heldAs = null
    if (user.sockets === 0 && this.users.get(userId) === user) this.users.delete(userId)
  }

  private async renew(userId: UserId, user: LocalUser): Promise<void> {
    const { node } = this.options.lease
    const bindings = await this.change(userId, (before) => bind(arrive(before, node, false), [...user.rooms]))
    user.heldAs = node
    this.note(userId, bindings)
  }

  /** What is new to this process is told; what was unbound elsewhere is forgotten. */
  private note(userId: UserId, { rooms }: BindingRecord): void {
    const user = this.users.get(userId)
    if (!user) return
    const added = rooms.filter((roomId) => !user.rooms.has(roomId))
    user.rooms = new Set(rooms)
    user.changes += 1
    if (added.length > 0) this.options.onBound(userId, added)
  }

  async reread(userIds: UserId[] = [...this.users.keys()]): Promise<void> {
    const here = userIds.filter((userId) => this.users.get(userId)?.heldAs)
    for (let from = 0; from < here.length; from += batchSize) await this.rereadBatch(here.slice(from, from + batchSize))
  }

  private async rereadBatch(userIds: UserId[]): Promise<void> {
    const changesOf = (userId: UserId) => this.users.get(userId)?.changes
    const before = userIds.map(changesOf)
    const { values, ...moment } = await this.options.registry.readRecords(userIds.map(nameOf))
    for (const [nth, userId] of userIds.entries()) {
      const record = parseRecord(values[nth] ?? null) as BindingRecord | null
      // Where there is none, the registry was emptied: this node is about to restore it.
      if (record !== null && changesOf(userId) === before[nth]) this.note(userId, viewBindings(record, moment))
    }
  }

  async restore(): Promise<void> {
    for (const user of this.users.values()) user.heldAs = null
    await this.settle()
  }

  async settle(): Promise<void> {
    const open = [...this.users].filter(([, { sockets, heldAs }]) => sockets > 0 !== (heldAs !== null))
    await Promise.allSettled(open.map(([userId, user]) => this.inTurn(user, () => this.tell(userId, user))))
  }

  private async change(userId: UserId, step: (bindings: BindingRecord, nowMs: number) => BindingRecord | null) {
    let record: BindingRecord | null = null
    await changeRecord<BindingRecord>(this.options.registry, nameOf(userId), (before, moment) => {
      record = step(viewBindings(before, moment), moment.nowMs)
      return record && { record, beforeMs: null, keepMs: keepMsOf(record) }
    })
    return record ?? noBindings
  }
}

function nameOf(userId: UserId): string {
  return `bindings:${userId}`
}
