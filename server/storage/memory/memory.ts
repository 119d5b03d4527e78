/** The memory adapter: the readable reference of the storage ports. Correct rather than fast; it forgets all at its end. */
import type { Storage } from '../storage.ts'
import { openDirectory } from './directory.ts'
import { openLog } from './log.ts'
import { createState, type MemoryOptions } from './state.ts'

export type { MemoryOptions } from './state.ts'

/** What several processes would share: each `openStorage()` is one of them. */
export interface MemoryDatabase {
  openStorage(): Storage
}

export function createMemoryDatabase(options: MemoryOptions = {}): MemoryDatabase {
  const state = createState(options)
  return {
    openStorage: () => ({
      log: openLog(state),
      directory: openDirectory(state),
      ping: async () => {},
      close: async () => {},
    }),
  }
}

/** A storage with nothing in it, for one process. */
export function openMemoryStorage(options: MemoryOptions = {}): Storage {
  return createMemoryDatabase(options).openStorage()
}
