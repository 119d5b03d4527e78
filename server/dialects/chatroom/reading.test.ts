/** Reading by a frame of `/chat` (C3). */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { chatrooms, type Person } from './chatroom.fixture.ts'
import { openLive, type Live } from './live.fixture.ts'

let live: Live
let ann: Person, bob: Person

beforeAll(async () => {
  live = await openLive({ isProduction: true })
  ;[ann, bob] = (await live.signedIn('ann', 'bob')) as [Person, Person]
})
afterAll(() => live.stop())

/** A socket of Ann's, bound to a new room. */
async function bound() {
  const roomId = await live.room([ann, bob])
  const client = await live.open(ann)
  await live.connect(roomId, ann)
  return { roomId, client }
}

test('[C3] a read moves the marker and is shown', async () => {
  const { client, roomId } = await bound()
  const { messageId } = await live.send(roomId, bob, 'to be read')
  client.send({ type: 'read', roomId, messageId })
  expect((await client.have('read'))[0]).toEqual({ type: 'read', roomId, messageId, userId: ann.username })
})

test('[C3] a read of what is no message of the room is refused as over HTTP, and moves nothing', async () => {
  const { client, roomId } = await bound()
  const first = await live.send(roomId, bob, 'to be read')
  const deleted = await live.send(roomId, bob, 'to be deleted')
  await live.done(`DELETE ${chatrooms}/${roomId}/messages/${deleted.messageId}`, bob.bearer, { userId: bob.username })
  await live.send(roomId, bob, 'unread')
  const elsewhere = await live.send(await live.room([ann, bob]), bob, 'in another room')
  const strangers = [elsewhere.messageId, deleted.messageId, '2147483647', '9007199254740991']
  for (const messageId of strangers) client.send({ type: 'read', roomId, messageId })
  const errors = await client.have('error', strangers.length)
  for (const [nth, messageId] of strangers.entries()) {
    const path = `${chatrooms}/${roomId}/messages/${messageId}/read`
    const { status, body } = await live.call(`POST ${path}`, ann.bearer, { userId: ann.username })
    expect(status).toBe(404)
    expect(errors[nth]).toEqual({ type: 'error', roomId, ...body })
  }
  client.send({ type: 'read', roomId, messageId: first.messageId })
  const reads = await client.have('read')
  expect(reads).toEqual([{ type: 'read', roomId, messageId: first.messageId, userId: ann.username }])
})
