import type { Fact } from '../events.ts'
import type { Outcome, Refusal } from '../../storage/storage.ts'
import { ChatError, type ErrorCode } from '../errors.ts'

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
