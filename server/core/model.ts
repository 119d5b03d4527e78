/** What the chat is made of. Times are milliseconds since 1970 (UTC), by the database's clock. */

/** Ids of users, rooms, spaces and messages are whole numbers from 1; messages stay at or below `MESSAGE_ID_MAX` (A2). */
export type UserId = number
export type RoomId = number
export type SpaceId = number
export type MessageId = number

/**
 * How an account came to be (A9): a host's token without `id` opens only accounts that a host made. A `guest` is a project's visitor
 * (W9): an author whom nothing signs in as, so he is never active.
 */
export type AccountOrigin = 'registered' | 'host' | 'development' | 'guest'

export interface User {
  id: UserId
  /** Unique after NFC, 1 to 50 code points (A17). Of a guest `guest:<projectId>:<name>`, where only both together are unique (W9). */
  username: string
  email: string
  /** The name to show (`name`, `display_name`, `full_name` at the doors); the username where nobody gave another (A18). */
  fullName: string
  bio: string | null
  avatarUrl: string | null
  origin: AccountOrigin
  departmentId: number | null
  isActive: boolean
  createdAt: number
  updatedAt: number
}

/** Who calls, after his credential has been checked. */
export type Principal =
  | { kind: 'user'; user: User }
  /** A host's back end with a service key (M3); `user` is whom it acts for, null where the request names nobody. */
  | { kind: 'service'; user: User | null }
  /** Development only: a request that names no actor (M2, M3). */
  | { kind: 'nobody' }

export type RoomKind = 'channel' | 'direct' | 'group' | 'project' | 'open'

/**
 * Who may change a room (A13), the same at every door. `owner`: the space's owner. `pair`: either of the two. `peers`: any
 * member invites, each removes himself. `admins`: members add, and remove who is not admin; admins rename and delete. `roles`: by rank.
 * `service`: a service key. `anyone`: development's open rooms.
 */
export type RoomRule = 'owner' | 'pair' | 'peers' | 'admins' | 'roles' | 'service' | 'anyone'

export interface Room {
  id: RoomId
  kind: RoomKind
  rule: RoomRule
  name: string
  description: string | null
  /** The space whose members are this room's members; null for a room of its own (A11). */
  spaceId: SpaceId | null
  /** The newest seq of the room's log; 0 while it is empty. */
  head: number
  /** How many messages the room has had, deleted ones too. */
  ordinal: number
  createdAt: number
  updatedAt: number
}

export interface Space {
  id: SpaceId
  name: string
  description: string | null
  iconUrl: string | null
  ownerId: UserId
  createdAt: number
  updatedAt: number
}

export type Role = 'admin' | 'sub-admin' | 'member'

/** A user in a room. The entry of one who left stays in storage and is not returned as a Member. */
export interface Member {
  /** Number of this entry (F5): stable while he is in, another one when he comes back. */
  id: number
  roomId: RoomId
  userId: UserId
  role: Role
  /** The name to show in this room (C5); empty where he was given none. */
  nickname: string
  joinedAt: number
  /** Seq of the event that let him in. */
  joinedSeq: number
  marker: ReadMarker
}

/** How far a member has read; it only moves forward. */
export interface ReadMarker {
  /** Seq and ordinal of the newest message read; 0 where none was. */
  seq: number
  ordinal: number
  /** When he last said so himself (F5); null while he has only posted. */
  readAt: number | null
}

export interface Message {
  id: MessageId
  roomId: RoomId
  seq: number
  /** How many messages the room had with this one. */
  ordinal: number
  authorId: UserId
  /** `text`, or what the sender's dialect calls it (`message_type` in feed). */
  kind: string
  /** Kept to the byte; empty once the message is deleted. */
  content: string
  fileUrl: string | null
  /** In the order in which they were sent; none once the message is deleted. */
  attachments: Attachment[]
  createdAt: number
  editedAt: number | null
  deletedAt: number | null
}

/** A file that came with a message (A16). Its name is a label only. */
export interface Attachment {
  /** Unique among all attachments. */
  id: number
  fileName: string
  /** `/uploads/<stored name>`. */
  url: string
  mimeType: string | null
  sizeBytes: number
}

/** What a user put to a message; one per user, message and kind of reaction. */
export interface Reaction {
  messageId: MessageId
  userId: UserId
  /** What its sender calls it: `like`, `love` … */
  reaction: string
}

/** A part of the organisation (P12). */
export interface Department {
  id: number
  name: string
  code: string | null
  /** Null for a root. */
  parentId: number | null
  sortOrder: number
  isActive: boolean
}

/** A signed-in token (C2): whose it is, and for how long. */
export interface Login {
  /** Of the token, in hex. */
  sha256: string
  /** The token itself, where the registry's keys are made of it; else null. */
  token: string | null
  userId: UserId
  username: string
  /** The token's `sub`, else its username. */
  subject: string
  /** Its `exp`; null: it has none. */
  expiresAt: number | null
}

/** Where an event stands in its journal; positions rise by 1 within a journal. */
export interface Stamp {
  journal: number
  position: number
}
