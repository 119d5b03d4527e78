/**
 * Who is online in which room, derived from live sessions (A19, F4): online with the first session, offline with the last after a
 * grace. Changes of 50 ms leave together.
 */
import type { Clock } from './clock.ts'
import type { PresenceChanged } from './events.ts'
import type { RoomId, UserId } from './model.ts'

/** So long a user stays online after his last session has closed (F4). */
const graceMs = 3_000
const gatherMs = 50

export interface Presence {
  /** True where his coming online is about to be announced to the whole room, himself included. */
  enter(roomId: RoomId, userId: UserId): boolean
  leave(roomId: RoomId, userId: UserId): void
  /** He is no member any more: his going offline is not news. */
  forget(roomId: RoomId, userId: UserId): void
  /** Those whose coming online was announced; of the others it is about to be. */
  listOnline(roomId: RoomId): UserId[]
}

interface Entry {
  sessions: number
  cancelGrace: () => void
}

export function createPresence(clock: Clock, announce: (changes: PresenceChanged[]) => void): Presence {
  return new LocalPresence(clock, announce)
}

class LocalPresence implements Presence {
  private readonly rooms = new Map<RoomId, Map<UserId, Entry>>()
  /** What is not announced yet, by room and user; the latest change counts. */
  private pending = new Map<RoomId, Map<UserId, boolean>>()
  private readonly clock: Clock
  private readonly announce: (changes: PresenceChanged[]) => void

  constructor(clock: Clock, announce: (changes: PresenceChanged[]) => void) {
    this.clock = clock
    this.announce = announce
  }

  enter(roomId: RoomId, userId: UserId): boolean {
    const users = this.rooms.get(roomId) ?? new Map<UserId, Entry>()
    this.rooms.set(roomId, users)
    const entry = users.get(userId)
    if (!entry) {
      users.set(userId, { sessions: 1, cancelGrace: () => {} })
      return this.change(roomId, userId, true)
    }
    entry.cancelGrace()
    entry.sessions += 1
    return this.pending.get(roomId)?.get(userId) === true
  }

  leave(roomId: RoomId, userId: UserId): void {
    const entry = this.rooms.get(roomId)?.get(userId)
    if (!entry) return
    entry.sessions -= 1
    if (entry.sessions > 0) return
    entry.cancelGrace = this.clock.after(graceMs, () => {
      this.drop(roomId, userId)
      this.change(roomId, userId, false)
    })
  }

  forget(roomId: RoomId, userId: UserId): void {
    this.rooms.get(roomId)?.get(userId)?.cancelGrace()
    this.drop(roomId, userId)
    this.pending.get(roomId)?.delete(userId)
  }

  private drop(roomId: RoomId, userId: UserId): void {
    const users = this.rooms.get(roomId)
    users?.delete(userId)
    if (users?.size === 0) this.rooms.delete(roomId)
  }

  /** False where the change takes back one that nobody has seen yet. */
  private change(roomId: RoomId, userId: UserId, online: boolean): boolean {
    const changes = this.pending.get(roomId) ?? new Map<UserId, boolean>()
    if (changes.delete(userId)) return false
    if (this.pending.size === 0) this.clock.after(gatherMs, () => this.flush())
    changes.set(userId, online)
    this.pending.set(roomId, changes)
    return true
  }

  private flush(): void {
    const gathered = this.pending
    this.pending = new Map()
    const changes: PresenceChanged[] = []
    for (const [roomId, users] of gathered) {
      for (const [userId, online] of users) changes.push({ type: 'presence.changed', roomId, userId, online })
    }
    if (changes.length > 0) this.announce(changes)
  }

  listOnline(roomId: RoomId): UserId[] {
    const pending = this.pending.get(roomId)
    return [...(this.rooms.get(roomId)?.keys() ?? [])].filter((userId) => pending?.get(userId) !== true)
  }
}
