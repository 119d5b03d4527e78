/** What nobody should send: every field of every route, and whole bodies. Always this door's shape, a 4xx, and no side effect. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { badBodies, badQueryNumbers, badSegments } from '../../../test/bad-values.ts'
import { expectUntouched } from '../../../test/untouched.ts'
import { openMemoryStorage } from '../../storage/memory/memory.ts'
import type { Storage } from '../../storage/storage.ts'
import { asHost, chatrooms, openChatroom, type ChatroomServer, type Credential, type Person } from './chatroom.fixture.ts'

let storage: Storage
let door: ChatroomServer
let ann: Person, bob: Person, eve: Person
let roomId: string, messageId: string

beforeAll(async () => {
  storage = openMemoryStorage()
  door = await openChatroom({ isProduction: true, storage, env: { LIMIT_SENDS: 'off', LIMIT_LOGIN: 'off' } })
  ;[ann, bob, eve] = await door.people('ann', 'bob', 'eve')
  roomId = await door.room([ann, bob, eve])
  messageId = (await door.send(roomId, ann, '글')).messageId
})
afterAll(() => door.stop())

const untouched = (work: () => Promise<void>) => expectUntouched(storage, door.server.logged, work)

interface Attempt {
  /** What is wrong with it. */
  what: string
  as?: Credential
  body?: string | Uint8Array
  /** Of the body; JSON where it is not said. */
  type?: string
}

async function expectRefused(route: string, { what, as = ann.bearer, body, type = 'application/json' }: Attempt): Promise<void> {
  const reply = await door.call(route, as, body, body === undefined ? {} : { 'content-type': type })
  const where = `${route} ${what} -> ${reply.status} ${reply.text.slice(0, 200)}`
  expect(reply.status >= 400 && reply.status < 500, where).toBe(true)
}

// -------------------------------------------------------------------------------------------------------------- fields

/** As JSON, so that what JavaScript cannot hold can be sent too. */
const noText = {
  absent: undefined,
  object: '{"x":1}',
  number: '5',
  true: 'true',
  array: '["x"]',
  null: 'null',
  'U+0000': '"a\\u0000b"',
  'a lone surrogate': '"a\\ud800b"',
}
const empty = { empty: '""', blank: '"  "' }
const noUser = {
  ...noText,
  ...empty,
  slash: '"a/b"',
  dots: '".."',
  guest: '"guest:x:y"',
  unknown: '"nobody here"',
  'too long': JSON.stringify('x'.repeat(51)),
}
const name = { ...noText, ...empty, 'too long': JSON.stringify('가'.repeat(101)) }
const content = { ...noText, ...empty, 'too long': JSON.stringify('가'.repeat(10_001)) }
const noUsers = {
  ...noText,
  text: '"bob"',
  array: '[["bob"]]',
  'a list with null': '["bob",null]',
  'a list with a number': '[1]',
  'a list with nobody': '["bob","nobody here"]',
  'a long list': JSON.stringify(Array.from({ length: 1001 }, () => 'bob')),
}
const noTime = {
  object: '{}',
  number: '5',
  text: '"yesterday"',
  'no zone': '"2025-07-15T13:00:00"',
  'no day of this year': '"2025-02-30T13:00:00Z"',
  'before the first year': '"0000-01-01T00:00:00+23:59"',
  'after the last': '"9999-12-31T23:59:59-23:59"',
}
const role = { ...noText, ...empty, unknown: '"owner"', 'in capitals': '"ADMIN"' }
const { null: _, absent: __, ...roleIfAny } = role

interface Target {
  route: () => string
  as?: () => Credential
  good: () => Record<string, unknown>
  fields: Record<string, Record<string, string | undefined>>
}

const here = () => `${chatrooms}/${roomId}`
const message = () => `${here()}/messages/${messageId}`
const asAnn = () => ({ userId: 'ann' })

