/** The line to the server: socket.io as the contract has it, with cursors (W8), keys (W4) and older messages (W10). */
import { io } from 'socket.io-client'
import type { ChatMessage } from '../protocol.ts'
import type { Pending } from './conversation.ts'

export interface LinkEvents {
  onHistory(messages: ChatMessage[], isFresh: boolean): void
  onMessage(message: ChatMessage): void
  onEdit(id: number, content: string): void
  onDelete(id: number): void
  /** The line is down; it comes back by itself. */
  onLost(): void
  /** The server will not have this token, or no longer: `connect` tries again. */
  onRefused(text: string): void
}

export interface Link {
  connect(): void
  /** Null where the line went down first: then it is not known whether it was stored, and is to be sent again. */
  send(pending: Pending): Promise<{ id: number } | { error: string } | null>
  /** Null where there was no answer. */
  findOlder(before: number): Promise<ChatMessage[] | null>
  close(): void
}

/** Asked of a room never seen: not a cursor, so the answer is a `reload` with the newest page, and cursors from then on. */
const nothingSeen = 'none'
const answerWithinMs = 15_000

export function openLink(findToken: () => Promise<string | null>, events: LinkEvents): Link {
  let cursor = nothingSeen
  let isFresh = true
  const socket = io({
    autoConnect: false,
    forceNew: true,
    // A proxy that lets no WebSocket through costs one failure; the usual order costs everyone two requests.
    transports: ['websocket', 'polling'],
    tryAllTransports: true,
    reconnectionDelay: 500,
    reconnectionDelayMax: 5_000,
    auth: (give) => void findToken().then((token) => give({ token, since: cursor })),
  })
  const note = (at: unknown) => {
    if (typeof at === 'string') cursor = at
  }
  socket.on('reload', (at?: unknown) => {
    isFresh = true
    note(at)
  })
  socket.on('history', (messages: ChatMessage[], at?: unknown) => {
    note(at)
    events.onHistory(messages, isFresh)
    isFresh = false
  })
  socket.on('chat message', (message: ChatMessage, at?: unknown) => {
    note(at)
    events.onMessage(message)
  })
  socket.on('message edited', ({ id, content }: ChatMessage, at?: unknown) => {
    note(at)
    events.onEdit(id, content)
  })
  socket.on('message deleted', ({ id }: ChatMessage, at?: unknown) => {
    note(at)
    events.onDelete(id)
  })
  // A socket that is still active comes back by itself; another was turned away.
  socket.on('connect_error', ({ message }) => (socket.active ? events.onLost() : events.onRefused(message)))
  socket.on('disconnect', () => (socket.active ? events.onLost() : events.onRefused('')))

  return {
    connect: () => void socket.connect(),
    async send({ content, key }) {
      if (!socket.connected) return null
      return ask(socket.timeout(answerWithinMs).emitWithAck('chat message', content, { key }))
    },
    async findOlder(before) {
      if (!socket.connected) return null
      const answer = await ask<{ messages?: ChatMessage[] }>(socket.timeout(answerWithinMs).emitWithAck('older', { before }))
      return answer?.messages ?? null
    },
    // Its end is told as any other, and is nobody's business any more.
    close: () => void socket.off().disconnect(),
  }
}

async function ask<T>(answer: Promise<T>): Promise<T | null> {
  try {
    return await answer
  } catch {
    return null
  }
}
