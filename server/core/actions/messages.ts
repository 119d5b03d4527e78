/** Posting, editing and deleting messages. */
import type { NewAttachment, Outcome, PostEntry } from '../../storage/storage.ts'
import type { Core } from '../core.ts'
import { ChatError, checkField } from '../errors.ts'
import type { ChatEvent, MessageDeleted, MessageEdited, MessagePosted } from '../events.ts'
import type { Message, MessageId, RoomId, User } from '../model.ts'
import { isBlank, isFileUrl, isStorable, isText, isWithin, limits, parseClientKey } from '../texts.ts'
import type { Line } from '../write-queue.ts'
import { factsOf, refusalError } from './refusals.ts'

/** In code points: what file systems hold. */
const fileNameMax = 255

/** A stored file that comes with a message; `sha256` of its bytes tells a retry from another request (P10). */
export type DraftAttachment = NewAttachment & { sha256: string }

export interface Draft {
  /** May be blank where there is a file, or `mayBeEmpty`. */
  content: string
  /** Of a door that stores a message without a text (P6). */
  mayBeEmpty?: boolean
  /** `text` where nothing else is said. */
  kind?: string
  fileUrl?: string | null
  /** In the order in which they are shown. */
  attachments?: DraftAttachment[]
  /** Makes a retry harmless (A8). */
  clientKey?: string | null
  /** One socket's frames: behind one that could not be stored, none is (A15). */
  line?: Line
}

export interface Posted {
  /** As everybody got it; with the message as it is now where the key was known. */
  event: ChatEvent & MessagePosted
  /** The key was known: nothing was stored or sent to anyone now. */
  isRepeated: boolean
}

export class MessageActions {
  private readonly core: Core

  constructor(core: Core) {
    this.core = core
  }

  /**
   * Stores a message and sends it to the room. It is in the journal's queue when this returns its promise, so that calls keep
   * their order. Throws ChatError text_empty, text_too_long, invalid_field, invalid_key, room_not_found, not_a_member,
   * key_conflict, ids_exhausted, unavailable.
   */
  async post(author: User, roomId: RoomId, draft: Draft): Promise<Posted> {
    const entry = this.entryOf(author, roomId, draft)
    const outcome = await this.core.journal.submit(entry, draft.line)
    if (outcome.status === 'refused') throw refusalError(outcome.reason)
    if (outcome.status === 'repeated') return { event: await this.findPosted(author, roomId, outcome.seq), isRepeated: true }
    return { event: Object.assign(outcome.facts[0] as MessagePosted, { user: author }), isRepeated: false }
  }

  private entryOf(author: User, roomId: RoomId, draft: Draft): PostEntry {
    checkDraft(draft)
    const { content, kind = 'text', fileUrl = null } = draft
    const clientKey = parseClientKey(draft.clientKey)
    return {
      kind: 'post',
      roomId,
      authorId: author.id,
      isGuest: author.origin === 'guest',
      messageKind: kind,
      content,
      fileUrl,
      attachments: (draft.attachments ?? []).map(storedOf),
      clientKey,
      bodyHash: clientKey === null ? null : this.core.hash(JSON.stringify(bodyOf(draft))),
    }
  }

  /** The first answer to a key, with the message as it is now. */
  private async findPosted(author: User, roomId: RoomId, seq: number): Promise<ChatEvent & MessagePosted> {
    const message = await this.core.storage.log.findMessageAt(roomId, seq)
    if (!message) throw new ChatError('message_not_found')
    return { ...postedFact(message), user: author }
  }

  /** Author only. Throws ChatError message_not_found, not_the_author and what `post` throws. */
  async edit(author: User, roomId: RoomId, messageId: MessageId, content: string): Promise<Message> {
    checkText(content)
    if (isBlank(content)) throw new ChatError('text_empty')
    return changed(await this.core.journal.submit({ kind: 'edit', roomId, actorId: author.id, messageId, content }))
  }

  /** Author only; its text is gone at once. Throws ChatError message_not_found, not_the_author. */
  async remove(author: User, roomId: RoomId, messageId: MessageId): Promise<Message> {
    const before = await this.core.storage.log.findMessage(roomId, messageId)
    const removed = changed(await this.core.journal.submit({ kind: 'delete', roomId, actorId: author.id, messageId }))
    // A message keeps its files as long as it stands, so these were all.
    if (before && before.attachments.length > 0) this.core.onDetached(before.attachments.map(({ url }) => url))
    return removed
  }
}

/** Throws ChatError text_empty, text_too_long, invalid_field. */
function checkDraft({ content, mayBeEmpty = false, kind = 'text', fileUrl = null, attachments = [] }: Draft): void {
  checkText(content)
  if (isBlank(content) && fileUrl === null && attachments.length === 0 && !mayBeEmpty) throw new ChatError('text_empty')
  checkField('kind', kind !== '' && isText(kind, limits.name))
  checkField('fileUrl', fileUrl === null || isFileUrl(fileUrl))
  checkField('attachments', attachments.every(isAttachment))
}

function isAttachment({ fileName, url, mimeType, sizeBytes }: NewAttachment): boolean {
  const isName = fileName !== '' && isText(fileName, fileNameMax)
  const isType = mimeType === null || isText(mimeType, limits.name)
  return isName && isType && isFileUrl(url) && Number.isSafeInteger(sizeBytes) && sizeBytes >= 0
}

function storedOf({ fileName, url, mimeType, sizeBytes }: DraftAttachment): NewAttachment {
  return { fileName, url, mimeType, sizeBytes }
}

/** What a client key stands for: a retry uploads its files again, so their stored names are not in it (P10). */
function bodyOf({ content, kind = 'text', fileUrl = null, attachments = [] }: Draft): unknown[] {
  return [content, kind, fileUrl, ...attachments.map(({ fileName, sha256 }) => [fileName, sha256])]
}

function checkText(content: string): void {
  checkField('content', isStorable(content))
  if (!isWithin(content, limits.message)) throw new ChatError('text_too_long')
}

function changed(outcome: Outcome): Message {
  return (factsOf(outcome)[0] as MessagePosted | MessageEdited | MessageDeleted).message
}

function postedFact(message: Message): MessagePosted {
  const { roomId, seq, authorId, createdAt } = message
  const stamp = { journal: 0, position: 0 }
  return { type: 'message.posted', roomId, seq, stamp, userId: authorId, actorId: authorId, at: createdAt, message }
}
