/** An open socket of this door: the rooms that it is bound to, and the order in which it enters and leaves them. */
import type { RoomId } from '../../core/model.ts'
import type { Session } from '../../core/session.ts'

export class Seat {
  readonly session: Session
  /** C12: null without cursors. */
  readonly since: string | null
  /** Also those that it has still to enter. */
  readonly rooms = new Set<RoomId>()
  /** It was not handed something of its rooms, and holds what came after: with cursors it is to be told to reload first. */
  isStale = false
  /** Whether the registry counts it among his open sockets. */
  isCounted = false
  /** Its first frames are out: what was to be done in its turn is done now. */
  begin!: () => void
  private last: Promise<void>

  constructor(session: Session, since: string | null) {
    this.session = session
    this.since = since
    this.last = new Promise((resolve) => (this.begin = resolve))
  }

  get withCursor(): boolean {
    return this.since !== null
  }

  /** One after the other: of two that enter rooms at once, neither could tell up to where the other's frames have gone. */
  inTurn(act: () => Promise<void>): void {
    this.last = this.last.then(act)
  }

  /** When all that was begun so far is done. */
  settled(): Promise<void> {
    return this.last
  }
}
