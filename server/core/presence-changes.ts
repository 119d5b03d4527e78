/** Who came online and who went offline, gathered, so that the changes of 50 ms leave together. */
import type { RoomUsers } from '../bus/bus.ts'
import type { Clock } from './clock.ts'
import type { RoomId, UserId } from './model.ts'

const gatherMs = 50

/** By room and user: whether he is online now. */
type Gathered = Map<RoomId, Map<UserId, boolean>>

export class PresenceChanges {
  private gathered: Gathered = new Map()
  private isWaiting = false
  private readonly clock: Clock
  private readonly leave: (gathered: Gathered) => void

  constructor(clock: Clock, leave: (gathered: Gathered) => void) {
    this.clock = clock
    this.leave = leave
  }

  /** False where the change takes back one that has not left yet: then neither does. */
  note(roomId: RoomId, userId: UserId, online: boolean): boolean {
    const users = this.gathered.get(roomId) ?? new Map<UserId, boolean>()
    if (users.delete(userId)) return false
    users.set(userId, online)
    this.gathered.set(roomId, users)
    this.flushSoon()
    return true
  }

  /** Undefined where nothing of him is about to leave. */
  find(roomId: RoomId, userId: UserId): boolean | undefined {
    return this.gathered.get(roomId)?.get(userId)
  }

  forget(roomId: RoomId, userId: UserId): void {
    this.gathered.get(roomId)?.delete(userId)
  }

  /** Lets what there is leave in 50 ms, also where that is nothing. */
  flushSoon(): void {
    if (this.isWaiting) return
    this.isWaiting = true
    this.clock.after(gatherMs, () => {
      const gathered = this.gathered
      this.gathered = new Map()
      this.isWaiting = false
      this.leave(gathered)
    })
  }
}

/** Those of the changes that go one way. */
export function pick(gathered: Gathered, wanted: boolean): RoomUsers {
  const rooms: RoomUsers = []
  for (const [roomId, users] of gathered) {
    const userIds = [...users].filter(([, online]) => online === wanted).map(([userId]) => userId)
    if (userIds.length > 0) rooms.push([roomId, ...userIds])
  }
  return rooms
}
