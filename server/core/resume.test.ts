import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { connect, connectAll, openTestChat, until, type TestClient, type TestFrame } from '../../test/chat.ts'
import type { Bus } from '../bus/bus.ts'
import { createMemoryBus } from '../bus/memory/memory-bus.ts'
import { createMemoryDatabase } from '../storage/memory/memory.ts'
import type { Chat } from './chat.ts'
import type { RoomId, User } from './model.ts'

/** Whether a client is in one room, or in all of its user's, which it gains and loses. */
interface Kind {
  connect(chat: Chat, user: User, since: string): Promise<TestClient>
  rooms: RoomId[]
  isFollowing: boolean
}

const oneRoom: Kind = { connect: (chat, user, since) => connect(chat, user, 7, since), rooms: [7], isFollowing: false }
const allRooms: Kind = { connect: connectAll, rooms: [7, 8, 9], isFollowing: true }

/** The user whose client is cut. */
const ownId = 4

/** What a client that applies every event holds of one room. */
class RoomModel {
  readonly messages = new Map<number, string>()
  readonly posted: number[] = []
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
      members: [...this.members].toSorted((a, b) => a - b),
      reads: [...this.reads].toSorted((a, b) => a[0] - b[0]),
    }
  }
}

/** What it holds of all: nothing of a room that it has lost, and of one that it entered all from then on. */
class Model {
  private readonly rooms = new Map<RoomId, RoomModel>()

  apply(frame: TestFrame): void {
    const { event } = frame
    const isOwn = 'seq' in event && event.userId === ownId
    if (isOwn && event.type === 'member.added') this.restart(event.roomId)
    this.of(event.roomId).apply(frame)
    if (isOwn && event.type === 'member.removed') this.rooms.delete(event.roomId)
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

type Step =
  | { do: 'post'; node: number; by: number; room: number }
  | { do: 'edit'; node: number; pick: number }
  | { do: 'delete'; node: number; pick: number }
  | { do: 'read'; node: number; by: number; room: number }
  | { do: 'add' | 'remove'; node: number; who: number; room: number }
  | { do: 'invite'; node: number; room: number }
  | { do: 'make'; node: number; isOwn: boolean }
  | { do: 'restart'; node: number; crashes: boolean }
  /** The client goes away having taken only so many frames of what it was handed last, and comes back to another node. */
  | { do: 'cut'; keep: number; node: number }

const node = fc.nat(1)
const room = fc.nat(3)
const steps: { weight: number; arbitrary: fc.Arbitrary<Step> }[] = [
  { weight: 8, arbitrary: fc.record({ do: fc.constant('post' as const), node, by: fc.nat(2), room }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('edit' as const), node, pick: fc.nat(20) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('delete' as const), node, pick: fc.nat(20) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('read' as const), node, by: fc.nat(2), room }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('add' as const, 'remove' as const), node, who: fc.nat(1), room }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const), node, crashes: fc.boolean() }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('cut' as const), keep: fc.nat(6), node }) },
]
const followingSteps: typeof steps = [
  ...steps,
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constantFrom('add' as const, 'remove' as const), node, who: fc.constant(ownId - 1), room }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('invite' as const), node, room }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('make' as const), node, isOwn: fc.boolean() }) },
]

/** A bus that loses what the run says it loses. */
function lossy(bus: Bus, loses: () => boolean): Bus {
  return { ...bus, publish: (commit) => void (loses() || bus.publish(commit)) }
}

/** Two nodes on one database, an observer that is never cut, and a client that is. */
class World {
  private readonly database = createMemoryDatabase()
  private readonly bus = createMemoryBus()
  private readonly losses: boolean[]
  private nodes: Chat[] = []
  private users: User[] = []
  private watcher!: Chat
  private observer!: TestClient
  private client!: TestClient
  /** What the cut client has kept, and how much of its present connection it has applied. */
  private readonly kept = new Model()
  private taken = 0
  private cursor = ''
  private posted: { id: number; by: User; roomId: RoomId }[] = []
  /** Who was out of which room at some time, when no replay told of his marker. */
  private readonly removed = new Set<string>()
  private readonly kind: Kind
  private readonly rooms: RoomId[]

  constructor(kind: Kind, losses: boolean[]) {
    this.kind = kind
    this.rooms = [...kind.rooms]
    this.losses = [...losses]
  }

  private open(): Promise<Chat> {
    return openTestChat(this.database.openStorage(), { bus: lossy(this.bus.connect(), () => this.losses.pop() ?? false) })
  }

  async start(): Promise<void> {
    this.nodes = [await this.open(), await this.open()]
    this.watcher = await this.open()
    for (const id of [1, 2, 3, 4]) this.users.push(await this.watcher.accounts.getOrMake(id))
    for (const user of this.users) for (const roomId of this.rooms) await this.watcher.rooms.touchOpen(user, roomId)
    this.observer = await this.kind.connect(this.watcher, this.users[3]!, '')
    this.cursor = this.observer.cursor
    this.client = await this.kind.connect(this.nodes[0]!, this.users[3]!, this.cursor)
  }

  async run(now: Step): Promise<void> {
    if (now.do === 'restart') return this.restart(now)
    if (now.do === 'cut') return this.cut(now)
    const chat = this.nodes[now.node]!
    if (now.do === 'edit' || now.do === 'delete') await this.change(chat, now)
    else if (now.do === 'make') await this.make(chat, now.isOwn)
    else await this.act(chat, this.rooms[now.room % this.rooms.length]!, now).catch(() => {})
  }

