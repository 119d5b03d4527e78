/**
 * The storage ports. Two families, so that the part that grows can move to another engine by itself: the log (rooms, members,
 * messages and other events) and the directory (accounts, spaces, tokens). Small operations shaped by partition key; no
 * `transaction(callback)`, no ad-hoc query. Every adapter runs storage.contract.ts.
 */
import type { Fact, LogRow, ReadAdvanced } from '../core/events.ts'
import type {
  AccountOrigin,
  Member,
  Message,
  MessageId,
  Role,
  Room,
  RoomId,
  RoomKind,
  RoomRule,
  Space,
  SpaceId,
  Stamp,
  User,
  UserId,
} from '../core/model.ts'

export interface Storage {
  log: LogStore
  directory: Directory
  /** Resolves when the database answers; throws StorageUnavailable. For /readyz. */
  ping(): Promise<void>
  close(): Promise<void>
}

/** The database did not answer, or not in time. A read or a directory write that throws it did nothing that counts. */
export class StorageUnavailable extends Error {
  override name = 'StorageUnavailable'
}
/** The link broke while a commit was under way: it may stand or not. Appending the same batch again tells. */
export class CommitUncertain extends StorageUnavailable {
  override name = 'CommitUncertain'
}
/** This journal was closed by another, or its next position is not the one asked for (the database went back). Nothing was stored. */
export class JournalClosed extends Error {
  override name = 'JournalClosed'
}
/** The database rejects the batch as a whole, and would again. Nothing was stored; the batch is to be halved. */
export class BatchRejected extends Error {
  override name = 'BatchRejected'
}

// ---------------------------------------------------------------------------------------------------------------- writing

export interface PostEntry {
  kind: 'post'
  roomId: RoomId
  authorId: UserId
  /** A guest needs no membership and has no marker (W9). */
  isGuest: boolean
  messageKind: string
  content: string
  fileUrl: string | null
  /** The sender's client key (A8) and a hash of what it stands for; both null where he gave none. */
  clientKey: string | null
  bodyHash: string | null
}
/** Author only, and only while he is a member; checked under the lock. A deleted message is message_not_found. */
export interface EditEntry {
  kind: 'edit'
  roomId: RoomId
  actorId: UserId
  messageId: MessageId
  content: string
}
/** As an edit; the text is overwritten with ''. */
export interface DeleteEntry {
  kind: 'delete'
  roomId: RoomId
  actorId: UserId
  messageId: MessageId
}
/**
 * Moves the marker forward to `messageId`, or to the newest message where it is null; an id that the room does not have counts as
 * the newest before it (P9), a deleted message keeps its place. Sets `readAt` and makes its fact in any case.
 */
export interface ReadEntry {
  kind: 'read'
  roomId: RoomId
  userId: UserId
  messageId: MessageId | null
}
/** Makes one fact, whose userId is the actor, else the first member, else 0. The first members' markers stand at 0. */
export interface RoomCreateEntry {
  kind: 'room.create'
  /** An id that the request made up (M2; refused as room_exists where it is taken, also by a deleted room), or null: the counter gives the next free one. */
  id: RoomId | null
  roomKind: RoomKind
  rule: RoomRule
  name: string
  description: string | null
  /** With a space, its members become the room's (role admin for its owner) and `members` is empty; the space's row is locked first. */
  spaceId: SpaceId | null
  members: { userId: UserId; role: Role }[]
  actorId: UserId | null
}
/** Null leaves a field alone. */
export interface RoomUpdateEntry {
  kind: 'room.update'
  roomId: RoomId
  name: string | null
  description: string | null
  actorId: UserId | null
}
/** The room, its members and its messages are in no answer any more but readCommits; its id stays taken. */
export interface RoomDeleteEntry {
  kind: 'room.delete'
  roomId: RoomId
  actorId: UserId | null
}
/** The new member's marker stands at the newest message (`read: 'all'`), or where it was before him (P9: `read: 'none'`; at 0 for who never was in). */
export interface MemberAddEntry {
  kind: 'member.add'
  roomId: RoomId
  userId: UserId
  role: Role
  read: 'all' | 'none'
  actorId: UserId | null
  /** Who must be a member under the lock for this to happen; null: nobody. */
  ifMember: UserId | null
}
/** When the last admin goes, the longest-standing sub-admin, else member, becomes admin (A13, rules `admins` and `roles`). */
export interface MemberRemoveEntry {
  kind: 'member.remove'
  roomId: RoomId
  userId: UserId
  actorId: UserId | null
  ifMember: UserId | null
}
/** Enters the space's list and, in the same commit, each of its rooms in order of id (A11). With no rooms it makes no fact. */
export interface SpaceJoinEntry {
  kind: 'space.join'
  spaceId: SpaceId
  userId: UserId
  actorId: UserId | null
}
/** The owner cannot (refused as owner_stays). */
export interface SpaceLeaveEntry {
  kind: 'space.leave'
  spaceId: SpaceId
  userId: UserId
  actorId: UserId | null
}
/** Deletes its rooms too. */
export interface SpaceDeleteEntry {
  kind: 'space.delete'
  spaceId: SpaceId
  actorId: UserId | null
}

