import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { openTestChat, testFormat, type TestFrame } from '../../test/chat.ts'
import { createManualClock, settle } from '../../test/manual-clock.ts'
import { openMemoryStorage } from '../storage/memory/memory.ts'
import type { Chat } from './chat.ts'
import type { RoomId, User, UserId } from './model.ts'
import { ModelClient, NaiveChat, type Counts } from './unread.fixture.ts'

const everything = { sinceMs: 0, limit: 5_000 }
const userIds: UserId[] = [1, 2, 3, 4]

type Step =
  /** Written at the same time, in this order; then, at the same time too, somebody reads the newest. */
  | { do: 'post'; room: number; authors: UserId[]; reader: UserId | null; withFile: boolean }
  | { do: 'delete'; room: number; pick: number }
  | { do: 'read'; room: number; who: UserId; upTo: number | 'newest' | 'none' | 'beyond' }
  | { do: 'readAll'; who: UserId }
  | { do: 'leave'; room: number; who: UserId }
  | { do: 'invite'; room: number; who: UserId; whom: UserId[] }
  /** At another door, where one begins with all read. */
  | { do: 'add'; room: number; whom: UserId }
  | { do: 'direct'; who: UserId; whom: UserId }
  | { do: 'group'; who: UserId; whom: UserId[] }
  | { do: 'reopen'; who: UserId; device: number }

const user = fc.constantFrom(...userIds)
const room = fc.nat(9)
const some = fc.subarray(userIds)
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('post' as const),
      room,
      authors: fc.array(user, { minLength: 1, maxLength: 4 }),
      reader: fc.option(user),
      withFile: fc.boolean(),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('delete' as const), room, pick: fc.nat(99) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('read' as const),
      room,
      who: user,
      upTo: fc.oneof(fc.nat(99), fc.constantFrom('newest' as const, 'none' as const, 'beyond' as const)),
    }),
  },
  fc.record({ do: fc.constant('readAll' as const), who: user }),
  { weight: 2, arbitrary: fc.record({ do: fc.constant('leave' as const), room, who: user }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('invite' as const), room, who: user, whom: some }) },
  fc.record({ do: fc.constant('add' as const), room, whom: user }),
  fc.record({ do: fc.constant('direct' as const), who: user, whom: user }),
  fc.record({ do: fc.constant('group' as const), who: user, whom: some }),
  fc.record({ do: fc.constant('reopen' as const), who: user, device: fc.nat(1) }),
)

/** Four people with two devices each, a direct chat and a group to begin with. */
class Scene {
  readonly naive = new NaiveChat()
  private readonly chat: Chat
  private readonly users: User[]
  private readonly devices = new Map<UserId, { model: ModelClient; close(): void }[]>()

  constructor(chat: Chat, users: User[]) {
    this.chat = chat
    this.users = users
  }

  static async open(): Promise<Scene> {
    const chat = await openTestChat(openMemoryStorage(), { clock: createManualClock() })
    const users: User[] = []
    for (const id of userIds) users.push(await chat.accounts.getOrMake(id))
    const scene = new Scene(chat, users)
    for (const id of userIds) scene.devices.set(id, [await scene.openDevice(id), await scene.openDevice(id)])
    await scene.take({ do: 'direct', who: 1, whom: 2 })
    await scene.take({ do: 'group', who: 1, whom: [2, 3] })
    return scene
  }

  close() {
    return this.chat.close()
  }

  private user(id: UserId): User {
    return this.users[id - 1]!
  }

  private async openDevice(id: UserId) {
    const model = new ModelClient(id)
    const write = (bytes: Uint8Array) => {
      for (const line of Buffer.from(bytes).toString('utf8').trimEnd().split('\n')) {
        model.apply((JSON.parse(line) as TestFrame).event)
      }
    }
    const connection = { queuedBytes: 0, drained: async () => {}, write, close: () => {} }
    const options = { user: this.user(id), format: testFormat(true), tokenHash: null, hasOneRoom: false }
    const session = this.chat.sessions.open(options)
    session.connect(connection)
    await this.chat.sessions.enterAll(session, '')
    for (const { room: found } of await this.chat.queries.listChats(this.user(id))) await this.load(model, id, found.id)
    session.release()
    return { model, close: () => this.chat.sessions.close(session) }
  }

