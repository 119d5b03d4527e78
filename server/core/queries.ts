/** What members may see. Each answer shows every write that was acknowledged before it. */
import type { Directory, LogStore } from '../storage/storage.ts'
import { findStandIn } from './actors.ts'
import { listChats, unreadIn, type ChatView } from './chat-list.ts'
import { getRoom, getSpace, type Core } from './core.ts'
import { findAround, findMatching, findRecent, withCounts, type CountedMessage } from './counted-messages.ts'
import { ChatError } from './errors.ts'
import type {
  Attachment,
  Member,
  Message,
  MessageId,
  Principal,
  Reaction,
  Room,
  RoomId,
  Space,
  SpaceId,
  User,
  UserId,
} from './model.ts'
import { byName } from './names.ts'
import { unknownUser } from './user-cache.ts'

export interface AuthoredMessage {
  message: Message
  author: User
}

export interface AuthoredReaction extends Reaction {
  user: User
}

export interface MemberView {
  member: Member
  user: User
  /** Others' messages behind his marker that are not deleted. */
  unreadCount: number
}

export interface Participant {
  member: Member
  user: User
}

export interface Page {
  offset: number
  limit: number
}

/** Rooms whose members are read at once. */
const roomsAtOnce = 8

export class Queries {
  private readonly core: Core
  private readonly log: LogStore
  private readonly directory: Directory

  constructor(core: Core) {
    this.core = core
    this.log = core.storage.log
    this.directory = core.storage.directory
  }

  /** Throws ChatError room_not_found, not_a_member (a stranger, M4). */
  async getRoom(principal: Principal, roomId: RoomId): Promise<Room> {
    const room = await getRoom(this.core, roomId)
    if (principal.kind === 'user') await this.getMember(roomId, principal.user.id)
    return room
  }

  /** Throws ChatError not_a_member. */
  async getMember(roomId: RoomId, userId: UserId): Promise<Member> {
    const member = await this.log.findMember(roomId, userId)
    if (!member) throw new ChatError('not_a_member')
    return member
  }

  /** In development, who acts in a room where a request names nobody (C6); null where nobody is in it, or there is no such room. */
  async findStandIn(roomId: RoomId): Promise<User | null> {
    return findStandIn(this.core, roomId)
  }

  async listRoomsOf(userId: UserId): Promise<Room[]> {
    return this.log.listRoomsOf(userId)
  }

  /** In order of entry. Throws as `getRoom`. */
  async listMembers(principal: Principal, roomId: RoomId): Promise<MemberView[]> {
    const room = await this.getRoom(principal, roomId)
    const members = await this.log.listMembers(roomId)
    const [users, deleted] = await Promise.all([
      this.core.users.findAll(members.map((member) => member.userId)),
      this.log.countDeletedAfter(
        roomId,
        members.map((member) => member.marker.seq),
      ),
    ])
    return members.map((member, index) => ({
      member,
      user: users.get(member.userId) ?? unknownUser(member.userId),
      unreadCount: unreadIn({ room, markerOrdinal: member.marker.ordinal, deletedAfterMarker: deleted[index] ?? 0 }),
    }))
  }

  /** Who is in each of these rooms, in order of entry; who may see them is the caller's to say. */
  async listParticipants(roomIds: RoomId[]): Promise<Participant[][]> {
    const lists: Member[][] = []
    for (let at = 0; at < roomIds.length; at += roomsAtOnce) {
      const some = roomIds.slice(at, at + roomsAtOnce)
      lists.push(...(await Promise.all(some.map((roomId) => this.log.listMembers(roomId)))))
    }
    const users = await this.core.users.findAll(new Set(lists.flat().map(({ userId }) => userId)))
    return lists.map((members) =>
      members.map((member) => ({ member, user: users.get(member.userId) ?? unknownUser(member.userId) })),
    )
  }

  /** The caller's rooms, newest activity first (P8). */
  async listChats(me: User): Promise<ChatView[]> {
    return listChats(this.core, me)
  }

  /** The members: the caller first, then by name (P6). Throws ChatError not_a_member, also where there is no such room (M4). */
  async listPeople(me: User, roomId: RoomId): Promise<Participant[]> {
    await this.getMember(roomId, me.id)
    const [people = []] = await this.listParticipants([roomId])
    const rank = ({ id }: User) => (id === me.id ? 0 : 1)
    return people.toSorted(({ user: a }, { user: b }) => rank(a) - rank(b) || byName(a, b))
  }

