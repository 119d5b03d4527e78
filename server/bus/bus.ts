/**
 * The bus joins the processes of one database: it carries commits and who is online. It is a hint and never the truth: a commit that
 * it loses is found by the gap in its journal's positions and read from storage (`LogStore.readCommits`), lost presence by its number.
 */
import type { RoomId, UserId } from '../core/model.ts'
import type { Commit } from '../storage/storage.ts'

/**
 * Obligations: what one process publishes arrives in that order, each at most once, or not at all; a process does not hear itself;
 * processes of different databases do not hear one another.
 */
export interface Bus {
  /** This process on the bus: unique among those of its database, also over time. */
  readonly node: string
  /** Never throws and never waits: a bus that is away, or slow, drops. So it does before `listen` and after `close`. */
  publish(commit: Commit): void
  /** The same for presence. */
  tell(news: PresenceNews): void
  /** Joins the processes of a database, which is named by a tag that only it has. Once per bus object. */
  listen(database: string, listener: BusListener): void
  /** Nothing is heard any more. What was published goes out, if the bus takes it at once. */
  close(): Promise<void>
}

export interface BusListener {
  /** The line stands, for the first time or anew: what the others said until now may be lost. */
  onOpen(): void
  onCommit(commit: Commit): void
  onPresence(node: string, news: PresenceNews): void
}

/** Users by room. */
export type RoomUsers = [roomId: RoomId, ...userIds: UserId[]][]

/** What a node says of its own users (A19). Its changes are numbered, +1 each, so that a lost one is noticed. */
export type PresenceNews =
  | { kind: 'change'; number: number; online: RoomUsers; offline: RoomUsers }
  /** All who are online at the node, after its change of this number. */
  | { kind: 'whole'; number: number; online: RoomUsers }
  /** The node lives, and this was its last change. */
  | { kind: 'beat'; number: number }
  /** Asks a node for its whole, or all of them. */
  | { kind: 'ask'; node: string | null }
  /** The node stops. */
  | { kind: 'end' }
