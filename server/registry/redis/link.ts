/** The connection to Redis: sought again for as long as it is wanted, and replaced where it does not answer. Nothing waits in it for later. */
import { setTimeout as wait } from 'node:timers/promises'
import { ErrorReply } from 'redis'
import { connectMs, createRedisClient, reasonOf, type RedisClient } from '../../redis/client.ts'
import { RegistryUnavailable } from '../registry.ts'

/** Redis answers in a millisecond. A connection that does not answer for so long is replaced. */
const answerMs = 2_000
const firstRetryMs = 100
const probeKey = 'madang:probe'
const lastRetryMs = 2_000

/** Redis did not answer in time. */
class Silence extends Error {
  readonly code = 'silent'
}

/** What a Redis answers that is not, or not yet, the one to ask: a failover made it a replica, or it is loading. */
const demotion = /\b(READONLY|LOADING|MASTERDOWN)\b/

export interface LinkOptions {
  /** `redis://` or `rediss://`, with name and password where Redis wants them. */
  url: string
  channels: string[]
  onMessage(channel: string, payload: string): void
  /** It stands, for the first time or anew. */
  onOpen(): void
  /** Worth a line in the log. */
  onNotice(text: string): void
}

export class Link {
  private readonly options: LinkOptions
  /** Null while Redis is away. */
  private client: RedisClient | null = null
  private latest: RedisClient | null = null
  /** Why this process itself gave a connection up. */
  private fault: string | null = null
  private running: Promise<void> | null = null
  private readonly closing = new AbortController()

  constructor(options: LinkOptions) {
    this.options = options
  }

  open(): void {
    this.running ??= this.run()
  }

  /** Throws RegistryUnavailable where Redis is away, silent or will not do it. What was asked may have been done. */
  async ask<T>(call: (client: RedisClient) => Promise<T>): Promise<T> {
    const { client } = this
    if (client === null) throw new RegistryUnavailable('Redis is away')
    const done = new AbortController()
    const silence = wait(answerMs, undefined, { signal: done.signal, ref: false }).then(() => {
      throw new Silence()
    })
    try {
      return await Promise.race([call(client), silence])
    } catch (error) {
      if (!(error instanceof ErrorReply) || demotion.test(error.message)) this.giveUp(client, error)
      throw new RegistryUnavailable(`Redis: ${reasonOf(error)}`)
    } finally {
      silence.catch(() => {})
      done.abort()
    }
  }

  private giveUp(client: RedisClient, error: unknown): void {
    if (client === this.client) this.fault = reasonOf(error)
    client.destroy()
  }

  /** One connection after the other. */
  private async run(): Promise<void> {
    let retryMs = firstRetryMs
    let isAway = false
    while (!this.closing.signal.aborted) {
      const reason = await this.runOne(() => {
        if (isAway) this.options.onNotice('The registry is there again')
        retryMs = firstRetryMs
        isAway = false
      })
      if (this.closing.signal.aborted) return
      if (!isAway) this.options.onNotice(`The registry is away (${reason}): nobody new is let in at /chat`)
      isAway = true
      // Nodes that lost it together do not come back in one moment.
      await wait(retryMs * (0.5 + Math.random() / 2), undefined, { signal: this.closing.signal, ref: false }).catch(() => {})
      retryMs = Math.min(2 * retryMs, lastRetryMs)
    }
  }

  /** Resolves with why the connection has ended, or did not come to stand. */
  private async runOne(onOpen: () => void): Promise<string> {
    const { options } = this
    const client = createRedisClient(options.url)
    this.latest = client
    this.fault = null
    const ended = endOf(client)
    const deadline = setTimeout(() => client.destroy(), connectMs + answerMs)
    const opening = client
      .connect()
      // Changes nothing, and is refused where nothing can be changed.
      .then(() => client.del(probeKey))
      .then(() => client.subscribe(options.channels, (payload, channel) => options.onMessage(channel, payload)))
      .then(() => null, reasonOf)
    const refusal = await Promise.race([opening, ended])
    clearTimeout(deadline)
    if (refusal === null) {
      this.client = client
      onOpen()
      options.onOpen()
    }
    const reason = refusal ?? (await ended)
    this.client = null
    client.destroy()
    return this.fault ?? reason
  }

  async close(): Promise<void> {
    this.closing.abort()
    this.latest?.destroy()
    await this.running
  }
}

/** Resolves with the reason. */
function endOf(client: RedisClient): Promise<string> {
  return new Promise((resolve) => {
    client.on('error', (error: unknown) => resolve(reasonOf(error)))
    client.on('end', () => resolve('ended'))
  })
}
