/**
 * The storage ports. Two families, so that the part that grows can move to another engine by itself: the log (rooms, members,
 * messages and other events) and the directory (accounts, spaces, tokens). Small operations shaped by partition key; no
 * `transaction(callback)`, no ad-hoc query. Every adapter runs storage.contract.ts.
 */
import type { LogRow, ReadAdvanced } from '../core/events.ts'
import type {
  AccountOrigin,
  Attachment,
  Department,
  Login,
  Member,
  Message,
  MessageId,
  Reaction,
  Room,
  RoomId,
  Space,
  SpaceId,
  Stamp,
  User,
  UserId,
} from '../core/model.ts'
import type { Moment, Replacement } from '../registry/registry.ts'
import type { Entry, Commit, AppendResult } from './entries.ts'

export type * from './entries.ts'
export { leaseKeptMs, type Moment, type Replacement } from '../registry/registry.ts'

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
  /**
   * From now on its appends throw JournalClosed. Waits for one that is under way, also where its caller was told CommitUncertain: what
   * of it readCommits shows then stands, and what it does not show never will.
   */
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
  /** The direct room of two users, while both are in it. */
  findDirect(userIds: [UserId, UserId]): Promise<RoomId | null>
  /** A project's room (W9). */
  findProject(projectId: string): Promise<RoomId | null>
  findMember(roomId: RoomId, userId: UserId): Promise<Member | null>
  /** The rooms that a user is in, or was and has left, all or among these, by room id; deleted rooms are not among them. */
  listMembershipsOf(userId: UserId, roomIds?: RoomId[]): Promise<Membership[]>
  /** A user's rooms as a list of conversations shows them, in no order, in a constant number of queries (P8). */
  listSummaries(userId: UserId): Promise<RoomSummary[]>
  /** In order of entry. Empty where the room was deleted. */
  listMembers(roomId: RoomId): Promise<Member[]>

  /** Null where it was deleted. */
  findMessage(roomId: RoomId, messageId: MessageId): Promise<Message | null>
  /** Deleted ones too (A8's repeated answers). */
  findMessageAt(roomId: RoomId, seq: number): Promise<Message | null>
  /** Where a message stands, a deleted one too; null where the room never had it. */
  findMessageSeq(roomId: RoomId, messageId: MessageId): Promise<number | null>
  /** Without deleted ones, newest first. */
  listMessages(roomId: RoomId, page: { offset: number; limit: number }): Promise<Message[]>
  /** Without deleted ones: those with seq < `below`, newest first. */
  listMessagesBelow(roomId: RoomId, below: number, limit: number): Promise<Message[]>
  /** Without deleted ones: those with seq > `above`, oldest first. */
  listMessagesAbove(roomId: RoomId, above: number, limit: number): Promise<Message[]>
  /** An attachment by its address; null also once its message was deleted, or its room. */
  findAttachment(url: string): Promise<{ roomId: RoomId; attachment: Attachment } | null>
  /** Which of these addresses are attachments of messages. */
  filterAttached(urls: string[]): Promise<string[]>
  /** Of these messages, in the order in which they were added; none of deleted ones. */
  listReactions(roomId: RoomId, messageIds: MessageId[]): Promise<Reaction[]>
  /** For each seq: how many messages behind it were deleted. */
  countDeletedAfter(roomId: RoomId, seqs: number[]): Promise<number[]>

  /** Log rows with seq < `below`, newest first, messages as they are now. */
  readLog(roomId: RoomId, below: number, limit: number): Promise<LogRow[]>
  /**
   * Each present member's latest marker move (or, with `explicit`, latest read of his own, also one that moved nothing), as it was
   * committed but for `passed`, which is true (it stands for the moves before it, too), newest first; those numbered under `below`.
   */
  readMarkers(roomId: RoomId, options: { explicit: boolean; below: number; limit: number }): Promise<MarkerMove[]>

  /**
   * Messages whose text, or a file name of them, holds `text`, newest first; case, NFC and NFD aside, nothing in it is a wildcard
   * (P11). Complete: also what was acknowledged a moment ago, edited ones by their present text, deleted ones never.
   */
  searchMessages(roomId: RoomId, text: string, page: { offset: number; limit: number }): Promise<Message[]>
  /** Rooms whose log goes on behind what the search index holds of it. */
  listUnindexed(limit: number): Promise<RoomId[]>
  /** Takes at most `limit` further rows of a room's log into the search index; false where none is left. Two at once on one room: one does it. */
  indexNext(roomId: RoomId, limit: number): Promise<boolean>

  /** Forgets what has served its time: client keys after 24 h, commits after an hour, revoked tokens and logins after their end, records after theirs. */
  prune(): Promise<void>
}

