import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { connect, openTestChat, until, type TestClient, type TestFrame } from '../../test/chat.ts'
import type { Bus } from '../bus/bus.ts'
import { createMemoryBus } from '../bus/memory/memory-bus.ts'
import { createMemoryDatabase } from '../storage/memory/memory.ts'
import type { Chat } from './chat.ts'
import type { User } from './model.ts'

const roomId = 7

/** What a client that applies every event holds. */
class Model {
  readonly messages = new Map<number, string>()
  readonly posted: number[] = []
  readonly members = new Set<number>()
  readonly reads = new Map<number, number>()
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

type Step =
  | { do: 'post'; node: number; by: number }
  | { do: 'edit'; node: number; pick: number }
  | { do: 'delete'; node: number; pick: number }
  | { do: 'read'; node: number; by: number }
  | { do: 'add' | 'remove'; node: number; who: number }
  | { do: 'restart'; node: number; crashes: boolean }
  /** The client goes away having taken only so many frames of what it was handed last, and comes back to another node. */
  | { do: 'cut'; keep: number; node: number }

const node = fc.nat(1)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant('post' as const), node, by: fc.nat(2) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('edit' as const), node, pick: fc.nat(20) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('delete' as const), node, pick: fc.nat(20) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('read' as const), node, by: fc.nat(2) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('add' as const, 'remove' as const), node, who: fc.nat(1) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const), node, crashes: fc.boolean() }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('cut' as const), keep: fc.nat(6), node }) },
)

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
  private posted: { id: number; by: User }[] = []

  constructor(losses: boolean[]) {
    this.losses = [...losses]
  }

  private open(): Promise<Chat> {
    return openTestChat(this.database.openStorage(), { bus: lossy(this.bus.connect(), () => this.losses.pop() ?? false) })
  }

  async start(): Promise<void> {
    this.nodes = [await this.open(), await this.open()]
    this.watcher = await this.open()
    for (const id of [1, 2, 3, 4]) this.users.push(await this.watcher.accounts.getOrMake(id))
    for (const user of this.users) await this.watcher.rooms.touchOpen(user, roomId)
    this.observer = await connect(this.watcher, this.users[3]!, roomId, '')
    this.cursor = this.observer.cursor
    this.client = await connect(this.nodes[0]!, this.users[3]!, roomId, this.cursor)
  }

  async run(now: Step): Promise<void> {
    if (now.do === 'restart') return this.restart(now)
    if (now.do === 'cut') return this.cut(now)
    const chat = this.nodes[now.node]!
    if (now.do === 'post') {
      const by = this.users[now.by]!
      const { event } = await chat.messages
        .post(by, roomId, { content: `text ${this.posted.length}` })
        .catch(() => ({ event: null }))
      if (event) this.posted.push({ id: event.message.id, by })
    } else if (now.do === 'read') await chat.reads.advance(this.users[now.by]!, roomId, null).catch(() => {})
    else if (now.do === 'edit' || now.do === 'delete') await this.change(chat, now)
    else await chat.members[now.do]({ kind: 'nobody' }, roomId, now.who + 1).catch(() => {})
  }

  private async change(chat: Chat, now: { do: string; pick: number }): Promise<void> {
    const message = this.posted[now.pick % Math.max(1, this.posted.length)]
    if (!message) return
    if (now.do === 'delete') await chat.messages.remove(message.by, roomId, message.id).catch(() => {})
    else await chat.messages.edit(message.by, roomId, message.id, `edited ${now.pick}`).catch(() => {})
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
    this.client = await connect(chat, this.users[3]!, roomId, this.cursor)
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
    // One by each node: a journal's earlier reads come before its last message.
    const last: number[] = []
    for (const chat of this.nodes)
      last.push((await chat.messages.post(this.users[3]!, roomId, { content: 'the last' })).event.message.id)
    const hasLast = ({ frames }: TestClient) =>
      last.every((id) => frames.some(({ event }) => 'message' in event && event.message.id === id))
    await until('the last messages at both', () => hasLast(this.observer) && hasLast(this.client))
    this.take(this.client.frames.length)
    const uncut = new Model()
    for (const frame of this.observer.frames) uncut.apply(frame)
    expect(this.kept.state).toEqual(uncut.state)
  }

  async close(): Promise<void> {
    for (const chat of [...this.nodes, this.watcher]) await chat.close()
  }
}

describe('resume', () => {
  it('[A7] a client cut anywhere, also in mid-replay and with several journals writing, ends with exactly what an uncut one has', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 5, maxLength: 60 }),
        fc.array(fc.boolean(), { maxLength: 60 }),
        async (steps, losses) => {
          const world = new World(losses)
          await world.start()
          try {
            for (const now of steps) await world.run(now)
            await world.finish()
          } finally {
            await world.close()
          }
        },
      ),
      { numRuns: Number(process.env.RUNS ?? 100), interruptAfterTimeLimit: 100_000 },
    )
  }, 300_000)
})
