/** What is done here by HTTP as the four other doors show it, live and in their lists, and what is said there as it reads here (A1, A13, A14, A16, W9). */
import { EventSource } from 'eventsource'
import jwt from 'jsonwebtoken'
import { io, type Socket } from 'socket.io-client'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { until } from '../../../test/chat.ts'
import { asHost, feedHistory, guildHistory, open, post, rooms, type Client } from '../../../test/clients.ts'
import { testSecret } from '../../../test/harness.ts'
import { chatrooms, openChatroom, type ChatroomServer, type Person } from './chatroom.fixture.ts'

let door: ChatroomServer
let ann: Person, bob: Person, eve: Person
let roomId: string
const closing: (() => unknown)[] = []

beforeAll(async () => {
  door = await openChatroom({ isProduction: true, env: { LIMIT_SENDS: 'off', LIMIT_CONNECTS: 'off' } })
  ;[ann, bob, eve] = await door.people('ann', 'bob', 'eve')
})
afterEach(() => {
  for (const close of closing.splice(0)) close()
  expect(door.server.logged).toEqual([])
})
afterAll(() => door.stop())

/** Bob at feed, guild and groupware, and a guest at widget, in a project's room with ann. */
async function gather() {
  const project = `shop ${Math.random()}`
  const { roomId: id } = await fetchJson(`/api/projects/${encodeURIComponent(project)}`, asHost)
  roomId = String(id)
  for (const { username } of [ann, bob]) await door.done(`POST ${chatrooms}/${roomId}/participants`, asHost, { userId: username })
  const [feed, guild] = [await open(door.server, ['feed', id], bob), await open(door.server, ['guild', id], bob)]
  const stream = await openStream()
  const guest = await openGuest(project)
  closing.push(
    () => feed.socket.terminate(),
    () => guild.socket.terminate(),
  )
  return { id: id as number, project, feed, guild, stream, guest }
}

async function fetchJson(path: string, headers: Record<string, string>) {
  // oxlint-disable-next-line typescript/no-explicit-any -- answers are what is being tested
  return (await (await fetch(door.server.url + path, { headers })).json()) as any
}

interface Frame {
  type: string
  // oxlint-disable-next-line typescript/no-explicit-any -- what came is what is being tested
  data: any
}

async function openStream(): Promise<Frame[]> {
  const frames: Frame[] = []
  const fetchAs: typeof fetch = (url, init) => fetch(url, { ...init, headers: { ...init?.headers, ...bob.bearer } })
  const source = new EventSource(`${door.server.url}/api/chats/stream`, { fetch: fetchAs })
  closing.push(() => source.close())
  source.addEventListener('message', ({ data }) => frames.push(JSON.parse(data)))
  await until('the stream', () => frames.length > 0)
  return frames
}

async function openGuest(project: string): Promise<{ socket: Socket; heard: [name: string, data: unknown][] }> {
  const token = jwt.sign({ username: '손님', projectId: project }, testSecret)
  const socket = io(door.server.url, { auth: { token }, forceNew: true })
  closing.push(() => socket.close())
  const heard: [string, unknown][] = []
  socket.onAny((name: string, data: unknown) => heard.push([name, data]))
  await until('the history', () => heard.length > 0)
  return { socket, heard }
}

const shownIn = (frames: Frame[]) =>
  frames.slice(1).flatMap(({ type, data }) => {
    if (type === 'message') return [`message ${data.message.content}`]
    if (type === 'conversation')
      return [[data.action, data.content ?? data.user_name ?? data.invited_user_names].filter(Boolean).join(' ')]
    return type === 'ping' ? [] : [type]
  })

const texts = ({ seen }: Client) => seen.map(({ text }) => text)

test('[A1][A14] edits, deletions and reactions made here show at the other doors as each can say it, and in all their lists', async () => {
  const { id, project, feed, guild, stream, guest } = await gather()
  const at = (messageId: string, rest = '') => `${chatrooms}/${roomId}/messages/${messageId}${rest}`
  const [first, second] = [await door.send(roomId, ann, '처음'), await door.send(roomId, ann, '둘째')]
  await door.done(`PATCH ${at(first.messageId)}`, ann.bearer, { userId: 'ann', newContent: '고친 글' })
  for (const { messageId } of [first, second])
    await door.done(`POST ${at(messageId, '/reactions')}`, bob.bearer, { userId: 'bob', reactionType: 'like' })
  await door.done(`DELETE ${at(second.messageId)}`, ann.bearer, { userId: 'ann' })
  await door.send(roomId, ann, '끝')

  for (const client of [feed, guild]) {
    await until('the last', () => texts(client).includes('끝'))
    expect(texts(client)).toEqual(['처음', '둘째', '끝'])
  }
  expect(feed.frames.map(({ type }) => type).filter((type) => type !== 'member_online')).toEqual([
    'message',
    'message',
    'message',
  ])
  expect(guild.frames).toHaveLength(3)
  await until('the last', () => shownIn(stream).includes('message 끝'))
  expect(shownIn(stream)).toEqual(['message 처음', 'message 둘째', 'message_edited 고친 글', 'message_deleted', 'message 끝'])
  await until('the last', () => guest.heard.length === 6)
  const ids = [Number(first.messageId), Number(second.messageId)] as const
  expect(guest.heard.slice(1, 5)).toEqual([
    ['chat message', expect.objectContaining({ id: ids[0], username: 'ann', content: '처음' })],
    ['chat message', expect.objectContaining({ id: ids[1], content: '둘째' })],
    ['message edited', { id: ids[0], content: '고친 글' }],
    ['message deleted', { id: ids[1] }],
  ])

  const left = ['고친 글', '끝']
  expect((await feedHistory(door.server, id, bob)).map(({ text }) => text)).toEqual(left)
  expect((await guildHistory(door.server, id, bob)).map(({ text }) => text)).toEqual(left)
  const listed = await fetchJson(`/api/chats/${id}/messages`, bob.bearer)
  expect(listed.data.map(({ content }: { content: string }) => content)).toEqual(left)
  const found = async (q: string) =>
    (await fetchJson(`/api/chats/${id}/search?q=${encodeURIComponent(q)}`, bob.bearer)).data.length
  expect([await found('처음'), await found('둘째'), await found('고친')]).toEqual([0, 0, 1])
  const { heard } = await openGuest(project)
  expect((heard[0]![1] as { content: string }[]).map(({ content }) => content)).toEqual(left)
  const { messages } = await door.done(`GET ${chatrooms}/${roomId}/messages`, bob.bearer)
  expect(messages.map(({ content, reactions }: { content: string; reactions: object[] }) => [content, reactions.length])).toEqual(
    [
      ['고친 글', 1],
      ['끝', 0],
    ],
  )
})

