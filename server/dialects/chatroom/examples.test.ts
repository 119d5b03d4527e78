/** The contract's examples, run by curl with the bodies as printed, comments and all, on a fresh database in development [M2]. */
import { spawn, spawnSync } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openChatroom, type ChatroomServer } from './chatroom.fixture.ts'
import { message, room } from './wire.ts'

let door: ChatroomServer
beforeAll(async () => {
  door = await openChatroom({ hasOrganisation: true })
})
afterAll(() => door.stop())

const create = `{
  "creatorId": "user123",
  "targetUserIds": ["user456", "user789"],
  "name": "Study Group",
  "createdAt": "2025-07-15T13:00:00Z"
}`
const rename = `{
  "name": "New Chat Room Name"
}`
const add = `{
  "userId": "user456",
  "role": "member"  // 기본값 member
}`
const giveRole = `{
  "role": "sub-admin"  // admin, sub-admin, member 가능
}`
const send = `{
  "userId": "user123",
  "content": "안녕하세요!"
}`
const act = `{
  "userId": "user123"
}`
const edit = `{
  "userId": "user123",
  "newContent": "수정된 메시지 내용"
}`
const react = `{
  "userId": "user123",
  "reactionType": "like"  // like, love, laugh, sad, angry 등
}`
const connect = `{
  "userId": "user1"
}`

/** What the server answers, and with which status; `type`: null sends what curl makes up, '' none. */
function curl(method: string, path: string, body: string | null = null, type: string | null = 'application/json') {
  const header = type === null ? [] : ['-H', type === '' ? 'Content-Type:' : `Content-Type: ${type}`]
  const data = body === null ? [] : ['-d', body]
  const address = `http://localhost:${door.server.port}/api/chatrooms${path}`
  const words = ['-sS', '-X', method, ...header, ...data, '-w', '\n%{http_code}', address]
  const child = spawn('curl', words, { env: { PATH: process.env['PATH'], NO_PROXY: '*', LC_ALL: 'C.UTF-8' } })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')))
  // oxlint-disable-next-line typescript/no-explicit-any -- answers are what is being tested
  return new Promise<{ status: number; body: any }>((resolve) =>
    child.on('close', () => {
      const [text = '', status] = output.split('\n')
      resolve({ status: Number(status), body: JSON.parse(text) })
    }),
  )
}

const hasCurl = spawnSync('curl', ['--version']).status === 0

describe.skipIf(!hasCurl && process.env['CI'] !== 'true')('curl, with the bodies as printed', () => {
  let roomId: string
  let messageId: string

  test('[M2][C4][C5] makes a room: 201, the creator first and admin of three, and createdAt as it was given', async () => {
    const { status, body } = await curl('POST', '', create)
    expect(room.parse(body)).toEqual({
      roomId: expect.any(String),
      name: 'Study Group',
      createdAt: '2025-07-15T13:00:00Z',
      participants: [
        { userId: 'user123', edited_name: 'user123', role: 'admin' },
        { userId: 'user456', edited_name: 'user456', role: 'member' },
        { userId: 'user789', edited_name: 'user789', role: 'member' },
      ],
      userCount: 3,
    })
    expect(Object.keys(body)).toEqual(['roomId', 'name', 'createdAt', 'participants', 'userCount'])
    expect(status).toBe(201)
    roomId = body.roomId
  })

  test('[M2][C6] renames it, removes a participant, adds him again and gives him a role, as the creator', async () => {
    expect((await curl('PATCH', `/${roomId}/name`, rename)).body).toMatchObject({ roomId, name: 'New Chat Room Name' })
    expect(await curl('DELETE', `/${roomId}/participants/user456`)).toEqual({ status: 200, body: { roomId, userId: 'user456' } })
    const member = { roomId, userId: 'user456', edited_name: 'user456', role: 'member' }
    expect(await curl('POST', `/${roomId}/participants`, add)).toEqual({ status: 200, body: member })
    const { body } = await curl('PATCH', `/${roomId}/participants/user456/role`, giveRole)
    expect(body).toEqual({ ...member, role: 'sub-admin' })
  })

  test('[M2][C4] sends: 201', async () => {
    const { status, body } = await curl('POST', `/${roomId}/messages`, send)
    expect(message.parse(body)).toMatchObject({ roomId, userId: 'user123', content: '안녕하세요!' })
    expect(Object.keys(body)).toEqual(['messageId', 'roomId', 'userId', 'content', 'createdAt'])
    expect(status).toBe(201)
    messageId = body.messageId
  })

  test('[M2][C9] edits, reads, reacts and deletes, whatever the Content-Type', async () => {
    const at = `/${roomId}/messages/${messageId}`
    const edited = await curl('PATCH', at, edit, '')
    expect(edited).toMatchObject({ status: 200, body: { messageId, roomId, content: '수정된 메시지 내용' } })
    const own = { messageId, roomId, userId: 'user123' }
    expect(await curl('POST', `${at}/read`, act, null)).toEqual({ status: 200, body: own })
    expect(await curl('POST', `${at}/reactions`, react, 'text/plain')).toEqual({
      status: 200,
      body: { ...own, reactionType: 'like' },
    })
    expect(await curl('DELETE', at, act, '')).toEqual({ status: 200, body: own })
    expect((await curl('DELETE', at, act)).status).toBe(404)
  })

  test('[M2][C1] connects user1, who becomes a participant, and deletes the room', async () => {
    const { status, body } = await curl('POST', `/${roomId}/connect`, connect)
    expect([status, body]).toEqual([200, { roomId, userId: 'user1', state: expect.any(String) }])
    const { participants } = (await curl('GET', `/${roomId}`)).body
    expect(participants.map(({ userId }: { userId: string }) => userId)).toContain('user1')
    expect(await curl('DELETE', `/${roomId}`)).toEqual({ status: 200, body: { roomId } })
    expect((await curl('GET', `/${roomId}`)).status).toBe(404)
  })
})
