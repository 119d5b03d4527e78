/** Rooms that other doors made or changed, as this one shows them. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { newName, openGuild, type Guild } from './guild.fixture.ts'

let guild: Guild

beforeAll(async () => {
  guild = await openGuild()
})
afterAll(() => guild.server.stop())

describe('rooms of other doors', () => {
  test('[A13] [M4] a group is a channel with server_id null for its members; a stranger gets the 403', async () => {
    const [admin, member, stranger] = [
      await guild.tokenFor(newName()),
      await guild.tokenFor(newName()),
      await guild.tokenFor(newName()),
    ]
    const ids = await Promise.all(
      [admin, member].map(async (token) => (await guild.call('GET /users/me', { token })).body.id as number),
    )
    const room = await guild.server.app.chat.rooms.createGroup({ name: '점심', description: null }, ids, ids[0]!)
    const { body } = await guild.call(`GET /channels/${room.id}`, { token: member })
    expect(body).toMatchObject({ id: room.id, name: '점심', server_id: null })
    const client = await guild.connect(room.id, member)
    client.send('같이 먹어요')
    await client.have(1)
    expect((await guild.call(`GET /channels/${room.id}/messages`, { token: admin })).body).toMatchObject([
      { content: '같이 먹어요' },
    ])
    for (const path of ['', '/messages']) {
      const refused = await guild.call(`GET /channels/${room.id}${path}`, { token: stranger })
      expect(refused).toMatchObject({ status: 403, body: { detail: 'You are not a member of this server' } })
    }
    expect(await guild.refusal(`/ws/${room.id}?token=${stranger}`)).toMatchObject({ status: 403 })
    const renaming = await guild.call(`PUT /channels/${room.id}`, { token: member, body: { name: 'x' } })
    expect(renaming).toMatchObject({ status: 403, body: { detail: 'Only the server owner can update channels' } })
    expect(await guild.call(`PUT /channels/${room.id}`, { token: admin, body: { name: '저녁' } })).toMatchObject({ status: 200 })
    expect(await guild.call(`DELETE /channels/${room.id}`, { token: admin })).toMatchObject({ status: 204 })
  })

  test('[A11] who is added to a channel elsewhere has joined the server', async () => {
    const { serverId, channelId, owner } = await guild.makeChannel()
    const newcomer = await guild.tokenFor(newName())
    const { chat } = guild.server.app
    const [actor, added] = await Promise.all(
      [owner, newcomer].map(async (token) => (await guild.call('GET /users/me', { token })).body.id as number),
    )
    await chat.members.add({ kind: 'user', user: await chat.accounts.get(actor!) }, channelId, added!)
    expect(await guild.call(`GET /servers/${serverId}`, { token: newcomer })).toMatchObject({ status: 200 })
    await (await guild.connect(channelId, newcomer)).close()
  })

  test('[A16] a message without text shows the name of its file', async () => {
    const { channelId, owner } = await guild.makeChannel()
    const client = await guild.connect(channelId, owner)
    const { chat } = guild.server.app
    const author = await chat.accounts.get((await guild.call('GET /users/me', { token: owner })).body.id)
    await chat.messages.post(author, channelId, { content: '', fileUrl: 'https://example.com/a/photo.png?size=2' })
    expect((await client.have(1))[0]).toMatchObject({ content: 'photo.png' })
  })
})
