/** Membership of a room. */
import type { Fact } from '../../core/events.ts'
import type { Member, ReadMarker, Role, RoomId, UserId } from '../../core/model.ts'
import type { MemberAddEntry, MemberRemoveEntry, NameChangeEntry, Outcome, Refusal, RoleChangeEntry } from '../storage.ts'
import { done, keepRow, refused, takeRowPlace, type Draft } from './draft.ts'
import {
  copyMember,
  findLiveRoom,
  findPresent,
  listPresent,
  type MemberState,
  type MemoryState,
  type RoomState,
} from './state.ts'

export function doMemberAdd(draft: Draft, entry: MemberAddEntry): Outcome {
  const room = findRoomFor(draft, entry)
  if (typeof room === 'string') return refused(room)
  const together = entry.userIds.filter((userId) => findPresent(room, userId) === undefined)
  if (together.length === 0) return refused('already_a_member')
  if (room.room.kind === 'direct') Object.assign(room.room, { kind: 'group', rule: 'peers' })
  const { role, read, actorId } = entry
  return done(together.map((userId) => addMember(draft, room, { userId, role, read, actorId, together })))
}

export function doMemberRemove(draft: Draft, entry: MemberRemoveEntry): Outcome {
  const room = findRoomFor(draft, entry)
  if (typeof room === 'string') return refused(room)
  const leaver = findPresent(room, entry.userId)
  if (leaver === undefined) return refused('not_a_member')
  return done(removeMember(draft, room, leaver, entry.actorId))
}

export function doRoleChange(draft: Draft, entry: RoleChangeEntry): Outcome {
  const found = findMemberFor(draft, entry)
  if (typeof found === 'string') return refused(found)
  const { room, member } = found
  const { userId, actorId, role } = entry
  if (member.role === role) return done([])
  if (member.role === 'admin' && isLastAdmin(room)) return refused('last_admin')
  member.role = role
  return done([keepRow(draft, room, { type: 'role.changed', ...takeRowPlace(draft, room), userId, actorId, role })])
}

/** Of an admin: whether others are in, and none of them is one. */
function isLastAdmin(room: RoomState): boolean {
  const present = listPresent(room)
  return present.length > 1 && present.filter(({ member }) => member.role === 'admin').length === 1
}

export function doNameChange(draft: Draft, entry: NameChangeEntry): Outcome {
  const found = findMemberFor(draft, entry)
  if (typeof found === 'string') return refused(found)
  const { room, member } = found
  const { userId, actorId, nickname } = entry
  if (member.nickname === nickname) return done([])
  member.nickname = nickname
  return done([keepRow(draft, room, { type: 'name.changed', ...takeRowPlace(draft, room), userId, actorId, nickname })])
}

function findMemberFor(draft: Draft, entry: RoleChangeEntry | NameChangeEntry): { room: RoomState; member: Member } | Refusal {
  const room = findRoomFor(draft, entry)
  if (typeof room === 'string') return room
  const found = findPresent(room, entry.userId)
  return found === undefined ? 'not_a_member' : { room, member: found.member }
}

function findRoomFor(draft: Draft, { roomId, ifMember }: { roomId: RoomId; ifMember: UserId | null }): RoomState | Refusal {
  const room = findLiveRoom(draft.state, roomId)
  if (room === undefined) return 'room_not_found'
  if (ifMember !== null && findPresent(room, ifMember) === undefined) return 'not_a_member'
  return room
}

interface Addition {
  userId: UserId
  role: Role
  read: 'all' | 'none'
  actorId: UserId | null
  /** All whom the same invitation lets in. */
  together: UserId[]
}

export function addMember(draft: Draft, room: RoomState, { userId, role, read, actorId, together }: Addition): Fact {
  const place = takeRowPlace(draft, room)
  const marker = startingMarker(room, userId, read)
  const member = enter(draft.state, room, { userId, role, marker, joinedAt: place.at, joinedSeq: place.seq })
  const about = { userId, actorId, member: copyMember(member), together: [...together] }
  return keepRow(draft, room, { type: 'member.added', ...place, ...about })
}

/** A marker only moves forward, so who comes back never has less behind him than when he left. */
function startingMarker(room: RoomState, userId: UserId, read: 'all' | 'none'): ReadMarker {
  const before = room.members.get(userId)?.member.marker ?? { seq: 0, ordinal: 0, readAt: null }
  const newest = room.messages.at(-1)
  if (read === 'none' || newest === undefined) return before
  return { ...before, seq: newest.seq, ordinal: newest.ordinal }
}

/** Puts a member at the end of the room's list; the event that brings him is the caller's. */
export function enter(state: MemoryState, room: RoomState, entry: Omit<Member, 'id' | 'roomId' | 'nickname'>): Member {
  state.last.member += 1
  const member: Member = { id: state.last.member, roomId: room.room.id, nickname: '', ...entry }
  room.members.delete(entry.userId)
  room.members.set(entry.userId, { member, leftStamp: null, lastMove: null, lastRead: null })
  return member
}

export function removeMember(draft: Draft, room: RoomState, leaver: MemberState, actorId: UserId | null): Fact[] {
  const { userId, role, joinedSeq } = leaver.member
  const removed = keepRow(draft, room, { type: 'member.removed', ...takeRowPlace(draft, room), userId, actorId, joinedSeq })
  leaver.leftStamp = { ...removed.stamp }
  const heir = role === 'admin' ? findHeir(room) : null
  if (heir === null) return [removed]
  heir.role = 'admin'
  const change = { userId: heir.userId, actorId, role: heir.role }
  return [removed, keepRow(draft, room, { type: 'role.changed', ...takeRowPlace(draft, room), ...change })]
}

/** Who becomes admin now that one has gone (A13); null where nobody does. */
function findHeir(room: RoomState): Member | null {
  const { rule } = room.room
  if (rule !== 'admins' && rule !== 'roles') return null
  const members = listPresent(room).map(({ member }) => member)
  if (members.some((member) => member.role === 'admin')) return null
  return members.find((member) => member.role === 'sub-admin') ?? members[0] ?? null
}