/** A user's entry in a room, present or left. */
export interface Membership {
  member: Member
  /** What stands last in the room: a log row or a moved marker. */
  lastStamp: Stamp
  /** Stamp of the event that let him in. */
  joinedStamp: Stamp
  /** Stamp of his removal; null while he is in. */
  leftStamp: Stamp | null
}

/** What a list of rooms shows of one, and no more, as a thousand are read at once. */
export interface RoomSummary {
  room: Pick<Room, 'id' | 'kind' | 'name' | 'ordinal' | 'updatedAt'>
  /** Of his marker. */
  markerOrdinal: number
  memberCount: number
  /** The lowest-numbered other member; null where he is alone. */
  otherUserId: UserId | null
  /** The newest that is not deleted. */
  lastMessage: Pick<Message, 'id' | 'authorId' | 'content' | 'fileUrl' | 'attachments' | 'createdAt'> | null
  /** How many messages behind his marker were deleted. */
  deletedAfterMarker: number
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
  departmentId?: number | null
}

/** Neither text holds control characters. */
export interface NewGuest {
  projectId: string
  name: string
  avatarUrl: string | null
}

/** Numbers rise in the order in which logins were kept. */
export type KeptLogin = Login & { number: number; isPending: boolean }

export interface UserPatch {
  email?: string
  fullName?: string
  bio?: string | null
  avatarUrl?: string | null
  departmentId?: number | null
  passwordHash?: string
  isActive?: boolean
}

/** Active. Its id is one that was asked for, so that of two who ask one makes it, or, where it is null, the counter's next free one. */
export type NewDepartment = Omit<Department, 'id' | 'isActive'> & { id: number | null }

/** The directory. Obligations: usernames (after NFC) and e-mail addresses are unique, also between two calls at once. */
export interface Directory {
  /** `taken` names the first of id, username, email that another account has. */
  createUser(user: NewUser): Promise<{ user: User } | { taken: 'id' | 'username' | 'email' }>
  /** Absent fields stay. Null where there is no such user. */
  updateUser(userId: UserId, patch: UserPatch): Promise<{ user: User } | { taken: 'email' } | null>
  findUser(userId: UserId): Promise<User | null>
  /** Those that exist, by id. */
  findUsers(userIds: UserId[]): Promise<User[]>
  /** Null also for a text that cannot be kept (A4). */
  findUserByName(username: string): Promise<User | null>
  /** Without guests, by id, rising. */
  listUsers(page: { offset: number; limit: number }): Promise<User[]>
  /**
   * The guest of this project and name, spelled so, made where there is none; many calls at once make one (W9). His avatar is the one
   * given last. Never active, by no name found, and his address is nobody else's.
   */
  openGuest(guest: NewGuest): Promise<User>
  findPasswordHash(userId: UserId): Promise<string | null>

  /** `parent_not_found`: there is no such parent; `taken`: another has the id that was asked for. */
  createDepartment(department: NewDepartment): Promise<Department | 'parent_not_found' | 'taken'>
  /** By sortOrder, then id. */
  listDepartments(): Promise<Department[]>
  /** Active users with one of these departments, by id; null stands for none. */
  listUsersIn(departmentIds: (number | null)[]): Promise<User[]>

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
  /** Both at once, as every request with a token asks: whether it counts no more, and the account of its bearer's name. */
  findTokenUser(sha256: string, username: string): Promise<{ isRevoked: boolean; user: User | null }>
  /**
   * What ends sessions, here or on another node: tokens revoked and users deactivated since `after`, the `upTo` of an earlier
   * answer (null: from now on). None is missed; one may be named twice.
   */
  readEndings(after: number | null): Promise<{ upTo: number; tokenHashes: string[]; userIds: UserId[] }>

  /** A login that the registry is still to learn of (C2); again, it is the newest. */
  keepLogin(login: Login): Promise<void>
  /** The registry has learned of them. */
  settleLogins(sha256s: string[]): Promise<void>
  /** They are forgotten. */
  endLogins(sha256s: string[]): Promise<void>
  /** Those of them that are kept and not over. */
  findLogins(sha256s: string[]): Promise<KeptLogin[]>
  /** Those that are not over and behind the number `after`, in order; with `pending` only those that the registry is still to learn of. */
  listLogins(page: { after: number; limit: number; pending: boolean }): Promise<KeptLogin[]>

  /** For a registry without a server of its own: the operations of server/registry/registry.ts with these names. */
  readRecords(names: string[]): Promise<Moment & { values: (string | null)[] }>
  replaceRecord(name: string, replacement: Replacement): Promise<boolean>
  renewLease(node: string, leaseMs: number): Promise<boolean>

  /** Marks a fresh database as development's (M1), for good; resolves with whether it is so marked. */
  isDevelopment(): Promise<boolean>
  markDevelopment(): Promise<void>
}
