import { expect, it } from 'vitest'
import { connectSeveral, followingFormat, openClient, openTestChat, until, type TestFrame } from '../../test/chat.ts'
import { createManualClock } from '../../test/manual-clock.ts'
import { createMemoryDatabase, openMemoryStorage } from '../storage/memory/memory.ts'
import type { Binding } from './binding-record.ts'
import { isAllCovered, parseCursor } from './cursor.ts'
import type { Tour } from './several-rooms.ts'

it('[C12] who enters rooms is in those of which he is a member, and hears nothing of the others', async () => {
  const chat = await openTestChat(openMemoryStorage())
  const [ann, bob] = [await chat.accounts.getOrMake(1), await chat.accounts.getOrMake(2)]
  for (const roomId of [7, 8, 9]) await chat.rooms.touchOpen(ann, roomId)
  for (const roomId of [7, 9]) await chat.rooms.touchOpen(bob, roomId)
  await chat.members.remove({ kind: 'nobody' }, 9, bob.id)
  const client = await connectSeveral(chat, bob, [7, 8, 9, 99])
  for (const roomId of [9, 8, 7]) await chat.messages.post(ann, roomId, { content: `in ${roomId}` })
  const heard = () => client.frames.flatMap(({ event }) => (event.type === 'message.posted' ? [event.message.content] : []))
  await until('the message', () => heard().length > 0)
  expect([heard(), [...client.session.rooms]]).toEqual([['in 7'], [7]])
  await chat.close()
})

it('[C12] of a membership that has ended it gets what it missed also where this node had not heard of that', async () => {
  const { openStorage } = createMemoryDatabase()
  const { log } = openStorage()
  const near = await openTestChat(openStorage())
  const [ann, bob] = [await near.accounts.getOrMake(1), await near.accounts.getOrMake(2)]
  for (const user of [ann, bob]) await near.rooms.touchOpen(user, 7)
  const clock = createManualClock()
  const far = await openTestChat(openStorage(), { clock })
  const since = far.sessions.cursor()
  await near.messages.post(ann, 7, { content: 'missed' })
  await near.members.remove({ kind: 'nobody' }, 7, bob.id)
  const [membership] = await log.listMembershipsOf(bob.id, [7])
  const lost = [{ roomId: 7, joinedSeq: membership!.member.joinedSeq, stamp: membership!.leftStamp! }]
  const { session } = openClient(far, bob, { format: followingFormat, hasOneRoom: false })
  const entering = far.sessions.enterRooms(session, { bindings: [], lost, since, from: since }, () => true)
  await clock.advance(1_000)
  const { missed } = await entering
  const types = missed.map((text) => (JSON.parse(text) as TestFrame).event.type)
  expect(types).toEqual(['message.posted', 'member.removed'])
  for (const chat of [near, far]) await chat.close()
})

const nobody = { kind: 'nobody' } as const

/** Ann and Bob in room 7, who have a cursor from before what Bob missed. */
async function openScene(replayMax = 10_000) {
  const storage = openMemoryStorage()
  const chat = await openTestChat(storage, { replayMax })
  const [ann, bob] = [await chat.accounts.getOrMake(1), await chat.accounts.getOrMake(2)]
  for (const user of [ann, bob]) await chat.rooms.touchOpen(user, 7)
  const since = chat.sessions.cursor()
  return {
    chat,
    bob,
    since,
    /** Of his membership, as it is now. */
    joinedSeq: async () => (await storage.log.listMembershipsOf(bob.id, [7]))[0]!.member.joinedSeq,
    say: (content: string) => chat.messages.post(ann, 7, { content }),
    async removeAndAdd() {
      await chat.members.remove(nobody, 7, ann.id)
      await chat.members.add(nobody, 7, ann.id)
      await chat.members.remove(nobody, 7, bob.id)
      await chat.members.add(nobody, 7, bob.id)
    },
    /** What he is told who resumes, or `reload`; and of what else he is out. */
    async enter(tour: Partial<Tour>, isBound = true) {
      const { session } = openClient(chat, bob, { format: followingFormat, hasOneRoom: false })
      const entered = await chat.sessions.enterRooms(
        session,
        { bindings: [], lost: [], since, from: since, ...tour },
        () => isBound,
      )
      const events = entered.missed.map((text) => (JSON.parse(text) as TestFrame).event)
      const told = events.map((event) =>
        event.type === 'message.posted' ? event.message.content : `${event.type} ${event.userId}`,
      )
      return { told: entered.isReload ? 'reload' : told, lost: entered.lost }
    },
  }
}

