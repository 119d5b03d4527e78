/** Who may change a room: the room's own rule, the same at every door (A13). Pure. */
import type { Member, Principal, Role, Room, UserId } from './model.ts'

export type RoomChange = 'add' | 'remove' | 'rename' | 'delete'

export interface Actor {
  principal: Principal
  /** His entry in the room; null where he is no member. */
  member: Member | null
  /** In a room by ranks without an admin: whether he is who leads it (C6). Absent in all others. */
  leads?: boolean
}

export interface Target {
  userId: UserId
  role: Role | null
}

const ranks: Record<Role, number> = { admin: 2, 'sub-admin': 1, member: 0 }

/** `target` is whom an `add` or `remove` is about. That a space's owner stays is the space's own rule. */
export function mayChange(room: Room, actor: Actor, change: RoomChange, target: Target | null = null): boolean {
  if (actor.principal.kind === 'service' || room.rule === 'anyone') return true
  if (change === 'remove' && actor.principal.kind === 'user' && actor.principal.user.id === target?.userId) return true
  const { member } = actor
  switch (room.rule) {
    case 'owner':
      return member?.role === 'admin'
    case 'pair':
    case 'peers':
      return change === 'add' && member !== null
    case 'admins':
      if (change === 'rename' || change === 'delete') return member?.role === 'admin'
      return member !== null && (change === 'add' || target?.role !== 'admin')
    case 'roles':
      return mayByRank(actor, change, target)
    case 'service':
      return actor.principal.kind === 'nobody'
  }
}

/** Admins and sub-admins, nobody above or beside himself; only an admin deletes. Without an admin all do, and who leads deletes (C6). */
function mayByRank({ member, leads }: Actor, change: RoomChange, target: Target | null): boolean {
  if (!member) return false
  if (leads !== undefined) return leads || change !== 'delete'
  if (member.role === 'member') return false
  if (change === 'delete') return member.role === 'admin'
  return change !== 'remove' || ranks[target?.role ?? 'member'] < ranks[member.role]
}

/**
 * Whether he may give `target`, whose role is null while he is about to enter, this role (C6). In a space's rooms nobody may: roles
 * there say who owns the space.
 */
export function mayGiveRole(room: Room, actor: Actor, target: Target, role: Role): boolean {
  if (room.spaceId !== null) return false
  if (actor.principal.kind === 'service' || room.rule === 'anyone') return true
  switch (room.rule) {
    case 'roles':
      return actor.leads ?? mayGiveByRank(actor.member, target, role)
    case 'admins':
      return actor.member?.role === 'admin' && mayGiveByRank(actor.member, target, role)
    case 'service':
      return actor.principal.kind === 'nobody'
    default:
      return false
  }
}

/** No role above his own, to nobody above or beside himself; himself he may only lower. */
function mayGiveByRank(member: Member | null, target: Target, role: Role): boolean {
  if (!member || member.role === 'member' || ranks[role] > ranks[member.role]) return false
  return target.userId === member.userId || ranks[target.role ?? 'member'] < ranks[member.role]
}

/** Whether he may say by which name the room shows a user (C5): his own, and an admin or sub-admin everybody's. */
export function mayGiveName(room: Room, { principal, member }: Actor, userId: UserId): boolean {
  if (principal.kind === 'service' || room.rule === 'anyone') return true
  return member !== null && (member.userId === userId || member.role !== 'member')
}
