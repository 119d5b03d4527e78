/** Who acts in a room; who stands for it where no admin does, or a request names nobody (C6). */
import type { LogStore } from '../storage/storage.ts'
import { userIdOf, type Core } from './core.ts'
import type { Member, Principal, Room, RoomId, User, UserId } from './model.ts'
import type { Actor } from './permissions.ts'

/** Who acts in a room, with what the room's rule asks of him. */
export async function actorIn(core: Core, principal: Principal, room: Room): Promise<Actor> {
  const userId = userIdOf(principal)
  const member = userId === null ? null : await core.storage.log.findMember(room.id, userId)
  return withLead(core, room, { principal, member })
}

/** In a room by ranks without an admin its creator leads, and once he has left the longest-standing member. */
export async function withLead({ storage: { log } }: Core, room: Room, actor: Actor): Promise<Actor> {
  const { member } = actor
  if (room.rule !== 'roles' || member === null || member.role === 'admin') return actor
  const members = await log.listMembers(room.id)
  if (members.some(({ role }) => role === 'admin')) return actor
  const leader = (await findCreator(log, room.id, members)) ?? members[0]
  return { ...actor, leads: leader?.userId === member.userId }
}

/**
 * As whom a request acts that names nobody: the room's creator, when he has left its longest-standing admin, else participant. Null
 * where nobody is in it, or there is no such room.
 */
export async function findStandIn({ storage: { log }, users }: Core, roomId: RoomId): Promise<User | null> {
  const members = await log.listMembers(roomId)
  const standIn = (await findCreator(log, roomId, members)) ?? members.find(({ role }) => role === 'admin') ?? members[0]
  return standIn === undefined ? null : users.find(standIn.userId)
}

/** Among these members, who stand in order of entry. */
async function findCreator(log: LogStore, roomId: RoomId, members: Member[]): Promise<Member | undefined> {
  const creatorId: UserId | undefined = (await log.readLog(roomId, 2, 1))[0]?.userId
  return members.find(({ userId }) => userId === creatorId)
}
