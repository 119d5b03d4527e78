/** Adding and removing members of a room; a space's room has the space's members (A11). */
import type { Directory, LogStore } from '../../storage/storage.ts'
import { getRoom, type Core } from '../core.ts'
import { ChatError } from '../errors.ts'
import type { ChatEvent, MemberAdded, MemberRemoved } from '../events.ts'
import type { Member, Principal, Room, RoomId, UserId } from '../model.ts'
import { mayChange } from '../permissions.ts'
import { factsOf } from './refusals.ts'
import type { AccountActions } from './accounts.ts'

export class MemberActions {
  private readonly core: Core
  private readonly accounts: AccountActions
  private readonly log: LogStore
  private readonly directory: Directory

  constructor(core: Core, accounts: AccountActions) {
    this.core = core
    this.accounts = accounts
    this.log = core.storage.log
    this.directory = core.storage.directory
  }

  /** Throws ChatError room_not_found, forbidden, user_not_found, not_a_member (the actor left meanwhile), already_a_member. */
  async add(principal: Principal, roomId: RoomId, userId: UserId): Promise<ChatEvent & MemberAdded> {
    const room = await getRoom(this.core, roomId)
    const actor = await this.findActor(principal, room, userId)
    if (!mayChange(room, actor, 'add', { userId, role: null })) throw new ChatError('forbidden')
    const user = await this.accounts.getOrMake(userId)
    const actorId = this.actorIdOf(actor)
    const entry = room.spaceId
      ? ({ kind: 'space.join', spaceId: room.spaceId, userId, actorId } as const)
      : ({
          kind: 'member.add',
          roomId,
          userId,
          role: 'member',
          read: 'all',
          actorId,
          ifMember: actor.member?.userId ?? null,
        } as const)
    const fact = factsOf(await this.core.journal.submit(entry)).find((made) => made.roomId === roomId)
    if (fact?.type !== 'member.added') throw new ChatError('room_not_found')
    return Object.assign(fact, { user })
  }

  /** Throws ChatError room_not_found, forbidden, member_not_found, not_a_member (the actor left meanwhile), owner_stays. */
  async remove(principal: Principal, roomId: RoomId, userId: UserId): Promise<ChatEvent & MemberRemoved> {
    const room = await getRoom(this.core, roomId)
    const target = await this.log.findMember(roomId, userId)
    const actor = await this.findActor(principal, room, userId)
    if (!mayChange(room, actor, 'remove', { userId, role: target?.role ?? null })) throw new ChatError('forbidden')
    if (!target) throw new ChatError('member_not_found')
    const actorId = this.actorIdOf(actor)
    const entry = room.spaceId
      ? ({ kind: 'space.leave', spaceId: room.spaceId, userId, actorId } as const)
      : ({ kind: 'member.remove', roomId, userId, actorId, ifMember: actor.member?.userId ?? null } as const)
    const outcome = await this.core.journal.submit(entry)
    if (outcome.status === 'refused' && outcome.reason === 'not_a_member') throw await this.whoHasGone(roomId, userId)
    const fact = factsOf(outcome).find((made) => made.roomId === roomId)
    if (fact?.type !== 'member.removed') throw new ChatError('room_not_found')
    return Object.assign(fact, { user: await this.accounts.get(userId) })
  }

  /** The target, or else the actor, left while the removal was on its way. */
  private async whoHasGone(roomId: RoomId, userId: UserId): Promise<ChatError> {
    return new ChatError((await this.log.findMember(roomId, userId)) ? 'not_a_member' : 'member_not_found')
  }

  /** In development a request that names no actor acts as the room's admin, else as the target himself (M3). */
  private async findActor(principal: Principal, room: Room, targetId: UserId) {
    if (principal.kind !== 'nobody') {
      const userId = principal.user?.id
      return { principal, member: userId === undefined ? null : await this.log.findMember(room.id, userId) }
    }
    const admin = (await this.log.listMembers(room.id)).find((member) => member.role === 'admin')
    const member = admin ?? (await this.log.findMember(room.id, targetId))
    const user = await this.directory.findUser(admin?.userId ?? targetId)
    const isNobodys = room.rule === 'service' || !user
    return { principal: isNobodys ? principal : ({ kind: 'user', user } as const), member }
  }

  private actorIdOf(actor: { principal: Principal; member: Member | null }): UserId | null {
    if (actor.principal.kind === 'nobody') return actor.member?.userId ?? null
    return actor.principal.user?.id ?? null
  }
}
