/** Rooms and who is in them by HTTP (1.1 to 1.6, 3.1; C1, C4, C5, C7, C8). What ranks may is in roles.test.ts. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { asHost, chatrooms, openChatroom, type ChatroomServer, type Person } from './chatroom.fixture.ts'

let door: ChatroomServer
let ann: Person, bob: Person, eve: Person

beforeAll(async () => {
  door = await openChatroom({ isProduction: true, env: { LIMIT_SENDS: 'off' } })
  ;[ann, bob, eve] = await door.people('ann', 'bob', 'eve')
})
afterAll(() => door.stop())

const create = (fields: object, as = ann.bearer) =>
  door.call(`POST ${chatrooms}`, as, { creatorId: 'ann', targetUserIds: [], name: '방', ...fields })
const get = (roomId: string, as = ann) => door.call(`GET ${chatrooms}/${roomId}`, as.bearer)
const roles = ({ participants }: { participants: { userId: string; role: string }[] }) =>
  participants.map(({ userId, role }) => `${userId} ${role}`)

describe('making a room', () => {
  test('[C5] the creator stands first, then the others in order, without doubles and himself', async () => {
    const { body } = await create({ targetUserIds: ['eve', 'bob', 'eve', 'ann', 'bob'] })
    expect(roles(body)).toEqual(['ann admin', 'eve member', 'bob member'])
    expect(body.userCount).toBe(3)
    expect(roles((await get(body.roomId, eve)).body)).toEqual(roles(body))
  })

  test('[C5] one and two people are members', async () => {
    expect(roles((await create({})).body)).toEqual(['ann member'])
    expect(roles((await create({ targetUserIds: ['bob'] })).body)).toEqual(['ann member', 'bob member'])
  })

  test.each([
    ['2025-07-15T13:00:00Z', '2025-07-15T13:00:00Z'],
    ['2025-07-15T13:00:00.987Z', '2025-07-15T13:00:00Z'],
    ['2025-07-15T22:00:00+09:00', '2025-07-15T13:00:00Z'],
    ['1969-01-01T00:00:00Z', '1969-01-01T00:00:00Z'],
  ])('[C4] createdAt %s is answered as %s', async (createdAt, shown) => {
    expect((await create({ createdAt })).body.createdAt).toBe(shown)
  })

  test('[C4] without createdAt, and whenever the room is read, it is when the room was made', async () => {
    for (const createdAt of [undefined, null]) {
      const { body } = await create({ createdAt })
      expect(Math.abs(Date.parse(body.createdAt) - Date.now())).toBeLessThan(60_000)
    }
    const { body } = await create({ createdAt: '2001-01-01T00:00:00Z' })
    expect((await get(body.roomId)).body.createdAt).not.toBe(body.createdAt)
  })

  test('[A18] with an unknown or deactivated user there is none: 404', async () => {
    const [gone] = await door.people('gone')
    await door.server.app.chat.accounts.change(gone.id, { isActive: false })
    for (const target of ['nobody', 'gone']) {
      const { status, body } = await create({ targetUserIds: ['bob', target] })
      expect([status, body]).toEqual([404, { error: 'user_not_found', message: 'User not found' }])
    }
  })
})

describe('reading rooms', () => {
  test('[C8] the list has a user’s rooms, each as in 1.1, and an empty userId is as none', async () => {
    const [kim] = await door.people('kim')
    const roomId = await door.room([kim, bob], '둘')
    const other = await door.room([bob, kim, eve], '셋')
    const { chatrooms: all } = await door.done(`GET ${chatrooms}?userId=kim`, kim.bearer)
    expect(
      all.map((room: { roomId: string; name: string; userCount: number }) => [room.roomId, room.name, room.userCount]),
    ).toEqual([
      [roomId, '둘', 2],
      [other, '셋', 3],
    ])
    expect(roles(all[1])).toEqual(['bob admin', 'kim member', 'eve member'])
    for (const query of ['', '?userId='])
      expect(await door.done(`GET ${chatrooms}${query}`, kim.bearer)).toEqual({ chatrooms: all })
  })

  test('[C8][C10] a room is shown as in 1.1 with its Room’s state', async () => {
    const roomId = await door.room([ann, bob])
    const { body } = await get(roomId)
    expect(Object.keys(body)).toEqual(['roomId', 'name', 'createdAt', 'participants', 'userCount', 'state'])
    expect(body.state).toBe('closed')
  })

  test('[M4] a stranger gets a 403, and what is not there is a 404, by every route', async () => {
    const roomId = await door.room([ann, bob])
    const { messageId } = await door.send(roomId, ann, '글')
    const who = { userId: 'eve' }
    const routes: [route: string, body?: object][] = [
      ['GET /:id'],
      ['GET /:id/messages'],
      [`GET /:id/messages?before=${messageId}`],
      ['DELETE /:id'],
      ['PATCH /:id/name', { name: '방' }],
      ['POST /:id/participants', who],
      ['DELETE /:id/participants/ann'],
      ['PATCH /:id/participants/ann/role', { role: 'member' }],
      ['PATCH /:id/participants/ann/name', { edited_name: '' }],
      ['POST /:id/connect', who],
      ['POST /:id/messages', { ...who, content: '글' }],
      [`POST /:id/messages/${messageId}/read`, who],
      [`POST /:id/messages/${messageId}/reactions`, { ...who, reactionType: 'like' }],
      [`DELETE /:id/messages/${messageId}/reactions/like`, who],
    ]
    for (const [route, body] of routes) {
      const call = (id: string) => door.call(route.replace(' /:id', ` ${chatrooms}/${id}`), eve.bearer, body)
      const [here, nowhere] = [await call(roomId), await call('999999')]
      expect([here.status, here.body.error], route).toEqual([403, 'forbidden'])
      expect([nowhere.status, nowhere.body.error], route).toEqual([404, 'room_not_found'])
    }
  })
})

describe('changing a room', () => {
  test('[C4] what is changed is answered, and read by all', async () => {
    const roomId = await door.room([ann, bob])
    const renamed = await door.done(`PATCH ${chatrooms}/${roomId}/name`, bob.bearer, { name: '새 이름' })
    expect((await get(roomId, bob)).body).toEqual({ ...renamed, state: 'closed' })
    expect(renamed.name).toBe('새 이름')
    const added = await door.done(`POST ${chatrooms}/${roomId}/participants`, ann.bearer, { userId: 'eve' })
    expect(added).toEqual({ roomId, userId: 'eve', edited_name: 'eve', role: 'member' })
    expect(roles((await get(roomId, eve)).body)).toEqual(['ann member', 'bob member', 'eve member'])
    expect(await door.done(`DELETE ${chatrooms}/${roomId}/participants/eve`, eve.bearer)).toEqual({ roomId, userId: 'eve' })
    expect((await get(roomId, eve)).status).toBe(403)
    expect(await door.done(`DELETE ${chatrooms}/${roomId}`, ann.bearer)).toEqual({ roomId })
    expect((await get(roomId)).body.error).toBe('room_not_found')
  })

  test('[C5] a name given in the room is shown there alone, and an empty or blank one takes it away', async () => {
    const [roomId, other] = [await door.room([ann, bob]), await door.room([ann, bob])]
    const give = (edited_name: string) =>
      door.done(`PATCH ${chatrooms}/${roomId}/participants/bob/name`, bob.bearer, { edited_name })
    const shownIn = async (id: string) => (await get(id)).body.participants[1].edited_name
    expect(await give('  김팀장 ')).toEqual({ roomId, userId: 'bob', edited_name: '  김팀장 ', role: 'member' })
    expect([await shownIn(roomId), await shownIn(other)]).toEqual(['  김팀장 ', 'bob'])
    for (const none of ['', '   ']) {
      await give('김팀장')
      expect((await give(none)).edited_name).toBe('bob')
    }
  })

  test('[C1][M3] connect is for participants; in development also for who was never in, but not for who was removed', async () => {
    const open = await openChatroom()
    const made = await open.done(`POST ${chatrooms}`, {}, { creatorId: 'kim', targetUserIds: ['lee'], name: '방' })
    const at = `${chatrooms}/${made.roomId}`
    const connect = (userId: string) => open.call(`POST ${at}/connect`, {}, { userId })
    expect([(await connect('lee')).status, (await connect('cho')).status]).toEqual([200, 200])
    const { participants } = await open.done(`GET ${at}`)
    expect(roles({ participants })).toEqual(['kim member', 'lee member', 'cho member'])
    await open.done(`DELETE ${at}/participants/cho`)
    const again = await connect('cho')
    expect([again.status, again.body.error]).toEqual([403, 'forbidden'])
    expect((await open.call(`POST ${chatrooms}/999/connect`, {}, { userId: 'cho' })).status).toBe(404)
    await open.stop()
  })
})

describe('default names', () => {
  let service: Server
  const asked: string[] = []

  beforeAll(async () => {
    service = createServer(({ url }, answer) => {
      asked.push(url ?? '')
      const name = { '/users/ann': '안나', '/users/%EB%AF%BC%EC%A4%80': '최민준' }[url ?? '']
      answer.writeHead(name === undefined ? 404 : 200, { 'content-type': 'application/json' })
      answer.end(JSON.stringify({ name }))
    })
    await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve))
  })
  afterAll(() => new Promise((resolve) => service.close(resolve)))

  test('[C7] come from the user service, where it knows none from the users table, and one given in the room goes before', async () => {
    const USER_SERVICE_URL = `http://127.0.0.1:${(service.address() as AddressInfo).port}`
    const served = await openChatroom({ isProduction: true, env: { USER_SERVICE_URL } })
    const [anna, minjun, lee] = await served.people('ann', '민준', 'lee')
    const roomId = await served.room([anna, minjun, lee])
    const names = async () => {
      const { participants } = await served.done(`GET ${chatrooms}/${roomId}`, anna.bearer)
      return participants.map((one: { edited_name: string }) => one.edited_name)
    }
    expect(await names()).toEqual(['안나', '최민준', 'lee'])
    await served.done(`PATCH ${chatrooms}/${roomId}/participants/ann/name`, asHost, { edited_name: '대표' })
    expect(await names()).toEqual(['대표', '최민준', 'lee'])
    expect(new Set(asked).size).toBe(asked.length)
    await served.stop()
  })
})
