/** Who on the page listens to what. */
import type { ChatMessage } from '../protocol.ts'

export interface EventMap {
  /** The panel has been loaded and has what it needs. */
  ready: undefined
  open: undefined
  close: undefined
  /** How many messages of others came since the panel was last open. */
  unread: number
  /** A message that has just come, also one's own. */
  message: ChatMessage
  /** The token has expired and the page gave no way to get another: `setUser` with a new one. */
  expired: string
  /** The server does not take the token; in its words. */
  refused: string
}

export type EventName = keyof EventMap
export type Listener<Name extends EventName> = (detail: EventMap[Name]) => void
export type Emit = <Name extends EventName>(...event: EventMap[Name] extends undefined ? [Name] : [Name, EventMap[Name]]) => void

export interface Listeners {
  on: <Name extends EventName>(name: Name, listener: Listener<Name>) => void
  off: <Name extends EventName>(name: Name, listener: Listener<Name>) => void
  emit: Emit
}

export function createListeners(): Listeners {
  const all = new Map<string, Set<(detail: never) => void>>()
  return {
    on(name, listener) {
      const those = all.get(name) ?? new Set()
      all.set(name, those.add(listener))
    },
    off: (name, listener) => void all.get(name)?.delete(listener),
    emit(...[name, detail]) {
      // A listener that throws is the page's error: it is told there, and takes nothing from the chat.
      for (const listener of all.get(name) ?? []) queueMicrotask(() => listener(detail as never))
    },
  }
}
