/** [C10] The Rooms of three nodes against a model that goes from state to state by events, as the contract draws it. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { settle } from '../../test/manual-clock.ts'
import { createYard, type TestNode, type Yard } from './registered.fixture.ts'
import type { RoomState } from './room-lifecycle.ts'

const roomId = 7
const beatMs = 10_000
const leaseMs = 30_000
const closingMs = 5_000

type Step = { do: 'enter' | 'leave' | 'fail' | 'kill'; node: number } | { do: 'wait'; ms: number }

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 12,
      arbitrary: fc.record({ do: fc.constantFrom('enter' as const, 'leave' as const, 'leave' as const), node: fc.nat(2) }),
    },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('fail' as const), node: fc.nat(2) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('kill' as const), node: fc.nat(2) }) },
    {
      weight: 7,
      arbitrary: fc.record({
        do: fc.constant('wait' as const),
        ms: fc.constantFrom(1, 999, 1_000, 1_999, 2_000, 4_999, 5_000, 10_000, 29_999, 60_000),
      }),
    },
  ),
  { minLength: 10, maxLength: 60 },
)

/** One process of the model. */
interface Process {
  startedAt: number
  seats: string[]
  failures: number[]
  /** When it looks whether the Room is to be closed, as it left it empty once. */
  timerAt: number
  /** When the others take it for dead; null while it lives. */
  endsAt: number | null
}

class Model {
  state: RoomState = 'closed'
  /** When the state changes by itself. */
  private changesAt = Infinity
  private processes: Process[]
  private readonly idleMs: number
  now: number

  constructor(now: number, idleMs: number) {
    this.now = now
    this.idleMs = idleMs
    this.processes = [0, 1, 2].map(() => this.begin())
  }

  private begin(): Process {
    return { startedAt: this.now, seats: [], failures: [], timerAt: Infinity, endsAt: null }
  }

  /** The living one. */
  private at(node: number): Process {
    return this.processes[node]!
  }

  enter(node: number, seat: string): boolean {
    if (this.state === 'closing') return false
    this.at(node).seats.push(seat)
    this.at(node).timerAt = Infinity
    this.to('active')
    return true
  }

  leave(node: number): string | undefined {
    const { seats } = this.at(node)
    const seat = seats.pop()
    if (seat !== undefined && seats.length === 0) this.empty(node)
    return seat
  }

  private empty(node: number): void {
    const process = this.at(node)
    process.failures = []
    if (this.idleIfEmpty()) process.timerAt = this.changesAt
  }

  fail(node: number): void {
    const process = this.at(node)
    if (process.seats.length === 0) return
    process.failures = [...process.failures.filter((at) => at > this.now - 5_000), this.now]
    if (process.failures.length <= 3) return
    process.seats = []
    this.empty(node)
  }

  kill(node: number): void {
    const process = this.at(node)
    const beats = Math.floor((this.now - process.startedAt) / beatMs)
    process.endsAt = process.startedAt + beats * beatMs + leaseMs
    process.timerAt = Infinity
    this.processes.push(process)
    this.processes[node] = this.begin()
  }

  private idleIfEmpty(): boolean {
    if (this.state !== 'active' || this.processes.some(({ seats }) => seats.length > 0)) return false
    this.to('idle', this.now + this.idleMs)
    return true
  }

  private to(state: RoomState, changesAt = Infinity): void {
    this.state = state
    this.changesAt = changesAt
  }

  wait(ms: number): void {
    const until = this.now + ms
    for (;;) {
      const dying = this.processes.filter(({ endsAt, seats }) => endsAt !== null && seats.length > 0)
      const next = Math.min(
        this.changesAt,
        ...dying.map(({ endsAt }) => endsAt!),
        ...this.processes.map(({ timerAt }) => timerAt),
      )
      if (next > until) break
      this.now = next
      for (const process of dying) if (process.endsAt === next) process.seats = []
      this.idleIfEmpty()
      if (this.changesAt === next) this.moveOn()
      for (const process of this.processes) if (process.timerAt === next) this.look(process)
    }
    this.now = until
  }

  private moveOn(): void {
    if (this.state === 'idle') this.to('closing', this.now + closingMs)
    else this.to('closed')
  }

  /** What it has to release takes no time here. */
  private look(process: Process): void {
    process.timerAt = this.state === 'idle' ? this.changesAt : Infinity
    if (this.state === 'closing') this.to('closed')
  }
}

class World {
  private readonly yard: Yard
  private readonly nodes: TestNode[] = []
  private readonly model: Model
  private seats = 0

  private constructor(idleMs: number) {
    this.yard = createYard(idleMs)
    this.model = new Model(this.yard.clock.now(), idleMs)
  }

  get state(): RoomState {
    return this.model.state
  }

  static async open(idleMs: number): Promise<World> {
    const world = new World(idleMs)
    for (let nth = 0; nth < 3; nth++) world.nodes.push(await world.yard.open())
    return world
  }

  async run(step: Step): Promise<void> {
    if (step.do === 'wait') {
      await this.yard.clock.advance(step.ms)
      this.model.wait(step.ms)
    } else await this.act(step.do, step.node)
    await settle()
    for (const { rooms } of this.nodes) expect(await rooms.stateOf(roomId)).toBe(this.model.state)
  }

  private async act(what: 'enter' | 'leave' | 'fail' | 'kill', node: number): Promise<void> {
    const { rooms } = this.nodes[node]!
    if (what === 'enter') {
      const seat = `s${++this.seats}`
      expect(await rooms.enter(roomId, seat)).toBe(this.model.enter(node, seat))
    } else if (what === 'leave') await rooms.leave(roomId, this.model.leave(node) ?? 'nobody')
    else if (what === 'fail') {
      this.model.fail(node)
      await rooms.run(roomId, () => {
        throw new Error('for a test')
      })
    } else {
      this.model.kill(node)
      await this.nodes[node]!.kill()
      this.nodes[node] = await this.yard.open()
    }
  }
}

/** Closing is seen only where the process that would release the Room has died: too rare to be left to chance. */
const throughAllStates: Step[] = [
  { do: 'enter', node: 0 },
  { do: 'leave', node: 0 },
  { do: 'kill', node: 0 },
  { do: 'wait', ms: 2_000 },
  { do: 'enter', node: 1 },
  { do: 'wait', ms: 5_000 },
]

it('[C10] a Room is in the state that the contract draws, at all nodes, whoever comes, leaves, fails and dies', async () => {
  const seen = new Set<RoomState>()
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(2_000, 60_000), steps, async (idleMs, all) => {
      const world = await World.open(idleMs)
      for (const step of all) {
        await world.run(step)
        seen.add(world.state)
      }
    }),
    { numRuns: Number(process.env.RUNS ?? 200), examples: [[2_000, throughAllStates]] },
  )
  expect([...seen].toSorted()).toEqual(['active', 'closed', 'closing', 'idle'])
})
