/** Two ways to count what is unread that know nothing of the server's: a recount, and a front end that lives on its events. */
import type { ChatEvent, ReadAdvanced } from './events.ts'
import type { MessageId, RoomId, UserId } from './model.ts'

/** What one person is shown of a chat: his unread messages, and by message id how many members have not read it. */
export interface Counts {
  unread: number
  counts: Map<MessageId, number>
}

interface Pass {
  roomId: RoomId
  userId: UserId
}

interface NaiveRoom {
  isPair: boolean
  members: Set<UserId>
  messages: { id: MessageId; authorId: UserId; isDeleted: boolean; readers: Set<UserId> }[]
}

/** What the counts should be, by looking at every message and every reader: no marker, no ordinal, no subtraction. */
export class NaiveChat {
  readonly rooms = new Map<RoomId, NaiveRoom>()
  /** Who, since this was last emptied, read on past others' messages: each is one event with `passed` (P4, P9). */
  passes: Pass[] = []

  make(roomId: RoomId, members: UserId[], isPair: boolean) {
    this.rooms.set(roomId, { isPair, members: new Set(members), messages: [] })
  }

  post(roomId: RoomId, id: MessageId, authorId: UserId) {
    this.room(roomId).messages.push({ id, authorId, isDeleted: false, readers: new Set() })
    this.read(roomId, authorId, id)
  }

  read(roomId: RoomId, userId: UserId, upTo: MessageId) {
    const isNews = this.room(roomId).messages.some(
      ({ id, authorId, readers }) => id <= upTo && authorId !== userId && !readers.has(userId),
    )
    if (isNews) this.passes.push({ roomId, userId })
    this.skip(roomId, userId, upTo)
  }

  /** Everything that stands in the chats of this user that hold something for him. */
  readAll(userId: UserId) {
    for (const roomId of this.roomsOf(userId)) {
      const newest = this.room(roomId).messages.findLast(({ isDeleted }) => !isDeleted)
      if (newest && this.unreadOf(roomId, userId) > 0) this.read(roomId, userId, newest.id)
    }
  }

  /** Has it read without having said so. */
  skip(roomId: RoomId, userId: UserId, upTo: MessageId) {
    for (const message of this.room(roomId).messages) if (message.id <= upTo) message.readers.add(userId)
  }

  room(roomId: RoomId): NaiveRoom {
    return this.rooms.get(roomId)!
  }

  roomsOf(userId: UserId): RoomId[] {
    return [...this.rooms].filter(([, { members }]) => members.has(userId)).map(([roomId]) => roomId)
  }

  findPair(pair: [UserId, UserId]): RoomId | undefined {
    const isTheirs = ({ isPair, members }: NaiveRoom) => isPair && members.size === 2 && pair.every((id) => members.has(id))
    return [...this.rooms].find(([, room]) => isTheirs(room))?.[0]
  }

  private unreadOf(roomId: RoomId, userId: UserId): number {
    const isUnread = ({ authorId, isDeleted, readers }: NaiveRoom['messages'][number]) =>
      authorId !== userId && !isDeleted && !readers.has(userId)
    return this.room(roomId).messages.filter(isUnread).length
  }

  /** Of all the rooms of this user. */
  countsOf(userId: UserId): Map<RoomId, Counts> {
    const told = this.roomsOf(userId).map((roomId): [RoomId, Counts] => {
      return [roomId, { unread: this.unreadOf(roomId, userId), counts: this.counts(roomId) }]
    })
    return new Map(told)
  }

  private counts(roomId: RoomId): Map<MessageId, number> {
    const { members, messages } = this.room(roomId)
    const standing = messages.filter(({ isDeleted }) => !isDeleted)
    return new Map(standing.map(({ id, readers }) => [id, [...members].filter((userId) => !readers.has(userId)).length]))
  }
}

interface LoadedRoom {
  unread: number
  /** How far each member has read, as a seq. */
  markers: Map<UserId, number>
  messages: Map<MessageId, { seq: number; authorId: UserId; count: number }>
}

/** A front end: loads a chat once, when it enters it, and from then on adds and subtracts what its events say. */
export class ModelClient {
  private readonly rooms = new Map<RoomId, LoadedRoom>()
  /** Chats that it was let into and has not loaded. */
  readonly entered = new Set<RoomId>()
  /** The events with `passed` since this was last emptied. */
  passes: Pass[] = []
  private readonly me: UserId

  constructor(me: UserId) {
    this.me = me
  }

  load(roomId: RoomId, room: LoadedRoom) {
    this.rooms.set(roomId, room)
    this.entered.delete(roomId)
  }

  countsOf(): Map<RoomId, Counts> {
    const counts = ({ messages }: LoadedRoom) => new Map([...messages].map(([id, { count }]) => [id, count]))
    return new Map([...this.rooms].map(([roomId, room]) => [roomId, { unread: room.unread, counts: counts(room) }]))
  }

  apply(event: ChatEvent) {
    if (event.type === 'room.created' || (event.type === 'member.added' && event.userId === this.me))
      this.entered.add(event.roomId)
    if (event.type === 'member.removed' && event.userId === this.me) this.rooms.delete(event.roomId)
    const room = this.rooms.get(event.roomId)
    if (room) this.applyIn(room, event)
  }

  private applyIn(room: LoadedRoom, event: ChatEvent) {
    switch (event.type) {
      case 'message.posted':
        return this.onPosted(room, event.message)
      case 'message.deleted':
        return this.onDeleted(room, event.message.id)
      case 'read.advanced':
        return event.passed ? this.onRead(room, event) : undefined
      case 'member.added':
        for (const message of behind(room, event.userId, event.member.marker.seq)) message.count += 1
        return void room.markers.set(event.userId, event.member.marker.seq)
      case 'member.removed':
        for (const message of behind(room, event.userId, room.markers.get(event.userId)!)) message.count -= 1
        return void room.markers.delete(event.userId)
    }
  }

  private onPosted(room: LoadedRoom, { id, seq, authorId }: { id: MessageId; seq: number; authorId: UserId }) {
    room.messages.set(id, { seq, authorId, count: room.markers.size - 1 })
    if (authorId !== this.me) room.unread += 1
  }

  private onDeleted(room: LoadedRoom, id: MessageId) {
    const { seq, authorId } = room.messages.get(id)!
    if (authorId !== this.me && seq > room.markers.get(this.me)!) room.unread -= 1
    room.messages.delete(id)
  }

  private onRead(room: LoadedRoom, { roomId, userId, markerSeq }: ReadAdvanced) {
    this.passes.push({ roomId, userId })
    const read = behind(room, userId, room.markers.get(userId)!).filter(({ seq }) => seq <= markerSeq)
    for (const message of read) message.count -= 1
    if (userId === this.me) room.unread -= read.length
    room.markers.set(userId, markerSeq)
  }
}

/** What its member has not read: nobody has to read his own. */
function behind(room: LoadedRoom, userId: UserId, marker: number) {
  return [...room.messages.values()].filter(({ seq, authorId }) => seq > marker && authorId !== userId)
}
