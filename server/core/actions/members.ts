/** Adding and removing members of a room; a space's room has the space's members (A11). */
import type { Directory, Entry, LogStore } from '../../storage/storage.ts'
import { getRoom, type Core } from '../core.ts'
import { ChatError } from '../errors.ts'
import type { ChatEvent, MemberAdded, MemberRemoved } from '../events.ts'
import type { Member, Principal, Room, RoomId, SpaceId, User, UserId } from '../model.ts'
import { mayChange } from '../permissions.ts'
import { factsOf, isRefusedAs } from './refusals.ts'
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
    const ifMember = actor.member?.userId ?? null
    const entry: Entry = room.spaceId
      ? { kind: 'space.join', spaceId: room.spaceId, userId, actorId }
      : { kind: 'member.add', roomId, userIds: [userId], role: 'member', read: 'all', actorId, ifMember }
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
    if (isRefusedAs(outcome, 'not_a_member')) throw await this.whoHasGone(roomId, userId)
    const fact = factsOf(outcome).find((made) => made.roomId === roomId)
    if (fact?.type !== 'member.removed') throw new ChatError('room_not_found')
    return Object.assign(fact, { user: await this.accounts.get(userId) })
  }

  /**
   * Adds all of these together, with the earlier messages unread (P9); into a channel they come by joining its server, with all
   * read (A11). Resolves with how many came, without whom `keepActive` leaves out and who was in. Throws ChatError not_a_member (a
   * stranger, also to a room that there is not), room_not_found (a service key), forbidden.
   */
  async invite(principal: Principal, roomId: RoomId, userIds: UserId[]): Promise<number> {
    const { room, member } = await this.getInviting(principal, roomId)
    if (!mayChange(room, { principal, member }, 'add')) throw new ChatError('forbidden')
    const invited = (await this.accounts.keepActive(userIds)).map(({ id }) => id)
    const actorId = this.actorIdOf({ principal, member })
    if (room.spaceId !== null) return this.bringIntoSpace(room.spaceId, invited, actorId)
    if (invited.length === 0) return 0
    const ifMember = member?.userId ?? null
    const entry: Entry = { kind: 'member.add', roomId, userIds: invited, role: 'member', read: 'none', actorId, ifMember }
    const outcome = await this.core.journal.submit(entry)
    return isRefusedAs(outcome, 'already_a_member') ? 0 : factsOf(outcome).filter(({ type }) => type === 'member.added').length
  }

  private async getInviting(principal: Principal, roomId: RoomId): Promise<{ room: Room; member: Member | null }> {
    const userId = principal.kind === 'nobody' ? undefined : principal.user?.id
    const member = userId === undefined ? null : await this.log.findMember(roomId, userId)
    if (principal.kind === 'user' && !member) throw new ChatError('not_a_member')
    return { room: await getRoom(this.core, roomId), member }
  }

  private async bringIntoSpace(spaceId: SpaceId, userIds: UserId[], actorId: UserId | null): Promise<number> {
    const submit = (userId: UserId) => this.core.journal.submit({ kind: 'space.join', spaceId, userId, actorId })
    const outcomes = await Promise.all(userIds.map(submit))
    const joined = outcomes.filter((outcome) => !isRefusedAs(outcome, 'already_a_member'))
    joined.forEach(factsOf)
    return joined.length
  }

  /** Succeeds also for who is not in, or where no room is (P9); a channel is left with its server (A11). Throws owner_stays. */
  async leave(user: User, roomId: RoomId): Promise<void> {
    const about = { userId: user.id, actorId: user.id }
    const spaceId = (await this.log.findRoom(roomId))?.spaceId ?? null
    const entry: Entry =
      spaceId === null ? { kind: 'member.remove', roomId, ...about, ifMember: null } : { kind: 'space.leave', spaceId, ...about }
    const outcome = await this.core.journal.submit(entry)
    if (!isRefusedAs(outcome, 'not_a_member', 'room_not_found', 'space_not_found')) factsOf(outcome)
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
