/** What a socket is told as it enters rooms: their history (C1), or what it missed (C12). */
import type { Binding } from '../../core/binding-record.ts'
import { unknownCursor } from '../../core/cursor.ts'
import { toChatError } from '../../core/errors.ts'
import type { LiveRooms } from '../../core/live-rooms.ts'
import type { RoomId } from '../../core/model.ts'
import { listRecentUpTo, type RecentStores } from '../../core/recent-messages.ts'
import type { EnteredRooms, Tour } from '../../core/several-rooms.ts'
import type { Door } from '../door.ts'
import { encodeHistory, encodeReload } from './encode.ts'
import type { Seat } from './seat.ts'

export interface Arrival {
  entered: EnteredRooms
  frames: string[]
  /** An error ended these Rooms: they are told again. */
  failed: RoomId[]
}

export class Arrivals {
  private readonly door: Door
  private readonly stores: RecentStores
  private readonly rooms: LiveRooms<Seat>

  constructor(door: Door, stores: RecentStores, rooms: LiveRooms<Seat>) {
    this.door = door
    this.stores = stores
    this.rooms = rooms
  }

  /** Without `since` it is the history. Throws ChatError unavailable. */
  async enter(seat: Seat, tour: Tour): Promise<Arrival> {
    const { since } = tour
    const entered = await this.enterRooms(seat, tour)
    // Without a room there is nothing to resume: the client connects anew.
    const isNowhere = entered.isReload ? entered.roomIds.length === 0 : since && tour.bindings.length + tour.lost.length === 0
    if (isNowhere) return { entered, frames: [encodeReload(null, entered.cursorAfter)], failed: [] }
    if (since !== null && !entered.isReload) return { entered, frames: entered.missed, failed: [] }
    const told = await Promise.all(entered.roomIds.map((roomId) => this.tell(roomId, entered, seat)))
    const failed = entered.roomIds.filter((_, nth) => told[nth] === null)
    // With cursors all of its rooms are told again then: no cursor may say that they were by now.
    const isInVain = failed.length > 0 && seat.withCursor
    const frames = [...nameLeft(entered, seat), ...told.flatMap((frames) => frames ?? [])]
    return { entered, frames: isInVain ? [] : frames, failed }
  }

  /** What cannot be replayed for an error of ours must not keep him out for good: he is told to reload. */
  private async enterRooms({ session, rooms }: Seat, tour: Tour): Promise<EnteredRooms> {
    const { sessions } = this.door.chat
    const isBound = ([roomId, joinedSeq]: Binding) => rooms.get(roomId) === joinedSeq
    try {
      return await sessions.enterRooms(session, tour, isBound)
    } catch (error) {
      if (toChatError(error) !== null || !tour.since) throw error
      this.door.log.error('What was missed could not be shown.', { userId: session.user.username, error })
      return sessions.enterRooms(session, { ...tour, since: unknownCursor }, isBound)
    }
  }

  /** Null where an error ended the Room. */
  private async tell(roomId: RoomId, entered: EnteredRooms, { withCursor }: Seat): Promise<string[] | null> {
    // Who has only some of these frames has not been told all that the cursor covers, and hands back one that says so.
    const cursor = roomId === entered.roomIds.at(-1) ? entered.cursorAfter : unknownCursor
    const reload = entered.isReload ? [encodeReload(roomId, unknownCursor)] : []
    let frames: string[] | null = null
    await this.rooms.run(roomId, async () => {
      const messages = await listRecentUpTo(this.stores, roomId, entered.upTo)
      const history = encodeHistory(roomId, await this.door.chat.queries.withAuthors(messages), withCursor ? cursor : null)
      frames = [...reload, history]
    })
    return frames
  }
}

/** With a reload also those of his rooms that he is out of meanwhile: nothing else would tell him so. */
function nameLeft({ isReload, roomIds, lost }: EnteredRooms, { left }: Seat): string[] {
  if (!isReload) return []
  const gone = new Set([...left, ...lost.map(({ roomId }) => roomId)])
  for (const roomId of roomIds) gone.delete(roomId)
  return [...gone].map((roomId) => encodeReload(roomId, unknownCursor))
}