const targets: Record<string, Target> = {
  create: {
    route: () => `POST ${chatrooms}`,
    good: () => ({ creatorId: 'ann', targetUserIds: ['bob'], name: '방' }),
    fields: { creatorId: noUser, targetUserIds: noUsers, name, createdAt: noTime },
  },
  rename: { route: () => `PATCH ${here()}/name`, good: () => ({}), fields: { name } },
  add: {
    route: () => `POST ${here()}/participants`,
    good: () => ({ userId: 'bob' }),
    fields: { userId: noUser, role: roleIfAny },
  },
  'change role': { route: () => `PATCH ${here()}/participants/bob/role`, good: () => ({}), fields: { role } },
  'change name': {
    route: () => `PATCH ${here()}/participants/bob/name`,
    good: () => ({}),
    fields: { edited_name: { ...noText, 'too long': JSON.stringify('가'.repeat(101)) } },
  },
  connect: { route: () => `POST ${here()}/connect`, good: () => ({}), fields: { userId: noUser } },
  send: {
    route: () => `POST ${here()}/messages`,
    good: () => ({ ...asAnn(), content: '글' }),
    fields: { userId: noUser, content },
  },
  edit: {
    route: () => `PATCH ${message()}`,
    good: () => ({ ...asAnn(), newContent: '글' }),
    fields: { userId: noUser, newContent: content },
  },
  delete: { route: () => `DELETE ${message()}`, good: () => ({}), fields: { userId: noUser } },
  read: { route: () => `POST ${message()}/read`, good: () => ({}), fields: { userId: noUser } },
  react: {
    route: () => `POST ${message()}/reactions`,
    good: () => ({ ...asAnn(), reactionType: 'like' }),
    fields: { userId: noUser, reactionType: name },
  },
  'enter a token': {
    route: () => 'POST /api/auth/tokens',
    as: () => asHost,
    good: () => ({}),
    fields: { token: { ...noText, ...empty, garbage: '"a.b.c"' } },
  },
  'end a token': {
    route: () => 'DELETE /api/auth/tokens',
    as: () => asHost,
    good: () => ({}),
    fields: { token: { ...noText, ...empty, garbage: '"a.b.c"' } },
  },
}

