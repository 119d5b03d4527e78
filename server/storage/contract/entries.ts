/** Entries with everything that a test does not speak of filled in. */
import type { Fact } from '../../core/events.ts'
import type { Message, MessageId, Role, RoomId, UserId } from '../../core/model.ts'
import type {
  DeleteEntry,
  EditEntry,
  MemberAddEntry,
  MemberRemoveEntry,
  NameChangeEntry,
  PostEntry,
  ReactionEntry,
  ReadEntry,
  RoleChangeEntry,
  RoomCreateEntry,
} from '../storage.ts'
import { factOf, type Writer } from './harness.ts'

export function post(roomId: RoomId, authorId: UserId, content: string, more: Partial<PostEntry> = {}): PostEntry {
  const plain = { isGuest: false, messageKind: 'text', fileUrl: null, attachments: [], clientKey: null, bodyHash: null }
  return { kind: 'post', roomId, authorId, content, ...plain, ...more }
}

/** A post with a client key; the body's hash is its content unless another is given. */
export function keyed(roomId: RoomId, authorId: UserId, clientKey: string, content: string): PostEntry {
  return post(roomId, authorId, content, { clientKey, bodyHash: `hash of ${content}` })
}

export function edit(roomId: RoomId, actorId: UserId, messageId: MessageId, content: string): EditEntry {
  return { kind: 'edit', roomId, actorId, messageId, content }
}

export function remove(roomId: RoomId, actorId: UserId, messageId: MessageId): DeleteEntry {
  return { kind: 'delete', roomId, actorId, messageId }
}

export function react(roomId: RoomId, userId: UserId, messageId: MessageId, reaction = 'like'): ReactionEntry {
  return { kind: 'reaction.add', roomId, userId, messageId, reaction }
}

export function unreact(roomId: RoomId, userId: UserId, messageId: MessageId, reaction = 'like'): ReactionEntry {
  return { kind: 'reaction.remove', roomId, userId, messageId, reaction }
}

export function read(roomId: RoomId, userId: UserId, messageId: MessageId | null = null): ReadEntry {
  return { kind: 'read', roomId, userId, messageId }
}

/** A group whose first member is its admin. */
export function room(members: UserId[], more: Partial<RoomCreateEntry> = {}): RoomCreateEntry {
  const [first] = members
  return {
    kind: 'room.create',
    id: null,
    roomKind: 'group',
    rule: 'admins',
    name: 'a room',
    description: null,
    spaceId: null,
    members: members.map((userId) => ({ userId, role: userId === first ? 'admin' : 'member' })),
    actorId: first ?? null,
    ...more,
  }
}

export function channel(spaceId: number, ownerId: UserId, name = 'general'): RoomCreateEntry {
  return room([], { roomKind: 'channel', rule: 'owner', name, spaceId, actorId: ownerId })
}

/** Each comes by himself. */
export function add(roomId: RoomId, userId: UserId, more: Partial<MemberAddEntry> = {}): MemberAddEntry {
  return { ...invite(roomId, userId, [userId]), read: 'all', ifMember: null, ...more }
}

/** A member lets these in, to whom everything is unread. */
export function invite(roomId: RoomId, actorId: UserId, userIds: UserId[]): MemberAddEntry {
  return { kind: 'member.add', roomId, userIds, role: 'member', read: 'none', actorId, ifMember: actorId }
}

/** A direct room of these. */
export function direct(members: UserId[], more: Partial<RoomCreateEntry> = {}): RoomCreateEntry {
  return room(members, { roomKind: 'direct', rule: 'pair', name: '', ...more })
}

export function expel(roomId: RoomId, userId: UserId, more: Partial<MemberRemoveEntry> = {}): MemberRemoveEntry {
  return { kind: 'member.remove', roomId, userId, actorId: userId, ifMember: null, ...more }
}

/** Nobody of a name changes it. */
export function giveRole(roomId: RoomId, userId: UserId, role: Role, more: Partial<RoleChangeEntry> = {}): RoleChangeEntry {
  return { kind: 'role.change', roomId, userId, role, actorId: null, ifMember: null, ...more }
}

export function giveName(roomId: RoomId, userId: UserId, nickname: string, more: Partial<NameChangeEntry> = {}): NameChangeEntry {
  return { kind: 'name.change', roomId, userId, nickname, actorId: null, ifMember: null, ...more }
}

/** Makes a room of these members and resolves with its id. */
export async function makeRoom(writer: Writer, members: UserId[], more: Partial<RoomCreateEntry> = {}): Promise<RoomId> {
  return factOf(await writer.run(room(members, more)), 'room.created').roomId
}

/** Posts and resolves with the message. */
export async function say(writer: Writer, roomId: RoomId, authorId: UserId, content: string): Promise<Message> {
  return postedOf(await writer.run(post(roomId, authorId, content)))
}

export function postedOf(facts: Fact[]): Message {
  return factOf(facts, 'message.posted').message
}
