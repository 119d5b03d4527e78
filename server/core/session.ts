/** A live authenticated client: who he is, what he receives, and the pipe that it goes through. */
import type { ChatEvent } from './events.ts'
import type { RoomId, User } from './model.ts'

/** The pipe, as the transport kit provides it; it knows no user. Its queue is bounded: past its byte budget it ends itself (1013). */
export interface Connection {
  /** Hands whole frames over, in order. The bytes may be shared with other connections and must not be changed. */
  write(bytes: Uint8Array): void
  /** Null where something waits ahead of what would be written, it is closed, or `write` is its only way. */
  findReady?(): ReadyConnection | null
  readonly queuedBytes: number
  /** Resolves when what was written has left, or the connection has closed. */
  drained(): Promise<void>
  /** `code` is a WebSocket close code; a transport without codes just ends. */
  close(code: number, reason: string): void
  /** Why the transport itself ended it, where it did: its reader did not keep up, or its peer answered nothing. */
  readonly fault?: 'too_slow' | 'silent' | null
}

/** Only until anything else is done with any connection: which of them it ends is not known. */
export interface ReadyConnection {
  /** As `write`, once. Throws nothing and ends no connection, so that many can be found first and then written to back to back. */
  writeNow(bytes: Uint8Array): void
}

/** How one dialect shows events; sessions that pass the same object share the encoded bytes. */
export interface Format {
  /** For metrics: the dialect's name. */
  dialect: string
  /** Whether events carry a cursor (A7: only for clients that asked). */
  withCursor: boolean
  /** One frame's text; null where the dialect shows no such event. Pure. */
  encode(event: ChatEvent, cursor: string | null): string | null
  /** What the client is told before it is ended, where the dialect has a frame for that. Pure. */
  encodeEnding?(ending: Ending): string | null
  /** Where the dialect itself sees to a room of which an event could not be shown (C10); else the room's sessions end. */
  onFault?(roomId: RoomId, error: unknown): void
  /** Frames the texts for the transport and joins them into one buffer. */
  join(texts: string[]): Uint8Array
}

/** Why a live connection ends (A15), with its WebSocket close code. */
export const endings = {
  revoked: { code: 4001, text: 'credential revoked' },
  removed: { code: 4003, text: 'no longer a member' },
  stopping: { code: 1012, text: 'server restart' },
  too_slow: { code: 1013, text: 'reader too slow' },
  undeliverable: { code: 1013, text: 'an event could not be shown' },
  not_stored: { code: 1013, text: 'a frame could not be stored' },
  registry_away: { code: 1013, text: 'the token registry is away' },
} as const

export type Ending = keyof typeof endings

type EndedBy = Ending | 'silent' | null

export interface Session {
  readonly user: User
  readonly format: Format
  readonly rooms: Set<RoomId>
  /** SHA-256 of the token that opened it, in hex; null where there was none. Its revocation ends the session. */
  readonly tokenHash: string | null
  /** A door with one room: losing the room ends the session (4003); others only lose the room. */
  readonly hasOneRoom: boolean
  isOpen: boolean
  /** Why we ended it; null while it lives, and where the client left. */
  readonly endedBy: EndedBy
  /** What its connection has not taken yet, and what is held. */
  readonly queuedBytes: number
  /** While a replay is under way: live bytes that wait for its end. Null when live. */
  held: Uint8Array[] | null
  /** Once, where it goes on through this pipe; an end that came before is told at once. Until then it must be held. */
  connect(connection: Connection): void
  /** Live events of the rooms it is in. */
  deliver(bytes: Uint8Array): void
  /** Its connection's, where `deliver` would write to it; else null. */
  findReady(): ReadyConnection | null
  /** Frames for this session alone, ahead of what is held. */
  send(texts: string[]): void
  /** As `send`, for many: waits for the connection between pieces, so that its budget holds. */
  sendMany(texts: string[]): Promise<void>
  /** Begins a hold; what was held before is forgotten. */
  holdAnew(): void
  /** Ends the hold: what waited goes out, then live, or the end that waited behind it. */
  release(): void
  end(ending: Ending): void
  /** As `end`, but what is held goes out first, in its turn. At once where nothing is being held. */
  endBehindHeld(ending: Ending): void
}

export interface SessionOptions {
  user: User
  format: Format
  tokenHash: string | null
  hasOneRoom: boolean
  /** Live bytes that may wait during a replay before the reader counts as too slow. */
  heldBytesMax: number
}

const pieceBytes = 128 * 1024

export function createSession(options: SessionOptions): Session {
  return new LiveSession(options)
}

/** A class, as there are tens of thousands: methods are shared. */
class LiveSession implements Session {
  readonly user: User
  readonly format: Format
  readonly rooms = new Set<RoomId>()
  readonly tokenHash: string | null
  readonly hasOneRoom: boolean
  isOpen = true
  held: Uint8Array[] | null = null
  private heldBytes = 0
  private endingBehindHeld: Ending | null = null
  private ending: Ending | null = null
  private connection: Connection | null = null
  private readonly heldBytesMax: number

  constructor(options: SessionOptions) {
    this.user = options.user
    this.format = options.format
    this.tokenHash = options.tokenHash
    this.hasOneRoom = options.hasOneRoom
    this.heldBytesMax = options.heldBytesMax
  }

  get queuedBytes(): number {
    return (this.connection?.queuedBytes ?? 0) + this.heldBytes
  }

  get endedBy(): EndedBy {
    return this.ending ?? this.connection?.fault ?? null
  }

  connect(connection: Connection): void {
    this.connection = connection
    if (this.ending !== null) this.end(this.ending)
  }

  deliver(bytes: Uint8Array): void {
    if (this.held === null) return this.connection?.write(bytes)
    this.heldBytes += bytes.byteLength
    if (this.heldBytes > this.heldBytesMax) return this.end('too_slow')
    this.held.push(bytes)
  }

  findReady(): ReadyConnection | null {
    return this.held === null ? (this.connection?.findReady?.() ?? null) : null
  }

  send(texts: string[]): void {
    if (texts.length > 0) this.connection?.write(this.format.join(texts))
  }

  async sendMany(texts: string[]): Promise<void> {
    let piece: string[] = []
    let length = 0
    for (const text of texts) {
      piece.push(text)
      length += text.length
      if (length < pieceBytes) continue
      this.send(piece)
      await this.connection?.drained()
      if (!this.isOpen) return
      piece = []
      length = 0
    }
    this.send(piece)
  }

  holdAnew(): void {
    this.held = []
    this.heldBytes = 0
  }

  release(): void {
    const held = this.held ?? []
    this.held = null
    this.heldBytes = 0
    for (const bytes of held) this.connection?.write(bytes)
    if (this.endingBehindHeld) this.end(this.endingBehindHeld)
  }

  end(ending: Ending): void {
    const { code, text } = endings[ending]
    this.ending ??= ending
    const lastWord = this.format.encodeEnding?.(ending) ?? null
    if (lastWord !== null) this.send([lastWord])
    this.connection?.close(code, text)
  }

  endBehindHeld(ending: Ending): void {
    if (this.held === null) this.end(ending)
    else this.endingBehindHeld = ending
  }
}