it('[C12] the end of a membership of which nobody has told is his own, as storage has it', async () => {
  const { joinedSeq, say, removeAndAdd, enter } = await openScene()
  const ended = { roomId: 7, joinedSeq: await joinedSeq(), stamp: null }
  await say('missed')
  await removeAndAdd()
  await say('not for him')
  await removeAndAdd()
  expect(await enter({ lost: [ended] })).toEqual({
    told: ['missed', 'member.removed 1', 'member.added 1', 'member.removed 2'],
    lost: [],
  })
})

it('[A7][C12] where it is further back than the limit, he must load anew', async () => {
  for (const [count, told] of [
    [3, ['member.removed 1', 'member.added 1', 'member.removed 2']],
    [10, 'reload'],
  ] as const) {
    const { joinedSeq, say, removeAndAdd, enter } = await openScene(8)
    const ended = { roomId: 7, joinedSeq: await joinedSeq(), stamp: null }
    await removeAndAdd()
    for (let nth = 0; nth < count; nth++) await say(`not for him ${nth}`)
    expect((await enter({ lost: [ended] })).told).toEqual(told)
  }
})

it('[C12] who is in by a membership and only not bound by it any more must load anew, and is out of nothing', async () => {
  const { joinedSeq, say, enter } = await openScene()
  await say('missed')
  expect(await enter({ bindings: [[7, await joinedSeq()]] }, false)).toEqual({ told: 'reload', lost: [] })
})

it('[C12] of a room that was deleted he gets nothing, and needs no reload', async () => {
  const { chat, joinedSeq, enter } = await openScene()
  const [roomId, seq] = [7, await joinedSeq()]
  await chat.rooms.remove(nobody, roomId)
  expect(await enter({ lost: [{ roomId, joinedSeq: seq, stamp: null }] })).toEqual({ told: [], lost: [] })
  expect((await enter({ bindings: [[roomId, seq]] })).lost).toEqual([{ roomId, joinedSeq: Infinity, stamp: null }])
})

it('[C12] nor of a membership that a database taken back to a backup does not hold', async () => {
  const { joinedSeq, enter } = await openScene()
  const later: Binding = [7, (await joinedSeq()) + 5]
  expect(await enter({ bindings: [later] })).toEqual({ told: [], lost: [{ roomId: 7, joinedSeq: Infinity, stamp: null }] })
})

it('[C12] whose cursor is from before it is known what he lost must load anew', async () => {
  const { chat, since, say, enter } = await openScene()
  await say('missed')
  const from = chat.sessions.cursor()
  expect([(await enter({ since, from })).told, (await enter({ since: from, from })).told]).toEqual(['reload', []])
  expect((await enter({ from: '1_1-zzzzzzzz-1' })).told).toBe('reload')
})

it('[C12] what he is given covers since when it is known, also where this node was behind', async () => {
  const { openStorage } = createMemoryDatabase()
  const ending = await openTestChat(openStorage())
  const bob = await ending.accounts.getOrMake(2)
  await ending.rooms.touchOpen(bob, 7)
  const near = await openTestChat(openStorage())
  const clock = createManualClock()
  const far = await openTestChat(openStorage(), { clock })
  const enter = async (from: string) => {
    const { session } = openClient(far, bob, { format: followingFormat, hasOneRoom: false })
    const entering = far.sessions.enterRooms(session, { bindings: [], lost: [], since: '', from }, () => true)
    await clock.advance(1_000)
    return isAllCovered(parseCursor((await entering).cursorAfter)!, parseCursor(from)!)
  }
  await near.messages.post(bob, 7, { content: 'at the other node' })
  expect(await enter(near.sessions.cursor())).toBe(true)
  // Another node ends: of two that have heard all of it, one knows that first.
  await ending.close()
  const floor = () => parseCursor(near.sessions.cursor())!.floor
  const before = floor()
  await until('its end is known', () => floor() > before)
  expect(await enter(near.sessions.cursor())).toBe(true)
  for (const chat of [near, far]) await chat.close()
})
