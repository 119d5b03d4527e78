/**
 * The registry without a server of its own: what must outlive the process is in the directory, so several processes on one database see
 * the same. The directory is not emptied under it, and tells nobody: what another process ended is found when it is asked.
 */
import { setTimeout as wait } from 'node:timers/promises'
import type { Login, Message, RoomId } from '../../core/model.ts'
import type { Directory } from '../../storage/storage.ts'
import { RegistryUnavailable, type Registry, type RegistryListener } from '../registry.ts'

/** Of so many rooms the latest messages are kept: some 20 MB where their texts are long. */
const recentRoomsMax = 1_000
const retryMs = 200

export function createMemoryRegistry(directory: Directory): Registry {
  const recent = new Map<RoomId, { head: number; messages: Message[] }>()
  const closing = new AbortController()
  let listener: RegistryListener | null = null
  let isOpen = false

  /** The database may be away. */
  async function open(heard: RegistryListener): Promise<void> {
    while (!closing.signal.aborted && !isOpen) {
      isOpen = await heard.onOpen().then(
        () => true,
        () => false,
      )
      if (!isOpen) await wait(retryMs, undefined, { signal: closing.signal, ref: false }).catch(() => {})
    }
  }

  async function checkLogins(logins: Login[]): Promise<boolean[]> {
    if (!isOpen) throw new RegistryUnavailable('this process has not told what is so here')
    if (logins.length === 0) return []
    const found = await directory.findLogins(logins.map(({ sha256 }) => sha256))
    const known = new Set(found.map(({ sha256 }) => sha256))
    return logins.map(({ sha256 }) => known.has(sha256))
  }

  return {
    needsTokens: false,
    // Both have been done to the directory before.
    enterLogin: async () => {},
    endLogin: async ({ sha256 }) => listener?.onEnded(sha256),
    checkLogins,
    readRecords: (names) => directory.readRecords(names),
    replaceRecord: (name, replacement) => directory.replaceRecord(name, replacement),
    renewLease: (node, leaseMs) => directory.renewLease(node, leaseMs),
    findRecent: async (roomId, head) => {
      const found = recent.get(roomId)
      return found?.head === head ? structuredClone(found.messages) : null
    },
    keepRecent: async (roomId, head, messages) => {
      recent.delete(roomId)
      recent.set(roomId, { head, messages: structuredClone(messages) })
      if (recent.size > recentRoomsMax) recent.delete(recent.keys().next().value!)
    },
    dropRecent: async (roomId) => void recent.delete(roomId),
    // The processes of one database that have no other way to one another read the records anew from time to time.
    announceBound: () => {},
    listen(heard) {
      listener = heard
      void open(heard)
    },
    close: async () => {
      listener = null
      closing.abort()
    },
  }
}
