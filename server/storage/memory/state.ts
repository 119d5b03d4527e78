/** All that the memory adapter holds: plain Maps, shared by every Storage that is open on them. */
import type { Fact, LogRow } from '../../core/events.ts'
import type {
  Department,
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
} from '../../core/model.ts'
import type { Commit, JournalRecord, KeptLogin, MarkerMove, Outcome } from '../storage.ts'

export interface MemoryOptions {
  /** The largest message id to give out (A2); 2147483647 by default. */
  messageIdMax?: number
  /** The database's clock, in milliseconds since 1970; `Date.now` by default. */
  now?: () => number
  /** From 0 up to 1, for journals' tags; `Math.random` by default. */
  random?: () => number
}

export interface MemoryState {
  options: Required<MemoryOptions>
  /** The journal numbered n stands at n - 1. */
  journals: JournalState[]
  /** Deleted ones too: their ids stay taken. */
  rooms: Map<RoomId, RoomState>
  spaces: Map<SpaceId, SpaceState>
  users: Map<UserId, UserState>
  /** User ids by NFC username (a guest's by project and name, with a line break between) and by e-mail address. */
  usernames: Map<string, UserId>
  emails: Map<string, UserId>
  departments: Map<number, Department>
  /** Up to which seq each room is in the search index; absent: 0. */
  indexed: Map<RoomId, number>
  /** When each revoked token ends by itself, by SHA-256. */
  revokedTokens: Map<string, number>
  /** What ended sessions, in order: revoked tokens' SHA-256 and deactivated users. */
  endings: (string | UserId)[]
  /** By SHA-256. */
  logins: Map<string, KeptLogin>
  /** `keptUntil` is Infinity where there is no end. */
  records: Map<string, { value: string; keptUntil: number }>
  /** Until when each node was known to live. */
  leases: Map<string, number>
  isDevelopment: boolean
  /** The last number that each counter gave. */
  last: {
    room: number
    message: number
    attachment: number
    member: number
    user: number
    space: number
    department: number
    login: number
  }
}

export interface JournalState {
  record: JournalRecord
  heardAt: number
  /** By first position. */
  commits: Map<number, StoredCommit>
}

export interface StoredCommit extends Commit {
  outcomes: Outcome[]
  at: number
}

export interface RoomState {
  room: Room
  /** Null for a room of no project. */
  projectId: string | null
  isDeleted: boolean
  /** The row with seq n stands at n - 1. Rows about one message share that message, so each shows it as it is now. */
  rows: LogRow[]
  /** By id, rising; the message with ordinal n stands at n - 1. */
  messages: Message[]
  messagesById: Map<MessageId, Message>
  /** In the order in which they were added, by message, user and reaction. */
  reactions: Map<string, Reaction>
  /** In order of entry; who left stays, with his marker. */
  members: Map<UserId, MemberState>
  /** By author and client key (A8). */
  keys: Map<string, ClientKey>
  /** How often a marker was moved or read. */
  moves: number
  /** When the newest event was; the next is not earlier. */
  lastAt: number
  /** Where the newest event stands. */
  lastStamp: Stamp | null
}

export interface MemberState {
  member: Member
  /** Where his removal stands; null while he is in. */
  leftStamp: Stamp | null
  lastMove: MarkerMove | null
  /** His last explicit read. */
  lastRead: MarkerMove | null
}

export interface ClientKey {
  bodyHash: string | null
  seq: number
  at: number
}

export interface SpaceState {
  space: Space
  /** In order of entry. */
  members: Set<UserId>
}

export interface UserState {
  user: User
  passwordHash: string | null
}

export function createState({ messageIdMax = 2_147_483_647, now = Date.now, random = Math.random }: MemoryOptions): MemoryState {
  return {
    options: { messageIdMax, now, random },
    journals: [],
    rooms: new Map(),
    spaces: new Map(),
    users: new Map(),
    usernames: new Map(),
    emails: new Map(),
    departments: new Map(),
    indexed: new Map(),
    revokedTokens: new Map(),
    endings: [],
    logins: new Map(),
    records: new Map(),
    leases: new Map(),
    isDevelopment: false,
    last: { room: 0, message: 0, attachment: 0, member: 0, user: 0, space: 0, department: 0, login: 0 },
  }
}

/** Undefined where it never was or was deleted. */
export function findLiveRoom(state: MemoryState, roomId: RoomId): RoomState | undefined {
  const found = state.rooms.get(roomId)
  return found?.isDeleted ? undefined : found
}

/** The rooms that are not deleted and that `test` takes, by id. */
export function filterRooms(state: MemoryState, test: (room: RoomState) => boolean): RoomState[] {
  const found = [...state.rooms.values()].filter((room) => !room.isDeleted && test(room))
  return found.toSorted((a, b) => a.room.id - b.room.id)
}

export function roomsIn(state: MemoryState, spaceId: SpaceId): RoomState[] {
  return filterRooms(state, ({ room }) => room.spaceId === spaceId)
}

/** Undefined for a stranger and for who left. */
export function findPresent(room: RoomState, userId: UserId): MemberState | undefined {
  const found = room.members.get(userId)
  return found?.leftStamp === null ? found : undefined
}

/** In order of entry. */
export function listPresent(room: RoomState): MemberState[] {
  return [...room.members.values()].filter((member) => member.leftStamp === null)
}

export function copyMember(member: Member): Member {
  return { ...member, marker: { ...member.marker } }
}

export function copyMessage(message: Message): Message {
  return { ...message, attachments: message.attachments.map((attachment) => ({ ...attachment })) }
}

/** Everything leaves storage as a copy: what a caller does to it must not reach what is stored. */
export function copyFact<T extends Fact>(fact: T): T {
  const copy = { ...fact, stamp: { ...fact.stamp } }
  if ('message' in copy) copy.message = copyMessage(copy.message)
  if ('member' in copy) copy.member = copyMember(copy.member)
  if ('memberIds' in copy) copy.memberIds = [...copy.memberIds]
  if ('together' in copy) copy.together = [...copy.together]
  return copy
}

export function copyCommit({ journal, firstPosition, lastPosition, facts, after }: Commit): Commit {
  return { journal, firstPosition, lastPosition, facts: facts.map(copyFact), after: after.map((stamp) => ({ ...stamp })) }
}
