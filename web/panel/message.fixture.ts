/** For tests: messages as they come from the server. */
import type { ChatMessage } from '../protocol.ts'

/** Each a second after the one before it. */
export function messageOf(id: number, username = '서준', content = `${id}번째`): ChatMessage {
  return { id, username, avatar: null, content, created_at: new Date(Date.UTC(2026, 0, 5, 3, 0, id)).toISOString() }
}

/** With these ids, both included. */
export function messagesOf(first: number, last: number): ChatMessage[] {
  return Array.from({ length: last - first + 1 }, (_, at) => messageOf(first + at))
}
