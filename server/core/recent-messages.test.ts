import { expect, it } from 'vitest'
import { openTestChat } from '../../test/chat.ts'
import { createMemoryRegistry } from '../registry/memory/memory-registry.ts'
import { RegistryUnavailable, type Registry } from '../registry/registry.ts'
import { openMemoryStorage } from '../storage/memory/memory.ts'
import { parseCursor, type Cursor } from './cursor.ts'
import { listRecentMessages, listRecentUpTo } from './recent-messages.ts'

async function open() {
  const storage = openMemoryStorage()
  const chat = await openTestChat(storage)
  const author = await chat.accounts.getOrMake(1)
  const roomId = 7
  await chat.rooms.touchOpen(author, roomId)
  const registry = createMemoryRegistry(storage.directory)
  let read = 0
  const log: typeof storage.log = {
    ...storage.log,
    listMessagesBelow: (...words) => ((read += 1), storage.log.listMessagesBelow(...words)),
  }
  const texts = async (over: Registry = registry) =>
    (await listRecentMessages({ registry: over, log }, (await storage.log.findRoom(roomId))!)).map(({ content }) => content)
  const position = () => parseCursor(chat.sessions.cursor())!
  const textsUpTo = async (upTo: Cursor) => (await listRecentUpTo({ registry, log }, roomId, upTo)).map(({ content }) => content)
  return { chat, author, roomId, registry, texts, position, textsUpTo, reads: () => read }
}

it('the latest 20 messages are read once, and again when anything has changed in the room', async () => {
  const { chat, author, roomId, texts, reads } = await open()
  const said = []
  for (let nth = 1; nth <= 22; nth++) said.push((await chat.messages.post(author, roomId, { content: `${nth}` })).event.message)
  const latest = Array.from({ length: 20 }, (_, nth) => `${nth + 3}`)
  expect([await texts(), await texts(), reads()]).toEqual([latest, latest, 1])
  await chat.messages.edit(author, roomId, said[20]!.id, 'edited')
  expect([await texts(), reads()]).toEqual([[...latest.slice(0, 18), 'edited', '22'], 2])
  await chat.messages.remove(author, roomId, said[21]!.id)
  expect(await texts()).toEqual(['2', ...latest.slice(0, 18), 'edited'])
  await chat.close()
})

it('the latest messages are read from the log where the registry is away', async () => {
  const { chat, author, roomId, registry, texts } = await open()
  await chat.messages.post(author, roomId, { content: 'a' })
  const away = () => Promise.reject(new RegistryUnavailable('for a test'))
  expect(await texts({ ...registry, findRecent: away, keepRecent: away })).toEqual(['a'])
  await chat.close()
})

it('the latest messages of who was handed out less end where that ends', async () => {
  const { chat, author, roomId, position, textsUpTo, texts } = await open()
  for (let nth = 1; nth <= 21; nth++) await chat.messages.post(author, roomId, { content: `${nth}` })
  const upTo = position()
  await chat.messages.post(author, roomId, { content: 'later' })
  expect((await texts()).at(-1)).toBe('later')
  expect(await textsUpTo(upTo)).toEqual(Array.from({ length: 20 }, (_, nth) => `${nth + 2}`))
  expect((await textsUpTo(position())).at(-1)).toBe('later')
  await chat.close()
})