  private async load(model: ModelClient, id: UserId, roomId: RoomId) {
    const me = this.user(id)
    const [chats, people, recent] = await Promise.all([
      this.chat.queries.listChats(me),
      this.chat.queries.listPeople(me, roomId),
      this.chat.queries.listRecent(me, roomId, everything),
    ])
    model.load(roomId, {
      unread: chats.find((found) => found.room.id === roomId)!.unreadCount,
      markers: new Map(people.map(({ member }) => [member.userId, member.marker.seq])),
      messages: new Map(
        recent.map(({ message, unreadCount }) => [
          message.id,
          { seq: message.seq, authorId: message.authorId, count: unreadCount },
        ]),
      ),
    })
  }

  async take(taken: Step): Promise<void> {
    await this.does(taken)
    await settle()
    for (const [id, devices] of this.devices) {
      for (const { model } of devices) for (const roomId of model.entered) await this.load(model, id, roomId)
    }
  }

  private async does(taken: Step): Promise<unknown> {
    const roomIds = [...this.naive.rooms.keys()]
    const roomId = 'room' in taken ? roomIds[taken.room % roomIds.length]! : 0
    switch (taken.do) {
      case 'post':
        return this.post(roomId, taken)
      case 'delete':
        return this.remove(roomId, taken.pick)
      case 'read':
        return this.read(roomId, taken.who, taken.upTo)
      case 'readAll':
        this.naive.readAll(taken.who)
        return this.chat.reads.advanceAll(this.user(taken.who))
      case 'leave':
        this.naive.room(roomId).members.delete(taken.who)
        return this.chat.members.leave(this.user(taken.who), roomId)
      case 'invite':
        return this.invite(roomId, taken.who, taken.whom)
      case 'add':
        return this.add(roomId, taken.whom)
      case 'direct':
        return this.openDirect(taken.who, taken.whom)
      case 'group':
        return this.openGroup(taken.who, taken.whom)
      case 'reopen':
        return this.reopen(taken.who, taken.device)
    }
  }

  private async post(roomId: RoomId, { authors, reader, withFile }: Extract<Step, { do: 'post' }>) {
    const { members } = this.naive.room(roomId)
    const file = { fileName: 'a.png', url: '/uploads/a.png', mimeType: null, sizeBytes: 1, sha256: 'a' }
    const draft = withFile ? { content: '', attachments: [file] } : { content: 'a' }
    const posts = authors.map((id) => this.chat.messages.post(this.user(id), roomId, draft))
    const read = reader === null ? null : this.chat.reads.advance(this.user(reader), roomId, null)
    for (const [index, outcome] of (await Promise.allSettled(posts)).entries()) {
      const authorId = authors[index]!
      expect(outcome.status).toBe(members.has(authorId) ? 'fulfilled' : 'rejected')
      if (outcome.status === 'fulfilled') this.naive.post(roomId, outcome.value.event.message.id, authorId)
    }
    if (reader === null) return
    await this.expectDone(read!, members.has(reader))
    if (members.has(reader)) this.naive.read(roomId, reader, Infinity)
  }

  /** What a stranger does is refused. */
  private async expectDone(attempt: Promise<unknown>, isMember: boolean) {
    if (isMember) await attempt
    else await expect(attempt).rejects.toMatchObject({ code: 'not_a_member' })
  }

  private async remove(roomId: RoomId, pick: number) {
    const { messages, members } = this.naive.room(roomId)
    const standing = messages.filter(({ isDeleted }) => !isDeleted)
    const chosen = standing[pick % standing.length]
    if (!chosen) return
    const isMember = members.has(chosen.authorId)
    await this.expectDone(this.chat.messages.remove(this.user(chosen.authorId), roomId, chosen.id), isMember)
    chosen.isDeleted = isMember
  }

