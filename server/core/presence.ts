/**
 * Who is online in which room, derived from live sessions (A19, F4): online with the first session at any node, offline with the last
 * after a grace. Each node tells the others of its own; each announces to its own sessions what the sum of them says.
 */
import type { PresenceNews } from '../bus/bus.ts'
import { every, type Clock } from './clock.ts'
import type { PresenceChanged } from './events.ts'
import type { RoomId, UserId } from './model.ts'
import { pick, PresenceChanges } from './presence-changes.ts'
import { beatMs, Peers } from './presence-peers.ts'

/** So long a user stays online after his last session has closed (F4). */
const graceMs = 3_000

export interface Presence {
  /** True where his coming online is about to be announced to the whole room, himself included. */
  enter(roomId: RoomId, userId: UserId): boolean
  /** One session of his leaves these rooms. */
  leave(roomIds: RoomId[], userId: UserId): void
  /** He is no member any more: his going offline is not news. */
  forget(roomId: RoomId, userId: UserId): void
  /** Those whose coming online was announced; of the others it is about to be. */
  listOnline(roomId: RoomId): UserId[]
  /** Another node says this. */
  hear(node: string, news: PresenceNews): void
  /** The line to the other nodes stands, or stands anew: what was said meanwhile is said again. */
  reconnect(): void
  /** The other nodes take this one's users for gone after the grace. */
  stop(): void
}

export interface PresenceOptions {
  clock: Clock
  /** This node's name at the others. */
  node: string
  /** To the sessions of this node. */
  announce(changes: PresenceChanged[]): void
  /** To the other nodes. */
  tell(news: PresenceNews): void
}

interface Entry {
  sessions: number
  /** The leaving whose grace he is in; null while he is live. */
  leaving: object | null
}

export function createPresence(options: PresenceOptions): Presence {
  return new SharedPresence(options)
}

class SharedPresence implements Presence {
  /** Of this node. */
  private readonly rooms = new Map<RoomId, Map<UserId, Entry>>()
  private readonly peers: Peers
  private readonly announcing: PresenceChanges
  private readonly telling: PresenceChanges
  /** How often the other nodes were told. */
  private number = 0
  private isWholeDue = false
  private isStopped = false
  private readonly options: PresenceOptions
  private readonly stopBeats: () => void

  constructor(options: PresenceOptions) {
    this.options = options
    this.announcing = new PresenceChanges(options.clock, (gathered) => this.announce(gathered))
    this.telling = new PresenceChanges(options.clock, (gathered) => this.tell(gathered))
    this.peers = new Peers({
      onChange: (roomId, userId, online) => this.changeElsewhere(roomId, userId, online),
      ask: (node) => options.tell({ kind: 'ask', node }),
    })
    this.stopBeats = every(options.clock, beatMs, async () => this.beat())
  }

  enter(roomId: RoomId, userId: UserId): boolean {
    const users = this.rooms.get(roomId) ?? new Map<UserId, Entry>()
    this.rooms.set(roomId, users)
    const entry = users.get(userId)
    if (!entry) {
      users.set(userId, { sessions: 1, leaving: null })
      return this.change(roomId, userId, true)
    }
    entry.leaving = null
    entry.sessions += 1
    return this.announcing.find(roomId, userId) === true
  }

  /** One timer for all the rooms, as one may have left a thousand; who is back is not taken out by it. */
  leave(roomIds: RoomId[], userId: UserId): void {
    const leaving = {}
    const left = roomIds.filter((roomId) => this.countOut(roomId, userId, leaving))
    if (left.length > 0) this.options.clock.after(graceMs, () => this.endGrace(left, userId, leaving))
  }

  /** Whether that was his last session there. */
  private countOut(roomId: RoomId, userId: UserId, leaving: object): boolean {
    const entry = this.rooms.get(roomId)?.get(userId)
    if (!entry) return false
    entry.sessions -= 1
    if (entry.sessions > 0) return false
    entry.leaving = leaving
    return true
  }

  private endGrace(roomIds: RoomId[], userId: UserId, leaving: object): void {
    for (const roomId of roomIds) {
      if (this.rooms.get(roomId)?.get(userId)?.leaving !== leaving) continue
      this.drop(roomId, userId)
      this.change(roomId, userId, false)
    }
  }

  forget(roomId: RoomId, userId: UserId): void {
    if (this.drop(roomId, userId)) this.telling.note(roomId, userId, false)
    this.peers.forget(roomId, userId)
    this.announcing.forget(roomId, userId)
  }

  /** Whether he was there. */
  private drop(roomId: RoomId, userId: UserId): boolean {
    const users = this.rooms.get(roomId)
    const wasThere = users?.delete(userId) ?? false
    if (users?.size === 0) this.rooms.delete(roomId)
    return wasThere
  }

  /** Who came or went here is news here only where he is at no other node. */
  private change(roomId: RoomId, userId: UserId, online: boolean): boolean {
    this.telling.note(roomId, userId, online)
    if (this.peers.has(roomId, userId)) return this.announcing.find(roomId, userId) === true
    return this.announcing.note(roomId, userId, online)
  }

  /** And who came or went there, where he is not here; a room in which nobody is here has nobody to tell. */
  private changeElsewhere(roomId: RoomId, userId: UserId, online: boolean): void {
    const users = this.rooms.get(roomId)
    if (users && !users.has(userId)) this.announcing.note(roomId, userId, online)
  }

  private announce(gathered: Map<RoomId, Map<UserId, boolean>>): void {
    const changes: PresenceChanged[] = []
    for (const [roomId, users] of gathered) {
      for (const [userId, online] of users) changes.push({ type: 'presence.changed', roomId, userId, online })
    }
    if (changes.length > 0) this.options.announce(changes)
  }

  private tell(gathered: Map<RoomId, Map<UserId, boolean>>): void {
    const [online, offline] = [pick(gathered, true), pick(gathered, false)]
    if (this.isStopped || (!this.isWholeDue && online.length + offline.length === 0)) return
    const number = ++this.number
    const isWhole = this.isWholeDue
    this.isWholeDue = false
    this.options.tell(isWhole ? { kind: 'whole', number, online: this.listOwn() } : { kind: 'change', number, online, offline })
  }

  private listOwn(): [RoomId, ...UserId[]][] {
    return [...this.rooms].map(([roomId, users]) => [roomId, ...users.keys()])
  }

  listOnline(roomId: RoomId): UserId[] {
    const userIds = new Set([...(this.rooms.get(roomId)?.keys() ?? []), ...this.peers.list(roomId)])
    return [...userIds].filter((userId) => this.announcing.find(roomId, userId) !== true)
  }

  hear(node: string, news: PresenceNews): void {
    if (news.kind === 'ask') {
      if (news.node === null || news.node === this.options.node) this.sayWhole()
    } else if (news.kind === 'end') this.options.clock.after(graceMs, () => this.peers.drop(node))
    else this.peers.hear(node, news)
  }

  private sayWhole(): void {
    this.isWholeDue = true
    this.telling.flushSoon()
  }

  reconnect(): void {
    this.sayWhole()
    this.options.tell({ kind: 'ask', node: null })
  }

  private beat(): void {
    this.peers.beat()
    this.options.tell({ kind: 'beat', number: this.number })
  }

  stop(): void {
    this.isStopped = true
    this.stopBeats()
    this.options.tell({ kind: 'end' })
  }
}
