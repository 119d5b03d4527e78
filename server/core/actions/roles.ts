/** What a member is in a room, and by which name it shows him. */
import type { NameChangeEntry, RoleChangeEntry } from '../../storage/storage.ts'
import { actorIn } from '../actors.ts'
import { getRoom, userIdOf, type Core } from '../core.ts'
import { ChatError, checkField } from '../errors.ts'
import type { Member, Principal, Role, RoomId, UserId } from '../model.ts'
import { mayGiveName, mayGiveRole } from '../permissions.ts'
import { isBlank, isText, limits } from '../texts.ts'
import { factsOf, goneError, isRefusedAs } from './refusals.ts'

export class RoleActions {
  private readonly core: Core

  constructor(core: Core) {
    this.core = core
  }

  /**
   * The one that he has is no event (C6). Throws ChatError room_not_found, forbidden, member_not_found, not_a_member (the actor left
   * meanwhile), last_admin.
   */
  async change(principal: Principal, roomId: RoomId, userId: UserId, role: Role): Promise<Member> {
    const room = await getRoom(this.core, roomId)
    const actor = await actorIn(this.core, principal, room)
    const target = await this.core.storage.log.findMember(roomId, userId)
    if (!mayGiveRole(room, actor, { userId, role: target?.role ?? null }, role)) throw new ChatError('forbidden')
    if (!target) throw new ChatError('member_not_found')
    const about = { roomId, userId, actorId: userIdOf(principal), ifMember: actor.member?.userId ?? null }
    await this.submit({ kind: 'role.change', role, ...about })
    return { ...target, role }
  }

  /**
   * A blank name takes it away, the one that he has is no event (C5). Throws ChatError invalid_field, room_not_found, forbidden,
   * member_not_found, not_a_member (the actor left meanwhile).
   */
  async rename(principal: Principal, roomId: RoomId, userId: UserId, name: string): Promise<Member> {
    checkField('name', isText(name, limits.name))
    const room = await getRoom(this.core, roomId)
    const actor = await actorIn(this.core, principal, room)
    if (!mayGiveName(room, actor, userId)) throw new ChatError('forbidden')
    const target = await this.core.storage.log.findMember(roomId, userId)
    if (!target) throw new ChatError('member_not_found')
    const nickname = isBlank(name) ? '' : name
    const about = { roomId, userId, actorId: userIdOf(principal), ifMember: actor.member?.userId ?? null }
    await this.submit({ kind: 'name.change', nickname, ...about })
    return { ...target, nickname }
  }

  private async submit(entry: RoleChangeEntry | NameChangeEntry): Promise<void> {
    const outcome = await this.core.journal.submit(entry)
    if (isRefusedAs(outcome, 'not_a_member')) throw await goneError(this.core.storage.log, entry.roomId, entry.userId)
    factsOf(outcome)
  }
}
