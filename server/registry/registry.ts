/**
 * The registry: what the processes of one database share beside the log, judged by one clock. Which tokens count at `/chat` (C2),
 * records of Rooms and of bindings (C1, C10) with the leases of the nodes that stand in them, and rooms' latest messages.
 */
import type { Login, Message, RoomId, UserId } from '../core/model.ts'

/** The registry did not answer, or not in time, or was emptied and is being filled again. Whether a token counts is not known. */
export class RegistryUnavailable extends Error {
  override name = 'RegistryUnavailable'
}

/**
 * A lease is known for so long after it ran out: longer than what a dead process has left in records means anything, as
 * `ROOM_IDLE_MINUTES` is a week at most.
 */
export const leaseKeptMs = 8 * 24 * 3_600_000

/**
 * Obligations: what was entered is there until its end, for every process and beyond this one's life, and gone once it was ended, whoever
 * did that. A token of which nothing is known does not count; only where the whole registry was emptied the logins that the
 * directory knows are entered again, by one process, and until then RegistryUnavailable is thrown. So it is by all but
 * `announceBound`, `listen` and `close` while the registry is away.
 */
export interface Registry {
  /** Its keys are made of the tokens themselves: the directory must keep them with the logins. */
  readonly needsTokens: boolean

  /** Lets a token count until its end. The directory keeps it by then. */
  enterLogin(login: Login): Promise<void>
  /** The token counts no more; the processes hear of it. The directory has forgotten it by then. */
  endLogin(login: Login): Promise<void>
  /** For each login whether its token counts now. */
  checkLogins(logins: Login[]): Promise<boolean[]>

  /** Of one moment. Null where there is none. */
  readRecords(names: string[]): Promise<Moment & { values: (string | null)[] }>
  /** False, and nothing is changed, where the record is not `from` any more, or `beforeMs` has come. */
  replaceRecord(name: string, replacement: Replacement): Promise<boolean>
  /** A node lives, and does so for `leaseMs` from now. False where its lease had run out: it counts as dead, for good (`leaseKeptMs`). */
  renewLease(node: string, leaseMs: number): Promise<boolean>

  /** The list that was made when the room's head was `head`; null where there is none. */
  findRecent(roomId: RoomId, head: number): Promise<Message[] | null>
  /** Takes the place of the list before it. */
  keepRecent(roomId: RoomId, head: number, messages: Message[]): Promise<void>
  dropRecent(roomId: RoomId): Promise<void>

  /** Tells the processes that a user's bindings have changed. Never throws and never waits; it may be lost. */
  announceBound(userId: UserId): void
  /** Once per registry object; from then on it is sought. */
  listen(listener: RegistryListener): void
  close(): Promise<void>
}

/** When something was read, by the registry's clock, and until when each node was known to live. */
export interface Moment {
  nowMs: number
  leases: ReadonlyMap<string, number>
}

export interface Replacement {
  /** As it was read; null: there was none. */
  from: string | null
  /** Null: there is none any more. */
  to: string | null
  /** What was read means something else from then on, by the registry's clock; null: never. */
  beforeMs: number | null
  /** For how long it is kept; null: until it is replaced. */
  keepMs: number | null
}

/** All are hints: what they say is to be asked. */
export interface RegistryListener {
  /** The registry is there, for the first time, anew, or filled again. Until it resolves no token counts at this process (C2). */
  onOpen(): Promise<void>
  /** A token may count no more. */
  onEnded(sha256: string): void
  onBound(userId: UserId): void
}
