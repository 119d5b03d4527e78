/** To which rooms the users with sockets at this process are bound (C1, C12); the registry holds it for all processes. */
import type { Moment, Registry } from '../registry/registry.ts'
import {
  arrive,
  bind,
  dated,
  depart,
  keepMsOf,
  restore,
  unbind,
  unite,
  viewBindings,
  type Binding,
  type BindingRecord,
  type Ended,
} from './binding-record.ts'
import { Holding, restoreAll, settleAll, type Naming } from './holding.ts'
import type { Member, RoomId, UserId } from './model.ts'
import type { NodeLease } from './node-lease.ts'
import { changeRecord, parseRecord } from './records.ts'

/** Records that are asked for at once. */
const batchSize = 500

export interface BindingsOptions {
  registry: Registry
  lease: NodeLease
  /** Rooms that a user with sockets here is bound to: as he is bound, here or at another node, and all of them as a socket of his opens. */
  onBound(userId: UserId, bindings: Binding[]): void
  /** A cursor of what this process has handed out. */
  cursor(): string
}

/** All but `close`, `restore` and `settle` throw RegistryUnavailable. */
export interface Bindings {
  /**
   * A socket of his has opened; resolves with the rooms that it is bound to, of which `onBound` is told, too. With a cursor also those that
   * are remembered (C12): he is bound to them from now on. Where it throws, the socket does not count.
   */
  open(userId: UserId, hasCursor: boolean): Promise<OpenBindings>
  /** Binds his sockets, also those at other nodes and those opened later. */
  bind(userId: UserId, member: Pick<Member, 'roomId' | 'joinedSeq'>): Promise<void>
  /**
   * He is out of the room, or it is gone (`unbind` of the record): to be said at every node, as each hears of it. Where he is a member
   * again and bound as that, he is told of it as of a new one.
   */
  unbind(userId: UserId, ended: Ended): Promise<void>
  /** No node of this database can say any more since when what is known of him is whole: `from` becomes a cursor of now, unless it changed. */
  dateAnew(userId: UserId, from: string, cursor: string): Promise<void>
  /** A socket of his has closed. Where the registry is away, it learns of it at a later beat. */
  close(userId: UserId): Promise<void>
  /** Another node says that his bindings have changed, or may have. */
  reread(userIds?: UserId[]): Promise<void>
  /** Tells the registry all of what is so here: after it was away or emptied, and when this process was taken for dead. */
  restore(): Promise<void>
  /** What the registry could not be told before. */
  settle(): Promise<void>
}

export interface OpenBindings {
  rooms: Binding[]
  /** By these he was bound in the last 24 h, until he was out. */
  lost: Ended[]
  /** A cursor: these are all by which he was bound since then. */
  from: string
}

interface LocalUser {
  sockets: number
  /** What `onBound` and `open` have told of, with his `joinedSeq` in each; none while he has no socket here. */
  rooms: Map<RoomId, number>
  /** Counts what this process did to his bindings: what was read before is not news then. */
  changes: number
  /** Those that the registry is still being told of: what it answers may be from before them. */
  exits: Set<Ended>
  holding: Holding
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

  async open(userId: UserId, hasCursor: boolean): Promise<OpenBindings> {
    const user = this.localOf(userId)
    user.sockets += 1
    try {
      return await user.holding.inTurn(() => this.admit(userId, user, hasCursor))
    } catch (error) {
      await this.close(userId)
      throw error
    }
  }

  private localOf(userId: UserId): LocalUser {
    return this.users.get(userId) ?? this.takeIn(userId)
  }

  private takeIn(userId: UserId): LocalUser {
    const holding = new Holding({
      isWanted: () => user.sockets > 0,
      hold: (naming) => this.renew(userId, user, naming),
      release: async (node) => void (await this.change(userId, (bindings, { nowMs }) => depart(bindings, node, nowMs))),
      onFree: () => void this.users.delete(userId),
    })
    const user: LocalUser = { sockets: 0, rooms: new Map(), changes: 0, exits: new Set(), holding }
    this.users.set(userId, user)
    return user
  }

  private async admit(userId: UserId, user: LocalUser, hasCursor: boolean): Promise<OpenBindings> {
    const told = await user.holding.hold((naming) => this.arrive(userId, user, { hasCursor, naming }))
    const { rooms, lost, from } = withExits(told, user.exits)
    user.rooms = new Map(unite([...user.rooms], rooms))
    user.changes += 1
    if (rooms.length > 0) this.options.onBound(userId, rooms)
    const ended = lost.map(({ roomId, joinedSeq, stamp }) => ({ roomId, joinedSeq, stamp }))
    return { rooms, lost: ended, from: from ?? this.options.cursor() }
  }

  /** With what he is bound to here: the registry may have lost that. */
  private arrive(userId: UserId, user: LocalUser, { hasCursor, naming }: { hasCursor: boolean; naming: Naming }) {
    return this.change(userId, (before, moment) => {
      const node = this.options.lease.nodeAt(moment)
      naming(node)
      return restore(arrive(before, node, hasCursor), [...user.rooms], moment.nowMs)
    })
  }

