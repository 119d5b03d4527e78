/** Read markers that their owners move. */
import { unreadIn } from '../chat-list.ts'
import type { Core } from '../core.ts'
import type { ChatEvent, ReadAdvanced } from '../events.ts'
import type { MessageId, RoomId, User } from '../model.ts'
import { factsOf, isRefusedAs } from './refusals.ts'

export class ReadActions {
  private readonly core: Core

  constructor(core: Core) {
    this.core = core
  }

  /**
   * Moves a member's marker forward to a message (null: the newest; 0 keeps it) and notes when (P9). Throws ChatError
   * room_not_found, not_a_member.
   */
  async advance(reader: User, roomId: RoomId, messageId: MessageId | null): Promise<ChatEvent & ReadAdvanced> {
    const outcome = await this.core.journal.submit({ kind: 'read', roomId, userId: reader.id, messageId })
    return Object.assign(factsOf(outcome)[0] as ReadAdvanced, { user: reader })
  }

  /** One read in each room with something unread, up to what stood there when it was called; rooms lost meanwhile are let be. */
  async advanceAll(reader: User): Promise<void> {
    const unread = (await this.core.storage.log.listSummaries(reader.id)).filter((summary) => unreadIn(summary) > 0)
    const outcomes = await Promise.all(
      unread.map(({ room, lastMessage }) =>
        this.core.journal.submit({ kind: 'read', roomId: room.id, userId: reader.id, messageId: lastMessage?.id ?? null }),
      ),
    )
    for (const outcome of outcomes) if (!isRefusedAs(outcome, 'room_not_found', 'not_a_member')) factsOf(outcome)
  }
}
