import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { listOnline, rising, Yard, type Node } from './presence.fixture.ts'

/** A session of a user in a room, at a node. */
interface Seat {
  node: number
  room: number
  user: number
}

type Step =
  | ({ do: 'enter' | 'leave' } & Seat)
  | { do: 'lose'; link: number }
  | { do: 'heal' }
  | { do: 'wait'; ms: number }
  | { do: 'restart'; node: number; kills: boolean }

const small = { room: fc.integer({ min: 1, max: 2 }), user: fc.integer({ min: 1, max: 2 }), node: fc.nat(2) }
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 20, arbitrary: fc.record({ do: fc.constantFrom('enter' as const, 'leave' as const), ...small }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('lose' as const), link: fc.nat(8) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('heal' as const) }) },
    {
      weight: 4,
      arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(10, 49, 60, 2_000, 3_100, 20_000) }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const), node: fc.nat(2), kills: fc.boolean() }) },
  ),
  { minLength: 20, maxLength: 80 },
)

/** Three nodes, of which each keeps what clients with a session there were shown. */
class World {
  private readonly names = ['a', 'b', 'c']
  private restarts = 0
  private readonly lost = new Set<number>()
  private readonly yard = new Yard()
  private readonly sessions: Seat[] = []

  constructor() {
    this.yard.isLost = (from, to) => this.lost.has(this.names.indexOf(from) * 3 + this.names.indexOf(to))
    for (const name of this.names) this.yard.open(name)
  }

  at(node: number): Node {
    return this.yard.at(this.names[node]!)
  }

  async run(step: Step): Promise<void> {
    if (step.do === 'wait') await this.yard.clock.advance(step.ms)
    else if (step.do === 'lose') this.lost.add(step.link)
    else if (step.do === 'heal') this.lost.clear()
    else if (step.do === 'restart') this.restart(step)
    else if (step.do === 'enter') this.enter(step)
    else this.leave(step)
  }

  private enter({ node, room, user }: Seat): void {
    this.at(node).presence.enter(room, user)
    this.sessions.push({ node, room, user })
  }

  private leave({ node, room, user }: Seat): void {
    const at = this.sessions.findIndex((one) => one.node === node && one.room === room && one.user === user)
    if (at === -1) return
    this.at(node).presence.leave([room], user)
    this.sessions.splice(at, 1)
  }

  private restart({ node, kills }: { node: number; kills: boolean }): void {
    if (!kills) this.at(node).presence.stop()
    this.at(node).isAlive = false
    const name = `${this.names[node]![0]}${++this.restarts}`
    this.names[node] = name
    this.yard.open(name)
    this.sessions.splice(0, Infinity, ...this.sessions.filter((one) => one.node !== node))
  }

  async settle(): Promise<void> {
    this.lost.clear()
    await this.yard.clock.advance(60_000)
  }

  onlineIn(room: number): number[] {
    return rising(new Set(this.sessions.filter((one) => one.room === room).map(({ user }) => user)))
  }
}

describe('[A19] presence', () => {
  it('is the same at every node once the line has stood for a while, whatever was lost, killed and restarted', async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (all) => {
        const world = new World()
        for (const step of all) await world.run(step)
        await world.settle()
        for (const room of [1, 2]) {
          for (const node of [0, 1, 2]) expect(listOnline(world.at(node), room)).toEqual(world.onlineIn(room))
        }
      }),
      { numRuns: Number(process.env.RUNS ?? 200) },
    )
  })

  it('as announced at a node is what it lists, to who was there all the time', async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (all) => {
        const world = new World()
        for (const room of [1, 2]) world.at(0).presence.enter(room, 99)
        for (const step of all) if (step.do !== 'restart' || step.node !== 0) await world.run(step)
        await world.settle()
        for (const room of [1, 2]) {
          const shown = new Set<number>()
          for (const line of world.at(0).announced) {
            const [, sign, user, where] = /^([+-])(\d+)@(\d+)$/.exec(line)!
            if (Number(where) !== room) continue
            expect(shown.has(Number(user)), `${line} is news`).toBe(sign === '-')
            if (sign === '+') shown.add(Number(user))
            else shown.delete(Number(user))
          }
          expect(rising(shown)).toEqual(rising([...world.onlineIn(room), 99]))
        }
      }),
      { numRuns: Number(process.env.RUNS ?? 200) },
    )
  })
})
