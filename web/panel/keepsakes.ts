/**
 * What this browser keeps of a person in a project: the draft, what is not sent yet, and how far was seen. Never the token. Where a
 * browser gives a foreign frame no storage, all of it lasts as long as the page.
 */
import type { Pending } from './conversation.ts'

export interface Keepsakes {
  draft(): string
  keepDraft(text: string): void
  outbox(): Pending[]
  keepOutbox(pendings: readonly Pending[]): void
  /** Null: never here. */
  seen(): number | null
  keepSeen(id: number): void
  /** Another tab of this browser has seen more. */
  onSeen(listener: () => void): () => void
}

export function openKeepsakes(project: string, username: string): Keepsakes {
  const nameOf = (what: string) => `madang:${JSON.stringify([project, username])}:${what}`
  const lasting = openArea(() => window.localStorage)
  // A tab's own: two tabs would send each other's.
  const passing = openArea(() => window.sessionStorage)
  return {
    draft: () => lasting.get(nameOf('draft')) ?? '',
    keepDraft: (text) => lasting.set(nameOf('draft'), text),
    outbox: () => parseOutbox(passing.get(nameOf('outbox'))),
    keepOutbox: (pendings) => passing.set(nameOf('outbox'), pendings.length === 0 ? '' : JSON.stringify(pendings)),
    seen() {
      const kept = lasting.get(nameOf('seen'))
      return kept ? Number(kept) || 0 : null
    },
    keepSeen: (id) => lasting.set(nameOf('seen'), String(id)),
    onSeen(listener) {
      const hear = (event: StorageEvent) => event.key === nameOf('seen') && listener()
      window.addEventListener('storage', hear)
      return () => window.removeEventListener('storage', hear)
    },
  }
}

interface Area {
  get(name: string): string | null
  /** An empty text is none. */
  set(name: string, text: string): void
}

/** Asking for the storage may throw already, where third-party cookies are blocked. */
function openArea(find: () => Storage): Area {
  const memory = new Map<string, string>()
  return {
    get(name) {
      try {
        return find().getItem(name)
      } catch {
        return memory.get(name) ?? null
      }
    },
    set(name, text) {
      try {
        if (text === '') find().removeItem(name)
        else find().setItem(name, text)
      } catch {
        memory.set(name, text)
      }
    },
  }
}

function parseOutbox(text: string | null): Pending[] {
  try {
    const kept = JSON.parse(text || '[]') as Pending[]
    return kept.map(({ key, content, createdAt, failure }) => ({ key, content, createdAt, failure, twin: null }))
  } catch {
    return []
  }
}
