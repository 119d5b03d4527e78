/**
 * The Room of the contract (C10) as a model that goes from state to state by events: what the nodes of one registry should see of it,
 * whoever comes, leaves, fails and dies, and also where the registry is away for one of them, or its answer is lost.
 */
import type { Trouble } from './registered.fixture.ts'
import type { RoomState } from './room-lifecycle.ts'

const beatMs = 10_000
const leaseMs = 30_000
const closingMs = 5_000

/** One process, as long as it lives. */
interface Process {
  seats: string[]
  failures: number[]
  isAway: boolean
  /** Until when it lives for the others. */
  leaseUntil: number
  /** It stands in the Room, for the others. */
  isTold: boolean
  /** It knows that it does. */
  isSure: boolean
  /** It asked for that, and has not heard that it does no more. */
  mayStand: boolean
}

interface Timer {
  at: number
  process: Process
  isLook: boolean
  call: () => void
}

export class RoomModel {
  state: RoomState = 'closed'
  now: number
  /** When the state changes by itself. */
  private changesAt = Infinity
  /** It became idle as the last one left, not as he died. */
  private isLeft = false
  private processes: Process[] = []
  private readonly living: Process[] = []
  /** Those of one moment in the order in which they were set. */
  private timers: Timer[] = []
  private trouble: Trouble | null = null
  private readonly idleMs: number

  constructor(now: number, idleMs: number) {
    this.now = now
    this.idleMs = idleMs
  }

  /** A process begins, in the place of the one that was killed. */
  begin(node: number): void {
    const about = { isAway: false, isTold: false, isSure: false, mayStand: false }
    const process: Process = { ...about, seats: [], failures: [], leaseUntil: this.now + leaseMs }
    this.processes.push(process)
    this.living[node] = process
    this.everyBeat(process, () => this.renew(process))
    this.everyBeat(process, () => this.settle(process))
  }

  seatsOf(node: number): string[] {
    return [...this.living[node]!.seats]
  }

  isAway(node: number): boolean {
    return this.living[node]!.isAway
  }

  /** For what is done until it is set again. */
  setTrouble(trouble: Trouble | null): void {
    this.trouble = trouble && { ...trouble }
  }

  /** What befalls the next change of the record. */
  private strike(): Trouble['is'] | null {
    return this.trouble && --this.trouble.nth === 0 ? this.trouble.is : null
  }

  /** For each whether he is in; null: not told, as the registry is away. */
  enter(node: number, seats: string[]): (boolean | null)[] {
    const process = this.living[node]!
    const answers = seats.map((seat) => {
      const isIn = process.isSure || this.hold(process)
      if (isIn) process.seats.push(seat)
      return isIn
    })
    for (const isIn of answers) if (!isIn) this.settle(process)
    return answers
  }

  /** One who is in enters again. */
  enterAgain(node: number): boolean | null {
    const process = this.living[node]!
    return process.isSure || this.hold(process)
  }

  private hold(process: Process): boolean | null {
    if (process.isAway) return null
    if (this.state === 'closing') return false
    process.mayStand = true
    const strike = this.strike()
    if (strike === 'refused') return null
    process.isTold = true
    this.to(this.state === 'closed' || this.state === 'creating' ? 'creating' : 'active')
    if (strike === 'lost') return null
    this.timers = this.timers.filter((timer) => timer.process !== process || !timer.isLook)
    process.isSure = this.activate()
    return process.isSure || null
  }

  /** Whether it is told so. */
  private activate(): boolean {
    if (this.state !== 'creating') return true
    const strike = this.strike()
    if (strike !== 'refused') this.to('active')
    return strike === null
  }

  leave(node: number): string {
    const process = this.living[node]!
    const seat = process.seats.pop()
    if (seat !== undefined) this.settle(process)
    return seat ?? 'nobody'
  }

  private release(process: Process): void {
    if (!process.mayStand) return
    process.isSure = false
    if (process.isAway || !this.untell(process)) return
    process.mayStand = false
    process.failures = []
    if (this.isLeft && (this.state === 'idle' || this.state === 'closing')) this.lookAfter(process, this.idleMs)
  }

