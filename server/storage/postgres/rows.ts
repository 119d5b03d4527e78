/** Rows of the database as the core knows them. */
import type { LogRow, MemberAdded } from '../../core/events.ts'
import type { Department, Member, Message, Role, Room, Space, User, UserId } from '../../core/model.ts'
import type { LogRowRecord, Tables } from './tables.ts'

/** `data` of a member.added row, written by `madang_enter`. */
interface AddedMember {
  id: number
  role: Role
  nickname: string
  joinedAt: number
  joinedSeq: number
  seq: number
  ordinal: number
  readAt: number | null
  /** Absent where he came alone. */
  together?: UserId[]
}

export function toLogRow(row: LogRowRecord): LogRow {
  const { type, seq, at } = row
  const base = {
    roomId: row.room_id,
    stamp: { journal: row.journal, position: row.position },
    userId: row.user_id,
    actorId: type === 'message.posted' ? row.user_id : row.actor_id,
    at,
    seq,
  }
  switch (type) {
    case 'message.posted':
    case 'message.edited':
    case 'message.deleted':
      return { ...base, type, message: toMessage(row) }
    case 'reaction.added':
    case 'reaction.removed':
      return { ...base, type, message: toMessage(row), ...(row.data as { reaction: string }) }
    case 'member.added':
      return { ...base, type, ...toAddition(row, row.data as AddedMember) }
    case 'role.changed':
      return { ...base, type, role: (row.data as { role: Role }).role }
    case 'name.changed':
      return { ...base, type, ...(row.data as { nickname: string }) }
    case 'room.updated':
      return { ...base, type, ...(row.data as { name: string; description: string | null }) }
    case 'room.created':
      // Rooms of before 0009-company did not note them.
      return { ...base, type, memberIds: (row.data as { memberIds: UserId[] } | null)?.memberIds ?? [] }
    case 'member.removed':
      // Rows of before 0017-removals did not note it: then it ends whichever began before.
      return { ...base, type, joinedSeq: (row.data as { joinedSeq: number } | null)?.joinedSeq ?? seq - 1 }
    case 'room.deleted':
      return { ...base, type }
  }
}

/** What `toMessage` reads. */
export const messageColumns = [
  'room_id',
  'message_seq',
  'message_id',
  'ordinal',
  'author_id',
  'kind',
  'content',
  'file_url',
  'attachments',
  'created_at',
  'edited_at',
  'deleted_at',
] as const satisfies (keyof LogRowRecord)[]

export type MessageRow = Pick<LogRowRecord, (typeof messageColumns)[number]>

export function toMessage(row: MessageRow): Message {
  if (row.message_id === null) throw new Error(`row ${row.message_seq} of room ${row.room_id} has no message`)
  return {
    id: row.message_id,
    roomId: row.room_id,
    seq: row.message_seq,
    ordinal: row.ordinal,
    authorId: row.author_id,
    kind: row.kind,
    content: row.content,
    fileUrl: row.file_url,
    attachments: row.attachments ?? [],
    createdAt: row.created_at,
    editedAt: row.edited_at,
    deletedAt: row.deleted_at,
  }
}

function toAddition(row: LogRowRecord, added: AddedMember): Pick<MemberAdded, 'member' | 'together'> {
  const { id, role, nickname, joinedAt, joinedSeq, seq, ordinal, readAt, together = [row.user_id] } = added
  const who = { id, roomId: row.room_id, userId: row.user_id, role, nickname }
  return { member: { ...who, joinedAt, joinedSeq, marker: { seq, ordinal, readAt } }, together }
}

export function toMember(row: Tables['members']): Member {
  return {
    id: row.id,
    roomId: row.room_id,
    userId: row.user_id,
    role: row.role,
    nickname: row.nickname,
    joinedAt: row.joined_at,
    joinedSeq: row.joined_seq,
    marker: { seq: row.marker_seq, ordinal: row.marker_ordinal, readAt: row.read_at },
  }
}

export function toRoom(row: Tables['rooms']): Room {
  return {
    id: row.id,
    kind: row.kind,
    rule: row.rule,
    name: row.name,
    description: row.description,
    spaceId: row.space_id,
    head: row.head,
    ordinal: row.ordinal,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  }
}

export function toSpace(row: Tables['spaces']): Space {
  return {
    id: row.id,
    name: row.name,
    description: row.description,
    iconUrl: row.icon_url,
    ownerId: row.owner_id,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  }
}

export function toDepartment(row: Tables['departments']): Department {
  return {
    id: row.id,
    name: row.name,
    code: row.code,
    parentId: row.parent_id,
    sortOrder: row.sort_order,
    isActive: row.is_active,
  }
}

export function toUser(row: Omit<Tables['users'], 'username_key' | 'password_hash' | 'ending'>): User {
  return {
    id: row.id,
    username: row.username,
    email: row.email,
    fullName: row.full_name,
    bio: row.bio,
    avatarUrl: row.avatar_url,
    origin: row.origin,
    departmentId: row.department_id,
    isActive: row.is_active,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  }
}
