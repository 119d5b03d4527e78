/**
 * To which rooms a user's sockets are bound (C1), at all nodes. Pure: until when it lasts follows from the registry's clock and the
 * leases of the nodes at which he has sockets.
 */
import { leaseKeptMs, type Moment } from '../registry/registry.ts'
import type { RoomId } from './model.ts'

/** As the registry keeps it. */
export interface BindingRecord {
  rooms: RoomId[]
  /** Ended, and known until then to sockets with a cursor (C12). */
  remembered: [roomId: RoomId, untilMs: number][]
  /** He is out of them, and sockets with a cursor are to hear so until then (C12). */
  lost: [roomId: RoomId, untilMs: number][]
  /** Those with open sockets of his. One whose lease has run out counts as gone since then. */
  nodes: string[]
  /** When his last socket was closed; null while one is open, and before there was one. */
  goneAt: number | null
}

/** A binding outlasts his last socket by so much. */
export const bindingMs = 30_000
/** And is remembered for so long after it; a binding that waits for a first socket does so for as long. */
export const rememberedMs = 24 * 3_600_000

export const noBindings: BindingRecord = { rooms: [], remembered: [], lost: [], nodes: [], goneAt: null }

/** What of a record counts now. */
export function viewBindings(record: BindingRecord | null, { nowMs, leases }: Moment): BindingRecord {
  const { rooms, nodes, goneAt: toldAt, ...past } = record ?? noBindings
  const leaseOf = (node: string) => leases.get(node) ?? 0
  const present = nodes.filter((node) => leaseOf(node) > nowMs)
  const isKept = ([, untilMs]: [RoomId, number]) => untilMs > nowMs
  const [remembered, lost] = [past.remembered.filter(isKept), past.lost.filter(isKept)]
  if (present.length > 0) return { rooms, remembered, lost, nodes: present, goneAt: null }
  const goneAt = nodes.length > 0 ? Math.max(...nodes.map(leaseOf)) : toldAt
  if (goneAt === null || nowMs < goneAt + bindingMs) return { rooms, remembered, lost, nodes: [], goneAt }
  const untilMs = goneAt + rememberedMs
  const ended = nowMs < untilMs ? rooms.map((roomId): [RoomId, number] => [roomId, untilMs]) : []
  return { rooms: [], remembered: [...without(remembered, rooms), ...ended], lost, nodes: [], goneAt }
}

/** A first socket of his at this node; one with a cursor brings back what is remembered. */
export function arrive(bindings: BindingRecord, node: string, hasCursor: boolean): BindingRecord {
  const { rooms, remembered, lost, nodes } = bindings
  const back = hasCursor ? remembered.map(([roomId]) => roomId) : []
  return {
    rooms: unite(rooms, back),
    remembered: hasCursor ? [] : remembered,
    lost,
    nodes: unite(nodes, [node]),
    goneAt: null,
  }
}

/** One who has no open socket may open his first when he likes: the binding waits for it. */
export function bind(bindings: BindingRecord, roomIds: RoomId[]): BindingRecord {
  const [remembered, lost] = [without(bindings.remembered, roomIds), without(bindings.lost, roomIds)]
  return { ...bindings, rooms: unite(bindings.rooms, roomIds), remembered, lost, goneAt: null }
}

/** Null where he was not bound to it. */
export function unbind(bindings: BindingRecord, roomId: RoomId, nowMs: number): BindingRecord | null {
  const { rooms, remembered, lost } = bindings
  if (!rooms.includes(roomId) && !remembered.some(([one]) => one === roomId)) return null
  return {
    ...bindings,
    rooms: rooms.filter((one) => one !== roomId),
    remembered: without(remembered, [roomId]),
    lost: [...lost, [roomId, nowMs + rememberedMs]],
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

function without(past: [RoomId, number][], roomIds: RoomId[]): [RoomId, number][] {
  return past.filter(([roomId]) => !roomIds.includes(roomId))
}

function unite<T>(some: T[], others: T[]): T[] {
  return [...new Set([...some, ...others])]
}
