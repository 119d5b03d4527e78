/** Making, changing and deleting rooms. */
import type { LogStore, Outcome, RoomCreateEntry } from '../../storage/storage.ts'
import { actorIn } from '../actors.ts'
import { getOwnSpace, getRoom, userIdOf, type Core } from '../core.ts'
import { ChatError, checkField } from '../errors.ts'
import type { Principal, Role, Room, RoomId, SpaceId, User, UserId } from '../model.ts'
import { mayChange, type RoomChange } from '../permissions.ts'
import { isBlank, isName, isText, limits } from '../texts.ts'
import type { AccountActions } from './accounts.ts'
import { factsOf, isRefusedAs } from './refusals.ts'

export interface RoomTexts {
  name: string
  description: string | null
}

/** How often a direct room is looked for and made, where somebody leaves it in between. */
const directAttempts = 5

/** From how many members on a room's creator is its admin (C5). */
const rankedFrom = 3

export class RoomActions {
  private readonly core: Core
  private readonly accounts: AccountActions
  private readonly log: LogStore

  constructor(core: Core, accounts: AccountActions) {
    this.core = core
    this.accounts = accounts
    this.log = core.storage.log
  }

  /** A channel of a space, by its owner. Throws ChatError space_not_found, forbidden, invalid_field. */
  async createChannel(principal: Principal, spaceId: SpaceId, texts: RoomTexts): Promise<Room> {
    checkRoomTexts(texts)
    await getOwnSpace(this.core, principal, spaceId)
    const actorId = userIdOf(principal)
    return this.create({ id: null, roomKind: 'channel', rule: 'owner', ...texts, spaceId, members: [], actorId })
  }

  /** A group whose first member is its admin; `admins` is its rule. Throws ChatError invalid_field. */
  async createGroup(texts: RoomTexts, memberIds: UserId[], actorId: UserId | null): Promise<Room> {
    checkRoomTexts(texts)
    const members = [...new Set(memberIds)].map((userId, index) => ({ userId, role: index === 0 ? 'admin' : 'member' }) as const)
    return this.create({ id: null, roomKind: 'group', rule: 'admins', ...texts, spaceId: null, members, actorId })
  }

  /**
   * A group by ranks (C5): its creator first, then the others in order, without doubles. Of three or more he is the admin, of fewer nobody
   * is. Throws ChatError invalid_field, user_not_found.
   */
  async createRanked(creator: User, texts: RoomTexts, memberIds: UserId[]): Promise<Room> {
    checkRoomTexts(texts)
    const wanted = new Set(memberIds.filter((userId) => userId !== creator.id))
    const others = await this.accounts.keepActive([...wanted])
    if (others.length < wanted.size) throw new ChatError('user_not_found')
    const members = [creator, ...others].map(({ id }) => ({ userId: id, role: 'member' as Role }))
    if (members.length >= rankedFrom) members[0]!.role = 'admin'
    const about = { spaceId: null, members, actorId: creator.id }
    return this.create({ id: null, roomKind: 'group', rule: 'roles', ...texts, ...about })
  }

  /**
   * The one direct room of two people, made where there is none; many calls at once make one (P9). Throws ChatError invalid_field
   * (with himself), user_not_found.
   */
  async openDirect(me: User, targetId: UserId): Promise<{ roomId: RoomId; isNew: boolean }> {
    checkField('targetId', targetId !== me.id)
    const target = await this.accounts.getOrMake(targetId)
    for (let attempt = 1; attempt <= directAttempts; attempt++) {
      const known = await this.log.findDirect([me.id, target.id])
      if (known !== null) return { roomId: known, isNew: false }
      const outcome = await this.submitOfEquals({ id: null, roomKind: 'direct', rule: 'pair', name: '' }, [me.id, target.id])
      if (!isRefusedAs(outcome, 'room_exists')) return { roomId: factsOf(outcome)[0]!.roomId, isNew: true }
    }
    throw new ChatError('unavailable')
  }

