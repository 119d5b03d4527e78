/** An open socket of this door: the rooms that it is bound to, and the order in which it enters and leaves them. */
import type { RoomId } from '../../core/model.ts'
import type { Session } from '../../core/session.ts'

/** A frame that is made when it goes out, so that its cursor never lags behind one that the socket has. */
type Answer = (cursor: string | null) => string

/** Some hundred bytes each: about as much as a session may hold. */
const answersMax = 5_000

export class Seat {
  readonly session: Session
  /** C12: null without cursors. */
  readonly since: string | null
  /** With the `joinedSeq` of the membership by which it is bound; also those that it has still to enter. */
  readonly rooms = new Map<RoomId, number>()
  /** Those that it is out of while it is held, or was before it opened: what it is to hear of that may be forgotten, and a reload names them. */
  readonly left = new Set<RoomId>()
  /** It was not handed something of its rooms, and holds what came after: with cursors it is to be told to reload first. */
  isStale = false
  /** Whether the registry counts it among his open sockets. */
  isCounted = false
  /** Its first frames are out: what was to be done in its turn is done now. */
  begin!: () => void
  private last: Promise<void>
  private readonly cursor: () => string
  /** They outlive what the session holds, which is forgotten where it is told its rooms anew. */
  private readonly answers: Answer[] = []

  /** `cursor`: of what has been handed out. */
  constructor(session: Session, since: string | null, cursor: () => string) {
    this.session = session
    this.since = since
    this.cursor = cursor
    this.last = new Promise((resolve) => (this.begin = resolve))
  }

  get withCursor(): boolean {
    return this.since !== null
  }

  /** To this socket alone, behind what it holds. */
  answer(answer: Answer): void {
    const { session } = this
    if (!session.isOpen) return
    // A hand-out that the cursor waits for may be what begins a hold.
    const cursor = this.withCursor ? this.cursor() : null
    if (session.held === null) session.deliver(session.format.join([answer(cursor)]))
    else if (this.answers.push(answer) > answersMax) session.end('too_slow')
  }

  /** Ends the hold. */
  release(): void {
    this.session.release()
    this.left.clear()
    for (const answer of this.answers.splice(0)) this.answer(answer)
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
