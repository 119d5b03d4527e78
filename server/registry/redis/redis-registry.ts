/** The registry over Redis: one for all nodes. Tokens stand there as the contract says, so that a login server may write them itself (C2). */
import { setTimeout as wait } from 'node:timers/promises'
import type { Login, Message, RoomId } from '../../core/model.ts'
import type { Moment, Registry, RegistryListener, Replacement } from '../registry.ts'
import { Link } from './link.ts'
import { Emptied, endedChannel, RedisLogins, type LoginStore } from './redis-logins.ts'
import { markerKey, Refill } from './refill.ts'
import { readRecords, renewLease, replaceRecord } from './scripts.ts'
import { createTokenKeys } from './token-keys.ts'

const boundChannel = 'madang:bound'
const leasesKey = 'madang:leases'
/** What nobody asks for makes room. */
const recentS = 3_600
/** So often it is asked whether it was emptied, where nobody asks for a token. */
const markerMs = 2_000
const retryMs = 200

export interface RedisRegistryOptions {
  /** `redis://` or `rediss://`, with name and password where Redis wants them. */
  url: string
  /** `TOKEN_KEY`. */
  tokenKey: string
  directory: LoginStore
  /** Worth a line in the log. */
  onNotice(text: string): void
}

/** Does not wait for Redis. */
export function createRedisRegistry(options: RedisRegistryOptions): Registry {
  return new RedisRegistry(options)
}

class RedisRegistry implements Registry {
  readonly needsTokens: boolean
  private readonly link: Link
  private readonly logins: RedisLogins
  private readonly refill: Refill
  private listener: RegistryListener | null = null
  /** Of the filling that this process has caught up with; null: no token counts here. */
  private generation: string | null = null
  /** Counts what there was to catch up with. */
  private lapses = 0
  private isCatchingUp = false
  private probing: NodeJS.Timeout | undefined
  private readonly closing = new AbortController()

  constructor(options: RedisRegistryOptions) {
    const { url, tokenKey, directory } = options
    const keys = createTokenKeys(tokenKey)
    this.needsTokens = keys.needsTokens
    this.link = new Link({
      url,
      channels: [endedChannel, boundChannel],
      onMessage: (channel, payload) => this.hear(channel, payload),
      onOpen: () => this.lapse(),
      onNotice: (text) => options.onNotice(text),
    })
    this.logins = new RedisLogins(this.link, keys, directory)
    this.refill = new Refill(this.link, this.logins)
  }

  listen(listener: RegistryListener): void {
    this.listener = listener
    this.link.open()
    this.probing = setInterval(() => void this.checkLogins([]).catch(() => {}), markerMs).unref()
  }

  private hear(channel: string, payload: string): void {
    if (channel === endedChannel) this.listener?.onEnded(payload)
    else if (/^\d{1,15}$/.test(payload)) this.listener?.onBound(Number(payload))
  }

  enterLogin(login: Login): Promise<void> {
    return this.logins.enter([login])
  }

  endLogin(login: Login): Promise<void> {
    return this.logins.end(login)
  }

  async checkLogins(logins: Login[]): Promise<boolean[]> {
    if (this.generation === null) throw new Emptied('Redis is away, or being filled')
    try {
      return await this.logins.check(logins, markerKey, this.generation)
    } catch (error) {
      if (error instanceof Emptied) this.lapse()
      throw error
    }
  }

  /** It was away, or emptied: no token counts here until all that is known stands there again. */
  private lapse(): void {
    this.generation = null
    this.lapses += 1
    if (!this.isCatchingUp) void this.catchUp()
  }

  private async catchUp(): Promise<void> {
    const { signal } = this.closing
    this.isCatchingUp = true
    while (!signal.aborted && this.generation === null) {
      const { lapses } = this
      const generation = await this.complete().catch(() => null)
      if (generation !== null && lapses === this.lapses) this.generation = generation
      else await wait(retryMs, undefined, { signal, ref: false }).catch(() => {})
    }
    this.isCatchingUp = false
  }

  private async complete(): Promise<string> {
    const generation = await this.refill.complete()
    await this.listener?.onOpen()
    return generation
  }

  async readRecords(names: string[]): Promise<Moment & { values: (string | null)[] }> {
    const keys = [leasesKey, ...names.map(recordKey)]
    type Answer = [nowMs: string, leases: string[], values: (string | null)[]]
    const answer = await this.link.ask((client) => client.eval(readRecords, { keys }))
    const [nowMs, leases, values] = answer as Answer
    return { nowMs: Number(nowMs), leases: pairsOf(leases), values: names.map((_, nth) => values[nth] ?? null) }
  }

  async replaceRecord(name: string, { from, to, beforeMs, keepMs }: Replacement): Promise<boolean> {
    const words = [from, to, beforeMs, keepMs].map((word) => `${word ?? ''}`)
    const how = { keys: [recordKey(name)], arguments: words }
    return (await this.link.ask((client) => client.eval(replaceRecord, how))) === 1
  }

  async renewLease(node: string, leaseMs: number): Promise<boolean> {
    const how = { keys: [leasesKey], arguments: [node, `${leaseMs}`] }
    return (await this.link.ask((client) => client.eval(renewLease, how))) === 1
  }

  async findRecent(roomId: RoomId, head: number): Promise<Message[] | null> {
    const text = await this.link.ask((client) => client.get(recentKey(roomId)))
    const kept = text === null ? null : (JSON.parse(text) as { head: number; messages: Message[] })
    return kept?.head === head ? kept.messages : null
  }

  async keepRecent(roomId: RoomId, head: number, messages: Message[]): Promise<void> {
    const expiration = { type: 'EX', value: recentS } as const
    await this.link.ask((client) => client.set(recentKey(roomId), JSON.stringify({ head, messages }), { expiration }))
  }

  async dropRecent(roomId: RoomId): Promise<void> {
    await this.link.ask((client) => client.del(recentKey(roomId)))
  }

  announceBound(userId: number): void {
    this.link.ask((client) => client.publish(boundChannel, `${userId}`)).catch(() => {})
  }

  async close(): Promise<void> {
    clearInterval(this.probing)
    this.listener = null
    this.closing.abort()
    await this.link.close()
  }
}

function recordKey(name: string): string {
  return `madang:${name}`
}

function recentKey(roomId: RoomId): string {
  return `madang:recent:${roomId}`
}

function pairsOf(flat: string[]): Map<string, number> {
  const pairs = new Map<string, number>()
  for (let nth = 0; nth < flat.length; nth += 2) pairs.set(flat[nth]!, Number(flat[nth + 1]))
  return pairs
}
