/** Spaces: rooms that share a membership. Joining and leaving write into each of a space's rooms (A11). */
import type { Directory } from '../../storage/storage.ts'
import { getOwnSpace, getSpace, userIdOf, type Core } from '../core.ts'
import { ChatError, checkField } from '../errors.ts'
import type { Principal, Space, SpaceId, User } from '../model.ts'
import { isText, limits } from '../texts.ts'
import { factsOf } from './refusals.ts'
import { checkRoomTexts, type RoomTexts } from './rooms.ts'

export class SpaceActions {
  private readonly core: Core
  private readonly directory: Directory

  constructor(core: Core) {
    this.core = core
    this.directory = core.storage.directory
  }

  /** The caller owns it and is its first member. Throws ChatError invalid_field. */
  async create(owner: User, texts: RoomTexts & { iconUrl: string | null }): Promise<Space> {
    checkSpaceTexts(texts)
    return this.directory.createSpace({ ...texts, ownerId: owner.id })
  }

  /** Absent fields stay. Throws ChatError space_not_found, forbidden (owner only), invalid_field. */
  async update(
    principal: Principal,
    spaceId: SpaceId,
    patch: { name?: string; description?: string; iconUrl?: string },
  ): Promise<Space> {
    checkSpaceTexts({ name: patch.name ?? 'unchanged', description: patch.description ?? null, iconUrl: patch.iconUrl ?? null })
    await getOwnSpace(this.core, principal, spaceId)
    const space = await this.directory.updateSpace(spaceId, patch)
    if (!space) throw new ChatError('space_not_found')
    return space
  }

  /** Its rooms go with it. Throws ChatError space_not_found, forbidden (owner only). */
  async remove(principal: Principal, spaceId: SpaceId): Promise<void> {
    await getOwnSpace(this.core, principal, spaceId)
    factsOf(await this.core.journal.submit({ kind: 'space.delete', spaceId, actorId: userIdOf(principal) }))
  }

  /** Throws ChatError space_not_found, already_a_member. */
  async join(user: User, spaceId: SpaceId): Promise<Space> {
    const space = await getSpace(this.core, spaceId)
    factsOf(await this.core.journal.submit({ kind: 'space.join', spaceId, userId: user.id, actorId: user.id }))
    return space
  }

  /** Throws ChatError space_not_found, not_a_member, owner_stays. */
  async leave(user: User, spaceId: SpaceId): Promise<void> {
    factsOf(await this.core.journal.submit({ kind: 'space.leave', spaceId, userId: user.id, actorId: user.id }))
  }
}

function checkSpaceTexts(texts: RoomTexts & { iconUrl: string | null }): void {
  checkRoomTexts(texts)
  checkField('icon_url', texts.iconUrl === null || isText(texts.iconUrl, limits.address))
}