  private async act(chat: Chat, roomId: RoomId, now: Step): Promise<void> {
    if (now.do === 'post') {
      const by = this.users[now.by]!
      const { event } = await chat.messages.post(by, roomId, { content: `text ${this.posted.length}` })
      this.posted.push({ id: event.message.id, by, roomId })
    } else if (now.do === 'read') await chat.reads.advance(this.users[now.by]!, roomId, null)
    else if (now.do === 'invite') await chat.members.invite({ kind: 'nobody' }, roomId, [1, ownId, 3])
    else if (now.do === 'add' || now.do === 'remove') {
      const { userId } = await chat.members[now.do]({ kind: 'nobody' }, roomId, now.who + 1)
      if (now.do === 'remove') this.removed.add(`${userId}@${roomId}`)
    }
  }

  private async make(chat: Chat, isOwn: boolean): Promise<void> {
    const memberIds = isOwn ? [2, ownId] : [2]
    this.rooms.push((await chat.rooms.createGroup({ name: 'made', description: null }, [1, ...memberIds], 1)).id)
  }

  private async change(chat: Chat, now: { do: string; pick: number }): Promise<void> {
    const message = this.posted[now.pick % Math.max(1, this.posted.length)]
    if (!message) return
    const { by, roomId, id } = message
    if (now.do === 'delete') await chat.messages.remove(by, roomId, id).catch(() => {})
    else await chat.messages.edit(by, roomId, id, `edited ${now.pick}`).catch(() => {})
  }

  private async restart({ node: index, crashes }: { node: number; crashes: boolean }): Promise<void> {
    const isOurs = index === 0 && this.client.session.isOpen
    if (isOurs) this.take(this.client.frames.length)
    if (!crashes) await this.nodes[index]!.close()
    this.nodes[index] = await this.open()
    await this.reconnect(this.nodes[index])
  }

  private async cut({ keep, node: index }: { keep: number; node: number }): Promise<void> {
    this.take(this.taken + keep)
    await this.reconnect(this.nodes[index]!)
  }

  private async reconnect(chat: Chat): Promise<void> {
    this.client.leave()
    this.client = await this.kind.connect(chat, this.users[3]!, this.cursor)
    this.taken = 0
    expect(this.client.isReload).toBe(false)
  }

  private take(upTo: number): void {
    for (const frame of this.client.frames.slice(this.taken, upTo)) {
      if (frame.event.type === 'presence.changed') continue
      this.kept.apply(frame)
      this.cursor = frame.cursor!
    }
    this.taken = Math.min(upTo, this.client.frames.length)
  }

  async finish(): Promise<void> {
    const own = (await this.watcher.queries.listRoomsOf(ownId)).map(({ id }) => id)
    // One by each node: a journal's earlier reads come before its last message.
    const last: number[] = []
    for (const chat of this.nodes)
      for (const roomId of own)
        last.push((await chat.messages.post(this.users[3]!, roomId, { content: 'the last' })).event.message.id)
    const hasLast = ({ frames }: TestClient) =>
      last.every((id) => frames.some(({ event }) => 'message' in event && event.message.id === id))
    await until('the last messages at both', () => hasLast(this.observer) && hasLast(this.client))
    this.take(this.client.frames.length)
    const uncut = new Model()
    for (const frame of this.observer.frames) uncut.apply(frame)
    for (const roomId of own) await this.compare(roomId, uncut.of(roomId))
  }

  private async compare(roomId: RoomId, uncut: RoomModel): Promise<void> {
    const kept = this.kept.of(roomId)
    if (!this.kind.isFollowing) return expect(kept.state).toEqual(uncut.state)
    expect({ ...kept.state, reads: [] }).toEqual({ ...uncut.state, reads: [] })
    // Of what was read while he was out a replay may tell the newest.
    for (const { member } of await this.watcher.queries.listMembers({ kind: 'nobody' }, roomId)) {
      if (this.removed.has(`${member.userId}@${roomId}`)) continue
      const [known, atLeast] = [kept.moves.get(member.userId) ?? 0, uncut.moves.get(member.userId) ?? 0]
      expect(known, 'no move is lost').toBeGreaterThanOrEqual(atLeast)
      expect(known).toBeLessThanOrEqual(member.marker.seq)
    }
  }

  async close(): Promise<void> {
    for (const chat of [...this.nodes, this.watcher]) await chat.close()
  }
}

function holds(kind: Kind, of: typeof steps): Promise<void> {
  const run = async (did: Step[], losses: boolean[]) => {
    const world = new World(kind, losses)
    await world.start()
    try {
      for (const now of did) await world.run(now)
      await world.finish()
    } finally {
      await world.close()
    }
  }
  const story = fc.array(fc.oneof(...of), { minLength: 5, maxLength: 60 })
  return fc.assert(fc.asyncProperty(story, fc.array(fc.boolean(), { maxLength: 60 }), run), {
    numRuns: Number(process.env.RUNS ?? 100),
    interruptAfterTimeLimit: 100_000,
  })
}

describe('resume', () => {
  it(
    '[A7] a client cut anywhere, also in mid-replay and with several journals writing, ends with exactly what an uncut one has',
    () => holds(oneRoom, steps),
    300_000,
  )

  it(
    '[A7] so does one of many rooms that it is let into and out of, or that are made with it',
    () => holds(allRooms, followingSteps),
    300_000,
  )
})