export type Entry =
  | PostEntry
  | EditEntry
  | DeleteEntry
  | ReadEntry
  | RoomCreateEntry
  | RoomUpdateEntry
  | RoomDeleteEntry
  | MemberAddEntry
  | MemberRemoveEntry
  | SpaceJoinEntry
  | SpaceLeaveEntry
  | SpaceDeleteEntry

/** Why an entry was refused, alone, under the lock. */
export type Refusal =
  | 'room_not_found'
  | 'room_exists'
  | 'space_not_found'
  | 'message_not_found'
  | 'not_a_member'
  | 'already_a_member'
  | 'not_the_author'
  | 'owner_stays'
  | 'key_conflict'
  | 'ids_exhausted'
  | 'unstorable'

export type Outcome =
  /**
   * The facts that the entry made; for a post its message.posted first, then its read.advanced unless it is a guest's. Messages in
   * them are as they are now, also when a commit is told again.
   */
  | { status: 'done'; facts: Fact[] }
  /** The client key is known with the same body: nothing was stored now; `seq` is where the first one stands. */
  | { status: 'repeated'; seq: number }
  | { status: 'refused'; reason: Refusal }

/** What one append did. Positions of a commit are consecutive and start where the journal's last ended. */
export interface Commit {
  journal: number
  firstPosition: number
  /** firstPosition - 1 where no entry made a fact; such a commit is not stored, uses no position and, sent again, is done again. */
  lastPosition: number
  /** In order of position. */
  facts: Fact[]
  /** What stood last in the rooms that it touched, where that is of other journals: each room's order is kept by handing it out after these. */
  after: Stamp[]
}

export interface AppendResult extends Commit {
  /** One per entry, in the order of the entries. */
  outcomes: Outcome[]
}

/** One life of a process as a writer. */
export interface JournalRecord {
  number: number
  /** Random, made with it: tells databases apart. 8 characters of [0-9a-z]. */
  tag: string
  lastPosition: number
  isClosed: boolean
}

/**
 * The log. Obligations: an append is atomic per entry (all its facts or none) and one commit per batch; seqs rise by 1 per room
 * without gaps, in commit order, also between journals; ordinals likewise for messages; `at` is the database's clock and never
 * earlier than the event before it in the room; message ids are unique, rise within a room, start at 1; reads see every append
 * that was acknowledged before. Checks are made under the rooms' locks, which are taken in id order (a space's row before them).
 *
 * Order within one append: structural entries (all but post and read) as given, one by one; then posts, by room id and within a
 * room as given; then reads as given. Positions follow that order; a post's read.advanced follows its message.posted.
 */
export interface LogStore {
  /** Numbers rise by 1 from 1. */
  openJournal(): Promise<JournalRecord>
  /** From now on its appends throw JournalClosed. */
  closeJournal(journal: number): Promise<void>
  /** Says that the journal's process lives (an append says so too). */
  touchJournal(journal: number): Promise<void>
  /** Closes the open journals that were not heard of for `silentMs`, by the database's clock. */
  closeSilentJournals(silentMs: number): Promise<void>
  /** The journals with a number of at least `from`, rising. */
  listJournals(from: number): Promise<JournalRecord[]>

  /**
   * Stores a batch. `firstPosition` must be the journal's last + 1. The same call again after CommitUncertain returns what the
   * first one did if it stands (a stored commit with this journal and firstPosition is that one, also once its journal is closed),
   * and stores it now if not.
   * No two entries of a batch have the same room, author and client key.
   * Throws StorageUnavailable, CommitUncertain, JournalClosed, BatchRejected.
   */
  append(journal: number, firstPosition: number, entries: Entry[]): Promise<AppendResult>
  /** Commits of a journal that end behind `afterPosition`, rising, at most `limit` of them; kept for an hour at least. Messages as they are now. */
  readCommits(journal: number, afterPosition: number, limit: number): Promise<Commit[]>

