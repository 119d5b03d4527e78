/** What a member missed, as texts of his client's format (A7). */
import type { LogStore, Membership } from '../storage/storage.ts'
import { formatCursor, isCovered, type Cursor } from './cursor.ts'
import type { ChatEvent } from './events.ts'
import type { Member } from './model.ts'
import { collectMissed, type Gap, type Stays } from './resume.ts'
import type { Session } from './session.ts'
import type { UserCache } from './user-cache.ts'

/** Where it is found. */
export interface ReplaySources {
  log: LogStore
  users: UserCache
  /** More missed events than this are a reload. */
  replayMax: number
}

/** From what the client has been handed to what this process has handed out. */
export interface Span {
  from: Cursor
  upTo: Cursor
}

/** How a client that entered goes on. Its session is held until `release`. */
export interface EnteredAll {
  /** What it had been handed when it entered: its own cursor, or the present end for one that did not resume. */
  cursor: string
  /** What it missed cannot be replayed: it must load anew (A7). */
  isReload: boolean
  /** Texts of the missed events, in its format. */
  missed: string[]
  /** The cursor of who has received `missed` as well. */
  cursorAfter: string
}

/** Of one room, of which the user is a member. Null where it is too much. */
export function replayRoom(sources: ReplaySources, session: Session, member: Member, span: Span): Promise<string[] | null> {
  const { roomId, joinedSeq } = member
  const room = { roomId, stays: [{ joinedSeq, leftStamp: null }], lastStamp: null }
  return encodeMissed(sources, session, [room], { ...span, explicitReads: true })
}

/** Of several rooms. Null where it is too much. */
export function replayRooms(sources: ReplaySources, session: Session, rooms: Stays[], span: Span) {
  return encodeMissed(sources, session, rooms.filter(mayBeMissedAfter(span)), { ...span, explicitReads: true })
}

/** Of all rooms of the user. Null where it is too much. */
export async function replayAll(sources: ReplaySources, session: Session, span: Span): Promise<string[] | null> {
  // Asked again now that he is subscribed: what was committed before V shows here.
  const memberships = await sources.log.listMembershipsOf(session.user.id)
  const rooms = memberships.map(latestStay).filter(mayBeMissedAfter(span))
  return encodeMissed(sources, session, rooms, { ...span, explicitReads: false })
}

/** What is covered needs no further look, so a thousand chats in which nothing happened cost none. */
function mayBeMissedAfter({ from }: Span): (room: Stays) => boolean {
  return ({ stays, lastStamp }) => {
    const ends = stays.map(({ leftStamp }) => leftStamp ?? lastStamp)
    return ends.some((end) => end === null || !isCovered(from, end))
  }
}

function latestStay({ member: { roomId, joinedSeq }, leftStamp, lastStamp }: Membership): Stays {
  return { roomId, stays: [{ joinedSeq, leftStamp }], lastStamp }
}

async function encodeMissed(
  { log, users, replayMax }: ReplaySources,
  { format }: Session,
  rooms: Stays[],
  gap: Omit<Gap, 'limit'>,
): Promise<string[] | null> {
  const missed = await collectMissed(log, rooms, { ...gap, limit: replayMax })
  if (missed === null) return null
  const events: ChatEvent[] = await users.complete(missed.map(({ fact }) => fact))
  const texts = events.map((event, index) => format.encode(event, formatCursor(missed[index]!.cursor)))
  return texts.filter((text) => text !== null)
}