test('[A1] participants who come, go, read and get roles here are members there', async () => {
  const { id, feed, stream } = await gather()
  const at = `${chatrooms}/${roomId}/participants`
  await door.done(`POST ${at}`, asHost, { userId: 'eve' })
  await door.done(`PATCH ${at}/eve/role`, asHost, { role: 'sub-admin' })
  await door.done(`PATCH ${at}/eve/name`, eve.bearer, { edited_name: '이브' })
  const { data: members } = await fetchJson(`${rooms}/${id}/members`, bob.bearer)
  expect(members.map(({ user_id, role }: { user_id: number; role: string }) => [user_id, role])).toEqual([
    [ann.id, 'member'],
    [bob.id, 'member'],
    [eve.id, 'sub-admin'],
  ])
  const { messageId } = await door.send(roomId, ann, '글')
  await door.done(`POST ${chatrooms}/${roomId}/messages/${messageId}/read`, eve.bearer, { userId: 'eve' })
  await door.done(`DELETE ${at}/eve`, eve.bearer)
  await feed.find('member_leave')
  const isOthers = ({ type }: { type?: string }) => type !== 'member_online'
  expect(feed.frames.filter(isOthers).map(({ type, user_id }) => [type, user_id])).toEqual([
    ['member_join', eve.id],
    ['message', ann.id],
    ['read', eve.id],
    ['member_leave', eve.id],
  ])
  await until('the last', () => shownIn(stream).includes('left eve'))
  expect(shownIn(stream)).toEqual(['invited eve', 'message 글', 'read', 'left eve'])
})

test('[A1][A16][W9] what is said at the other doors reads here with one id and in one order, a guest by his long name', async () => {
  const { id, project, guild, guest } = await gather()
  guest.socket.emit('chat message', '손님이에요')
  await until('it', () => guest.heard.length === 2)
  guild.socket.send('길드에서')
  await until('both', () => guild.seen.length === 2)
  const { body } = await post(door.server, id, bob, '피드에서')
  const file_url = 'https://files.example/2025/report.pdf?v=2'
  await fetch(`${door.server.url}${rooms}/${id}/messages`, {
    method: 'POST',
    headers: { ...bob.bearer, 'content-type': 'application/json' },
    body: JSON.stringify({ user_id: bob.id, file_url }),
  })
  const form = new FormData()
  for (const name of ['a.txt', 'b.txt']) form.append('file', new Blob(['x']), name)
  await fetch(`${door.server.url}/api/chats/${id}/attach`, { method: 'POST', headers: bob.bearer, body: form })
  const { messages } = await door.done(`GET ${chatrooms}/${roomId}/messages`, ann.bearer)
  expect(messages.map(({ userId, content }: { userId: string; content: string }) => [userId, content])).toEqual([
    [`guest:${project}:손님`, '손님이에요'],
    ['bob', '길드에서'],
    ['bob', '피드에서'],
    ['bob', 'report.pdf'],
    ['bob', 'a.txt\nb.txt'],
  ])
  expect(messages[2].messageId).toBe(String(body.data.id))
  const { participants } = await door.done(`GET ${chatrooms}/${roomId}`, ann.bearer)
  expect(participants.map(({ userId }: { userId: string }) => userId)).toEqual(['ann', 'bob'])
})

test('[A1][A13] a room made here is a group there: its number, name and members, and the same rule', async () => {
  const made = await door.room([ann, bob, eve], '셋이서')
  const { data } = await fetchJson(`${rooms}/${made}`, bob.bearer)
  expect(data).toMatchObject({ id: Number(made), name: '셋이서', room_type: 'group' })
  const chats = await fetchJson('/api/chats', bob.bearer)
  expect(chats.data.find((chat: { id: number }) => chat.id === Number(made))).toMatchObject({ title: '셋이서', member_count: 3 })
  const kick = (by: Person, who: Person) =>
    fetch(`${door.server.url}${rooms}/${made}/members/${who.id}`, { method: 'DELETE', headers: by.bearer })
  expect((await kick(bob, eve)).status).toBe(403)
  expect((await kick(ann, eve)).status).toBe(200)
})
