/** One room at three doors (A1, A13, A16, A19): what is said at one is seen at the others. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { done, feedHistory, guildHistory, makeChannel, makeGroup, open, post, rooms, type Client } from '../../../test/clients.ts'
import { openGroupware, type Groupware, type Person } from './groupware.fixture.ts'

let door: Groupware
let ann: Person, bob: Person

beforeAll(async () => {
  door = await openGroupware({ isProduction: true, env: { LIMIT_SENDS: 'off', LIMIT_CONNECTS: 'off' } })
  ;[ann, bob] = (await door.people('ann', 'bob')) as [Person, Person]
})
afterAll(() => door.stop())

async function contents(roomId: number): Promise<unknown[]> {
  const { data } = await door.done(`GET /api/chats/${roomId}/messages`, bob.bearer)
  return data.map(({ content }: { content: string }) => content)
}

test('[A1][A2] a channel is a chat of its members, with one id a message and one order at all doors', async () => {
  const { roomId } = await makeChannel(door.server, [ann, bob])
  const guild = await open(door.server, ['guild', roomId], bob)
  const feed = await open(door.server, ['feed', roomId], bob)
  const stream = await door.listen(bob)
  guild.socket.send(JSON.stringify({ content: '길드에서' }))
  await stream.have(1)
  await door.send(roomId, ann, '그룹웨어에서')
  await post(door.server, roomId, bob, '피드에서')
  const frames = await stream.have(5)
  const messages = frames.flatMap((frame) => (frame.type === 'message' ? [frame.data.message] : []))
  const seen = messages.map(({ id, content, sender_id }) => ({ id, text: content, authorId: sender_id }))
  expect(seen.map(({ text }) => text)).toEqual(['길드에서', '그룹웨어에서', '피드에서'])
  for (const client of [guild, feed] as Client[]) {
    await client.settled()
    expect(client.seen).toEqual(seen)
  }
  expect(await feedHistory(door.server, roomId, ann)).toEqual(seen)
  expect(await guildHistory(door.server, roomId, ann)).toEqual(seen)
  expect(await contents(roomId)).toEqual(['길드에서', '그룹웨어에서', '피드에서'])
  for (const client of [guild, feed]) await client.close()
  stream.close()
})

test('[A1][A19] a chat made here is a room there, with the same unread counts', async () => {
  const roomId = await door.group([ann, bob], '점심')
  await door.send(roomId, ann, '하나')
  const membersAt = async () => {
    const { data } = await done(door.server, `GET ${rooms}/${roomId}/members`, undefined, ann.bearer)
    return data.map(({ user_id, unread_count }: { user_id: number; unread_count: number }) => [user_id, unread_count])
  }
  expect(await membersAt()).toEqual([
    [ann.id, 0],
    [bob.id, 1],
  ])
  await done(door.server, `POST ${rooms}/${roomId}/read`, { user_id: bob.id }, bob.bearer)
  const { data } = await door.done('GET /api/chats', bob.bearer)
  expect(data[0]).toMatchObject({ id: roomId, title: '점심', unread_count: 0 })
  const stream = await door.listen(ann)
  await door.send(roomId, ann, '둘')
  await done(door.server, `POST ${rooms}/${roomId}/read`, { user_id: bob.id }, bob.bearer)
  expect((await stream.have(2))[1]).toMatchObject({ type: 'read', data: { chat_id: roomId, user_id: bob.id } })
  stream.close()
})

describe('files', () => {
  test('[A16] a file_url is an attachment with the name in its path', async () => {
    const roomId = await makeGroup(door.server, [ann, bob])
    const file_url = 'https://files.example/2025/보고서.pdf?v=2'
    const { data } = await done(door.server, `POST ${rooms}/${roomId}/messages`, { user_id: ann.id, file_url }, ann.bearer)
    const [listed] = (await door.done(`GET /api/chats/${roomId}/messages`, bob.bearer)).data
    const attachment = {
      id: data.id,
      message_id: data.id,
      file_name: '보고서.pdf',
      file_path: file_url,
      mime_type: null,
      size: 0,
    }
    expect(listed).toMatchObject({ content: null, attachments: [attachment] })
    expect((await door.done('GET /api/chats', bob.bearer)).data[0]).toMatchObject({ id: roomId, last_content: '파일 첨부' })
  })
})

describe('who may', () => {
  test('[A11][A13] into a channel its server’s owner invites; who leaves it leaves the server; the owner stays', async () => {
    const [dan] = (await door.people('dan')) as [Person]
    const { roomId, serverId } = await makeChannel(door.server, [ann, bob])
    const invite = (by: Person) => door.call(`POST /api/chats/${roomId}/invite`, by.bearer, { userIds: [dan.id] })
    expect((await invite(bob)).status).toBe(403)
    expect((await invite(ann)).body).toEqual({ success: true, added: 1 })
    expect(await contents(roomId)).toEqual([])
    await door.done(`POST /api/chats/${roomId}/leave`, dan.bearer)
    const server = await fetch(`${door.server.url}/servers/${serverId}`, { headers: dan.bearer })
    expect(server.status).toBe(403)
    expect((await door.call(`POST /api/chats/${roomId}/leave`, ann.bearer)).status).toBe(400)
  })

  test('[A13] in a group made at feed any member invites, in one made here each removes only himself', async () => {
    const [eve] = (await door.people('eve')) as [Person]
    const there = await makeGroup(door.server, [ann, bob])
    expect(await door.done(`POST /api/chats/${there}/invite`, bob.bearer, { userIds: [eve.id] })).toEqual({
      success: true,
      added: 1,
    })
    const here = await door.group([ann, bob, eve])
    const remove = (by: Person) =>
      fetch(`${door.server.url}${rooms}/${here}/members/${eve.id}`, {
        method: 'DELETE',
        headers: { ...by.bearer, 'x-user-id': String(by.id) },
      })
    expect((await remove(ann)).status).toBe(403)
    expect((await remove(eve)).status).toBe(200)
  })
})
