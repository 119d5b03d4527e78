/**
 * To which rooms a user's sockets are bound (C1), at all nodes. Pure: until when it lasts follows from the registry's clock and the
 * leases of the nodes at which he has sockets.
 */
import type { Moment } from '../registry/registry.ts'
import type { RoomId } from './model.ts'

/** As the registry keeps it. */
export interface BindingRecord {
  rooms: RoomId[]
  /** Ended, and known until then to sockets with a cursor (C12). */
  remembered: [roomId: RoomId, untilMs: number][]
  /** Those with open sockets of his. One whose lease has run out counts as gone since then. */
  nodes: string[]
  /** When his last socket was closed; null while one is open, and before there was one. */
  goneAt: number | null
}

/** A binding outlasts his last socket by so much. */
export const bindingMs = 30_000
/** And is remembered for so long after it; a binding that waits for a first socket does so for as long. */
export const rememberedMs = 24 * 3_600_000

export const noBindings: BindingRecord = { rooms: [], remembered: [], nodes: [], goneAt: null }

/** What of a record counts now. */
export function viewBindings(record: BindingRecord | null, { nowMs, leases }: Moment): BindingRecord {
  const { rooms, remembered, nodes, goneAt: toldAt } = record ?? noBindings
  const leaseOf = (node: string) => leases.get(node) ?? 0
  const present = nodes.filter((node) => leaseOf(node) > nowMs)
  const known = remembered.filter(([, untilMs]) => untilMs > nowMs)
  if (present.length > 0) return { rooms, remembered: known, nodes: present, goneAt: null }
  const goneAt = nodes.length > 0 ? Math.max(...nodes.map(leaseOf)) : toldAt
  if (goneAt === null || nowMs < goneAt + bindingMs) return { rooms, remembered: known, nodes: [], goneAt }
  const untilMs = goneAt + rememberedMs
  const ended = nowMs < untilMs ? rooms.map((roomId): [RoomId, number] => [roomId, untilMs]) : []
  return { rooms: [], remembered: [...known.filter(([roomId]) => !rooms.includes(roomId)), ...ended], nodes: [], goneAt }
}

/** A first socket of his at this node; one with a cursor brings back what is remembered. */
export function arrive(bindings: BindingRecord, node: string, hasCursor: boolean): BindingRecord {
  const { rooms, remembered, nodes } = bindings
  const back = hasCursor ? remembered.map(([roomId]) => roomId) : []
  return {
    rooms: unite(rooms, back),
    remembered: hasCursor ? [] : remembered,
    nodes: unite(nodes, [node]),
    goneAt: null,
  }
}

/** One who has no open socket may open his first when he likes: the binding waits for it. */
export function bind(bindings: BindingRecord, roomIds: RoomId[]): BindingRecord {
  const remembered = bindings.remembered.filter(([roomId]) => !roomIds.includes(roomId))
  return { ...bindings, rooms: unite(bindings.rooms, roomIds), remembered, goneAt: null }
}

export function unbind(bindings: BindingRecord, roomId: RoomId): BindingRecord {
  const rooms = bindings.rooms.filter((one) => one !== roomId)
  return { ...bindings, rooms, remembered: bindings.remembered.filter(([one]) => one !== roomId) }
}

/** His last socket at this node has closed. */
export function depart(bindings: BindingRecord, node: string, nowMs: number): BindingRecord {
  const nodes = bindings.nodes.filter((one) => one !== node)
  const isLast = nodes.length === 0 && bindings.nodes.length > 0
  return { ...bindings, nodes, goneAt: isLast ? nowMs : bindings.goneAt }
}

/** For how long a record is to be kept from now; null while a socket is open. */
export function keepMsOf({ nodes }: BindingRecord): number | null {
  return nodes.length > 0 ? null : bindingMs + rememberedMs
}

function unite<T>(some: T[], others: T[]): T[] {
  return [...new Set([...some, ...others])]
}
