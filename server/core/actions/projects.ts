/** Projects and their visitors (W9): each project has a room, and a guest writes in it without being a member. */
import type { Core } from '../core.ts'
import { ChatError } from '../errors.ts'
import type { RoomId, User } from '../model.ts'
import { isGuestName, isStorable, isWithin, limits } from '../texts.ts'
import { factsOf, isRefusedAs } from './refusals.ts'

/** What a verified token of a project says of its bearer; an avatar that cannot be shown is none. */
export interface Visitor {
  projectId: string
  name: string
  avatarUrl: string | null
}

export class ProjectActions {
  private readonly core: Core

  constructor(core: Core) {
    this.core = core
  }

  /** The project's room, made on first touch; many calls at once make one. Throws ChatError invalid_field. */
  async open(projectId: string): Promise<RoomId> {
    check('projectId', projectId)
    const { log } = this.core.storage
    const known = await log.findProject(projectId)
    if (known !== null) return known
    const about = { name: projectId, description: null, spaceId: null, members: [], actorId: null }
    const project = { roomKind: 'project', rule: 'service', projectId } as const
    const outcome = await this.core.journal.submit({ kind: 'room.create', id: null, ...project, ...about })
    const roomId = isRefusedAs(outcome, 'room_exists') ? await log.findProject(projectId) : factsOf(outcome)[0]!.roomId
    // Made by another just now, and deleted again.
    if (roomId === null) throw new ChatError('unavailable')
    return roomId
  }

  /** The guest whom a token names, and his project's room. Throws ChatError invalid_field, bad_credentials for a revoked token. */
  async admit({ projectId, name, avatarUrl }: Visitor, tokenHash: string): Promise<{ guest: User; roomId: RoomId }> {
    check('username', name)
    const roomId = await this.open(projectId)
    const { directory } = this.core.storage
    if (await directory.isTokenRevoked(tokenHash)) throw new ChatError('bad_credentials')
    const isShown = avatarUrl !== null && avatarUrl !== '' && isStorable(avatarUrl) && isWithin(avatarUrl, limits.address)
    const guest = await directory.openGuest({ projectId, name, avatarUrl: isShown ? avatarUrl : null })
    this.core.users.note(guest)
    return { guest, roomId }
  }
}

function check(field: string, name: string): void {
  if (!isGuestName(name)) throw new ChatError('invalid_field', { field })
}
