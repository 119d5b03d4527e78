/**
 * To which rooms a user's sockets are bound (C1), at all nodes. Pure: until when it lasts follows from the registry's clock and the
 * leases of the nodes at which he has sockets.
 */
import { leaseKeptMs, type Moment } from '../registry/registry.ts'
import type { RoomId, Stamp } from './model.ts'

/** Of one membership: `joinedSeq` is that of the event that let him in, so the end of an earlier one says nothing of it. */
export type Binding = [roomId: RoomId, joinedSeq: number]

/** A membership that has ended, and by which he was bound. */
export interface Ended {
  roomId: RoomId
  joinedSeq: number
  /** Of the event that ended it. */
  stamp: Stamp
}

/** As the registry keeps it. */
export interface BindingRecord {
  rooms: Binding[]
  /** Ended, and known until then to sockets with a cursor (C12). */
  remembered: [...Binding, untilMs: number][]
  /** Sockets with a cursor are to hear until then of what they missed of them (C12). */
  lost: (Ended & { untilMs: number })[]
  /** Those with open sockets of his. One whose lease has run out counts as gone since then. */
  nodes: string[]
  /** When his last socket was closed; null while one is open, and before there was one. */
  goneAt: number | null
}

/** A binding outlasts his last socket by so much. */
export const bindingMs = 30_000
/** And is remembered for so long after it; a binding that waits for a first socket does so for as long. */
export const rememberedMs = 24 * 3_600_000
/** More than anybody is put out of in that time by people who mean it. */
const lostMax = 1_000

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
  return { rooms: [], remembered: [...without(remembered, rooms), ...ended], lost, nodes: [], goneAt }
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
 * again, as one may ask who has not heard of that yet.
 */
export function bind(bindings: BindingRecord, wanted: Binding[]): BindingRecord {
  const ended = new Map(
    unite(
      [],
      bindings.lost.map(({ roomId, joinedSeq }) => [roomId, joinedSeq]),
    ),
  )
  const added = wanted.filter(([roomId, joinedSeq]) => joinedSeq > (ended.get(roomId) ?? -Infinity))
  return { ...bindings, rooms: unite(bindings.rooms, added), remembered: without(bindings.remembered, added), goneAt: null }
}

/** The end of his memberships of a room that began before an event of it. */
export interface Exit {
  roomId: RoomId
  beforeSeq: number
  /** Of the event that ended the last of them; null where it is not known, or none did. */
  stamp: Stamp | null
}

/** Null where he was not bound by one of them. */
export function unbind(bindings: BindingRecord, exit: Exit, nowMs: number): BindingRecord | null {
  const { roomId, beforeSeq, stamp } = exit
  const isOver = ([one, joinedSeq]: Binding | [...Binding, number]) => one === roomId && joinedSeq < beforeSeq
  const over = [...bindings.rooms, ...bindings.remembered].filter(isOver)
  if (over.length === 0) return null
  const untilMs = nowMs + rememberedMs
  const lost = stamp === null ? [] : over.map(([, joinedSeq]) => ({ roomId, joinedSeq, stamp, untilMs }))
  return {
    ...bindings,
    rooms: bindings.rooms.filter((binding) => !isOver(binding)),
    remembered: bindings.remembered.filter((binding) => !isOver(binding)),
    lost: [...bindings.lost, ...lost].slice(-lostMax),
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

function without<T extends [RoomId, ...number[]]>(past: T[], bound: Binding[]): T[] {
  const roomIds = new Set(bound.map(([roomId]) => roomId))
  return past.filter(([roomId]) => !roomIds.has(roomId))
}

/** Each room once, with his latest membership of it. */
export function unite(some: Binding[], others: Binding[]): Binding[] {
  const all = new Map(some)
  for (const [roomId, joinedSeq] of others) all.set(roomId, Math.max(joinedSeq, all.get(roomId) ?? 0))
  return [...all]
}
