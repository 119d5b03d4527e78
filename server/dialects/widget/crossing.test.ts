/** A project's room at the other doors (A1, W3, W9): members see and answer what guests say, and guests are in no list. */
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { until } from '../../../test/chat.ts'
import {
  asHost,
  call,
  done,
  enroll,
  feedHistory,
  guildHistory,
  makeGroup,
  open as openSocket,
  post,
  rooms,
  type Person,
} from '../../../test/clients.ts'
import { startServer, type TestServer } from '../../../test/harness.ts'
import { EventSource } from 'eventsource'
import { closeGuests, enterGuest, signGuest, type Guest } from './widget.fixture.ts'

let server: TestServer
let mina: Person
let project: string
let roomId: number
let lastProject = 0

beforeAll(async () => {
  server = await startServer({ isProduction: true, env: { LIMIT_SENDS: 'off', LIMIT_CONNECTS: 'off' } })
  mina = await enroll(server, 'mina')
})
afterEach(() => {
  closeGuests()
  expect(server.logged).toEqual([])
})
afterAll(() => server.stop())

/** A guest in a project's room that mina joined as an operator does: by the room's number, with a service key. */
async function open(): Promise<Guest> {
  project = `shop ${++lastProject}`
  roomId = (await done(server, `GET /api/projects/${encodeURIComponent(project)}`, undefined, asHost)).roomId
  await done(server, `POST ${rooms}/${roomId}/members`, { user_id: mina.id }, asHost)
  return enterGuest(server, signGuest('손님', project, { avatar: 'https://shop.test/a.png' }))
}

interface GroupwareFrame {
  type: string
  data?: { message?: { id: number; content: string; sender_id: number; sender_name: string } }
}

function listen(frames: GroupwareFrame[]): EventSource {
  const fetchWith: typeof fetch = (url, init) => fetch(url, { ...init, headers: { ...init?.headers, ...mina.bearer } })
  const source = new EventSource(`${server.url}/api/chats/stream`, { fetch: fetchWith })
  source.addEventListener('message', ({ data }) => frames.push(JSON.parse(data)))
  return source
}

it('[A1][W9] guild, feed and groupware see what a guest says, and he sees what their users say, with one id and in one order', async () => {
  const guest = await open()
  const [guild, feed] = [await openSocket(server, ['guild', roomId], mina), await openSocket(server, ['feed', roomId], mina)]
  const frames: GroupwareFrame[] = []
  const stream = listen(frames)
  await until('the stream', () => frames.length > 0)
  const { id } = await guest.send('안녕하세요')
  guild.socket.send(JSON.stringify({ content: '길드에서' }))
  await guest.have(3)
  await post(server, roomId, mina, 'from feed')
  await done(server, `POST /api/chats/${roomId}/message`, { content: '그룹웨어에서' }, mina.bearer)
  await guest.have(5)
  const heard = guest.messages()
  expect(heard.map(({ content }) => content)).toEqual(['안녕하세요', '길드에서', 'from feed', '그룹웨어에서'])
  expect(heard.map(({ username, avatar }) => [username, avatar])).toEqual([
    ['손님', 'https://shop.test/a.png'],
    ...Array.from({ length: 3 }, () => ['mina', null]),
  ])
  const ids = heard.map((message) => message.id)
  expect(ids[0]).toBe(id)
  await until('all at groupware', () => frames.filter(({ type }) => type === 'message').length === 4)
  for (const client of [guild, feed]) {
    await client.settled()
    expect(client.seen.map((message) => message.id)).toEqual(ids)
  }
  const guestId = feed.seen[0]!.authorId
  expect(guild.frames[0]).toMatchObject({ author_id: guestId, author_username: `guest:${project}:손님`, content: '안녕하세요' })
  expect(feed.frames.find(({ type }) => type === 'message')).toMatchObject({ data: { user: { id: guestId, name: '손님' } } })
  expect(frames.find(({ type }) => type === 'message')?.data?.message).toMatchObject({
    id,
    sender_id: guestId,
    sender_name: '손님',
  })
  const seen = heard.map((message, nth) => ({ id: message.id, text: message.content, authorId: nth === 0 ? guestId : mina.id }))
  expect(await feedHistory(server, roomId, mina)).toEqual(seen)
  expect(await guildHistory(server, roomId, mina)).toEqual(seen)
  stream.close()
  for (const client of [guild, feed]) await client.close()
})

