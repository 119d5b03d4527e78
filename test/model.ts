/** What a client that applies all it is handed holds in the end, to compare one that was cut with one that was not. */
import { expect } from 'vitest'
import type { RoomId, UserId } from '../server/core/model.ts'
import type { TestFrame } from './chat.ts'

/** What a client that applies every event holds of one room. */
export class RoomModel {
  readonly messages = new Map<number, string>()
  readonly posted: number[] = []
  /** As `message user reaction`. */
  readonly reactions = new Set<string>()
  readonly members = new Set<number>()
  readonly reads = new Map<number, number>()
  /** How far each has read, by whichever move of his marker. */
  readonly moves = new Map<number, number>()
  lastSeq = 0

  apply({ event }: TestFrame): void {
    if ('seq' in event) {
      expect(event.seq, 'events of a room come in order of seq').toBeGreaterThan(this.lastSeq)
      this.lastSeq = event.seq
    }
    switch (event.type) {
      case 'message.posted':
        expect(this.posted, 'a message comes once').not.toContain(event.message.id)
        this.posted.push(event.message.id)
        this.messages.set(event.message.id, event.message.content)
        break
      case 'message.edited':
        this.messages.set(event.message.id, event.message.content)
        break
      case 'message.deleted':
        this.messages.delete(event.message.id)
        for (const key of this.reactions) if (key.startsWith(`${event.message.id} `)) this.reactions.delete(key)
        break
      case 'reaction.added':
        if (event.message.deletedAt === null) this.reactions.add(`${event.message.id} ${event.userId} ${event.reaction}`)
        break
      case 'reaction.removed':
        this.reactions.delete(`${event.message.id} ${event.userId} ${event.reaction}`)
        break
      case 'member.added':
        this.members.add(event.userId)
        break
      case 'member.removed':
        this.members.delete(event.userId)
        // Who is no member has no marker to show: a replay leaves his reads out.
        this.reads.delete(event.userId)
        break
      case 'read.advanced':
        if (event.explicit) this.reads.set(event.userId, event.markerSeq)
        // One that moved nothing is in no replay.
        if (event.passed || !event.explicit)
          this.moves.set(event.userId, Math.max(event.markerSeq, this.moves.get(event.userId) ?? 0))
    }
  }

  get state() {
    return {
      messages: [...this.messages],
      reactions: [...this.reactions].toSorted(),
      members: [...this.members].toSorted((a, b) => a - b),
      reads: [...this.reads].toSorted((a, b) => a[0] - b[0]),
    }
  }
}

/** What it holds of all: of a room that it has lost only how it was then, and of one that it entered all from then on. */
export class Model {
  private readonly rooms = new Map<RoomId, RoomModel>()
  private readonly lost = new Map<RoomId, RoomModel>()
  private readonly ownId: UserId

  constructor(ownId: UserId) {
    this.ownId = ownId
  }

  apply(frame: TestFrame): void {
    const { event } = frame
    const isOwn = 'seq' in event && event.userId === this.ownId
    if (isOwn && event.type === 'member.added') this.restart(event.roomId)
    this.of(event.roomId).apply(frame)
    if (!isOwn || event.type !== 'member.removed') return
    this.lost.set(event.roomId, this.of(event.roomId))
    this.rooms.delete(event.roomId)
  }

  /** Undefined for a room that it never lost. */
  asLost(roomId: RoomId, leftOut: Set<number>) {
    const room = this.lost.get(roomId)
    const messages = room?.state.messages.filter(([id]) => !leftOut.has(id)).toSorted((a, b) => a[0] - b[0])
    const reactions = room?.state.reactions.filter((key) => !leftOut.has(Number(key.split(' ')[0])))
    return room && { lastSeq: room.lastSeq, members: room.state.members, messages, reactions }
  }

  /** Reads may come before it, as no order holds between them and what other journals wrote; markers only move forward. */
  private restart(roomId: RoomId): void {
    const { lastSeq, moves } = this.of(roomId)
    this.rooms.set(roomId, Object.assign(new RoomModel(), { lastSeq, moves }))
  }

  of(roomId: RoomId): RoomModel {
    const known = this.rooms.get(roomId) ?? new RoomModel()
    this.rooms.set(roomId, known)
    return known
  }
}
