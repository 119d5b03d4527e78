/**
 * Delivery inside a process: an event is encoded once per format that is present in the room, all that one commit brought for a
 * room is joined into one buffer, and each connection gets one write of that same buffer. Nothing here is per recipient.
 */
import type { ChatEvent } from './events.ts'
import type { RoomId, Stamp } from './model.ts'
import type { Format, Session } from './session.ts'

export interface Hub {
  subscribe(roomId: RoomId, session: Session): void
  unsubscribe(roomId: RoomId, session: Session): void
  /** Hands a commit's events, in their order, to the sessions of their rooms. `cursorAt` gives the cursor of who has heard up to there. */
  handOut(events: ChatEvent[], cursorAt: (stamp: Stamp) => string): void
  /** The same for presence, which has no stamp: `cursor` is that of what was handed out last. */
  announce(events: ChatEvent[], cursor: string): void
}

export interface HubObserver {
  /** A run of events left for `receivers` sessions of one format. */
  onFanOut(dialect: string, events: number, receivers: number): void
  /** Worth a line in the log. */
  onTrouble(text: string): void
  /** This session lost this room: its user was removed, or the room is gone. */
  onRoomLost(session: Session, roomId: RoomId): void
}

type Audience = Map<Format, Set<Session>>

export function createHub(observer: HubObserver): Hub {
  return new LocalHub(observer)
}

class LocalHub implements Hub {
  private readonly audiences = new Map<RoomId, Audience>()
  private readonly observer: HubObserver

  constructor(observer: HubObserver) {
    this.observer = observer
  }

  subscribe(roomId: RoomId, session: Session): void {
    const audience = entryOf(this.audiences, roomId, () => new Map<Format, Set<Session>>())
    entryOf(audience, session.format, () => new Set<Session>()).add(session)
    session.rooms.add(roomId)
  }

  unsubscribe(roomId: RoomId, session: Session): void {
    session.rooms.delete(roomId)
    const audience = this.audiences.get(roomId)
    const sessions = audience?.get(session.format)
    if (!audience || !sessions) return
    sessions.delete(session)
    if (sessions.size === 0) audience.delete(session.format)
    if (audience.size === 0) this.audiences.delete(roomId)
  }

  handOut(events: ChatEvent[], cursorAt: (stamp: Stamp) => string): void {
    for (const run of splitIntoRuns(events)) {
      const { roomId } = run[0]!
      const audience = this.audiences.get(roomId)
      if (!audience) continue
      this.deliver(audience, run, (event) => cursorAt((event as { stamp: Stamp }).stamp))
      this.endWhoLostTheRoom(audience, run.at(-1)!)
    }
  }

  announce(events: ChatEvent[], cursor: string): void {
    for (const run of splitIntoRuns(events)) {
      const audience = this.audiences.get(run[0]!.roomId)
      if (audience) this.deliver(audience, run, () => cursor)
    }
  }

  private deliver(audience: Audience, run: ChatEvent[], cursorOf: (event: ChatEvent) => string): void {
    for (const [format, sessions] of audience) {
      try {
        this.deliverTo(format, sessions, encodeRun(format, run, cursorOf))
      } catch (error) {
        // A fault in one format must not cost the others their events; its own sessions come back and resume from before it.
        this.observer.onTrouble(`an event could not be shown in ${format.dialect}: ${String(error)}`)
        for (const session of sessions) session.end('undeliverable')
      }
    }
  }

  private deliverTo(format: Format, sessions: Set<Session>, texts: string[]): void {
    if (texts.length === 0) return
    const bytes = format.join(texts)
    for (const session of sessions) session.deliver(bytes)
    this.observer.onFanOut(format.dialect, texts.length, sessions.size)
  }

  private endWhoLostTheRoom(audience: Audience, event: ChatEvent): void {
    if (!endsARun(event)) return
    const losers = [...audience.values()].flatMap((sessions) => [...sessions])
    for (const session of losers) {
      if (event.type === 'member.removed' && session.user.id !== event.userId) continue
      this.observer.onRoomLost(session, event.roomId)
    }
  }
}

function encodeRun(format: Format, run: ChatEvent[], cursorOf: (event: ChatEvent) => string): string[] {
  const texts: string[] = []
  for (const event of run) {
    const text = format.encode(event, format.withCursor ? cursorOf(event) : null)
    if (text !== null) texts.push(text)
  }
  return texts
}

/** Neighbours of one room go together. Who was removed must not get what follows, so a run ends there. */
function splitIntoRuns(events: ChatEvent[]): ChatEvent[][] {
  const runs: ChatEvent[][] = []
  let last: ChatEvent | undefined
  for (const event of events) {
    if (last && last.roomId === event.roomId && !endsARun(last)) runs.at(-1)!.push(event)
    else runs.push([event])
    last = event
  }
  return runs
}

function endsARun(event: ChatEvent): boolean {
  return event.type === 'member.removed' || event.type === 'room.deleted'
}

function entryOf<K, V>(map: Map<K, V>, key: K, create: () => V): V {
  let value = map.get(key)
  if (value === undefined) map.set(key, (value = create()))
  return value
}