it('[W9][A19] a guest is in no list, no count and no tree, comes and goes unseen, and has no marker', async () => {
  const feed = await openSocket(server, ['feed', (await open(), roomId)], mina)
  const guest = await enterGuest(server, signGuest('다른 손님', project))
  const { id } = await guest.send('하나')
  await until('it', () => feed.seen.length === 1)
  const guestId = feed.seen[0]!.authorId
  guest.close()
  const members = (await done(server, `GET ${rooms}/${roomId}/members`, undefined, mina.bearer)).data
  expect(members.map(({ user_id, unread_count }: Record<string, number>) => [user_id, unread_count])).toEqual([[mina.id, 1]])
  const users = (await done(server, 'GET /api/v1/users', undefined, asHost)).data
  expect(users.map((user: { id: number }) => user.id)).toContain(mina.id)
  expect(users.map((user: { id: number }) => user.id)).not.toContain(guestId)
  expect(JSON.stringify(await done(server, 'GET /api/org/tree', undefined, mina.bearer))).not.toContain('손님')
  const [chat] = (await done(server, 'GET /api/chats', undefined, mina.bearer)).data.filter(
    (one: { id: number }) => one.id === roomId,
  )
  expect(chat).toMatchObject({ title: project, member_count: 1, unread_count: 1, other_user_id: null })
  const [message] = (await done(server, `GET /api/chats/${roomId}/messages`, undefined, mina.bearer)).data
  expect(message).toMatchObject({ id, sender_name: '다른 손님', unread_count: 1 })
  await feed.settled()
  expect(feed.frames.filter(({ type, user_id }) => type !== 'message' && user_id !== mina.id)).toEqual([])
  await feed.close()
})

it('[W9] a guest cannot be invited, added, acted for, changed or signed in as', async () => {
  const feed = await openSocket(server, ['feed', (await open(), roomId)], mina)
  await (await enterGuest(server, signGuest('손님', project))).send('x')
  await until('it', () => feed.seen.length === 1)
  const guestId = feed.seen[0]!.authorId
  const groupId = await makeGroup(server, [mina])
  const ofMina = { ...mina.bearer }
  expect((await call(server, `POST ${rooms}/${groupId}/members`, { user_id: guestId }, ofMina)).status).toBe(404)
  expect((await call(server, 'POST /api/chats/start', { targetUserId: guestId }, ofMina)).status).toBe(404)
  expect((await done(server, `POST /api/chats/${groupId}/invite`, { userIds: [guestId] }, ofMina)).added).toBe(0)
  expect((await call(server, `PUT /api/users/${guestId}`, { is_active: true }, asHost)).status).toBe(404)
  expect((await call(server, `POST ${rooms}/${roomId}/messages`, { user_id: guestId, message: 'x' }, asHost)).status).toBe(404)
  for (const username of [`guest:${project}:손님`, '손님']) {
    const body = new URLSearchParams({ username, password: '' })
    const form = { 'content-type': 'application/x-www-form-urlencoded' }
    expect((await call(server, 'POST /auth/login', body.toString(), form)).status).toBeGreaterThanOrEqual(400)
  }
  await feed.close()
})

it('[A13] who may change a project is a service key alone; a member may leave', async () => {
  await open()
  const body = { name: 'mine' }
  expect((await call(server, `PUT /channels/${roomId}`, body, mina.bearer)).status).toBe(403)
  expect((await call(server, `DELETE /channels/${roomId}`, undefined, mina.bearer)).status).toBe(403)
  expect((await call(server, `DELETE ${rooms}/${roomId}/members/${mina.id}`, undefined, mina.bearer)).status).toBe(200)
  expect((await call(server, `GET ${rooms}/${roomId}/messages`, undefined, mina.bearer)).status).toBe(403)
})

it('[A16] files of groupware show by their names', async () => {
  const guest = await open()
  const form = new FormData()
  form.append('file', new Blob(['a']), '견적.txt')
  form.append('file', new Blob(['b']), 'b.txt')
  await done(server, `POST /api/chats/${roomId}/attach`, form, mina.bearer)
  await post(server, roomId, mina, 'x')
  await guest.have(3)
  expect(guest.contents()).toEqual(['견적.txt\nb.txt', 'x'])
})
