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

/** `at`: a cursor of when it was put down; null until it is written. */
type Lost = Ended & { untilMs: number; at: string | null }
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
  /** A cursor since which this is whole: whose own is from before that may have lost what is not known here. Null until it is written. */
  from: string | null
}

/** A binding outlasts his last socket by so much. */
export const bindingMs = 30_000
/** And is remembered for so long after it; a binding that waits for a first socket does so for as long. */
export const rememberedMs = 24 * 3_600_000
/** More than anybody is put out of in that time by people who mean it. */
const lostMax = 1_000

const noBindings: BindingRecord = { rooms: [], remembered: [], lost: [], nodes: [], goneAt: null, from: null }

/** What of a record counts now. */
export function viewBindings(record: BindingRecord | null, { nowMs, leases }: Moment): BindingRecord {
  const { rooms, nodes, goneAt: toldAt, from, ...past } = record ?? noBindings
  const leaseOf = (node: string) => leases.get(node) ?? 0
  const present = nodes.filter((node) => leaseOf(node) > nowMs)
  const remembered = past.remembered.filter(([, , untilMs]) => untilMs > nowMs)
  const forgotten = past.lost.findLast(({ untilMs }) => untilMs <= nowMs)
  const fromThen = forgotten === undefined ? from : forgotten.at
  const view = {
    rooms,
    remembered,
    lost: past.lost.filter(({ untilMs }) => untilMs > nowMs),
    nodes: present,
    from: remembered.length < past.remembered.length ? null : fromThen,
  }
  if (present.length > 0) return { ...view, goneAt: null }
  const goneAt = nodes.length > 0 ? Math.max(...nodes.map(leaseOf)) : toldAt
  if (goneAt === null || nowMs < goneAt + bindingMs) return { ...view, goneAt }
  const untilMs = goneAt + rememberedMs
  if (nowMs >= untilMs && rooms.length > 0) return { ...view, rooms: [], goneAt, from: null }
  const ended = rooms.map((binding): [...Binding, number] => [...binding, untilMs])
  return { ...view, rooms: [], remembered: [...remembered, ...ended], goneAt }
}

/** A first socket of his at this node; one with a cursor brings back what is remembered. */
export function arrive(bindings: BindingRecord, node: string, hasCursor: boolean): BindingRecord {
  const { rooms, remembered, nodes } = bindings
  return {
    ...bindings,
    rooms: hasCursor ? unite(rooms, remembered) : rooms,
    remembered: hasCursor ? [] : remembered,
    nodes: [...new Set([...nodes, node])],
    goneAt: null,
  }
}

/**
 * He asks for it. Also by a membership that he has lost: its end is not so any more where the database went back, and never was where his
 * Room was given up. One who has no open socket may open his first when he likes: the binding waits for it.
 */
export function bind(bindings: BindingRecord, binding: Binding, nowMs: number): BindingRecord {
  const [roomId, joinedSeq] = binding
  const lost = bindings.lost.filter((one) => !isSame(one, { roomId, joinedSeq }))
  return { ...restore({ ...bindings, lost }, [binding], nowMs), goneAt: null }
}

/**
 * A node says by what he was bound. Of a membership that has ended he is not bound again, as one says so who has not heard of that yet; and
 * who is bound by a later one has lost the earlier.
 */
export function restore(bindings: BindingRecord, told: Binding[], nowMs: number): BindingRecord {
  const added = told.filter(([roomId, joinedSeq]) => !bindings.lost.some((one) => isSame(one, { roomId, joinedSeq })))
  const bound = [...bindings.rooms, ...added]
  const all = [...bound, ...bindings.remembered]
  const latest = latestOf(all)
  const isLatest = ([roomId, joinedSeq]: Known) => latest.get(roomId) === joinedSeq
  const rooms = new Map(bound.filter(isLatest))
  const past = all.filter((known) => !isLatest(known))
  return {
    ...bindings,
    rooms: [...rooms],
    remembered: bindings.remembered.filter((known) => isLatest(known) && !rooms.has(known[0])),
    ...withLost(bindings, past, nowMs),
  }
}

/**
 * With a membership those before it have ended, too. A `joinedSeq` of Infinity is of all of them, where the room is gone: then nothing is
 * lost. Null where that changes nothing.
 */
export function unbind(bindings: BindingRecord, ended: Ended, nowMs: number): BindingRecord | null {
  const isOver = ([roomId, joinedSeq]: Known) => roomId === ended.roomId && joinedSeq <= ended.joinedSeq
  const isNews = (one: Lost) => ended.stamp !== null && one.stamp === null && isSame(one, ended)
  // Who put it down without a stamp may not have heard of it then: it is put down anew, behind those of since then.
  const again = bindings.lost.filter(isNews).map(({ roomId, joinedSeq }): Binding => [roomId, joinedSeq])
  const over = [...again, ...bindings.rooms.filter(isOver), ...bindings.remembered.filter(isOver)]
  if (over.length === 0) return null
  const kept = { ...bindings, lost: bindings.lost.filter((one) => !isNews(one)) }
  const { lost, from } = withLost(kept, ended.joinedSeq === Infinity ? [] : over, nowMs)
  return {
    ...bindings,
    rooms: bindings.rooms.filter((binding) => !isOver(binding)),
    remembered: bindings.remembered.filter((binding) => !isOver(binding)),
    from,
    lost: lost.map((one) => (isNews(one) ? { ...one, stamp: ended.stamp } : one)),
  }
}

/** His last socket at this node has closed. Null where it knew of none. */
export function depart(bindings: BindingRecord, node: string, nowMs: number): BindingRecord | null {
  if (!bindings.nodes.includes(node)) return null
  const nodes = bindings.nodes.filter((one) => one !== node)
  return { ...bindings, nodes, goneAt: nodes.length === 0 ? nowMs : null }
}

/** With the cursor of who writes it, where it says that something is of now. What is whole since now is so also once an older end is forgotten. */
export function dated(bindings: BindingRecord, cursor: string): BindingRecord {
  const { from } = bindings
  const lost = bindings.lost.map((one) => ({ ...one, at: from === null ? cursor : (one.at ?? cursor) }))
  return { ...bindings, lost, from: from ?? cursor }
}

/** For how long a record is to be kept from now: the nodes in it renew it while they live. */
export function keepMsOf({ nodes }: BindingRecord): number {
  return bindingMs + rememberedMs + (nodes.length > 0 ? leaseKeptMs : 0)
}

/** None of them stands there yet: nobody is bound by a membership that does. */
function withLost({ lost, from }: BindingRecord, past: Known[], nowMs: number): Pick<BindingRecord, 'lost' | 'from'> {
  const untilMs = nowMs + rememberedMs
  const all = [...lost, ...past.map(([roomId, joinedSeq]) => ({ roomId, joinedSeq, stamp: null, untilMs, at: null }))]
  const forgotten = all[all.length - lostMax - 1]
  return { lost: all.slice(-lostMax), from: forgotten === undefined ? from : forgotten.at }
}

function isSame(one: Ended, other: Pick<Ended, 'roomId' | 'joinedSeq'>): boolean {
  return one.roomId === other.roomId && one.joinedSeq === other.joinedSeq
}

/** Each room once, with his latest membership of it. */
export function unite(some: Known[], others: Known[]): Binding[] {
  return [...latestOf([...some, ...others])]
}

function latestOf(known: Known[]): Map<RoomId, number> {
  const latest = new Map<RoomId, number>()
  for (const [roomId, joinedSeq] of known) latest.set(roomId, Math.max(joinedSeq, latest.get(roomId) ?? 0))
  return latest
}
