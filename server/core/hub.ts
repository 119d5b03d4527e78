/**
 * Delivery inside a process: an event is encoded once per format that is present in the room, all that one commit brought for a
 * room is joined into one buffer, and each connection gets one write of that same buffer. Nothing here is per recipient.
 */
import type { Clock } from './clock.ts'
import type { ChatEvent, MemberAdded, MemberRemoved, RoomCreated, RoomDeleted } from './events.ts'
import type { RoomId, Stamp } from './model.ts'
import type { Format, ReadyConnection, Session } from './session.ts'

export interface Hub {
  subscribe(roomId: RoomId, session: Session): void
  unsubscribe(roomId: RoomId, session: Session): void
  /** Hands a commit's events, in their order, to the sessions of their rooms. `cursorAt` gives the cursor of who has heard up to there. */
  handOut(events: ChatEvent[], cursorAt: (stamp: Stamp) => string): void
  /** The same for presence, which has no stamp: `cursor` is that of what was handed out last. */
  announce(events: ChatEvent[], cursor: string): void
  /** Writes what is left of the hand-out under way. Until then no cursor that covers it may go to anyone. */
  finish(): void
}

/** Somebody is let into a room: one event for each room that is made, and for each invitation its first. */
export type RoomEntry = RoomCreated | MemberAdded
/** Somebody is out of a room, or the room is gone. */
export type RoomExit = MemberRemoved | RoomDeleted

export interface HubObserver {
  /** Before it is delivered: whoever is subscribed now gets it. */
  onEntry(event: RoomEntry): void
  /** After it was delivered, and `onRoomLost` called. */
  onExit(event: RoomExit): void
  /** A run of events left for `receivers` sessions of one format. */
  onFanOut(dialect: string, events: number, receivers: number): void
  /** Worth a line in the log; with an error, a fault of ours. */
  onTrouble(text: string, error?: unknown): void
  /** This session lost this room: its user was removed, or the room is gone. */
  onRoomLost(session: Session, roomId: RoomId): void
}

type Audience = Map<Format, Set<Session>>

/** Writes in a row (0.5 ms or so): a large room does not keep the loop from all else, least of all from its own next commit. */
const writesAtOnce = 128

/** Bytes on their way to those who were there when they were handed out. */
interface Delivery {
  sessions: Session[]
  bytes: Uint8Array
  /** The first that was not asked yet whether its connection is ready. */
  next: number
  /** Those whose was not, and who have not got them yet. */
  waiting: Session[]
}

export function createHub(clock: Pick<Clock, 'soon'>, observer: HubObserver): Hub {
  return new LocalHub(clock, observer)
}

class LocalHub implements Hub {
  private readonly audiences = new Map<RoomId, Audience>()
  private readonly clock: Pick<Clock, 'soon'>
  private readonly observer: HubObserver
  /** Of the hand-out under way, in order. */
  private readonly left: Delivery[] = []
  private isGoingOn = false

  constructor(clock: Pick<Clock, 'soon'>, observer: HubObserver) {
    this.clock = clock
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
    this.finish()
    for (const run of splitIntoRuns(events)) {
      const [first, last] = [run[0]!, run.at(-1)!]
      if (isEntry(first)) this.observer.onEntry(first)
      const audience = this.audiences.get(first.roomId)
      if (audience) this.deliver(audience, run, (event) => cursorAt((event as { stamp: Stamp }).stamp))
      if (isExit(last)) this.takeOut(audience, last)
    }
  }

  announce(events: ChatEvent[], cursor: string): void {
    this.finish()
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
        this.onFault(format, sessions, run[0]!.roomId, error)
      }
    }
  }

  /** A fault in one format must not cost the others their events; its own sessions come back and resume from before it. */
  private onFault(format: Format, sessions: Set<Session>, roomId: RoomId, error: unknown): void {
    if (format.onFault) return format.onFault(roomId, error)
    this.observer.onTrouble(`an event could not be shown in ${format.dialect}`, error)
    for (const session of sessions) session.end('undeliverable')
  }

  private deliverTo(format: Format, sessions: Set<Session>, texts: string[]): void {
    if (texts.length === 0) return
    const isFirst = this.left.length === 0
    this.left.push({ sessions: [...sessions], bytes: format.join(texts), next: 0, waiting: [] })
    if (isFirst) this.write(writesAtOnce)
    this.goOnSoon()
    this.observer.onFanOut(format.dialect, texts.length, sessions.size)
  }

  private goOnSoon(): void {
    if (this.isGoingOn || this.left.length === 0) return
    this.isGoingOn = true
    this.clock.soon(() => {
      this.isGoingOn = false
      this.write(writesAtOnce)
      this.goOnSoon()
    })
  }

  finish(): void {
    this.write(Infinity)
  }

  private write(writes: number): void {
    let more = writes
    while (more > 0 && this.left.length > 0) more -= this.writeSlice(this.left[0]!, Math.min(more, writesAtOnce))
  }

  /**
   * All are asked before anybody is written to, as the kernel's writes are quicker back to back. Writing to the others may end one and
   * come back here, so that who waits is the delivery's: nothing that comes behind it overtakes it.
   */
  private writeSlice(delivery: Delivery, size: number): number {
    const { sessions, waiting, bytes } = delivery
    const slice = sessions.slice(delivery.next, delivery.next + size)
    delivery.next += slice.length
    const ready: ReadyConnection[] = []
    for (const session of slice) {
      const connection = session.findReady()
      if (connection) ready.push(connection)
      else waiting.push(session)
    }
    for (const connection of ready) connection.writeNow(bytes)
    while (waiting.length > 0) this.writeTo(waiting.shift()!, bytes)
    if (delivery.next === sessions.length && this.left[0] === delivery) this.left.shift()
    return slice.length
  }

  /** A fault of one connection must not cost the others their events; its own session comes back and resumes from before it. */
  private writeTo(session: Session, bytes: Uint8Array): void {
    try {
      session.deliver(bytes)
    } catch (error) {
      this.observer.onTrouble(`an event could not be written in ${session.format.dialect}`, error)
      session.end('undeliverable')
    }
  }

  private takeOut(audience: Audience | undefined, event: RoomExit): void {
    this.finish()
    const losers = [...(audience?.values() ?? [])].flatMap((sessions) => [...sessions])
    for (const session of losers) {
      if (event.type === 'member.removed' && session.user.id !== event.userId) continue
      this.observer.onRoomLost(session, event.roomId)
    }
    this.observer.onExit(event)
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

/** Neighbours of one room go together. Who is let in gets nothing from before, who was removed nothing from after: runs begin and end there. */
function splitIntoRuns(events: ChatEvent[]): ChatEvent[][] {
  const runs: ChatEvent[][] = []
  let last: ChatEvent | undefined
  for (const event of events) {
    if (last && last.roomId === event.roomId && !isExit(last) && !isEntry(event)) runs.at(-1)!.push(event)
    else runs.push([event])
    last = event
  }
  return runs
}

/** Of an invitation of many only the first is one: all of them are in with it, and the rest goes in one write. */
function isEntry(event: ChatEvent): event is ChatEvent & RoomEntry {
  return event.type === 'room.created' || (event.type === 'member.added' && event.together[0] === event.userId)
}

function isExit(event: ChatEvent): event is ChatEvent & RoomExit {
  return event.type === 'member.removed' || event.type === 'room.deleted'
}

function entryOf<K, V>(map: Map<K, V>, key: K, create: () => V): V {
  let value = map.get(key)
  if (value === undefined) map.set(key, (value = create()))
  return value
}
