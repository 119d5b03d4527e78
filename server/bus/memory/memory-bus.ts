/** The bus of one process: `connect` joins several chats in it, each of which hears the others. */
import type { Commit } from '../../storage/storage.ts'
import type { Bus } from '../bus.ts'

export function createMemoryBus(): { connect(): Bus } {
  const listeners = new Map<object, (commit: Commit) => void>()

  function connect(): Bus {
    const self = {}
    return {
      publish(commit) {
        for (const [other, listener] of listeners) if (other !== self) queueMicrotask(() => listener(structuredClone(commit)))
      },
      listen(listener) {
        listeners.set(self, listener)
      },
      async close() {
        listeners.delete(self)
      },
    }
  }

  return { connect }
}
