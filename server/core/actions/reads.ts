/** Read markers that their owners move. */
import type { Core } from '../core.ts'
import type { ChatEvent, ReadAdvanced } from '../events.ts'
import type { MessageId, RoomId, User } from '../model.ts'
import { factsOf } from './refusals.ts'

export class ReadActions {
  private readonly core: Core

  constructor(core: Core) {
    this.core = core
  }

  /**
   * Moves a member's marker forward to a message (null: the newest) and notes when. Throws ChatError room_not_found,
   * not_a_member, message_not_found.
   */
  async advance(reader: User, roomId: RoomId, messageId: MessageId | null): Promise<ChatEvent & ReadAdvanced> {
    const outcome = await this.core.journal.submit({ kind: 'read', roomId, userId: reader.id, messageId })
    return Object.assign(factsOf(outcome)[0] as ReadAdvanced, { user: reader })
  }
}
