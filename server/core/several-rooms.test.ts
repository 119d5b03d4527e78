import { expect, it } from 'vitest'
import { connectSeveral, openTestChat, until } from '../../test/chat.ts'
import { openMemoryStorage } from '../storage/memory/memory.ts'

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
