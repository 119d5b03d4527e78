/** What the directory keeps for a registry: logins, and for one without a server of its own also records and leases. */
import type { Directory, KeptLogin, Replacement } from '../storage.ts'
import type { MemoryState } from './state.ts'

type Logins = Pick<Directory, 'keepLogin' | 'settleLogins' | 'endLogins' | 'findLogins' | 'listLogins'>

export function openLogins(state: MemoryState): Logins {
  return {
    keepLogin: async (login) => {
      state.last.login += 1
      state.logins.delete(login.sha256)
      state.logins.set(login.sha256, { ...login, number: state.last.login, isPending: true })
    },
    settleLogins: async (sha256s) => {
      for (const login of listKept(state)) if (sha256s.includes(login.sha256)) login.isPending = false
    },
    endLogins: async (sha256s) => {
      for (const sha256 of sha256s) state.logins.delete(sha256)
    },
    findLogins: async (sha256s) => copies(listKept(state).filter(({ sha256 }) => sha256s.includes(sha256))),
    listLogins: async ({ after, limit, pending }) => {
      const found = listKept(state).filter(({ number, isPending }) => number > after && (isPending || !pending))
      return copies(found.slice(0, limit))
    },
  }
}

/** Those that are not over; their order in the Map is that of their numbers. */
function listKept(state: MemoryState): KeptLogin[] {
  const now = state.options.now()
  return [...state.logins.values()].filter(({ expiresAt }) => expiresAt === null || expiresAt > now)
}

function copies(logins: KeptLogin[]): KeptLogin[] {
  return logins.map((login) => ({ ...login }))
}

type Records = Pick<Directory, 'readRecords' | 'replaceRecord' | 'renewLease'>

export function openRecords(state: MemoryState): Records {
  return {
    readRecords: async (names) => ({
      values: names.map((name) => findRecord(state, name)),
      nowMs: state.options.now(),
      leases: new Map(state.leases),
    }),
    replaceRecord: async (name, replacement) => replaceRecord(state, name, replacement),
    renewLease: async (node, leaseMs) => {
      const now = state.options.now()
      if ((state.leases.get(node) ?? Infinity) <= now) return false
      state.leases.set(node, now + leaseMs)
      return true
    },
  }
}

function findRecord(state: MemoryState, name: string): string | null {
  const found = state.records.get(name)
  return found !== undefined && found.keptUntil > state.options.now() ? found.value : null
}

function replaceRecord(state: MemoryState, name: string, { from, to, beforeMs, keepMs }: Replacement): boolean {
  const now = state.options.now()
  if (findRecord(state, name) !== from || (beforeMs !== null && now >= beforeMs)) return false
  if (to === null) state.records.delete(name)
  else state.records.set(name, { value: to, keptUntil: keepMs === null ? Infinity : now + keepMs })
  return true
}
