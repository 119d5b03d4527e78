/** What nobody should send: every field of every route, and whole bodies. Always this door's shape, a 4xx, and no side effect. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { badBodies, badQueryNumbers, badSegments } from '../../../test/bad-values.ts'
import { expectUntouched } from '../../../test/untouched.ts'
import { openMemoryStorage } from '../../storage/memory/memory.ts'
import type { Storage } from '../../storage/storage.ts'
import { asHost, openGroupware, type Credential, type Groupware, type Person } from './groupware.fixture.ts'

let storage: Storage
let door: Groupware
let ann: Person, bob: Person
let roomId: number

beforeAll(async () => {
  storage = openMemoryStorage()
  door = await openGroupware({ isProduction: true, storage, env: { LIMIT_SENDS: 'off', LIMIT_LOGIN: 'off' } })
  ;[ann, bob] = (await door.people('ann', 'bob')) as [Person, Person]
  roomId = await door.group([ann, bob])
  await door.send(roomId, ann, '글')
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
const everywhere = { object: '{"x":1}', 'U+0000': '"a\\u0000b"', 'a lone surrogate': '"a\\ud800b"' }
const noNumber = {
  ...everywhere,
  text: '"abc"',
  empty: '""',
  array: '[1]',
  true: 'true',
  negative: '-1',
  'a negative text': '"-1"',
  'a fraction': '1.5',
  '2^63': '9223372036854775808',
  '2^53': '"9007199254740992"',
  '1e400': '1e400',
}
const noId = { ...noNumber, zero: '0', null: 'null' }
const noIds = {
  ...everywhere,
  text: '"abc"',
  number: '1',
  'a list with null': '[null]',
  'a list with text': '["x"]',
  'a list with 0': '[0]',
  'a list in a list': '[[1]]',
  'a long list': JSON.stringify(Array.from({ length: 1001 }, () => 1)),
}
const noFlag = { ...everywhere, text: '"abc"', number: '2', array: '[true]' }
const noText = { ...everywhere, number: '5', true: 'true', array: '["x"]' }
const name = { ...noText, empty: '""', blank: '"  "', null: 'null', 'too long': JSON.stringify('가'.repeat(101)) }
const label = { ...noText, 'too long': JSON.stringify('가'.repeat(101)) }

interface Target {
  route: () => string
  as?: () => Credential
  good: Record<string, unknown>
  fields: Record<string, Record<string, string>>
}

const targets: Record<string, Target> = {
  message: { route: () => `POST /api/chats/${roomId}/message`, good: {}, fields: { content: noText } },
  read: { route: () => `POST /api/chats/${roomId}/read`, good: {}, fields: { lastMessageId: noNumber } },
  start: { route: () => 'POST /api/chats/start', good: {}, fields: { targetUserId: noId } },
  invite: {
    route: () => `POST /api/chats/${roomId}/invite`,
    good: {},
    fields: { userIds: noIds, departmentId: noNumber, includeSub: noFlag },
  },
  'start-group': {
    route: () => 'POST /api/chats/start-group',
    good: { memberUserIds: [2] },
    fields: { title: label, memberUserIds: noIds, departmentId: noNumber, includeSub: noFlag },
  },
  login: {
    route: () => 'POST /api/auth/login',
    good: { username: 'ann', password: 'x' },
    fields: { username: { ...noText, null: 'null' }, password: { ...noText, null: 'null' } },
  },
  'create department': {
    route: () => 'POST /api/departments/create',
    as: () => asHost,
    good: { name: '부서' },
    fields: {
      name,
      code: label,
      parent_id: noNumber,
      sort_order: { ...everywhere, text: '"x"', fraction: '1.5', '1e400': '1e400' },
    },
  },
  'create user': {
    route: () => 'POST /api/users/create',
    as: () => asHost,
    good: { username: 'fine', password: 'a good password' },
    fields: {
      username: {
        ...noText,
        empty: '""',
        blank: '"  "',
        slash: '"a/b"',
        guest: '"guest:x:y"',
        'too long': JSON.stringify('x'.repeat(51)),
      },
      password: { ...noText, empty: '""', 'too long': JSON.stringify('가'.repeat(25)) },
      email: { ...noText, 'no @': '"x"', 'too long': JSON.stringify(`${'x'.repeat(250)}@x.example`) },
      full_name: label,
      department_id: { ...noNumber, unknown: '999999' },
    },
  },
  'update user': {
    route: () => `PUT /api/users/${bob.id}`,
    as: () => asHost,
    good: {},
    fields: {
      full_name: label,
      email: { ...noText, 'no @': '"x"' },
      department_id: { ...noNumber, unknown: '999999' },
      is_active: noFlag,
    },
  },
}

describe.each(Object.entries(targets))('%s', (_name, { route, as = () => ann.bearer, good, fields }) => {
  test.each(Object.keys(fields))('[P2][A4][A17] refuses a bad %s', (field) =>
    untouched(async () => {
      const others = Object.entries(good).filter(([key]) => key !== field)
      const start = others.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)},`).join('')
      for (const [what, value] of Object.entries(fields[field]!))
        await expectRefused(route(), { what, as: as(), body: `{${start}"${field}":${value}}` })
    }),
  )

  test('[P2][A4] refuses whole bodies that are none', () =>
    untouched(async () => {
      for (const bad of badBodies())
        if (!['no body', 'null'].includes(bad.what)) await expectRefused(route(), { as: as(), ...bad })
    }))
})

test('[P2] routes without a body of their own do not mind an object, and refuse what is broken', () =>
  untouched(async () => {
    for (const route of ['POST /api/chats/read-all', 'POST /api/chats/999999/leave']) {
      await expectRefused(route, { what: 'broken', body: '{"a":' })
      await door.done(route, ann.bearer, {})
    }
  }))

test('[P2][P10] attach refuses what is no multipart', () =>
  untouched(async () => {
    for (const bad of badBodies()) await expectRefused(`POST /api/chats/${roomId}/attach`, bad)
  }))

// ----------------------------------------------------------------------------------------------------------- addresses

const pathRoutes = [
  'GET /api/chats/:id/messages',
  'GET /api/chats/:id/around?messageId=1',
  'GET /api/chats/:id/search?q=a',
  'GET /api/chats/:id/members',
  'POST /api/chats/:id/message',
  'POST /api/chats/:id/attach',
  'POST /api/chats/:id/read',
  'POST /api/chats/:id/invite',
  'POST /api/chats/:id/leave',
  'PUT /api/users/:id',
]

test.each(pathRoutes)('[P2][A3] %s refuses what is no id', (route) =>
  untouched(async () => {
    const as = route.startsWith('PUT') ? asHost : ann.bearer
    for (const segment of [...badSegments, '', '%20', '1%20', '01'])
      await expectRefused(route.replace(':id', segment), { what: '', as, ...(!route.startsWith('GET') && { body: '{}' }) })
  }),
)

const queries: Record<string, string[]> = {
  'messages?days=': badQueryNumbers,
  'around?messageId=': [...badQueryNumbers, '0', '-1', '9007199254740993'],
  'around?messageId=1&before=': badQueryNumbers,
  'around?messageId=1&after=': badQueryNumbers,
  'search?q=': ['', '%20%20', '%00', 'a%00'],
  'search?q=a&limit=': badQueryNumbers,
  'search?q=a&offset=': badQueryNumbers,
}

test.each(Object.entries(queries))('[P2][A17] %s refuses what it cannot be', (query, values) =>
  untouched(async () => {
    for (const value of values) await expectRefused(`GET /api/chats/${roomId}/${query}${value}`, { what: value })
  }),
)

test('[P2] a parameter that is missing or given twice is refused', async () => {
  for (const query of ['around', 'search', 'search?q=a&q=b', 'around?messageId=1&messageId=2', 'messages?days=1&days=2'])
    await expectRefused(`GET /api/chats/${roomId}/${query}`, { what: query })
})

test.each(['', ' ', 'a b', '가', 'x'.repeat(129)])('[A8] a key like "%s" is refused', (key) =>
  untouched(async () => {
    const headers = { 'idempotency-key': Buffer.from(key).toString('latin1') }
    const reply = await door.call(`POST /api/chats/${roomId}/message`, ann.bearer, { content: '글' }, headers)
    expect(reply.status).toBe(400)
  }),
)

test('[P9] userIds of a good list may be texts, and a text that is long is no error of the database’s', async () => {
  expect(await door.done(`POST /api/chats/${roomId}/invite`, ann.bearer, { userIds: [String(bob.id)] })).toEqual({
    success: true,
    added: 0,
  })
  const long = encodeURIComponent('가'.repeat(700))
  expect((await door.done(`GET /api/chats/${roomId}/search?q=${long}`, ann.bearer)).data).toEqual([])
})
