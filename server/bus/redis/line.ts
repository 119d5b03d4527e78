/** One connection to Redis, which listens on one channel and publishes to it. It ends once, for whatever reason, and is then replaced. */
import { createRedisClient, reasonOf, type RedisClient } from '../../redis/client.ts'

/** A line on which nothing came for so many probes is taken for dead. */
const silentProbes = 3

export interface LineOptions {
  /** `redis://` or `rediss://`, with name and password where Redis wants them. */
  url: string
  channel: string
  /** What is said to find out whether the line lives. */
  probe: Buffer
  /** How often, ms. */
  probeMs: number
  /** Everything that is published on the channel, by whomever. */
  onMessage(payload: Buffer): void
}

export class Line {
  /** Resolves with the reason. */
  readonly ended: Promise<string>
  readonly end: (reason: string) => void
  private readonly client: RedisClient
  private readonly options: LineOptions
  private silence = 0
  private readonly probing: NodeJS.Timeout

  constructor(options: LineOptions) {
    this.options = options
    this.client = createRedisClient(options.url)
    let resolve: (reason: string) => void
    this.ended = new Promise<string>((settle) => (resolve = settle))
    this.end = (reason) => {
      clearInterval(this.probing)
      resolve(reason)
      this.client.destroy()
    }
    this.client.on('error', (error: unknown) => this.end(reasonOf(error)))
    this.probing = setInterval(() => this.probe(), options.probeMs).unref()
  }

  /** Whether it stands. */
  async open(): Promise<boolean> {
    const start = this.start().then(
      () => true,
      (error: unknown) => this.end(reasonOf(error)),
    )
    return (await Promise.race([start, this.ended])) === true
  }

  private async start(): Promise<void> {
    await this.client.connect()
    const onMessage = (payload: Buffer) => {
      this.silence = 0
      this.options.onMessage(payload)
    }
    await this.client.subscribe(this.options.channel, onMessage, true)
  }

  private probe(): void {
    this.silence += 1
    if (this.silence > silentProbes) this.end('silent')
    else if (this.client.isReady) this.publish(this.options.probe).catch(() => {})
  }

  /** Resolves when Redis has taken it. Rejects where it will not. */
  publish(payload: Buffer): Promise<unknown> {
    return this.client.publish(this.options.channel, payload)
  }

  /** Lets what is under way go out for so long. */
  async close(withinMs: number): Promise<void> {
    const deadline = setTimeout(() => this.end('closed'), withinMs)
    await Promise.race([this.client.close().catch(() => {}), this.ended])
    clearTimeout(deadline)
    this.end('closed')
  }
}
