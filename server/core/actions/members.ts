/** Adding and removing members of a room; a space's room has the space's members (A11). */
import type { Directory, Entry, LogStore } from '../../storage/storage.ts'
import { actorIn, withLead } from '../actors.ts'
import { getRoom, userIdOf, type Core } from '../core.ts'
import { ChatError } from '../errors.ts'
import type { ChatEvent, MemberAdded, MemberRemoved } from '../events.ts'
import type { Principal, Role, Room, RoomId, User, UserId } from '../model.ts'
import { mayChange, mayGiveRole, type Actor } from '../permissions.ts'
import { factsOf, goneError, isRefusedAs } from './refusals.ts'
import type { AccountActions } from './accounts.ts'

/**
 * Rows that one piece of an invitation writes. Others' writes go between two pieces, so this is what they wait for. Of a room's
 * piece each row names all who came with it, so the size counts twice; a space's writes a row for each person and room. 100 of either
 * are about 40 ms on PostgreSQL.
 */
const pieceRows = 100

interface Invitation {
  room: Room
  actorId: UserId | null
  /** The inviter, where he must still be a member. */
  ifMember: UserId | null
}

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
  async add(principal: Principal, roomId: RoomId, userId: UserId, role: Role = 'member'): Promise<ChatEvent & MemberAdded> {
    const room = await getRoom(this.core, roomId)
    const actor = await this.findActor(principal, room, userId)
    const target = { userId, role: null }
    const mayEnter = mayChange(room, actor, 'add', target) && (role === 'member' || mayGiveRole(room, actor, target, role))
    if (!mayEnter) throw new ChatError('forbidden')
    const user = await this.accounts.getOrMake(userId)
    const actorId = actorIdOf(actor)
    const ifMember = actor.member?.userId ?? null
    const entry: Entry = room.spaceId
      ? { kind: 'space.join', spaceId: room.spaceId, userId, actorId }
      : { kind: 'member.add', roomId, userIds: [userId], role, read: 'all', actorId, ifMember }
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
    const actorId = actorIdOf(actor)
    const entry = room.spaceId
      ? ({ kind: 'space.leave', spaceId: room.spaceId, userId, actorId } as const)
      : ({ kind: 'member.remove', roomId, userId, actorId, ifMember: actor.member?.userId ?? null } as const)
    const outcome = await this.core.journal.submit(entry)
    if (isRefusedAs(outcome, 'not_a_member')) throw await goneError(this.log, roomId, userId)
    const fact = factsOf(outcome).find((made) => made.roomId === roomId)
    if (fact?.type !== 'member.removed') throw new ChatError('room_not_found')
    return Object.assign(fact, { user: await this.accounts.get(userId) })
  }

  /**
   * Adds all of these, at most 100 together, with the earlier messages unread (P9); into a channel they come by joining its server,
   * with all read (A11). Resolves with how many came, without whom `keepActive` leaves out and who was in; fewer where the inviter
   * left or the room went when some had come. Throws ChatError not_a_member (a stranger, also to a room that there is not),
   * room_not_found (a service key), forbidden; unavailable also when some have come: the same call again brings the rest.
   */
  async invite(principal: Principal, roomId: RoomId, userIds: UserId[]): Promise<number> {
    const room = await this.log.findRoom(roomId)
    const actor = room && (await actorIn(this.core, principal, room))
    if (principal.kind === 'user' && !actor?.member) throw new ChatError('not_a_member')
    if (!room || !actor) throw new ChatError('room_not_found')
    if (!mayChange(room, actor, 'add')) throw new ChatError('forbidden')
    const invited = (await this.accounts.keepActive(userIds)).map(({ id }) => id)
    return this.bringIn(invited, { room, actorId: actorIdOf(actor), ifMember: actor.member?.userId ?? null })
  }

  private async bringIn(userIds: UserId[], to: Invitation): Promise<number> {
    let added = 0
    let rest = userIds
    while (rest.length > 0) {
      try {
        const size = await this.pieceSizeOf(to.room)
        added += await this.bringPiece(rest.slice(0, size), to)
        rest = rest.slice(size)
      } catch (error) {
        if (added > 0 && hasEnded(error)) return added
        throw error
      }
    }
    return added
  }

  /** How many people come at once. A space's rooms are counted anew for each piece: they may be more by then, or this one gone. */
  private async pieceSizeOf({ id, spaceId }: Room): Promise<number> {
    if (spaceId === null) return pieceRows
    const rooms = await this.log.listRoomsIn(spaceId)
    if (!rooms.some((room) => room.id === id)) throw new ChatError('room_not_found')
    return Math.max(1, Math.floor(pieceRows / rooms.length))
  }

  private async bringPiece(userIds: UserId[], { room, actorId, ifMember }: Invitation): Promise<number> {
    const { id: roomId, spaceId } = room
    const entries: Entry[] =
      spaceId === null
        ? [{ kind: 'member.add', roomId, userIds, role: 'member', read: 'none', actorId, ifMember }]
        : userIds.map((userId) => ({ kind: 'space.join', spaceId, userId, actorId }))
    const outcomes = await Promise.all(entries.map((entry) => this.core.journal.submit(entry)))
    const facts = outcomes.filter((outcome) => !isRefusedAs(outcome, 'already_a_member')).flatMap(factsOf)
    return facts.filter((fact) => fact.type === 'member.added' && fact.roomId === roomId).length
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

  /** Development: who never was in a room comes in by touching it (C1). Throws ChatError room_not_found. */
  async touch(user: User, roomId: RoomId): Promise<void> {
    const stays = await this.log.listMembershipsOf(user.id)
    if (stays.some(({ member }) => member.roomId === roomId)) return
    const { spaceId } = await getRoom(this.core, roomId)
    const about = { actorId: user.id, ifMember: null }
    const entry: Entry =
      spaceId === null
        ? { kind: 'member.add', roomId, userIds: [user.id], role: 'member', read: 'all', ...about }
        : { kind: 'space.join', spaceId, userId: user.id, actorId: user.id }
    const outcome = await this.core.journal.submit(entry)
    if (!isRefusedAs(outcome, 'already_a_member')) factsOf(outcome)
  }

  /** In development a request that names no actor acts as the room's admin, else as the target himself (M3). */
  private async findActor(principal: Principal, room: Room, targetId: UserId): Promise<Actor> {
    if (principal.kind !== 'nobody') return actorIn(this.core, principal, room)
    const admin = (await this.log.listMembers(room.id)).find((member) => member.role === 'admin')
    const member = admin ?? (await this.log.findMember(room.id, targetId))
    const user = await this.directory.findUser(admin?.userId ?? targetId)
    const isNobodys = room.rule === 'service' || !user
    return withLead(this.core, room, { principal: isNobodys ? principal : { kind: 'user', user }, member })
  }
}

function actorIdOf({ principal, member }: Actor): UserId | null {
  return principal.kind === 'nobody' ? (member?.userId ?? null) : userIdOf(principal)
}

/** The inviter is out, or the room is gone: nobody else can come. */
function hasEnded(error: unknown): boolean {
  return error instanceof ChatError && ['not_a_member', 'room_not_found', 'space_not_found'].includes(error.code)
}