  private async read(roomId: RoomId, who: UserId, upTo: Extract<Step, { do: 'read' }>['upTo']) {
    const { messages, members } = this.naive.room(roomId)
    const named = { newest: null, none: 0, beyond: 2_147_483_647 }
    const messageId = typeof upTo === 'number' ? (messages[upTo % messages.length]?.id ?? 0) : named[upTo]
    const isMember = members.has(who)
    await this.expectDone(this.chat.reads.advance(this.user(who), roomId, messageId), isMember)
    if (isMember) this.naive.read(roomId, who, messageId ?? Infinity)
  }

  private async invite(roomId: RoomId, who: UserId, whom: UserId[]) {
    const invited = this.naive.room(roomId)
    const principal = { kind: 'user', user: this.user(who) } as const
    const isMember = invited.members.has(who)
    const fresh = whom.filter((id) => !invited.members.has(id))
    const invitation = this.chat.members.invite(principal, roomId, whom)
    await this.expectDone(invitation, isMember)
    if (!isMember) return
    expect(await invitation).toBe(fresh.length)
    for (const id of fresh) invited.members.add(id)
    if (fresh.length > 0) invited.isPair = false
  }

  private async add(roomId: RoomId, whom: UserId) {
    const added = this.naive.room(roomId)
    if (added.members.has(whom)) return
    await this.chat.members.add({ kind: 'service', user: null }, roomId, whom)
    added.members.add(whom)
    added.isPair = false
    this.naive.skip(roomId, whom, Infinity)
  }

  private async openDirect(who: UserId, whom: UserId) {
    if (who === whom) return
    const known = this.naive.findPair([who, whom])
    const { roomId, isNew } = await this.chat.rooms.openDirect(this.user(who), whom)
    expect([isNew, known ?? roomId]).toEqual([known === undefined, roomId])
    if (isNew) this.naive.make(roomId, [who, whom], true)
  }

  private async openGroup(who: UserId, whom: UserId[]) {
    const others = whom.filter((id) => id !== who)
    if (others.length === 0) return
    const { id } = await this.chat.rooms.createPeers(this.user(who), { title: null, memberIds: whom })
    this.naive.make(id, [who, ...others], false)
  }

  private async reopen(who: UserId, device: number) {
    const devices = this.devices.get(who)!
    devices[device]!.close()
    devices[device] = await this.openDevice(who)
  }

  /** Each count that the chat tells, and each that a device reckoned, is what a recount finds. */
  async check() {
    for (const id of userIds) {
      const recount = this.naive.countsOf(id)
      expect(await this.tell(id), `what user ${id} is told`).toEqual(recount)
      for (const { model } of this.devices.get(id)!) {
        expect(model.countsOf(), `what a device of user ${id} reckons`).toEqual(recount)
        const passes = this.naive.passes.filter(({ roomId }) => recount.has(roomId))
        expect(model.passes.toSorted(byPlace), `what a device of user ${id} heard of reads`).toEqual(passes.toSorted(byPlace))
        model.passes = []
      }
    }
    this.naive.passes = []
  }

  private async tell(id: UserId) {
    const told = new Map<RoomId, Counts>()
    for (const { room: found, unreadCount } of await this.chat.queries.listChats(this.user(id))) {
      const recent = await this.chat.queries.listRecent(this.user(id), found.id, everything)
      told.set(found.id, {
        unread: unreadCount,
        counts: new Map(recent.map(({ message, unreadCount: count }) => [message.id, count])),
      })
    }
    return told
  }
}

function byPlace(a: { roomId: RoomId; userId: UserId }, b: { roomId: RoomId; userId: UserId }): number {
  return a.roomId - b.roomId || a.userId - b.userId
}

describe('counts', () => {
  it('[P8] [P9] are what a recount finds after every step, and what each device reckons from its events', async () => {
    const steps = fc.array(step, { minLength: 1, maxLength: 30 })
    await fc.assert(
      fc.asyncProperty(steps, async (taken) => {
        const scene = await Scene.open()
        for (const one of taken) {
          await scene.take(one)
          await scene.check()
        }
        await scene.close()
      }),
      { numRuns: 150 },
    )
  })
})
