/** [C10] The Rooms of three nodes against a model that goes from state to state by events, as the contract draws it. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { settle } from '../../test/manual-clock.ts'
import { createYard, type TestNode, type Trouble, type Yard } from './registered.fixture.ts'
import type { RoomState } from './room-lifecycle.ts'
import { RoomModel } from './room-model.fixture.ts'

const roomId = 7
const nodes = 3

/** `again`: one who is in enters again. `back`: the registry is there, for a node that it was away for, or anew. */
type Act = 'enter' | 'enter two' | 'again' | 'leave' | 'fail' | 'kill' | 'away' | 'back'
type Step = { do: Act; node: number; trouble?: Trouble | null } | { do: 'wait'; ms: number }

const anyNode = fc.nat(nodes - 1)
const trouble = fc.option(fc.record({ nth: fc.constantFrom(1, 2), is: fc.constantFrom('refused' as const, 'lost' as const) }), {
  freq: 3,
})

function acts(weight: number, ...names: Act[]): { weight: number; arbitrary: fc.Arbitrary<Step> } {
  return { weight, arbitrary: fc.record({ do: fc.constantFrom(...names), node: anyNode, trouble }) }
}

const waits = fc.constantFrom(1, 999, 1_000, 1_999, 2_000, 4_999, 5_000, 10_000, 29_999, 60_000)
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    acts(12, 'enter', 'enter two', 'leave', 'leave', 'leave'),
    acts(3, 'fail'),
    acts(2, 'kill'),
    acts(6, 'away', 'back', 'back', 'again'),
    { weight: 8, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: waits }) },
  ),
  { minLength: 10, maxLength: 60 },
)

class World {
  private readonly yard: Yard
  private readonly nodes: TestNode[] = []
  private readonly model: RoomModel
  private seats = 0

  private constructor(idleMs: number) {
    this.yard = createYard(idleMs)
    this.model = new RoomModel(this.yard.clock.now(), idleMs)
  }

  get state(): RoomState {
    return this.model.state
  }

  /** The last node only looks on: its registry is never away. */
  static async open(idleMs: number): Promise<World> {
    const world = new World(idleMs)
    for (let nth = 0; nth <= nodes; nth++) await world.begin(nth)
    return world
  }

  private async begin(nth: number): Promise<void> {
    this.nodes[nth] = await this.yard.open()
    this.model.begin(nth)
  }

  async run(step: Step): Promise<void> {
    if (step.do === 'wait') {
      await this.yard.clock.advance(step.ms)
      this.model.wait(step.ms)
    } else await this.runAt(step.node, step.do, step.trouble ?? null)
    await settle()
    for (const [nth, { rooms }] of this.nodes.entries()) {
      if (!this.model.isAway(nth)) expect(await rooms.stateOf(roomId)).toBe(this.model.state)
      expect(rooms.seatsIn(roomId)).toEqual(this.model.seatsOf(nth))
    }
  }

  private async runAt(nth: number, act: Act, befalling: Trouble | null): Promise<void> {
    for (const one of [this.nodes[nth]!, this.model]) one.setTrouble(befalling)
    await this.act(nth, act)
    await settle()
    for (const one of [this.nodes[nth]!, this.model]) one.setTrouble(null)
  }

  private async act(nth: number, act: Act): Promise<void> {
    const { model, nodes } = this
    const node = nodes[nth]!
    if (act === 'enter') await this.enter(nth, [`s${++this.seats}`])
    else if (act === 'enter two') await this.enter(nth, [`s${++this.seats}`, `s${++this.seats}`])
    else if (act === 'again') await this.enterAgain(nth)
    else if (act === 'leave') await node.rooms.leave(roomId, model.leave(nth))
    else if (act === 'fail') await this.fail(nth)
    else if (act === 'kill') await this.kill(nth)
    else if (act === 'away') {
      model.setAway(nth)
      node.setAway(true)
    } else {
      model.reopen(nth)
      node.setAway(false)
      await node.reopen()
    }
  }

  private async enter(nth: number, seats: string[]): Promise<void> {
    const { rooms } = this.nodes[nth]!
    const entering = seats.map((seat) => rooms.enter(roomId, seat).catch(() => null))
    expect(await Promise.all(entering)).toEqual(this.model.enter(nth, seats))
  }

  private async enterAgain(nth: number): Promise<void> {
    const [seat] = this.model.seatsOf(nth)
    if (seat === undefined) return
    const isIn = await this.nodes[nth]!.rooms.enter(roomId, seat).catch(() => null)
    expect(isIn).toBe(this.model.enterAgain(nth))
  }

  private async fail(nth: number): Promise<void> {
    this.model.fail(nth)
    await this.nodes[nth]!.rooms.run(roomId, () => {
      throw new Error('for a test')
    })
  }

  private async kill(nth: number): Promise<void> {
    this.model.kill(nth)
    await this.nodes[nth]!.kill()
    await this.begin(nth)
  }
}

/** Too rare to be left to chance: closing is seen where the process that would release the Room has died, creating where a word was lost. */
const throughAllStates: Step[] = [
  { do: 'enter', node: 0 },
  { do: 'fail', node: 0, trouble: { nth: 2, is: 'refused' } },
  { do: 'wait', ms: 10_000 },
  { do: 'leave', node: 0 },
  { do: 'kill', node: 0 },
  { do: 'wait', ms: 2_000 },
  { do: 'enter', node: 1 },
  { do: 'wait', ms: 5_000 },
]

it('[C10] a Room is in the state that the contract draws, at all nodes, whoever comes, leaves, fails and dies, or loses the registry', async () => {
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
  expect([...seen].toSorted()).toEqual(['active', 'closed', 'closing', 'creating', 'idle'])
})
