import { expect, it } from 'vitest'
import { connectSeveral, followingFormat, openClient, openTestChat, until, type TestFrame } from '../../test/chat.ts'
import { createManualClock } from '../../test/manual-clock.ts'
import { createMemoryDatabase, openMemoryStorage } from '../storage/memory/memory.ts'

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
  const entering = far.sessions.enterRooms(session, { bindings: [], lost, since }, () => true)
  await clock.advance(1_000)
  const { missed } = await entering
  const types = missed.map((text) => (JSON.parse(text) as TestFrame).event.type)
  expect(types).toEqual(['message.posted', 'member.removed'])
  for (const chat of [near, far]) await chat.close()
})

it('[C12] whose lost memberships are not known must load anew', async () => {
  const chat = await openTestChat(openMemoryStorage())
  const [ann, bob] = [await chat.accounts.getOrMake(1), await chat.accounts.getOrMake(2)]
  for (const user of [ann, bob]) await chat.rooms.touchOpen(user, 7)
  const since = chat.sessions.cursor()
  const entered = await Promise.all(
    [[], null].map((lost) => {
      const { session } = openClient(chat, bob, { format: followingFormat, hasOneRoom: false })
      return chat.sessions.enterRooms(session, { bindings: [], lost, since }, () => true)
    }),
  )
  expect(entered.map(({ isReload }) => isReload)).toEqual([false, true])
  await chat.close()
})