  /**
   * The newest `limit` messages that are not older than `sinceMs` (milliseconds since 1970), oldest first. Throws ChatError
   * not_a_member, also where there is no such room (M4).
   */
  async listRecent(me: User, roomId: RoomId, span: { sinceMs: number; limit: number }): Promise<CountedMessage[]> {
    await this.getMember(roomId, me.id)
    return withCounts(this.core, roomId, await findRecent(this.log, roomId, span))
  }

  /**
   * `before` messages up to this one, itself included, and `after` behind it, oldest first (P6). Throws ChatError not_a_member,
   * also where there is no such room, message_not_found.
   */
  async listAround(
    me: User,
    roomId: RoomId,
    messageId: MessageId,
    span: { before: number; after: number },
  ): Promise<CountedMessage[]> {
    await this.getMember(roomId, me.id)
    return withCounts(this.core, roomId, await findAround(this.log, { roomId, messageId }, span))
  }

  /**
   * Messages that hold `text`, or have a file whose name does, newest first (P11). Throws ChatError not_a_member, also where there
   * is no such room, invalid_field.
   */
  async search(me: User, roomId: RoomId, text: string, page: Page): Promise<CountedMessage[]> {
    await this.getMember(roomId, me.id)
    return withCounts(this.core, roomId, await findMatching(this.log, { roomId, text }, page))
  }

  /** Newest first, with how many there are in all. Throws as `getRoom`. */
  async listMessages(principal: Principal, roomId: RoomId, page: Page): Promise<{ messages: AuthoredMessage[]; total: number }> {
    await this.getRoom(principal, roomId)
    const messages = await this.log.listMessages(roomId, page)
    const [authored, room, [deleted]] = await Promise.all([
      this.withAuthors(messages),
      this.log.findRoom(roomId),
      this.log.countDeletedAfter(roomId, [0]),
    ])
    return { messages: authored, total: (room?.ordinal ?? 0) - (deleted ?? 0) }
  }

  /** The `limit` messages before this one, a deleted one too, oldest first; who may see the room is the caller's to say (W10). Throws message_not_found. */
  async listBefore(roomId: RoomId, messageId: MessageId, limit: number): Promise<AuthoredMessage[]> {
    const seq = await this.log.findMessageSeq(roomId, messageId)
    if (seq === null) throw new ChatError('message_not_found')
    return this.withAuthors((await this.log.listMessagesBelow(roomId, seq, limit)).toReversed())
  }

  /** Throws as `getRoom`, and message_not_found. */
  async getMessage(principal: Principal, roomId: RoomId, messageId: MessageId): Promise<AuthoredMessage> {
    await this.getRoom(principal, roomId)
    const message = await this.log.findMessage(roomId, messageId)
    if (!message || message.deletedAt !== null) throw new ChatError('message_not_found')
    return (await this.withAuthors([message]))[0]!
  }

  /** Of these messages, in the order in which they were added. Throws as `getRoom`. */
  async listReactions(principal: Principal, roomId: RoomId, messageIds: MessageId[]): Promise<AuthoredReaction[]> {
    await this.getRoom(principal, roomId)
    const reactions = await this.log.listReactions(roomId, messageIds)
    const users = await this.core.users.findAll(new Set(reactions.map(({ userId }) => userId)))
    return reactions.map((reaction) => ({ ...reaction, user: users.get(reaction.userId) ?? unknownUser(reaction.userId) }))
  }

  /** A room's file by its address (A16); null where there is none. Throws ChatError not_a_member. */
  async findAttachment(principal: Principal, url: string): Promise<Attachment | null> {
    const found = await this.log.findAttachment(url)
    if (found && principal.kind === 'user') await this.getMember(found.roomId, principal.user.id)
    return found && found.attachment
  }

  /** With their authors' accounts. */
  async withAuthors(messages: Message[]): Promise<AuthoredMessage[]> {
    const users = await this.core.users.findAll(new Set(messages.map((message) => message.authorId)))
    return messages.map((message) => ({ message, author: users.get(message.authorId) ?? unknownUser(message.authorId) }))
  }

  /** Throws ChatError space_not_found, not_a_member. */
  async getSpace(principal: Principal, spaceId: SpaceId): Promise<{ space: Space; rooms: Room[] }> {
    const space = await getSpace(this.core, spaceId)
    const mayNot = principal.kind === 'user' && !(await this.directory.isSpaceMember(spaceId, principal.user.id))
    if (mayNot) throw new ChatError('not_a_member')
    return { space, rooms: await this.log.listRoomsIn(spaceId) }
  }

  async listSpacesOf(userId: UserId): Promise<Space[]> {
    return this.directory.listSpacesOf(userId)
  }

  async listUsers(page: Page): Promise<User[]> {
    return this.directory.listUsers(page)
  }
}
