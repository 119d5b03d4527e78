/**
 * Who is online at the other nodes, as they say it over the bus. Each holds a lease: it is over when nothing was heard of the node for
 * some beats of our own, so no two clocks are compared. What the bus loses is noticed by the numbers of a node's changes, and
 * the node is asked for its whole.
 */
import type { PresenceNews } from '../bus/bus.ts'
import type { RoomId, UserId } from './model.ts'

/** So often a node says that it lives. */
export const beatMs = 10_000
/** A node of which nothing was heard for so many beats, 30 to 40 s, is dead; within 45 s its users must be offline (F4). */
const silentBeats = 4

interface Peer {
  /** Of the last change that was heard; null while its whole is missing. */
  number: number | null
  /** Our beats since it was heard. */
  silence: number
  /** Whom we forgot, and it has not: should it keep them, they are back. */
  doubts: number
  rooms: Map<RoomId, Set<UserId>>
}

export interface PeersOptions {
  /** A user came online with the first other node, or went offline with the last. */
  onChange(roomId: RoomId, userId: UserId, online: boolean): void
  /** Wants a node's whole. */
  ask(node: string): void
}

export class Peers {
  private readonly peers = new Map<string, Peer>()
  private readonly options: PeersOptions

  constructor(options: PeersOptions) {
    this.options = options
  }

  has(roomId: RoomId, userId: UserId): boolean {
    for (const { rooms } of this.peers.values()) if (rooms.get(roomId)?.has(userId)) return true
    return false
  }

  list(roomId: RoomId): UserId[] {
    return [...this.peers.values()].flatMap(({ rooms }) => [...(rooms.get(roomId) ?? [])])
  }

  hear(node: string, news: Extract<PresenceNews, { number: number }>): void {
    const known = this.peers.get(node)
    const peer = known ?? { number: null, silence: 0, doubts: 0, rooms: new Map<RoomId, Set<UserId>>() }
    this.peers.set(node, peer)
    peer.silence = 0
    if (news.kind === 'whole') return this.replace(peer, news)
    if (news.kind === 'change' && peer.number !== null && news.number === peer.number + 1) return this.change(peer, news)
    if (news.number === peer.number) return
    // Asked once, and then at each beat.
    if (!known || peer.number !== null) this.options.ask(node)
    peer.number = null
  }

  private change(peer: Peer, { number, online, offline }: Extract<PresenceNews, { kind: 'change' }>): void {
    peer.number = number
    for (const [roomId, ...userIds] of online) for (const userId of userIds) this.add(peer, roomId, userId)
    for (const [roomId, ...userIds] of offline) {
      for (const userId of userIds) if (!this.remove(peer, roomId, userId)) peer.doubts = Math.max(0, peer.doubts - 1)
    }
  }

  private replace(peer: Peer, { number, online }: Extract<PresenceNews, { kind: 'whole' }>): void {
    peer.number = number
    peer.doubts = 0
    const now = new Map(online.map(([roomId, ...userIds]) => [roomId, new Set(userIds)]))
    for (const [roomId, userIds] of peer.rooms) {
      for (const userId of userIds) if (!now.get(roomId)?.has(userId)) this.remove(peer, roomId, userId)
    }
    for (const [roomId, userIds] of now) for (const userId of userIds) this.add(peer, roomId, userId)
  }

  private add(peer: Peer, roomId: RoomId, userId: UserId): void {
    const wasOnline = this.has(roomId, userId)
    const users = peer.rooms.get(roomId) ?? new Set<UserId>()
    peer.rooms.set(roomId, users.add(userId))
    if (!wasOnline) this.options.onChange(roomId, userId, true)
  }

  /** False where he was not there. */
  private remove(peer: Peer, roomId: RoomId, userId: UserId): boolean {
    if (!take(peer, roomId, userId)) return false
    if (!this.has(roomId, userId)) this.options.onChange(roomId, userId, false)
    return true
  }

  /** Without news. The nodes hear of his removal, too, and say so; one that does not has heard that he is back. */
  forget(roomId: RoomId, userId: UserId): void {
    for (const peer of this.peers.values()) if (take(peer, roomId, userId)) peer.doubts += 1
  }

  /** A beat of our own has passed. */
  beat(): void {
    for (const [node, peer] of this.peers) {
      peer.silence += 1
      if (peer.silence >= silentBeats) this.drop(node)
      else if (peer.number === null || peer.doubts > 0) this.options.ask(node)
    }
  }

  /** The node is gone, and with it who was online there. */
  drop(node: string): void {
    const peer = this.peers.get(node)
    if (!peer) return
    this.replace(peer, { kind: 'whole', number: 0, online: [] })
    this.peers.delete(node)
  }
}

function take({ rooms }: Peer, roomId: RoomId, userId: UserId): boolean {
  const users = rooms.get(roomId)
  const wasThere = users?.delete(userId) ?? false
  if (users?.size === 0) rooms.delete(roomId)
  return wasThere
}
