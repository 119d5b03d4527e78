/** What HTTP answers of rooms, of who is in them, and of messages (C4, C5, C8). */
import type { AuthoredMessage, AuthoredReaction, Participant } from '../../core/queries.ts'
import type { Message, Room, RoomId, User } from '../../core/model.ts'
import { textOrNamesOf } from '../../core/texts.ts'
import type { Door } from '../door.ts'
import type { Place } from './place.ts'
import { encodeTime, type ListedMessageObject, type MessageObject, type ParticipantObject, type RoomObject } from './wire.ts'

export interface Answers {
  /** As in 1.1; whose to see they are is the caller's to say. */
  rooms(rooms: Room[]): Promise<RoomObject[]>
  room(room: Room): Promise<RoomObject>
  participant(roomId: RoomId, participant: Participant): Promise<ParticipantObject & { roomId: string }>
}

export function createAnswers(door: Door, place: Place): Answers {
  async function rooms(all: Room[]): Promise<RoomObject[]> {
    const lists = await door.chat.queries.listParticipants(all.map(({ id }) => id))
    const names = await place.names.namesOf([...usersIn(lists)])
    return all.map((room, nth) =>
      encodeRoom(
        room,
        (lists[nth] ?? []).map((one) => encodeParticipant(one, names)),
      ),
    )
  }

  return {
    rooms,
    room: async (room) => (await rooms([room]))[0]!,
    async participant(roomId, participant) {
      const names = await place.names.namesOf([participant.user])
      return { roomId: String(roomId), ...encodeParticipant(participant, names) }
    },
  }
}

/** Each once. */
function usersIn(lists: Participant[][]): Iterable<User> {
  return new Map(lists.flat().map(({ user }) => [user.id, user])).values()
}

function encodeRoom({ id, name, createdAt }: Room, participants: ParticipantObject[]): RoomObject {
  const userCount = participants.length
  return { roomId: String(id), name, createdAt: encodeTime(createdAt), participants, userCount }
}

/** C5: the name given in this room, else the default one. */
function encodeParticipant({ member, user }: Participant, names: Map<number, string>): ParticipantObject {
  return { userId: user.username, edited_name: member.nickname || (names.get(user.id) ?? ''), role: member.role }
}

export function encodeMessage(message: Message, author: User): MessageObject {
  const { id, roomId, createdAt } = message
  return {
    messageId: String(id),
    roomId: String(roomId),
    userId: author.username,
    content: textOrNamesOf(message),
    createdAt: encodeTime(createdAt),
  }
}

/** C8: each with the reactions to it, in the order in which they were added. */
export function encodeMessages(messages: AuthoredMessage[], reactions: AuthoredReaction[]): ListedMessageObject[] {
  const listed = messages.map(({ message, author }) => ({ ...encodeMessage(message, author), reactions: [] }))
  const byId = new Map<string, ListedMessageObject>(listed.map((one) => [one.messageId, one]))
  for (const { messageId, user, reaction } of reactions)
    byId.get(String(messageId))?.reactions.push({ userId: user.username, reactionType: reaction })
  return listed
}
