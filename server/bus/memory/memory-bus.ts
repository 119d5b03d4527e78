/** The bus of one process: `connect` joins several chats in it, each of which hears the others. */
import type { Commit } from '../../storage/storage.ts'
import type { Bus, BusListener } from '../bus.ts'

interface Ear {
  database: string
  listener: BusListener
}

export function createMemoryBus(): { connect(): Bus } {
  const ears = new Map<string, Ear>()
  let connected = 0

  function connect(): Bus {
    const node = `node${++connected}`

    function toOthers(say: (listener: BusListener) => void): void {
      const own = ears.get(node)
      if (!own) return
      for (const [other, ear] of ears) if (other !== node && ear.database === own.database) hand(other, say)
    }

    /** Later, as by a wire, and not to who has closed meanwhile. */
    function hand(other: string, say: (listener: BusListener) => void): void {
      queueMicrotask(() => {
        const ear = ears.get(other)
        if (ear) say(ear.listener)
      })
    }

    return {
      node,
      publish: (commit) => toOthers((listener) => listener.onCommit(copy(commit))),
      tell: (news) => toOthers((listener) => listener.onPresence(node, structuredClone(news))),
      listen(database, listener) {
        ears.set(node, { database, listener })
        hand(node, (self) => self.onOpen())
      },
      async close() {
        ears.delete(node)
      },
    }
  }

  return { connect }
}

/** Without the outcomes, which are the publisher's own. */
function copy({ journal, firstPosition, lastPosition, facts, after }: Commit): Commit {
  return structuredClone({ journal, firstPosition, lastPosition, facts, after })
}
