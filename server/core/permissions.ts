/** Who may change a room: the room's own rule, the same at every door (A13). Pure. */
import type { Member, Principal, Role, Room, UserId } from './model.ts'

export type RoomChange = 'add' | 'remove' | 'rename' | 'delete'

export interface Actor {
  principal: Principal
  /** His entry in the room; null where he is no member. */
  member: Member | null
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
      return mayByRank(member, change, target)
    case 'service':
      return actor.principal.kind === 'nobody'
  }
}

/** Admins and sub-admins, nobody above or beside himself; only an admin deletes (C6). */
function mayByRank(member: Member | null, change: RoomChange, target: Target | null): boolean {
  if (!member || member.role === 'member') return false
  if (change === 'delete') return member.role === 'admin'
  return change !== 'remove' || ranks[target?.role ?? 'member'] < ranks[member.role]
}
