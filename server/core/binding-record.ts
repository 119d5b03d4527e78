/**
 * To which rooms a user's sockets are bound (C1), at all nodes. Pure: until when it lasts follows from the registry's clock and the
 * leases of the nodes at which he has sockets.
 */
import { leaseKeptMs, type Moment } from '../registry/registry.ts'
import type { RoomId, Stamp } from './model.ts'

/** Of one membership: `joinedSeq` is that of the event that let him in, so the end of an earlier one says nothing of it. */
export type Binding = [roomId: RoomId, joinedSeq: number]

/** A membership that has ended. */
export interface Ended {
  roomId: RoomId
  joinedSeq: number
  /** Of the event that ended it; null where that is not known, and storage must be asked. */
  stamp: Stamp | null
}

type Lost = Ended & { untilMs: number }
type Known = Binding | [...Binding, untilMs: number]

/** As the registry keeps it. */
export interface BindingRecord {
  rooms: Binding[]
  /** Ended, and known until then to sockets with a cursor (C12). */
  remembered: [...Binding, untilMs: number][]
  /** By which he was bound: sockets with a cursor are to hear until then of what they missed of them (C12). */
  lost: Lost[]
  /** Those with open sockets of his. One whose lease has run out counts as gone since then. */
  nodes: string[]
  /** When his last socket was closed; null while one is open, and before there was one. */
  goneAt: number | null
}

/** A binding outlasts his last socket by so much. */
export const bindingMs = 30_000
/** And is remembered for so long after it; a binding that waits for a first socket does so for as long. */
export const rememberedMs = 24 * 3_600_000
/** More than anybody is put out of in that time by people who mean it: of who has so many it is not known what else he lost. */
export const lostMax = 1_000

const noBindings: BindingRecord = { rooms: [], remembered: [], lost: [], nodes: [], goneAt: null }

/** What of a record counts now. */
export function viewBindings(record: BindingRecord | null, { nowMs, leases }: Moment): BindingRecord {
  const { rooms, nodes, goneAt: toldAt, ...past } = record ?? noBindings
  const leaseOf = (node: string) => leases.get(node) ?? 0
  const present = nodes.filter((node) => leaseOf(node) > nowMs)
  const remembered = past.remembered.filter(([, , untilMs]) => untilMs > nowMs)
  const lost = past.lost.filter(({ untilMs }) => untilMs > nowMs)
  if (present.length > 0) return { rooms, remembered, lost, nodes: present, goneAt: null }
  const goneAt = nodes.length > 0 ? Math.max(...nodes.map(leaseOf)) : toldAt
  if (goneAt === null || nowMs < goneAt + bindingMs) return { rooms, remembered, lost, nodes: [], goneAt }
  const untilMs = goneAt + rememberedMs
  const ended = nowMs < untilMs ? rooms.map((binding): [...Binding, number] => [...binding, untilMs]) : []
  return { rooms: [], remembered: [...remembered, ...ended], lost, nodes: [], goneAt }
}

/** A first socket of his at this node; one with a cursor brings back what is remembered. */
export function arrive(bindings: BindingRecord, node: string, hasCursor: boolean): BindingRecord {
  const { rooms, remembered, lost, nodes } = bindings
  const back = hasCursor ? remembered.map(([roomId, joinedSeq]): Binding => [roomId, joinedSeq]) : []
  return {
    rooms: unite(rooms, back),
    remembered: hasCursor ? [] : remembered,
    lost,
    nodes: [...new Set([...nodes, node])],
    goneAt: null,
  }
}

/**
 * One who has no open socket may open his first when he likes: the binding waits for it. Of a membership that has ended nobody is bound
 * again, as one may ask who has not heard of that yet. Who is bound by a later one has lost the earlier.
 */
export function bind(bindings: BindingRecord, wanted: Binding[], nowMs: number): BindingRecord {
  const added = wanted.filter(([roomId, joinedSeq]) => !bindings.lost.some((one) => isSame(one, { roomId, joinedSeq })))
  const rooms = unite(bindings.rooms, added)
  const latest = new Map(rooms)
  const past = [...bindings.rooms, ...bindings.remembered, ...added].filter(
    ([roomId, joinedSeq]) => joinedSeq < (latest.get(roomId) ?? 0),
  )
  return {
    ...bindings,
    rooms,
    remembered: bindings.remembered.filter(([roomId]) => !latest.has(roomId)),
    lost: withLost(bindings.lost, past, nowMs),
    goneAt: null,
  }
}

/**
 * With a membership those before it have ended, too. A `joinedSeq` of Infinity is of all of them, where the room is gone, or he is a member
 * all the same and only bound no more: then nothing is lost. Null where that changes nothing.
 */
export function unbind(bindings: BindingRecord, ended: Ended, nowMs: number): BindingRecord | null {
  const isOver = ([roomId, joinedSeq]: Known) => roomId === ended.roomId && joinedSeq <= ended.joinedSeq
  const over = [...bindings.rooms, ...bindings.remembered].filter(isOver)
  const isNews = ended.stamp !== null && bindings.lost.some((one) => isSame(one, ended) && one.stamp === null)
  if (over.length === 0 && !isNews) return null
  const lost = ended.joinedSeq === Infinity ? bindings.lost : withLost(bindings.lost, over, nowMs)
  return {
    ...bindings,
    rooms: bindings.rooms.filter((binding) => !isOver(binding)),
    remembered: bindings.remembered.filter((binding) => !isOver(binding)),
    lost: lost.map((one) => (isSame(one, ended) ? { ...one, stamp: one.stamp ?? ended.stamp } : one)),
  }
}

/** His last socket at this node has closed. Null where it knew of none. */
export function depart(bindings: BindingRecord, node: string, nowMs: number): BindingRecord | null {
  if (!bindings.nodes.includes(node)) return null
  const nodes = bindings.nodes.filter((one) => one !== node)
  return { ...bindings, nodes, goneAt: nodes.length === 0 ? nowMs : null }
}

/** For how long a record is to be kept from now: the nodes in it renew it while they live. */
export function keepMsOf({ nodes }: BindingRecord): number {
  return bindingMs + rememberedMs + (nodes.length > 0 ? leaseKeptMs : 0)
}

/** Each once, the latest `lostMax`. */
function withLost(lost: Lost[], past: Known[], nowMs: number): Lost[] {
  const untilMs = nowMs + rememberedMs
  const added = past.map(([roomId, joinedSeq]) => ({ roomId, joinedSeq, stamp: null, untilMs }))
  return [...lost, ...added.filter((one) => !lost.some((other) => isSame(one, other)))].slice(-lostMax)
}

function isSame(one: Ended, other: Pick<Ended, 'roomId' | 'joinedSeq'>): boolean {
  return one.roomId === other.roomId && one.joinedSeq === other.joinedSeq
}

/** Each room once, with his latest membership of it. */
export function unite(some: Binding[], others: Binding[]): Binding[] {
  const all = new Map(some)
  for (const [roomId, joinedSeq] of others) all.set(roomId, Math.max(joinedSeq, all.get(roomId) ?? 0))
  return [...all]
}
