/** For tests: a Storage whose database goes away, answers too late or rejects, when it is told to. */
import { BatchRejected, CommitUncertain, StorageUnavailable, type AppendResult, type Entry, type Storage } from './storage.ts'

/**
 * What befalls one append. `unavailable`: it did nothing and says so. `uncertain-landed`: it stands, but the answer is lost.
 * `uncertain-lost`: it does not stand, which the caller cannot know. `rejected`: the database rejects the batch. `unforeseen-landed`: it stands, and what came of it throws an error of no known kind.
 */
export type Fault = 'unavailable' | 'uncertain-landed' | 'uncertain-lost' | 'rejected' | 'unforeseen-landed'

export interface FaultyStorage {
  storage: Storage
  /** The next append meets this fault; several are met one after the other. `onMet` is called before it is thrown. */
  failNext(fault: Fault, onMet?: () => void): void
  /** From now on every batch with such an entry meets this fault, each time. */
  failEntries(fault: Fault, isFaulty: (entry: Entry) => boolean): void
  /** `failEntries` with `rejected`. */
  rejectEntries(isFaulty: (entry: Entry) => boolean): void
  /** While it is away, everything throws StorageUnavailable. */
  setAway(isAway: boolean): void
}

export function withFaults(storage: Storage): FaultyStorage {
  const faults: { fault: Fault; onMet: () => void }[] = []
  const ofEntries = new Map<Fault, (entry: Entry) => boolean>()
  let isAway = false
  const check = () => {
    if (isAway) throw new StorageUnavailable('away, for a test')
  }

  async function append(journal: number, firstPosition: number, entries: Entry[]): Promise<AppendResult> {
    const lasting = [...ofEntries].find(([, isFaulty]) => entries.some(isFaulty))
    const met = lasting === undefined ? faults.shift() : { fault: lasting[0], onMet: () => {} }
    if (met === undefined) return storage.log.append(journal, firstPosition, entries)
    if (met.fault.endsWith('-landed')) await storage.log.append(journal, firstPosition, entries)
    met.onMet()
    throw errorOf(met.fault)
  }

  return {
    storage: {
      log: guard(storage.log, check, { append }),
      directory: guard(storage.directory, check),
      ping: async () => {
        check()
        return storage.ping()
      },
      close: () => storage.close(),
    },
    failNext: (fault, onMet = () => {}) => void faults.push({ fault, onMet }),
    failEntries: (fault, isFaulty) => void ofEntries.set(fault, isFaulty),
    rejectEntries: (isFaulty) => void ofEntries.set('rejected', isFaulty),
    setAway: (away) => {
      isAway = away
    },
  }
}

function errorOf(fault: Fault): Error {
  if (fault === 'rejected') return new BatchRejected('rejected, for a test')
  if (fault === 'unavailable') return new StorageUnavailable('unavailable, for a test')
  if (fault === 'unforeseen-landed') return new TypeError('unforeseen, for a test')
  return new CommitUncertain('uncertain, for a test')
}

/** Calls `check` before each method of a port, and then the one in `instead` where there is one. */
function guard<T extends object>(port: T, check: () => void, instead: Partial<T> = {}): T {
  return new Proxy(port, {
    get(target, name) {
      const value: unknown = Reflect.get(instead, name) ?? Reflect.get(target, name)
      if (typeof value !== 'function') return value
      return async (...values: unknown[]): Promise<unknown> => {
        check()
        return Reflect.apply(value, target, values)
      }
    },
  })
}