  private async renew(userId: UserId, user: LocalUser, naming: Naming): Promise<BindingRecord> {
    const bindings = await this.arrive(userId, user, { hasCursor: false, naming })
    this.note(userId, user, bindings)
    return bindings
  }

  async bind(userId: UserId, { roomId, joinedSeq }: Pick<Member, 'roomId' | 'joinedSeq'>): Promise<void> {
    const user = this.localOf(userId)
    await user.holding.inTurn(async () => {
      const bindings = await this.change(userId, (before, { nowMs }) => bind(before, [roomId, joinedSeq], nowMs))
      this.note(userId, user, bindings)
    })
    this.options.registry.announceBound(userId)
  }

  async unbind(userId: UserId, ended: Ended): Promise<void> {
    const user = this.localOf(userId)
    const joinedSeq = user.rooms.get(ended.roomId) ?? 0
    if (joinedSeq > ended.joinedSeq) this.options.onBound(userId, [[ended.roomId, joinedSeq]])
    else user.rooms.delete(ended.roomId)
    user.changes += 1
    user.exits.add(ended)
    await user.holding.inTurn(() => this.tellExit(userId, user, ended))
  }

  private async tellExit(userId: UserId, user: LocalUser, ended: Ended): Promise<void> {
    try {
      const bindings = await this.change(userId, (before, { nowMs }) => unbind(before, ended, nowMs))
      this.note(userId, user, bindings)
    } finally {
      user.exits.delete(ended)
    }
  }

  async dateAnew(userId: UserId, from: string, cursor: string): Promise<void> {
    const step = (bindings: BindingRecord) => (bindings.from === from ? dated({ ...bindings, from: null }, cursor) : null)
    await this.localOf(userId).holding.inTurn(() => this.change(userId, step))
  }

  async close(userId: UserId): Promise<void> {
    const user = this.users.get(userId)
    if (!user) return
    user.sockets -= 1
    if (user.sockets > 0) return
    user.rooms.clear()
    await user.holding.settle().catch(() => {})
  }

  /** What is new to this process is told; what was unbound elsewhere is forgotten. */
  private note(userId: UserId, user: LocalUser, told: BindingRecord): void {
    if (user.sockets === 0) return
    const { rooms, nodes } = withExits(told, user.exits)
    const added = rooms.filter(([roomId]) => !user.rooms.has(roomId))
    // A record that does not name this node, as its lease ran out or the registry was emptied, says nothing of what ended here.
    user.rooms = new Map(user.holding.isAmong(nodes) ? rooms : unite([...user.rooms], rooms))
    user.changes += 1
    if (added.length > 0) this.options.onBound(userId, added)
  }

  async reread(userIds: UserId[] = [...this.users.keys()]): Promise<void> {
    const here = userIds.filter((userId) => this.users.has(userId))
    for (let from = 0; from < here.length; from += batchSize) await this.rereadBatch(here.slice(from, from + batchSize))
  }

  private async rereadBatch(userIds: UserId[]): Promise<void> {
    const before = userIds.map((userId) => ({ ...this.users.get(userId) }))
    const { values, ...moment } = await this.options.registry.readRecords(userIds.map(nameOf))
    const overtaken: Promise<void>[] = []
    for (const [nth, userId] of userIds.entries()) {
      const user = this.users.get(userId)
      if (!user) continue
      const record = parseRecord(values[nth] ?? null) as BindingRecord | null
      const { holding, changes } = before[nth]!
      if (user.holding === holding && user.changes === changes) this.note(userId, user, viewBindings(record, moment))
      // What was done here meanwhile does not say whether it came before what was done elsewhere.
      else overtaken.push(this.rereadInTurn(userId, user))
    }
    await Promise.all(overtaken)
  }

  private async rereadInTurn(userId: UserId, user: LocalUser): Promise<void> {
    await user.holding.inTurn(async () => this.note(userId, user, await this.change(userId, () => null)))
  }

  restore(): Promise<void> {
    return restoreAll(this.listHoldings())
  }

  settle(): Promise<void> {
    return settleAll(this.listHoldings())
  }

  private listHoldings(): Holding[] {
    return [...this.users.values()].map(({ holding }) => holding)
  }

  /** Resolves with what counts then. */
  private async change(userId: UserId, step: (bindings: BindingRecord, moment: Moment) => BindingRecord | null) {
    let bindings!: BindingRecord
    await changeRecord<BindingRecord>(this.options.registry, nameOf(userId), (kept, moment) => {
      const before = viewBindings(kept, moment)
      const changed = step(before, moment)
      const record = changed && dated(changed, this.options.cursor())
      bindings = record ?? before
      return record && { record, beforeMs: null, keepMs: keepMsOf(record) }
    })
    return bindings
  }
}

/** What counts once the registry has heard of them. */
function withExits(told: BindingRecord, exits: Set<Ended>): BindingRecord {
  return [...exits].reduce((bindings, exit) => unbind(bindings, exit, 0) ?? bindings, told)
}

function nameOf(userId: UserId): string {
  return `bound:${userId}`
}
