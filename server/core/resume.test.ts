import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { connect, connectAll, connectSeveral, openTestChat, until, type TestClient, type TestFrame } from '../../test/chat.ts'
import { Model, type RoomModel } from '../../test/model.ts'
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
const someRooms: Kind = {
  connect: (chat, user, since) => connectSeveral(chat, user, [7, 8], since),
  rooms: [7, 8],
  isFollowing: false,
}
const allRooms: Kind = { connect: connectAll, rooms: [7, 8, 9], isFollowing: true }

/** The user whose client is cut. */
const ownId = 4

type Step =
  | { do: 'post'; node: number; by: number; room: number }
  | { do: 'edit'; node: number; pick: number }
  | { do: 'delete'; node: number; pick: number }
  | { do: 'react' | 'unreact'; node: number; by: number; pick: number }
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
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constantFrom('react' as const, 'unreact' as const), node, by: fc.nat(1), pick: fc.nat(4) }),
  },
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

/** He is let out by one node, then the other writes there and elsewhere: what it wrote may come before his last of that room. */
const leaving: Step[] = [
  { do: 'post', node: 0, by: 0, room: 2 },
  { do: 'remove', node: 0, who: ownId - 1, room: 2 },
  { do: 'post', node: 1, by: 0, room: 2 },
  { do: 'post', node: 1, by: 0, room: 0 },
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
  private readonly kept = new Model(ownId)
  private taken = 0
  private cursor = ''
  private posted: { id: number; by: User; roomId: RoomId }[] = []
  /** Who was out of which room at some time, when no replay told of his marker. */
  private readonly removed = new Set<string>()
  /** Messages that changed while he was out of their room: a replay shows them as they are now, an uncut client had them before. */
  private readonly changedBehindHim = new Set<number>()
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
    if ('room' in now) await this.act(chat, this.rooms[now.room % this.rooms.length]!, now).catch(() => {})
    else if (now.do === 'make') await this.make(chat, now.isOwn)
    else if ('by' in now) await this.react(chat, now)
    else await this.change(chat, now)
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
    if (!(await this.listOwn()).includes(roomId)) this.changedBehindHim.add(id)
    if (now.do === 'delete') await chat.messages.remove(by, roomId, id).catch(() => {})
    else await chat.messages.edit(by, roomId, id, `edited ${now.pick}`).catch(() => {})
  }

  /** One name, few messages and two users: most of what is put to them is taken back again. */
  private async react(chat: Chat, now: { do: 'react' | 'unreact'; by: number; pick: number }): Promise<void> {
    const message = this.posted[now.pick % Math.max(1, this.posted.length)]
    if (!message) return
    const change = now.do === 'react' ? 'add' : 'remove'
    await chat.reactions[change](this.users[now.by]!, message.roomId, message.id, 'like').catch(() => {})
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

  private async listOwn(): Promise<RoomId[]> {
    return (await this.watcher.queries.listRoomsOf(ownId)).map(({ id }) => id)
  }

  async finish(): Promise<void> {
    const own = await this.listOwn()
    // One by each node: a journal's earlier reads come before its last message.
    const last: number[] = []
    for (const chat of this.nodes)
      for (const roomId of own)
        last.push((await chat.messages.post(this.users[3]!, roomId, { content: 'the last' })).event.message.id)
    const hasLast = ({ frames }: TestClient) =>
      last.every((id) => frames.some(({ event }) => 'message' in event && event.message.id === id))
    const isOut = ({ session }: TestClient) => [...session.rooms].every((roomId) => own.includes(roomId))
    await until('the last events at both', () => [this.observer, this.client].every((one) => hasLast(one) && isOut(one)))
    this.take(this.client.frames.length)
    await this.compareAll(own)
    await this.cutEverywhere()
  }

  /** Cuts the replay of the whole story behind each of its events: of these, the rest holds all that had not come and none that had. */
  private async cutEverywhere(): Promise<void> {
    const whole = await this.replay(this.observer.cursor)
    const texts = whole.map(({ event }) => JSON.stringify(event))
    for (const [at, { cursor }] of whole.entries()) {
      const rest = new Set((await this.replay(cursor!)).map(({ event }) => JSON.stringify(event)))
      expect(texts.filter((text) => rest.has(text))).toEqual(texts.slice(at + 1))
    }
  }

  private async replay(since: string): Promise<TestFrame[]> {
    const { frames, isReload, leave } = await this.kind.connect(this.watcher, this.users[3]!, since)
    leave()
    expect(isReload).toBe(false)
    return frames.filter(({ event }) => event.type !== 'presence.changed')
  }

  private async compareAll(own: RoomId[]): Promise<void> {
    const uncut = new Model(ownId)
    const leftOut = this.changedBehindHim
    for (const frame of this.observer.frames) uncut.apply(frame)
    for (const roomId of this.rooms) {
      if (own.includes(roomId)) await this.compare(roomId, uncut.of(roomId))
      else expect(this.kept.asLost(roomId, leftOut)).toEqual(uncut.asLost(roomId, leftOut))
    }
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
    examples: kind.isFollowing ? [[leaving, []]] : [],
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

  it('[A7][C12] so does one of several given rooms', () => holds(someRooms, steps), 300_000)

  it(
    '[A7] so does one of many rooms that it is let into and out of, or that are made with it',
    () => holds(allRooms, followingSteps),
    300_000,
  )
})
