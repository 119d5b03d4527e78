/** What an error of pg or of PostgreSQL means for us. */
import pg from 'pg'
import { BatchRejected, CommitUncertain, StorageUnavailable } from '../storage.ts'

/** Our own limit on a query's time; the query may go on in the database. */
export class TimedOut extends Error {
  override name = 'TimedOut'
}

/** SQLSTATE of a deadlock or serialization failure: rolled back for certain, and likely to pass the next time. */
const RETRYABLE = new Set(['40001', '40P01'])
const UNIQUE_VIOLATION = '23505'
/**
 * Of a named statement: another node's migration has changed what it answers with, or a pooler has put a backend behind the connection
 * that does not hold it, or holds it already. Nothing was done.
 */
const PLAN_IS_STALE = new Set(['0A000', '26000', '42P05'])
/** Classes in which the data are at fault: data exception, integrity violation, program limit. */
const FAULTY_DATA = new Set(['22', '23', '54'])
/**
 * Classes after which a statement may have been carried out: connection, operator intervention (a shutdown, a cancelled
 * statement), system, internal. The severity would tell as well, but it comes in the server's language.
 */
const UNCERTAIN = new Set(['08', '57', '58', 'XX'])

export function isRetryable(error: unknown): boolean {
  return RETRYABLE.has(codeOf(error))
}

export function isUniqueViolation(error: unknown): boolean {
  return codeOf(error) === UNIQUE_VIOLATION
}

export function isPlanStale(error: unknown): boolean {
  return PLAN_IS_STALE.has(codeOf(error))
}

/** For reads and the directory: where the data are at fault the error stays what it is, all else is the database not answering. */
export function toStorageError(error: unknown): unknown {
  if (FAULTY_DATA.has(classOf(error))) return error
  return new StorageUnavailable(messageOf(error), { cause: error })
}

/** For an append that was sent: the server's error says that nothing was stored; a broken link or a time-out says nothing. */
export function toAppendError(error: unknown): Error {
  const kind = classOf(error)
  if (FAULTY_DATA.has(kind)) return new BatchRejected(messageOf(error), { cause: error })
  const Kind = isConnectionSuspect(error) ? CommitUncertain : StorageUnavailable
  return new Kind(messageOf(error), { cause: error })
}

/** Whether the connection is gone or about to go: the error that says so may come before the end of its socket. */
export function isConnectionSuspect(error: unknown): boolean {
  const kind = classOf(error)
  return kind === '' || UNCERTAIN.has(kind)
}

/** The text of an error; ECONNREFUSED on every address of a name comes as an AggregateError without one. */
export function messageOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(messageOf).join('; ')
  return error instanceof Error ? error.message : String(error)
}

function classOf(error: unknown): string {
  return codeOf(error).slice(0, 2)
}

function codeOf(error: unknown): string {
  return error instanceof pg.DatabaseError ? (error.code ?? '') : ''
}
