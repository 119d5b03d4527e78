/** What an operator watches, for Prometheus. */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { Chat, ChatOptions } from '../core/chat.ts'
import type { Sessions } from '../core/sessions.ts'

export interface Metrics {
  observer: Pick<ChatOptions['observer'], 'onCommit' | 'onFanOut'>
  /** Times what a handshake asks of the token registry (C2). */
  onTokenCheck(check: Promise<unknown>): void
  /** Reads gauges from the live sessions and the search index at each scrape. */
  watch(chat: Pick<Chat, 'sessions' | 'searchLagMs'>): void
  /** In Prometheus' text format. */
  print(): Promise<string>
  readonly contentType: string
}

export function createMetrics(): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  return {
    observer: { ...observeCommits(registry), ...observeFanOut(registry) },
    onTokenCheck: timeTokenChecks(registry),
    watch(chat) {
      watchSessions(registry, chat.sessions)
      watchSearch(registry, chat)
    },
    print: () => registry.metrics(),
    contentType: registry.contentType,
  }
}

function observeCommits(registry: Registry): Pick<Metrics['observer'], 'onCommit'> {
  const registers = [registry]
  const messages = new Counter({ name: 'madang_messages_total', help: 'Messages committed', registers })
  const entriesPerCommit = new Histogram({
    name: 'madang_commit_entries',
    help: 'Entries (messages, reads, memberships ...) per commit',
    buckets: [1, 3, 10, 30, 100, 300, 1000],
    registers,
  })
  const time = new Histogram({
    name: 'madang_commit_seconds',
    help: 'Time of a commit, from hand-over to the answer',
    buckets: [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5],
    registers,
  })
  return {
    onCommit({ facts }, { entries, tookMs }) {
      messages.inc(facts.reduce((count, fact) => count + (fact.type === 'message.posted' ? 1 : 0), 0))
      entriesPerCommit.observe(entries)
      time.observe(tookMs / 1000)
    },
  }
}

function observeFanOut(registry: Registry): Pick<Metrics['observer'], 'onFanOut'> {
  const common = { labelNames: ['dialect'], registers: [registry] }
  const deliveries = new Counter({ name: 'madang_deliveries_total', help: 'Events handed to connections', ...common })
  const writes = new Counter({ name: 'madang_writes_total', help: 'Joined writes handed to connections', ...common })
  return {
    onFanOut(dialect, events, receivers) {
      deliveries.inc({ dialect }, events * receivers)
      writes.inc({ dialect }, receivers)
    },
  }
}

function timeTokenChecks(registry: Registry): Metrics['onTokenCheck'] {
  const time = new Histogram({
    name: 'madang_token_check_seconds',
    help: 'Time that a handshake waited for the token registry',
    buckets: [0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.1, 1],
    registers: [registry],
  })
  return (check) => {
    const end = time.startTimer()
    const observe = () => void end()
    check.then(observe, observe)
  }
}

function watchSessions(registry: Registry, sessions: Sessions): void {
  const connections = new Gauge({
    registers: [],
    name: 'madang_connections',
    help: 'Live connections',
    labelNames: ['dialect'],
    collect() {
      this.reset()
      for (const [dialect, count] of sessions.count()) this.set({ dialect }, count)
    },
  })
  const queues = new Gauge({
    registers: [],
    name: 'madang_queue_bytes',
    help: 'Bytes that wait for readers, of all connections',
    collect() {
      this.set(sessions.queuedBytes())
    },
  })
  registry.registerMetric(connections)
  registry.registerMetric(queues)
}

function watchSearch(registry: Registry, chat: Pick<Chat, 'searchLagMs'>): void {
  const lag = new Gauge({
    registers: [],
    name: 'madang_search_lag_seconds',
    help: 'For how long the search index has lacked something that this process committed or found',
    collect() {
      this.set(chat.searchLagMs() / 1000)
    },
  })
  registry.registerMetric(lag)
}
