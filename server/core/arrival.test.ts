/** A guest's way in where nodes and storage are not at the same place (W8): what the server's tests cannot bring about. */
import { describe, expect, it, onTestFinished } from 'vitest'
import { openClient, openTestChat, testFormat, until, type TestClient } from '../../test/chat.ts'
import { openMemoryStorage } from '../storage/memory/memory.ts'
import type { Storage } from '../storage/storage.ts'
import type { Arrival, Since } from './arrival.ts'
import type { Chat } from './chat.ts'
import type { RoomId, User } from './model.ts'

interface Scene {
  storage: Storage
  chat: Chat
  guest: User
  roomId: RoomId
}

async function open(storage = openMemoryStorage()): Promise<Scene> {
  const chat = await openTestChat(storage)
  onTestFinished(() => chat.close())
  return { storage, chat, ...(await chat.projects.admit({ projectId: 'x', name: 'Ann', avatarUrl: null }, 'hash')) }
}

async function enter({ chat, guest, roomId }: Scene, since: Since): Promise<{ client: TestClient; arrival: Arrival }> {
  const client = openClient(chat, guest, { format: testFormat(since !== null), hasOneRoom: true })
  const arrival = await chat.sessions.enterAsGuest(client.session, roomId, since)
  client.session.release()
  return { client, arrival }
}

const textsOf = ({ messages }: Arrival) => messages.map(({ message }) => message.content)
const liveTexts = ({ frames }: TestClient) =>
  frames.flatMap(({ event }) => (event.type === 'message.posted' ? [event.message.content] : []))

describe('a guest who enters', () => {
  it.each<[string, (id: number, cursor: string) => Since]>([
    ['the id of a message', (id) => id],
    ['a cursor', (_id, cursor) => cursor],
    ['the cursor of a history that changes follow', (_id, cursor) => `${cursor.replace(/[0-9a-z]+$/, '1')}~3`],
  ])('[W8] with %s of a node that is ahead gets nothing twice from one that is behind', async (_what, sinceOf) => {
    // Two nodes without a bus: the second hears by its sweep alone.
    const one = await open()
    const two = await open(one.storage)
    await one.chat.messages.post(one.guest, one.roomId, { content: 'a' })
    const { event } = await one.chat.messages.post(one.guest, one.roomId, { content: 'b' })
    const { arrival } = await enter(one, 0)
    expect(textsOf(arrival)).toEqual(['a', 'b'])
    const back = await enter(two, sinceOf(event.message.id, arrival.cursor))
    await one.chat.messages.post(one.guest, one.roomId, { content: 'c' })
    await until('what comes live', () => liveTexts(back.client).includes('c'))
    expect([back.arrival.isReload, textsOf(back.arrival), liveTexts(back.client)]).toEqual([false, [], ['c']])
  })

  it('[W3] gets what was not handed out yet live, and not in the history as well', async () => {
    const one = await open()
    const two = await open(one.storage)
    await one.chat.messages.post(one.guest, one.roomId, { content: 'a' })
    const { client, arrival } = await enter(two, null)
    await until('it', () => [...textsOf(arrival), ...liveTexts(client)].length > 0)
    await one.chat.messages.post(one.guest, one.roomId, { content: 'b' })
    await until('the next', () => liveTexts(client).includes('b'))
    expect([...textsOf(arrival), ...liveTexts(client)]).toEqual(['a', 'b'])
  })

  it('[W9] is in no room that was deleted meanwhile, and in none of the presence', async () => {
    const scene = await open()
    const { client } = await enter(scene, null)
    expect(await scene.chat.sessions.listOnline(scene.roomId)).toEqual([])
    await scene.chat.rooms.remove({ kind: 'service', user: null }, scene.roomId)
    await until('the end', () => client.closedWith === 4003)
    await expect(enter(scene, null)).rejects.toMatchObject({ code: 'room_not_found' })
  })

  it('[W9] who is revoked or ill named is not let in; an avatar that cannot be shown is none', async () => {
    const { chat } = await open()
    await chat.accounts.revokeToken('gone', Date.now() + 1_000_000)
    const admit = (projectId: string, name: string, hash = 'h') => chat.projects.admit({ projectId, name, avatarUrl: null }, hash)
    await expect(admit('x', 'Ann', 'gone')).rejects.toMatchObject({ code: 'bad_credentials' })
    for (const [projectId, name] of [
      ['', 'a'],
      ['x', ''],
      ['a\n', 'b'],
      ['x', '\ud800'],
      ['x'.repeat(101), 'a'],
      ['x', 'a'.repeat(101)],
    ])
      await expect(admit(projectId!, name!)).rejects.toMatchObject({ code: 'invalid_field' })
    for (const avatarUrl of ['', 'x'.repeat(2_049), 'a\0'])
      expect((await chat.projects.admit({ projectId: 'x', name: 'Ann', avatarUrl }, 'h')).guest.avatarUrl).toBeNull()
  })
})