  /** Null where it never was or was deleted. */
  findRoom(roomId: RoomId): Promise<Room | null>
  listRoomsIn(spaceId: SpaceId): Promise<Room[]>
  /** By id, rising. */
  listRoomsOf(userId: UserId): Promise<Room[]>
  findMember(roomId: RoomId, userId: UserId): Promise<Member | null>
  /** In order of entry. Empty where the room was deleted. */
  listMembers(roomId: RoomId): Promise<Member[]>

  /** Null where it was deleted. */
  findMessage(roomId: RoomId, messageId: MessageId): Promise<Message | null>
  /** Deleted ones too (A8's repeated answers). */
  findMessageAt(roomId: RoomId, seq: number): Promise<Message | null>
  /** Without deleted ones, newest first. */
  listMessages(roomId: RoomId, page: { offset: number; limit: number }): Promise<Message[]>
  /** For each seq: how many messages behind it were deleted. */
  countDeletedAfter(roomId: RoomId, seqs: number[]): Promise<number[]>

  /** Log rows with seq < `below`, newest first, messages as they are now. */
  readLog(roomId: RoomId, below: number, limit: number): Promise<LogRow[]>
  /**
   * Each present member's latest marker move (or, with `explicit`, latest read of his own, also one that moved nothing), as it was
   * committed, newest first; those numbered under `below`.
   */
  readMarkers(roomId: RoomId, options: { explicit: boolean; below: number; limit: number }): Promise<MarkerMove[]>

  /** Forgets what has served its time: client keys after 24 h, commits after an hour, revoked tokens after their end. */
  prune(): Promise<void>
}

export interface MarkerMove {
  /** Counts the room's marker moves; rising, not necessarily by 1. */
  number: number
  fact: ReadAdvanced
}

// -------------------------------------------------------------------------------------------------------------- directory

export interface NewUser {
  /** An id that the request made up (M2), or null: the counter gives the next free one. */
  id: UserId | null
  username: string
  email: string
  fullName: string
  passwordHash: string | null
  origin: AccountOrigin
}

export interface UserPatch {
  email?: string
  fullName?: string
  bio?: string | null
  avatarUrl?: string | null
  passwordHash?: string
  isActive?: boolean
}

/** The directory. Obligations: usernames (after NFC) and e-mail addresses are unique, also between two calls at once. */
export interface Directory {
  /** `taken` names the first of id, username, email that another account has. */
  createUser(user: NewUser): Promise<{ user: User } | { taken: 'id' | 'username' | 'email' }>
  /** Absent fields stay. Null where there is no such user. */
  updateUser(userId: UserId, patch: UserPatch): Promise<{ user: User } | { taken: 'email' } | null>
  findUser(userId: UserId): Promise<User | null>
  /** Those that exist, by id. */
  findUsers(userIds: UserId[]): Promise<User[]>
  findUserByName(username: string): Promise<User | null>
  /** By id, rising. */
  listUsers(page: { offset: number; limit: number }): Promise<User[]>
  findPasswordHash(userId: UserId): Promise<string | null>

  /** The owner is its first member. */
  createSpace(space: { name: string; description: string | null; iconUrl: string | null; ownerId: UserId }): Promise<Space>
  /** Absent fields stay. */
  updateSpace(spaceId: SpaceId, patch: { name?: string; description?: string; iconUrl?: string }): Promise<Space | null>
  findSpace(spaceId: SpaceId): Promise<Space | null>
  /** By id, rising. */
  listSpacesOf(userId: UserId): Promise<Space[]>
  isSpaceMember(spaceId: SpaceId, userId: UserId): Promise<boolean>

  /** A token that counts no more at any door (A15), by its SHA-256 in hex. */
  revokeToken(sha256: string, expiresAt: number): Promise<void>
  isTokenRevoked(sha256: string): Promise<boolean>
  /**
   * What ends sessions, here or on another node: tokens revoked and users deactivated since `after`, the `upTo` of an earlier
   * answer (null: from now on). None is missed; one may be named twice.
   */
  readEndings(after: number | null): Promise<{ upTo: number; tokenHashes: string[]; userIds: UserId[] }>

  /** Marks a fresh database as development's (M1), for good; resolves with whether it is so marked. */
  isDevelopment(): Promise<boolean>
  markDevelopment(): Promise<void>
}
