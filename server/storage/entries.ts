/** What a journal can write, and what comes of it: the entries of a batch, and its commit. */
import type { Fact } from '../core/events.ts'
import type { Attachment, MessageId, Role, RoomId, RoomKind, RoomRule, SpaceId, Stamp, UserId } from '../core/model.ts'

export interface PostEntry {
  kind: 'post'
  roomId: RoomId
  authorId: UserId
  /** A guest needs no membership and has no marker (W9). */
  isGuest: boolean
  messageKind: string
  content: string
  fileUrl: string | null
  attachments: NewAttachment[]
  /** The sender's client key (A8) and a hash of what it stands for; both null where he gave none. */
  clientKey: string | null
  bodyHash: string | null
}
/** Its id is given at commit. */
export type NewAttachment = Omit<Attachment, 'id'>
/** Author only, and only while he is a member; checked under the lock. A deleted message is message_not_found. */
export interface EditEntry {
  kind: 'edit'
  roomId: RoomId
  actorId: UserId
  messageId: MessageId
  content: string
}
/** As an edit; the text is overwritten with '', and its attachments and reactions are forgotten. */
export interface DeleteEntry {
  kind: 'delete'
  roomId: RoomId
  actorId: UserId
  messageId: MessageId
}
/**
 * By a member. One there is already, of the same user, message and name, is not added again, and one there is not is not removed: that
 * makes no fact. A deleted message is message_not_found. One that would be its message's 21st different one (`limits.reactionKinds`) is
 * refused as too_many_reactions; one that somebody put already is not.
 */
export interface ReactionEntry {
  kind: 'reaction.add' | 'reaction.remove'
  roomId: RoomId
  userId: UserId
  messageId: MessageId
  reaction: string
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
/**
 * Makes one fact, whose userId is the actor, else the first member, else 0. The first members' markers stand at 0. A direct room of
 * two that `findDirect` finds is refused as room_exists: ten at once make one (P9). So is a project's that `findProject` finds.
 */
export interface RoomCreateEntry {
  kind: 'room.create'
  /** An id that the request made up (M2; refused as room_exists where it is taken, also by a deleted room), or null: the counter gives the next free one. */
  id: RoomId | null
  roomKind: RoomKind
  /** Of the kind `project` alone: whose it is. */
  projectId?: string
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
/**
 * A new member's marker stands at the newest message (`read: 'all'`), or where it was before him (P9: `read: 'none'`; at 0 for who
 * never was in). Who is a member already is left out, and where nobody is left, refused as already_a_member. A direct room becomes a
 * group by the rule `peers` with it (A13).
 */
export interface MemberAddEntry {
  kind: 'member.add'
  roomId: RoomId
  /** Without doubles; one fact each, in this order. */
  userIds: UserId[]
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
/**
 * Makes no fact where he has this role. The last admin keeps his while others are in (refused as last_admin, C6); alone he may give it
 * up. `userId` who is no member is refused as not_a_member.
 */
export interface RoleChangeEntry {
  kind: 'role.change'
  roomId: RoomId
  userId: UserId
  role: Role
  actorId: UserId | null
  ifMember: UserId | null
}
/** As a change of role. Empty takes the name away; who leaves and comes back has none. */
export interface NameChangeEntry {
  kind: 'name.change'
  roomId: RoomId
  userId: UserId
  nickname: string
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
  | ReactionEntry
  | ReadEntry
  | RoomCreateEntry
  | RoomUpdateEntry
  | RoomDeleteEntry
  | MemberAddEntry
  | MemberRemoveEntry
  | RoleChangeEntry
  | NameChangeEntry
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
  | 'last_admin'
  | 'too_many_reactions'
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