  /** Whether it is told so. */
  private untell(process: Process): boolean {
    if (!process.isTold) return true
    const strike = this.strike()
    if (strike === 'refused') return false
    process.isTold = false
    this.isLeft = this.endIfEmpty()
    return strike === null
  }

  /** Whether it became idle. */
  private endIfEmpty(): boolean {
    if (this.processes.some(({ isTold }) => isTold)) return false
    if (this.state === 'creating') this.to('closed')
    else if (this.state === 'active') this.to('idle', this.now + this.idleMs)
    return this.state === 'idle'
  }

  private to(state: RoomState, changesAt = Infinity): void {
    this.state = state
    this.changesAt = changesAt
    this.isLeft = false
  }

  private settle(process: Process): void {
    if (process.seats.length === 0) this.release(process)
    else if (!process.isSure) this.hold(process)
  }

  fail(node: number): void {
    const process = this.living[node]!
    if (process.seats.length === 0 && !process.mayStand) return
    process.failures = [...process.failures.filter((at) => at > this.now - 5_000), this.now]
    if (process.failures.length > 3) {
      process.seats = []
      this.settle(process)
    } else if (process.isAway) process.isSure = false
    else {
      if (this.state === 'active' && this.strike() !== 'refused') this.to('creating')
      if (!this.activate()) process.isSure = false
    }
  }

  kill(node: number): void {
    const process = this.living[node]!
    this.timers = this.timers.filter((timer) => timer.process !== process)
  }

  setAway(node: number): void {
    this.living[node]!.isAway = true
  }

  /** The registry is there, perhaps anew: the process tells all that is so there. */
  reopen(node: number): void {
    const process = this.living[node]!
    process.isAway = false
    process.leaseUntil = this.now + leaseMs
    process.isSure = false
    this.settle(process)
  }

  private renew(process: Process): void {
    if (process.isAway) return
    if (process.leaseUntil <= this.now) this.reopen(this.living.indexOf(process))
    else process.leaseUntil = this.now + leaseMs
  }

  // -------------------------------------------------------------------------------------------------------------------- time

  private everyBeat(process: Process, call: () => void): void {
    const beat = () => {
      call()
      this.everyBeat(process, call)
    }
    this.timers.push({ at: this.now + beatMs, process, isLook: false, call: beat })
  }

  /** It looks whether the Room is to be closed, as it left it empty. */
  private lookAfter(process: Process, ms: number): void {
    this.timers = this.timers.filter((timer) => timer.process !== process || !timer.isLook)
    this.timers.push({ at: this.now + ms, process, isLook: true, call: () => this.look(process) })
  }

  /** What it has to release takes no time here. */
  private look(process: Process): void {
    if (process.isAway) return
    if (this.state === 'idle') this.lookAfter(process, this.changesAt - this.now)
    else if (this.state === 'closing') this.to('closed')
  }

  wait(ms: number): void {
    const until = this.now + ms
    for (;;) {
      const leases = this.processes.filter(({ isTold }) => isTold).map(({ leaseUntil }) => leaseUntil)
      const next = Math.min(this.changesAt, ...leases, ...this.timers.map(({ at }) => at))
      if (next > until) break
      this.now = next
      this.moveOn()
      const due = this.timers.find(({ at }) => at === next)
      if (due === undefined) continue
      this.timers = this.timers.filter((timer) => timer !== due)
      due.call()
    }
    this.now = until
  }

  /** What time alone does. */
  private moveOn(): void {
    for (const process of this.processes) if (process.leaseUntil <= this.now) process.isTold = false
    if (this.state === 'active' || this.state === 'creating') this.endIfEmpty()
    if (this.changesAt > this.now) return
    if (this.state !== 'idle') return this.to('closed')
    const { isLeft } = this
    this.to('closing', this.now + closingMs)
    this.isLeft = isLeft
  }
}
