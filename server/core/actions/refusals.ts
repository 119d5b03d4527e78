import type { Fact } from '../events.ts'
import type { LogStore, Outcome, Refusal } from '../../storage/storage.ts'
import { ChatError, type ErrorCode } from '../errors.ts'
import type { RoomId, UserId } from '../model.ts'

/** What the store refused under the lock, as the error that the caller sees. */
export function refusalError(reason: Refusal): ChatError {
  const codes: Partial<Record<Refusal, ErrorCode>> = { unstorable: 'invalid_field' }
  return new ChatError(codes[reason] ?? (reason as Exclude<Refusal, 'unstorable'>))
}

/** The facts that an entry without a client key made, or its refusal thrown. */
export function factsOf(outcome: Outcome): Fact[] {
  if (outcome.status === 'refused') throw refusalError(outcome.reason)
  return outcome.status === 'done' ? outcome.facts : []
}

export function isRefusedAs(outcome: Outcome, ...reasons: Refusal[]): boolean {
  return outcome.status === 'refused' && reasons.includes(outcome.reason)
}

/** Of a change of a member that was refused as not_a_member: he, or else the actor, left while it was on its way. */
export async function goneError(log: LogStore, roomId: RoomId, userId: UserId): Promise<ChatError> {
  return new ChatError((await log.findMember(roomId, userId)) ? 'not_a_member' : 'member_not_found')
}
