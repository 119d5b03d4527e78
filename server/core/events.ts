/**
 * What can happen in a room. A Fact is what storage holds: ids only. A ChatEvent is a Fact with the accounts that it names, as
 * dialects encode it. Presence has no Fact: it is derived from live sessions and never stored.
 */
import type { Member, Message, Role, RoomId, Stamp, User, UserId } from './model.ts'

interface FactBase {
  roomId: RoomId
  stamp: Stamp
  /** Whom it is about: the author, the member, the reader; 0 for nobody, where a service key or the system did something to a room. */
  userId: UserId
  /** Who did it; null where a service key or the system did. */
  actorId: UserId | null
  /** When it was committed, by the database's clock. */
  at: number
}

/** A row of the room's log; its seq is its place in the room. */
interface LogFact extends FactBase {
  seq: number
}

export interface MessagePosted extends LogFact {
  type: 'message.posted'
  message: Message
}
/** `message` as it is now; `messageSeq` < `seq`. */
export interface MessageEdited extends LogFact {
  type: 'message.edited'
  message: Message
}
export interface MessageDeleted extends LogFact {
  type: 'message.deleted'
  message: Message
}
/** A user put a reaction to a message that he had not put there, `message` as it is now: deleted meanwhile, nothing is to be shown. */
export interface ReactionAdded extends LogFact {
  type: 'reaction.added'
  message: Message
  reaction: string
}
/** He took it back. That a message was deleted takes its reactions with it, without events. */
export interface ReactionRemoved extends LogFact {
  type: 'reaction.removed'
  message: Message
  reaction: string
}
/** The room's first row: it brings the first members, who get no `member.added` of their own. */
export interface RoomCreated extends LogFact {
  type: 'room.created'
  memberIds: UserId[]
}
/** New name or description; the room's row holds them. */
export interface RoomUpdated extends LogFact {
  type: 'room.updated'
  name: string
  description: string | null
}
export interface RoomDeleted extends LogFact {
  type: 'room.deleted'
}
export interface MemberAdded extends LogFact {
  type: 'member.added'
  /** As it was when it was added (its marker included). */
  member: Member
  /** All whom one invitation let in, in the order of their events; of one who came alone, himself. */
  together: UserId[]
}
export interface MemberRemoved extends LogFact {
  type: 'member.removed'
  /** Of the membership that ended: the seq of the event that had let him in. */
  joinedSeq: number
}
export interface RoleChanged extends LogFact {
  type: 'role.changed'
  role: Role
}
/** A member has another name in this room; an empty one is none. */
export interface NameChanged extends LogFact {
  type: 'name.changed'
  nickname: string
}

/** A read marker moved, or its owner said again that he has read (`explicit`). It has a stamp and no seq. */
export interface ReadAdvanced extends FactBase {
  type: 'read.advanced'
  /** False where posting moved it. */
  explicit: boolean
  /** Whether it went past messages that he had not read: false where it stood there already, or went past his own post alone (P4, P9). */
  passed: boolean
  /** Seq of the newest message read, and its id; 0 and null where there was none. */
  markerSeq: number
  messageId: number | null
}

/** A Fact that stands in the room's log. */
export type LogRow =
  | MessagePosted
  | MessageEdited
  | MessageDeleted
  | ReactionAdded
  | ReactionRemoved
  | RoomCreated
  | RoomUpdated
  | RoomDeleted
  | MemberAdded
  | MemberRemoved
  | RoleChanged
  | NameChanged

export type Fact = LogRow | ReadAdvanced

/** A user came online in a room with his first session there, or went offline with his last (A19). */
export interface PresenceChanged {
  type: 'presence.changed'
  roomId: RoomId
  userId: UserId
  online: boolean
}

export type ChatEvent = (Fact | PresenceChanged) & {
  /** The account of `userId`. */
  user: User
  /** Of a member.added alone: the accounts of `actorId` and `together`. */
  invitation?: { inviter: User | null; invited: User[] }
}
