/** A chat without a server, for tests of the core: over memory storage, with clients that hold what they were handed. */
import { createHash } from 'node:crypto'
import type { Bus } from '../server/bus/bus.ts'
import { createMemoryBus } from '../server/bus/memory/memory-bus.ts'
import { openChat, type Chat } from '../server/core/chat.ts'
import type { Binding } from '../server/core/binding-record.ts'
import type { Clock } from '../server/core/clock.ts'
import type { ChatEvent } from '../server/core/events.ts'
import type { RoomId, User } from '../server/core/model.ts'
import type { Connection, Format, Session } from '../server/core/session.ts'
import type { EnteredAll } from '../server/core/replay.ts'
import type { Storage } from '../server/storage/storage.ts'

/** Real timers, twenty times as fast: nothing waits for luck, and a heal takes 3 ms. */
export const fastClock: Clock = {
  now: () => Date.now(),
  after(ms, call) {
    const timer = setTimeout(call, ms / 20).unref()
    return () => clearTimeout(timer)
  },
  soon: (call) => void setImmediate(call),
}

export interface TestChatOptions {
  clock?: Clock
  bus?: Bus
  replayMax?: number
  isDevelopment?: boolean
  onTrouble?(text: string): void
  onEnter?(session: Session): void
  onLeave?(session: Session): void
}

export function openTestChat(storage: Storage, options: TestChatOptions = {}): Promise<Chat> {
  return openChat({
    storage,
    bus: options.bus ?? createMemoryBus().connect(),
    clock: options.clock ?? fastClock,
    passwords: { hash: async (password) => `plain ${password}`, verify: async (password, hash) => hash === `plain ${password}` },
    hash: (text) => createHash('sha256').update(text).digest('hex'),
    settings: { isDevelopment: options.isDevelopment ?? true, isRegistrationOpen: true, makesHostAccounts: true },
    replayMax: options.replayMax ?? 10_000,
    heldBytesMax: 1 << 20,
    observer: { onCommit: () => {}, onTrouble: () => {}, onFanOut: () => {}, ...options },
  })
}

/** One frame as a test client gets it. */
export interface TestFrame {
  event: ChatEvent
  cursor: string | null
}

/** Shows everything, as a dialect with all events would. */
export function testFormat(withCursor: boolean): Format {
  return {
    dialect: 'test',
    withCursor,
    encode: (event, cursor) =>
      JSON.stringify({ event, cursor: cursor === null ? null : `${event.roomId.toString(36)}.${cursor}` }),
    join: (texts) => Buffer.from(texts.map((text) => `${text}\n`).join('')),
  }
}

/** As a door with many rooms: its cursors name none. */
export const followingFormat: Format = { ...testFormat(true), encode: (event, cursor) => JSON.stringify({ event, cursor }) }
const formats = { plain: testFormat(false), resuming: testFormat(true) }

export interface TestClient {
  session: Session
  frames: TestFrame[]
  isReload: boolean
  /** What it had been handed when it entered. */
  cursor: string
  closedWith: number | null
  leave(): void
}

/** Enters a room as a live client; `since` as in `Sessions.enterRoom`. */
export async function connect(chat: Chat, user: User, roomId: RoomId, since: string | null = null): Promise<TestClient> {
  const client = openClient(chat, user, { format: since === null ? formats.plain : formats.resuming, hasOneRoom: true })
  return admit(client, await chat.sessions.enterRoom(client.session, roomId, since))
}

/** Enters all rooms of a user as a live client; `since` as in `Sessions.enterAll`. */
export async function connectAll(chat: Chat, user: User, since = ''): Promise<TestClient> {
  const client = openClient(chat, user, { format: followingFormat, hasOneRoom: false })
  return admit(client, await chat.sessions.enterAll(client.session, since))
}

/** Enters those of these rooms of which he is a member, as a live client; `since` as in `Sessions.enterRooms`. */
export async function connectSeveral(chat: Chat, user: User, roomIds: RoomId[], since = ''): Promise<TestClient> {
  const client = openClient(chat, user, { format: followingFormat, hasOneRoom: false })
  const bindings: Binding[] = []
  for (const roomId of roomIds) {
    const member = await chat.queries.getMember(roomId, user.id).catch(() => null)
    bindings.push([roomId, member?.joinedSeq ?? 0])
  }
  return admit(client, await chat.sessions.enterRooms(client.session, { bindings, lost: [], since, from: since }, () => true))
}

/** Opened, and in no room yet. */
export function openClient(chat: Chat, user: User, how: { format: Format; hasOneRoom: boolean }): TestClient {
  const frames: TestFrame[] = []
  const connection: Connection = {
    queuedBytes: 0,
    drained: async () => {},
    write: (bytes) => frames.push(...parseFrames(bytes)),
    close(code) {
      client.closedWith ??= code
      chat.sessions.close(session)
    },
  }
  const session = chat.sessions.open({ user, tokenHash: null, ...how })
  session.connect(connection)
  const leave = () => chat.sessions.close(session)
  const client: TestClient = { session, frames, isReload: false, cursor: '', closedWith: null, leave }
  return client
}

function admit(client: TestClient, entered: EnteredAll): TestClient {
  client.isReload = entered.isReload
  client.cursor = entered.cursor
  client.session.send(entered.missed)
  client.session.release()
  return client
}

function parseFrames(bytes: Uint8Array): TestFrame[] {
  const lines = Buffer.from(bytes).toString('utf8').trimEnd().split('\n')
  return lines.map((line) => JSON.parse(line) as TestFrame)
}

/** Waits for what must come; fails after 10 s, or what is said, with what it waited for: a function can say what there is by then. */
export async function until(
  what: string | (() => string),
  isSo: () => boolean | Promise<boolean>,
  withinMs = 10_000,
): Promise<void> {
  const deadline = Date.now() + withinMs
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error(`did not come: ${typeof what === 'string' ? what : what()}`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}
