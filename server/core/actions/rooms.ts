/** Making, changing and deleting rooms. */
import type { Directory, LogStore, RoomCreateEntry } from '../../storage/storage.ts'
import { getRoom, getSpace, type Core } from '../core.ts'
import { ChatError } from '../errors.ts'
import type { Member, Principal, Room, RoomId, SpaceId, User, UserId } from '../model.ts'
import { mayChange, type RoomChange } from '../permissions.ts'
import { isStorable, isWithin, limits } from '../texts.ts'
import { factsOf } from './refusals.ts'

export interface RoomTexts {
  name: string
  description: string | null
}

export class RoomActions {
  private readonly core: Core
  private readonly log: LogStore
  private readonly directory: Directory

  constructor(core: Core) {
    this.core = core
    this.log = core.storage.log
    this.directory = core.storage.directory
  }

  /** A channel of a space, by its owner. Throws ChatError space_not_found, forbidden, invalid_field. */
  async createChannel(principal: Principal, spaceId: SpaceId, texts: RoomTexts): Promise<Room> {
    checkRoomTexts(texts)
    const space = await getSpace(this.core, spaceId)
    const actorId = principal.kind === 'nobody' ? null : (principal.user?.id ?? null)
    if (principal.kind !== 'service' && space.ownerId !== actorId) throw new ChatError('forbidden')
    return this.create({ id: null, roomKind: 'channel', rule: 'owner', ...texts, spaceId, members: [], actorId })
  }

  /** A group whose first member is its admin; `admins` is its rule. Throws ChatError invalid_field. */
  async createGroup(texts: RoomTexts, memberIds: UserId[], actorId: UserId | null): Promise<Room> {
    checkRoomTexts(texts)
    const members = [...new Set(memberIds)].map((userId, index) => ({ userId, role: index === 0 ? 'admin' : 'member' }) as const)
    return this.create({ id: null, roomKind: 'group', rule: 'admins', ...texts, spaceId: null, members, actorId })
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
    const entry = {
      kind: 'member.add',
      roomId,
      userId: user.id,
      role: 'member',
      read: 'all',
      actorId: user.id,
      ifMember: null,
    } as const
    const outcome = await this.core.journal.submit(entry)
    if (outcome.status !== 'refused' || outcome.reason !== 'already_a_member') factsOf(outcome)
  }

  private async create(entry: Omit<RoomCreateEntry, 'kind'>, mayExist = false): Promise<Room> {
    const outcome = await this.core.journal.submit({ kind: 'room.create', ...entry })
    if (mayExist && outcome.status === 'refused' && outcome.reason === 'room_exists') return getRoom(this.core, entry.id!)
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
    const actorId = principal.kind === 'nobody' ? null : (principal.user?.id ?? null)
    const member: Member | null = actorId === null ? null : await this.log.findMember(roomId, actorId)
    if (!mayChange(room, { principal, member }, change)) throw new ChatError('forbidden')
    return { room, actorId }
  }
}

/** Throws ChatError invalid_field. */
export function checkRoomTexts({ name, description }: RoomTexts): void {
  if (name.trim() === '' || !isStorable(name) || !isWithin(name, limits.name))
    throw new ChatError('invalid_field', { field: 'name' })
  if (description !== null && (!isStorable(description) || !isWithin(description, limits.description))) {
    throw new ChatError('invalid_field', { field: 'description' })
  }
}
