/** Spaces: the list of one and the rooms of it change together (A11). */
import type { Outcome, SpaceDeleteEntry, SpaceJoinEntry, SpaceLeaveEntry } from '../storage.ts'
import { done, refused, type Draft } from './draft.ts'
import { addMember, removeMember } from './members.ts'
import { deleteRoom } from './rooms.ts'
import { findPresent, roomsIn } from './state.ts'

export function doSpaceJoin(draft: Draft, { spaceId, userId, actorId }: SpaceJoinEntry): Outcome {
  const found = draft.state.spaces.get(spaceId)
  if (found === undefined) return refused('space_not_found')
  if (found.members.has(userId)) return refused('already_a_member')
  found.members.add(userId)
  const role = userId === found.space.ownerId ? 'admin' : 'member'
  const rooms = roomsIn(draft.state, spaceId).filter((room) => findPresent(room, userId) === undefined)
  return done(rooms.map((room) => addMember(draft, room, { userId, role, read: 'all', actorId, together: [userId] })))
}

export function doSpaceLeave(draft: Draft, { spaceId, userId, actorId }: SpaceLeaveEntry): Outcome {
  const found = draft.state.spaces.get(spaceId)
  if (found === undefined) return refused('space_not_found')
  if (userId === found.space.ownerId) return refused('owner_stays')
  if (!found.members.delete(userId)) return refused('not_a_member')
  return done(
    roomsIn(draft.state, spaceId).flatMap((room) => {
      const leaver = findPresent(room, userId)
      return leaver === undefined ? [] : removeMember(draft, room, leaver, actorId)
    }),
  )
}

export function doSpaceDelete(draft: Draft, { spaceId, actorId }: SpaceDeleteEntry): Outcome {
  const rooms = roomsIn(draft.state, spaceId)
  if (!draft.state.spaces.delete(spaceId)) return refused('space_not_found')
  return done(rooms.map((room) => deleteRoom(draft, room, actorId)))
}
