/** Rooms: made, changed, deleted. */
import type { Fact } from '../../core/events.ts'
import type { Role, RoomId, UserId } from '../../core/model.ts'
import type { Outcome, RoomCreateEntry, RoomDeleteEntry, RoomUpdateEntry } from '../storage.ts'
import { done, keepRow, refused, takeRowPlace, type Draft } from './draft.ts'
import { enter } from './members.ts'
import { findDirect, findProject } from './room-reads.ts'
import { findLiveRoom, type MemoryState, type RoomState, type SpaceState } from './state.ts'

export function doRoomCreate(draft: Draft, entry: RoomCreateEntry): Outcome {
  const { state } = draft
  const space = entry.spaceId === null ? null : state.spaces.get(entry.spaceId)
  if (space === undefined) return refused('space_not_found')
  if (entry.id !== null && state.rooms.has(entry.id)) return refused('room_exists')
  if (isTakenPair(state, entry) || isTakenProject(state, entry)) return refused('room_exists')
  const members = space === null ? entry.members : membersOf(space)
  const room = makeRoom(entry.id ?? nextRoomId(state), entry)
  state.rooms.set(room.room.id, room)
  const place = takeRowPlace(draft, room)
  Object.assign(room.room, { createdAt: place.at, updatedAt: place.at })
  for (const { userId, role } of members) {
    const marker = { seq: 0, ordinal: 0, readAt: null }
    enter(state, room, { userId, role, marker, joinedAt: place.at, joinedSeq: place.seq })
  }
  const userId = entry.actorId ?? members[0]?.userId ?? 0
  const about = { userId, actorId: entry.actorId, memberIds: [...room.members.keys()] }
  return done([keepRow(draft, room, { type: 'room.created', ...place, ...about })])
}

/** Whether this would be a second direct room of the same two. */
function isTakenPair(state: MemoryState, { roomKind, members }: RoomCreateEntry): boolean {
  const [one, other] = members.map((member) => member.userId)
  if (roomKind !== 'direct' || one === undefined || other === undefined || members.length > 2) return false
  return findDirect(state, [one, other]) !== null
}

function isTakenProject(state: MemoryState, { projectId }: RoomCreateEntry): boolean {
  return projectId !== undefined && findProject(state, projectId) !== null
}

function membersOf({ space, members }: SpaceState): { userId: UserId; role: Role }[] {
  return [...members].map((userId) => ({ userId, role: userId === space.ownerId ? 'admin' : 'member' }))
}

/** Skips ids that a request made up (A2). */
function nextRoomId(state: MemoryState): RoomId {
  do state.last.room += 1
  while (state.rooms.has(state.last.room))
  return state.last.room
}

function makeRoom(id: RoomId, { roomKind, projectId, rule, name, description, spaceId }: RoomCreateEntry): RoomState {
  const counters = { head: 0, ordinal: 0, createdAt: 0, updatedAt: 0 }
  return {
    room: { id, kind: roomKind, rule, name, description, spaceId, ...counters },
    projectId: projectId ?? null,
    isDeleted: false,
    rows: [],
    messages: [],
    messagesById: new Map(),
    reactions: new Map(),
    members: new Map(),
    keys: new Map(),
    moves: 0,
    lastAt: 0,
    lastStamp: null,
  }
}

export function doRoomUpdate(draft: Draft, entry: RoomUpdateEntry): Outcome {
  const room = findLiveRoom(draft.state, entry.roomId)
  if (room === undefined) return refused('room_not_found')
  const place = takeRowPlace(draft, room)
  const name = entry.name ?? room.room.name
  const description = entry.description ?? room.room.description
  Object.assign(room.room, { name, description, updatedAt: place.at })
  const about = { userId: entry.actorId ?? 0, actorId: entry.actorId }
  return done([keepRow(draft, room, { type: 'room.updated', ...place, ...about, name, description })])
}

export function doRoomDelete(draft: Draft, entry: RoomDeleteEntry): Outcome {
  const room = findLiveRoom(draft.state, entry.roomId)
  if (room === undefined) return refused('room_not_found')
  return done([deleteRoom(draft, room, entry.actorId)])
}

export function deleteRoom(draft: Draft, room: RoomState, actorId: UserId | null): Fact {
  room.isDeleted = true
  const about = { userId: actorId ?? 0, actorId }
  return keepRow(draft, room, { type: 'room.deleted', ...takeRowPlace(draft, room), ...about })
}