describe.each(Object.entries(targets))('%s', (_name, { route, as = () => ann.bearer, good, fields }) => {
  test.each(Object.keys(fields))('[C4][A4][A17] refuses a bad %s', (field) =>
    untouched(async () => {
      const others = Object.entries(good()).filter(([key]) => key !== field)
      const rest = others.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`)
      for (const [what, value] of Object.entries(fields[field]!)) {
        const body = `{${[...rest, ...(value === undefined ? [] : [`"${field}":${value}`])].join(',')}}`
        await expectRefused(route(), { what, as: as(), body })
        // A host may act for anybody, and so gets behind the identity to what it asks for.
        if (field !== 'userId' && field !== 'creatorId') await expectRefused(route(), { what, as: asHost, body })
      }
    }),
  )

  test('[C4][A4] refuses whole bodies that are none', () =>
    untouched(async () => {
      for (const bad of badBodies()) await expectRefused(route(), { as: as(), ...bad })
    }))
})

test('[C9] a comment is no comment inside a text', async () => {
  const body = '/* who */ {"userId":"ann", // and what\n"content":"a // \\" /* b"} // end'
  expect((await door.done(`POST ${here()}/messages`, ann.bearer, body)).content).toBe('a // " /* b')
})

test.each([
  '// all',
  '{"userId":"ann" // ,"content":"x"}',
  '{"userId":"ann","content":"x"} / x',
  '{"userId":"ann","content":"x",}',
  '/*{}',
])('[C9] a comment is no excuse for what is no JSON: %s', (body) =>
  untouched(() => expectRefused(`POST ${here()}/messages`, { what: body, body })),
)

// ----------------------------------------------------------------------------------------------------------- addresses

const roomRoutes = [
  'GET /:id',
  'DELETE /:id',
  'PATCH /:id/name',
  'POST /:id/participants',
  'DELETE /:id/participants/bob',
  'PATCH /:id/participants/bob/role',
  'PATCH /:id/participants/bob/name',
  'POST /:id/connect',
  'GET /:id/messages',
  'POST /:id/messages',
]
const messageRoutes = [
  'PATCH /messages/:id',
  'DELETE /messages/:id',
  'POST /messages/:id/read',
  'POST /messages/:id/reactions',
  'DELETE /messages/:id/reactions/like',
]
/** Good for any of them. */
const anyBody = '{"userId":"ann","name":"a","role":"member","edited_name":"a","content":"a","newContent":"a","reactionType":"a"}'
const bodyFor = (route: string) => (route.startsWith('GET') ? {} : { body: anyBody })

test.each(roomRoutes)('[C4][A3] %s refuses what is no room', (route) =>
  untouched(async () => {
    for (const as of [ann.bearer, asHost])
      for (const segment of [...badSegments, '%20', '01', 'room001', '999999'])
        await expectRefused(route.replace(' /:id', ` ${chatrooms}/${segment}`), { what: '', as, ...bodyFor(route) })
  }),
)

test.each(messageRoutes)('[C4][A3] %s refuses what is no message', (route) =>
  untouched(async () => {
    for (const segment of [...badSegments, '%20', '01', 'msg789', '999999'])
      await expectRefused(route.replace(' /', ` ${here()}/`).replace(':id', segment), { what: '', ...bodyFor(route) })
  }),
)

test.each(['DELETE /participants/:id', 'PATCH /participants/:id/role', 'PATCH /participants/:id/name'])(
  '[C4][A3] %s refuses who is nobody',
  (route) =>
    untouched(async () => {
      for (const segment of [...badSegments, '%20', 'guest:x:y', encodeURIComponent('가'.repeat(300))])
        await expectRefused(route.replace(' /', ` ${here()}/`).replace(':id', segment), { what: '', ...bodyFor(route) })
    }),
)

test('[A17] a reaction in an address has 1 to 100 code points', () =>
  untouched(async () => {
    for (const segment of ['%20', '%00', '%ED%A0%80', 'x'.repeat(101), encodeURIComponent('가'.repeat(101)), '1'.repeat(5000)])
      await expectRefused(`DELETE ${message()}/reactions/${segment}`, { what: '', body: anyBody })
  }))

test('[C8] limit is a number, before a message of the room; given twice they are refused', () =>
  untouched(async () => {
    const bad = badQueryNumbers.filter((value) => value !== '')
    for (const value of bad) await expectRefused(`GET ${here()}/messages?limit=${value}`, { what: value })
    for (const value of [...bad, '0', '-1', '999999', 'msg789'])
      await expectRefused(`GET ${here()}/messages?before=${value}`, { what: value })
    for (const query of ['limit=1&limit=2', 'before=1&before=1'])
      await expectRefused(`GET ${here()}/messages?${query}`, { what: query })
    for (const query of ['userId=%00', 'userId=a&userId=b', 'userId=a%2Fb', 'userId=bob'])
      await expectRefused(`GET ${chatrooms}?${query}`, { what: query })
  }))

test.each(['', ' ', 'a b', '가', 'x'.repeat(129)])('[A8] a key like "%s" is refused', (key) =>
  untouched(async () => {
    const headers = { 'idempotency-key': Buffer.from(key).toString('latin1') }
    const reply = await door.call(`POST ${here()}/messages`, ann.bearer, { userId: 'ann', content: '글' }, headers)
    expect([reply.status, reply.body.error]).toEqual([400, 'invalid_key'])
  }),
)

test('[M3] a bad X-User-Id is refused, in whatever characters it is', () =>
  untouched(async () => {
    for (const user of ['', ' ', 'a/b', 'nobody', 'guest:x:y', 'x'.repeat(60), 'ÿ'])
      for (const route of ['GET ', 'DELETE ']) {
        const { status } = await door.call(`${route}${here()}`, { ...asHost, 'x-user-id': user })
        expect([400, 404], `${route}${user}`).toContain(status)
      }
  }))
