/**
 * The bus over Redis: one channel per database, on which every node publishes and listens. Redis keeps nothing of it. When it is away,
 * or takes less than is published, what would have to wait is dropped; it is sought again for as long as the bus is open.
 */
import { randomBytes } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import type { Bus, BusListener, PresenceNews } from '../bus.ts'
import type { Commit } from '../../storage/storage.ts'
import { Line } from './line.ts'
import {
  decodeCommit,
  decodePresence,
  encodeCommit,
  encodePresence,
  encodeProbe,
  nodeLength,
  readHead,
  type Head,
} from './wire.ts'

/** What may be on its way to Redis. A commit is at most 4 MiB of texts. */
const underWayBytesMax = 16 * 1024 * 1024
const usualProbeMs = 5_000
const firstRetryMs = 100
const lastRetryMs = 2_000
const closeMs = 1_000

export interface RedisBusOptions {
  /** `redis://` or `rediss://`, with name and password where Redis wants them. */
  url: string
  /** So often, ms, it is asked whether Redis lives (5,000); three times without an answer, and another connection is made. */
  probeMs?: number
  /** Worth a line in the log. */
  onNotice(text: string): void
}

/** Does not wait for Redis. */
export function openRedisBus(options: RedisBusOptions): Bus {
  return new RedisBus(options)
}

class RedisBus implements Bus {
  readonly node = randomBytes(nodeLength / 2).toString('hex')
  private readonly options: RedisBusOptions
  /** Null while Redis is away. */
  private line: Line | null = null
  private latest: Line | null = null
  private underWayBytes = 0
  private listener: BusListener | null = null
  private running: Promise<void> | null = null
  /** Said once for each line, whoever fills the log with it. */
  private isGarbledSaid = false
  private readonly closing = new AbortController()

  constructor(options: RedisBusOptions) {
    this.options = options
  }

  publish(commit: Commit): void {
    if (this.isTaking()) this.send(encodeCommit(this.node, commit))
  }

  tell(news: PresenceNews): void {
    if (this.isTaking()) this.send(encodePresence(this.node, news))
  }

  /** Asked before anything is encoded: what is dropped costs nothing. */
  private isTaking(): boolean {
    return this.line !== null && this.underWayBytes < underWayBytesMax
  }

  private send(payload: Buffer): void {
    const { byteLength } = payload
    if (this.line === null || this.underWayBytes + byteLength > underWayBytesMax) return
    this.underWayBytes += byteLength
    this.line
      .publish(payload)
      .catch(() => {})
      .finally(() => (this.underWayBytes -= byteLength))
  }

  listen(database: string, listener: BusListener): void {
    this.listener = listener
    this.running ??= this.run(`madang:${database}`)
  }

  /** One line after the other. */
  private async run(channel: string): Promise<void> {
    let retryMs = firstRetryMs
    let isAway = false
    while (!this.closing.signal.aborted) {
      const reason = await this.runLine(channel, () => {
        if (isAway) this.options.onNotice('Redis is there again')
        retryMs = firstRetryMs
        isAway = false
      })
      if (this.closing.signal.aborted) return
      if (!isAway) this.options.onNotice(`Redis is away (${reason}): what other nodes do shows later`)
      isAway = true
      await this.pause(retryMs)
      retryMs = Math.min(2 * retryMs, lastRetryMs)
    }
  }

  /** Resolves with why the line has ended, or did not come to stand. */
  private async runLine(channel: string, onOpen: () => void): Promise<string> {
    const probe = encodeProbe(this.node)
    const { url, probeMs = usualProbeMs } = this.options
    const line = new Line({ url, channel, probe, probeMs, onMessage: (payload) => this.hear(payload) })
    this.latest = line
    this.isGarbledSaid = false
    if (await line.open()) {
      this.line = line
      onOpen()
      this.listener?.onOpen()
    }
    const reason = await line.ended
    this.line = null
    return reason
  }

  /** Nodes that lost their line together do not come back in one moment. */
  private async pause(ms: number): Promise<void> {
    const { signal } = this.closing
    await wait(ms * (0.5 + Math.random() / 2), undefined, { signal, ref: false }).catch(() => {})
  }

  private hear(payload: Buffer): void {
    const head = readHead(payload)
    if (head === null || head.node === this.node || this.listener === null) return
    try {
      pass(this.listener, head, payload)
    } catch {
      if (!this.isGarbledSaid) this.options.onNotice('a message on the bus cannot be read; what it told is read from storage')
      this.isGarbledSaid = true
    }
  }

  async close(): Promise<void> {
    this.listener = null
    this.closing.abort()
    await this.latest?.close(closeMs)
    await this.running
  }
}

function pass(listener: BusListener, { node, kind }: Head, payload: Buffer): void {
  if (kind === 'commit') listener.onCommit(decodeCommit(payload))
  else if (kind === 'presence') listener.onPresence(node, decodePresence(payload))
}
