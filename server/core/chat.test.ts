import { expect, it } from 'vitest'
import { connect, fastClock, openTestChat, until } from '../../test/chat.ts'
import { createMemoryBus } from '../bus/memory/memory-bus.ts'
import { createMemoryDatabase } from '../storage/memory/memory.ts'
import type { Directory, Storage } from '../storage/storage.ts'

const roomId = 7

/** From `hold` on, the accounts of the next question come when `release` is called, and those of further ones at once. */
function withHold(inner: Storage) {
  let held: Promise<void> | null = null
  let release = () => {}
  let asked = 0
  const { directory } = inner
  const slow: Pick<Directory, 'findUsers'> = {
    async findUsers(userIds) {
      const wait = held
      held = null
      asked += 1
      await wait
      return directory.findUsers(userIds)
    },
  }
  const hold = () => {
    asked = 0
    held = new Promise<void>((resolve) => (release = resolve))
  }
  const storage: Storage = { ...inner, directory: Object.assign(Object.create(directory) as Directory, slow) }
  return { storage, hold, asked: () => asked, release: () => release() }
}

it('[A19] presence is announced in its order, also where the account of who came has to be loaded', async () => {
  const database = createMemoryDatabase()
  const bus = createMemoryBus()
  let aheadMs = 0
  const one = await openTestChat(database.openStorage(), { bus: bus.connect() })
  const slowed = withHold(database.openStorage())
  const clock = { ...fastClock, now: () => Date.now() + aheadMs }
  const two = await openTestChat(slowed.storage, { bus: bus.connect(), clock })
  const users = [await one.accounts.getOrMake(1), await one.accounts.getOrMake(2)] as const
  for (const user of users) await one.rooms.touchOpen(user, roomId)
  const watcher = await connect(two, users[0], roomId)
  const news = () =>
    watcher.frames.flatMap(({ event }) => (event.type === 'presence.changed' && event.userId === 2 ? [event.online] : []))
  // What the second node knows of the accounts is old by now.
  aheadMs = 60_000
  slowed.hold()
  const client = await connect(one, users[1], roomId)
  await until('the question', () => slowed.asked() > 0)
  aheadMs = 120_000
  client.leave()
  await until('the next question', () => slowed.asked() > 1)
  slowed.release()
  await until('both', () => news().length === 2)
  expect(news()).toEqual([true, false])
  for (const chat of [one, two]) await chat.close()
})

it('hands out what someone does who was just recognised without a reading of his account', async () => {
  const database = createMemoryDatabase()
  const before = await openTestChat(database.openStorage())
  const user = await before.accounts.getOrMake(1)
  await before.rooms.touchOpen(user, roomId)
  const { storage, hold, asked } = withHold(database.openStorage())
  const chat = await openTestChat(storage)
  const recognised = await chat.accounts.authenticate({ username: user.username }, 'a'.repeat(64))
  hold()
  const client = await connect(chat, recognised, roomId)
  await chat.messages.post(recognised, roomId, { content: 'a' })
  await until('the message', () => client.frames.some(({ event }) => event.type === 'message.posted'))
  expect(asked()).toBe(0)
  for (const each of [before, chat]) await each.close()
})
