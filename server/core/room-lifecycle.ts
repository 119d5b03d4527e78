/**
 * The life of a Room (C10): creating, active, idle, closing, closed. Pure: a Room's record says who is in and when its timer runs out;
 * what state that is follows from the registry's clock and the nodes' leases, so no process has to live for it to move on.
 */
import type { Moment } from '../registry/registry.ts'

export type RoomState = 'creating' | 'active' | 'idle' | 'closing' | 'closed'

/** As the registry keeps it; a closed Room has none. */
export interface RoomRecord {
  /** False while it is being created. */
  isMade: boolean
  /** Those with open sockets of bound users. One whose lease has run out counts as gone since then. */
  nodes: string[]
  /** When the timer runs out; null while somebody is in. */
  closesAt: number | null
}

/** Closing lasts so long at most, and then counts as closed. */
export const closingMs = 5_000

export interface RoomView {
  state: RoomState
  /** When it is another one, if nothing happens; null: never. */
  changesAt: number | null
}

/** When a Room is looked at, and how long one is idle before it closes. */
export interface RoomMoment extends Moment {
  idleMs: number
}

export function viewRoom(record: RoomRecord | null, moment: RoomMoment): RoomView {
  const { nowMs, idleMs } = moment
  if (record === null) return { state: 'closed', changesAt: null }
  const heldUntil = Math.max(0, ...record.nodes.map((node) => leaseOf(node, moment)))
  if (heldUntil > nowMs) return { state: record.isMade ? 'active' : 'creating', changesAt: heldUntil }
  const closesAt = record.closesAt ?? heldUntil + idleMs
  if (!record.isMade || nowMs >= closesAt + closingMs) return { state: 'closed', changesAt: null }
  if (nowMs < closesAt) return { state: 'idle', changesAt: closesAt }
  return { state: 'closing', changesAt: closesAt + closingMs }
}

function leaseOf(node: string, { leases }: RoomMoment): number {
  return leases.get(node) ?? 0
}

/** Somebody comes at a node: into a new Room where it is closed. Null where it is closing: he may not. */
export function enterRoom(record: RoomRecord | null, node: string, moment: RoomMoment): RoomRecord | null {
  const { state } = viewRoom(record, moment)
  if (state === 'closing') return null
  if (record === null || state === 'closed') return { isMade: false, nodes: [node], closesAt: null }
  return { isMade: record.isMade, nodes: [...othersIn(record, node, moment), node], closesAt: null }
}

/** Its creation is done. */
export function activateRoom(record: RoomRecord | null, moment: RoomMoment): RoomRecord | null {
  return record !== null && viewRoom(record, moment).state === 'creating' ? { ...record, isMade: true } : record
}

/** An error has ended it; who is in is carried into a new one. */
export function recreateRoom(record: RoomRecord | null, moment: RoomMoment): RoomRecord | null {
  return record !== null && viewRoom(record, moment).state === 'active' ? { ...record, isMade: false } : record
}

/** The last one at a node has gone. With him the last of all: its timer starts, or what was never made is gone. */
export function leaveRoom(record: RoomRecord | null, node: string, moment: RoomMoment): RoomRecord | null {
  if (record === null || !record.nodes.includes(node)) return record
  const nodes = othersIn(record, node, moment)
  if (nodes.length > 0) return { ...record, nodes }
  if (!record.isMade) return null
  const { state } = viewRoom(record, moment)
  // Where this node's own lease has run out, its sockets count as gone since then.
  if (state !== 'active') return record
  return { isMade: true, nodes, closesAt: moment.nowMs + moment.idleMs }
}

/** What it held has been released. */
export function closeRoom(record: RoomRecord | null, moment: RoomMoment): RoomRecord | null {
  const { state } = viewRoom(record, moment)
  return state === 'closing' || state === 'closed' ? null : record
}

function othersIn({ nodes }: RoomRecord, node: string, moment: RoomMoment): string[] {
  return nodes.filter((other) => other !== node && leaseOf(other, moment) > moment.nowMs)
}
