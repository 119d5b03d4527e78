/** The chat itself: what dialects receive. */
import type { Bus } from '../bus/bus.ts'
import type { JournalRecord, Storage } from '../storage/storage.ts'
import { AccountActions } from './actions/accounts.ts'
import { MemberActions } from './actions/members.ts'
import { MessageActions } from './actions/messages.ts'
import { OrganisationActions } from './actions/organisation.ts'
import { ProjectActions } from './actions/projects.ts'
import { ReactionActions } from './actions/reactions.ts'
import { ReadActions } from './actions/reads.ts'
import { RoleActions } from './actions/roles.ts'
import { RoomActions } from './actions/rooms.ts'
import { SpaceActions } from './actions/spaces.ts'
import { every, type Clock } from './clock.ts'
import type { Core, CoreSettings, Passwords } from './core.ts'
import { formatCursor } from './cursor.ts'
import type { ChatEvent, PresenceChanged } from './events.ts'
import { createHub, type HubObserver } from './hub.ts'
import { createIndexer, type Indexer } from './indexer.ts'
import { openJournal, type Journal, type JournalObserver } from './journal.ts'
import { createPresence, type Presence } from './presence.ts'
import { Queries } from './queries.ts'
import { createSessions, type SessionObserver } from './sessions.ts'
import { createTail, type Tail } from './tail.ts'
import { createUserCache } from './user-cache.ts'

const pruneMs = 3_600_000

export interface ChatOptions {
  storage: Storage
  bus: Bus
  clock: Clock
  passwords: Passwords
  /** SHA-256 in hex. */
  hash: (text: string) => string
  settings: CoreSettings
  /** More missed events than this are a reload (A7). */
  replayMax: number
  /** Live bytes that may wait while a session's replay is under way. */
  heldBytesMax: number
  observer: JournalObserver & Pick<HubObserver, 'onFanOut'> & Partial<SessionObserver> & ChatObserver
}

export interface ChatObserver {
  onJournal?(opened: JournalRecord): void
  /** Addresses of attachments whose message was deleted, after the commit. */
  onDetached?(urls: string[]): void
  /** Right after they were handed out. */
  onEvents?(events: ChatEvent[]): void
}

export type Chat = Awaited<ReturnType<typeof openChat>>

/** Opens a journal and begins to hear the others. Throws StorageUnavailable. */
export async function openChat(options: ChatOptions) {
  const { storage, clock, passwords, hash, settings } = options
  const delivery = createDelivery(options)
  const { sessions, users } = delivery
  const onTrouble = (text: string, error?: unknown) => options.observer.onTrouble(text, error)
  const indexer = createIndexer({ log: storage.log, clock, onTrouble })
  const journal = await openWriting(options, { ...delivery, indexer })
  await sessions.start()
  indexer.start()
  const stopPruning = every(clock, pruneMs, () => storage.log.prune().catch(() => {}))
  const onDetached = (urls: string[]) => options.observer.onDetached?.(urls)
  const core: Core = { storage, clock, journal, sessions, users, passwords, hash, settings, onDetached }
  const accounts = new AccountActions(core)

  /** Live sessions end (1012), what is under way is stored and answered, and the journal closes. */
  async function close(): Promise<void> {
    sessions.endAll('stopping')
    sessions.stop()
    delivery.presence.stop()
    stopPruning()
    await journal.close()
    await indexer.stop()
    delivery.tail.stop()
    await options.bus.close()
  }

  return {
    settings,
    accounts,
    messages: new MessageActions(core),
    members: new MemberActions(core, accounts),
    organisation: new OrganisationActions(core, accounts),
    projects: new ProjectActions(core),
    reactions: new ReactionActions(core),
    reads: new ReadActions(core),
    roles: new RoleActions(core),
    rooms: new RoomActions(core, accounts),
    spaces: new SpaceActions(core),
    queries: new Queries(core),
    searchLagMs: () => indexer.lagMs(),
    sessions,
    ping: () => storage.ping(),
    close,
  }
}

/** What takes a commit to the clients: tail, hub and sessions, and presence beside it. */
function createDelivery({ storage, bus, clock, observer, replayMax, heldBytesMax }: ChatOptions) {
  const { log, directory } = storage
  const users = createUserCache(directory, clock)
  const hub = createHub(clock, {
    onFanOut: (dialect, events, receivers) => observer.onFanOut(dialect, events, receivers),
    onTrouble: (text, error) => observer.onTrouble(text, error),
    onEntry: (event) => sessions.onEntry(event),
    onRoomLost: (session, roomId) => sessions.onRoomLost(session, roomId),
    onExit: (event) => sessions.onExit(event),
  })
  const tail = createTail({
    log,
    clock,
    complete: (facts) => users.complete(facts),
    handOut: (events, cursorAt) => {
      hub.handOut(events, cursorAt)
      observer.onEvents?.(events)
    },
    finish: () => hub.finish(),
    onDeaf: () => sessions.endAll('stopping'),
  })
  const presence = createPresence({
    clock,
    node: bus.node,
    tell: (news) => bus.tell(news),
    announce: createAnnouncer(
      (changes) => users.completePresence(changes),
      (events) => hub.announce(events, formatCursor(tail.position())),
    ),
  })
  const sessions = createSessions({ observer, log, directory, clock, hub, presence, tail, users, replayMax, heldBytesMax })
  return { users, tail, sessions, presence }
}

/** In their order, also where accounts have to be loaded. Presence is derived and told again at the next change; storage says itself that it is away. */
function createAnnouncer(
  complete: (changes: PresenceChanged[]) => Promise<ChatEvent[]>,
  announce: (events: ChatEvent[]) => void,
): (changes: PresenceChanged[]) => void {
  let last = Promise.resolve()
  return (changes) => {
    last = Promise.all([complete(changes), last])
      .then(([events]) => announce(events))
      .catch(() => {})
  }
}

interface Writing {
  tail: Tail
  indexer: Indexer
  presence: Presence
}

async function openWriting(options: ChatOptions, { tail, indexer, presence }: Writing): Promise<Journal> {
  const { storage, bus, clock, observer } = options
  const journal = await openJournal({
    log: storage.log,
    clock,
    observer,
    onOpen: (opened) => {
      tail.adopt(opened)
      observer.onJournal?.(opened)
    },
    onCommit: (commit) => {
      tail.hear(commit)
      indexer.hear(commit)
      bus.publish(commit)
    },
  })
  await tail.start()
  bus.listen(await nameDatabase(storage), {
    onOpen: () => presence.reconnect(),
    onCommit: (commit) => tail.hear(commit),
    onPresence: (node, news) => presence.hear(node, news),
  })
  return journal
}

/** Journals stay listed, and the tag of each is random. */
async function nameDatabase({ log }: Storage): Promise<string> {
  const [first] = await log.listJournals(1)
  return first!.tag
}
