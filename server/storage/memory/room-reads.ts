/** What is read of rooms and of who is in them. A deleted room is in none of it. */
import type { Message, RoomId, UserId } from '../../core/model.ts'
import type { LogStore, Membership, RoomSummary } from '../storage.ts'
import {
  copyMember,
  copyMessage,
  filterRooms,
  findLiveRoom,
  findPresent,
  listPresent,
  roomsIn,
  type MemberState,
  type MemoryState,
  type RoomState,
} from './state.ts'

type RoomReads = Pick<
  LogStore,
  | 'findRoom'
  | 'listRoomsIn'
  | 'listRoomsOf'
  | 'findDirect'
  | 'findProject'
  | 'findMember'
  | 'listMembershipsOf'
  | 'listSummaries'
  | 'listMembers'
>

export function openRoomReads(state: MemoryState): RoomReads {
  return {
    findRoom: async (roomId) => {
      const found = findLiveRoom(state, roomId)
      return found === undefined ? null : { ...found.room }
    },
    listRoomsIn: async (spaceId) => roomsIn(state, spaceId).map(({ room }) => ({ ...room })),
    listRoomsOf: async (userId) =>
      filterRooms(state, (room) => findPresent(room, userId) !== undefined).map(({ room }) => ({ ...room })),
    findDirect: async (userIds) => findDirect(state, userIds),
    findProject: async (projectId) => findProject(state, projectId),
    findMember: async (roomId, userId) => {
      const room = findLiveRoom(state, roomId)
      const found = room && findPresent(room, userId)
      return found === undefined ? null : copyMember(found.member)
    },
    listMembershipsOf: async (userId, roomIds) =>
      filterRooms(state, ({ room }) => roomIds?.includes(room.id) ?? true).flatMap((room) => {
        const found = room.members.get(userId)
        return found === undefined ? [] : membershipOf(room, found)
      }),
    listSummaries: async (userId) =>
      filterRooms(state, () => true).flatMap((room) => {
        const found = findPresent(room, userId)
        return found === undefined ? [] : summaryOf(room, found)
      }),
    listMembers: async (roomId) => {
      const room = findLiveRoom(state, roomId)
      return room === undefined ? [] : listPresent(room).map(({ member }) => copyMember(member))
    },
  }
}

/** Who left and came back came back into a group, so a direct room's two are its first two, or it is nobody's any more. */
export function findDirect(state: MemoryState, userIds: [UserId, UserId]): RoomId | null {
  const isTheirs = (room: RoomState) =>
    room.room.kind === 'direct' && room.members.size === 2 && userIds.every((userId) => findPresent(room, userId) !== undefined)
  if (userIds[0] === userIds[1]) return null
  return filterRooms(state, isTheirs)[0]?.room.id ?? null
}

export function findProject(state: MemoryState, projectId: string): RoomId | null {
  return filterRooms(state, (room) => room.projectId === projectId)[0]?.room.id ?? null
}

function membershipOf(room: RoomState, { member, leftStamp }: MemberState): Membership {
  const joined = room.rows[member.joinedSeq - 1]
  if (joined === undefined || room.lastStamp === null) throw new Error(`room ${room.room.id} has a member and no event`)
  return {
    member: copyMember(member),
    lastStamp: { ...room.lastStamp },
    joinedStamp: { ...joined.stamp },
    leftStamp: leftStamp === null ? null : { ...leftStamp },
  }
}

function summaryOf(room: RoomState, { member }: MemberState): RoomSummary {
  const userIds = listPresent(room).map((present) => present.member.userId)
  const others = userIds.filter((userId) => userId !== member.userId)
  const last = room.messages.findLast((message) => message.deletedAt === null)
  const { id, kind, name, ordinal, updatedAt } = room.room
  return {
    room: { id, kind, name, ordinal, updatedAt },
    markerOrdinal: member.marker.ordinal,
    memberCount: userIds.length,
    otherUserId: others.length === 0 ? null : Math.min(...others),
    lastMessage: last === undefined ? null : shownOf(copyMessage(last)),
    deletedAfterMarker: room.messages.filter((message) => message.deletedAt !== null && message.seq > member.marker.seq).length,
  }
}

function shownOf({ id, authorId, content, fileUrl, attachments, createdAt }: Message): RoomSummary['lastMessage'] {
  return { id, authorId, content, fileUrl, attachments, createdAt }
}