  /**
   * A group by the rule `peers`: its maker first, then the others, without doubles and whom `keepActive` leaves out; a blank title
   * is none (P9). Throws ChatError invalid_field (too few, or the title).
   */
  async createPeers(me: User, { title, memberIds }: { title: string | null; memberIds: UserId[] }): Promise<Room> {
    const name = title === null || isBlank(title) ? '' : title
    if (name !== '') checkRoomTexts({ name, description: null })
    const others = await this.accounts.keepActive(memberIds.filter((userId) => userId !== me.id))
    checkField('memberIds', others.length > 0)
    const members = [me.id, ...others.map(({ id }) => id)]
    const outcome = await this.submitOfEquals({ id: null, roomKind: 'group', rule: 'peers', name }, members)
    return getRoom(this.core, factsOf(outcome)[0]!.roomId)
  }

  /** Development: an unknown room is made as a group of peers with this user in it; nobody joins one that there is or was (M2). */
  async touchPeers(user: User, roomId: RoomId): Promise<void> {
    if (await this.log.findRoom(roomId)) return
    const outcome = await this.submitOfEquals({ id: roomId, roomKind: 'group', rule: 'peers', name: '' }, [user.id])
    if (!isRefusedAs(outcome, 'room_exists')) factsOf(outcome)
  }

  /** A room of its own among equals; the first of them makes it. */
  private submitOfEquals(
    about: Pick<RoomCreateEntry, 'id' | 'roomKind' | 'rule' | 'name'>,
    memberIds: UserId[],
  ): Promise<Outcome> {
    const members = memberIds.map((userId) => ({ userId, role: 'member' }) as const)
    const actorId = memberIds[0]!
    return this.core.journal.submit({ kind: 'room.create', ...about, description: null, spaceId: null, members, actorId })
  }

  /**
   * Development: an unknown room is made as an open one, and touching an open room joins it (M2); null touches without joining.
   * Throws ChatError room_not_found where it was deleted.
   */
  async touchOpen(user: User | null, roomId: RoomId): Promise<void> {
    let room = await this.log.findRoom(roomId)
    if (!room) {
      const texts = { name: `room ${roomId}`, description: null }
      await this.create(
        { id: roomId, roomKind: 'open', rule: 'anyone', ...texts, spaceId: null, members: [], actorId: null },
        true,
      )
      room = await this.log.findRoom(roomId)
    }
    if (user && room?.kind === 'open') await this.enterOpen(user, roomId)
  }

  private async enterOpen(user: User, roomId: RoomId): Promise<void> {
    if (await this.log.findMember(roomId, user.id)) return
    const about = { userIds: [user.id], actorId: user.id, ifMember: null }
    const outcome = await this.core.journal.submit({ kind: 'member.add', roomId, role: 'member', read: 'all', ...about })
    if (!isRefusedAs(outcome, 'already_a_member')) factsOf(outcome)
  }

  private async create(entry: Omit<RoomCreateEntry, 'kind'>, mayExist = false): Promise<Room> {
    const outcome = await this.core.journal.submit({ kind: 'room.create', ...entry })
    if (mayExist && isRefusedAs(outcome, 'room_exists')) return getRoom(this.core, entry.id!)
    return getRoom(this.core, factsOf(outcome)[0]!.roomId)
  }

  /** Null leaves a field alone. Throws ChatError room_not_found, forbidden, invalid_field. */
  async update(principal: Principal, roomId: RoomId, texts: { name: string | null; description: string | null }): Promise<Room> {
    checkRoomTexts({ name: texts.name ?? 'unchanged', description: texts.description })
    const { room, actorId } = await this.getChangeable(principal, roomId, 'rename')
    if (texts.name === null && texts.description === null) return room
    factsOf(await this.core.journal.submit({ kind: 'room.update', roomId, ...texts, actorId }))
    return getRoom(this.core, roomId)
  }

  /** Throws ChatError room_not_found, forbidden. */
  async remove(principal: Principal, roomId: RoomId): Promise<void> {
    const { actorId } = await this.getChangeable(principal, roomId, 'delete')
    factsOf(await this.core.journal.submit({ kind: 'room.delete', roomId, actorId }))
  }

  private async getChangeable(principal: Principal, roomId: RoomId, change: RoomChange) {
    const room = await getRoom(this.core, roomId)
    const actor = await actorIn(this.core, principal, room)
    if (!mayChange(room, actor, change)) throw new ChatError('forbidden')
    return { room, actorId: userIdOf(principal) }
  }
}

/** Throws ChatError invalid_field. */
export function checkRoomTexts({ name, description }: RoomTexts): void {
  checkField('name', isName(name))
  checkField('description', description === null || isText(description, limits.description))
}
