/** Reactions to messages. */
import type { Core } from '../core.ts'
import { checkField } from '../errors.ts'
import type { MessageId, RoomId, User } from '../model.ts'
import { isName } from '../texts.ts'
import { factsOf } from './refusals.ts'

export class ReactionActions {
  private readonly core: Core

  constructor(core: Core) {
    this.core = core
  }

  /**
   * A member's own, of 1 to 100 code points. Resolves with whether it was not there: one that is there is no event. Throws ChatError
   * invalid_field, room_not_found, not_a_member, message_not_found, too_many_reactions.
   */
  async add(user: User, roomId: RoomId, messageId: MessageId, reaction: string): Promise<boolean> {
    checkField('reaction', isName(reaction))
    const entry = { kind: 'reaction.add', roomId, userId: user.id, messageId, reaction } as const
    return factsOf(await this.core.journal.submit(entry)).length > 0
  }

  /** Resolves with whether it was there. Throws as `add`. */
  async remove(user: User, roomId: RoomId, messageId: MessageId, reaction: string): Promise<boolean> {
    checkField('reaction', isName(reaction))
    const entry = { kind: 'reaction.remove', roomId, userId: user.id, messageId, reaction } as const
    return factsOf(await this.core.journal.submit(entry)).length > 0
  }
}
