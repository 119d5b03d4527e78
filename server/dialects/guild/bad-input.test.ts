/** What nobody should send: every field of every route, and whole bodies. Always this door's shape, a 4xx, and no side effect. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Reply } from '../../../test/clients.ts'
import { openGuild, type Channel, type Guild } from './guild.fixture.ts'

let guild: Guild
let channel: Channel

beforeAll(async () => {
  guild = await openGuild()
  channel = await guild.makeChannel()
})
afterAll(() => guild.server.stop())

/** As JSON, so that what JavaScript cannot hold can be sent too. */
const bad = {
  array: '["x"]',
  object: '{"x":1}',
  true: 'true',
  negative: '-1',
  'a fraction': '1.5',
  '2^63': '9223372036854775808',
  '1e400': '1e400',
  'U+0000': '"a\\u0000b"',
  'a lone surrogate': '"a\\ud800b"',
  blank: '"  "',
  empty: '""',
}
const tooLong = (length: number) => ({ 'too long': JSON.stringify('x'.repeat(length + 1)) })
const textOf = (length: number) => ({ ...bad, ...tooLong(length) })
const optional = (length: number) => {
  const { blank: _, empty: __, ...rest } = textOf(length)
  return rest
}
const required = (length: number) => ({ ...textOf(length), null: 'null' })

type Fields = Record<string, Record<string, string>>
interface Target {
  route: () => string
  good: Record<string, unknown>
  required: string[]
  fields: Fields
}

const { empty: _, ...numbers } = bad
const targets: Record<string, Target> = {
  register: {
    route: () => 'POST /auth/register',
    good: { username: 'fine', email: 'fine@example.com', password: 'password123' },
    required: ['username', 'email', 'password'],
    fields: {
      username: { ...required(50), slash: '"a/b"', dots: '".."', guest: '"guest:x:y"', control: '"a\\u0007b"' },
      email: { ...required(254), 'no @': '"example.com"' },
      password: { ...required(72), blank: '5' },
      display_name: optional(100),
    },
  },
  'update me': {
    route: () => 'PUT /users/me',
    good: {},
    required: [],
    fields: {
      display_name: optional(100),
      bio: optional(1000),
      avatar_url: optional(2048),
      password: { ...optional(72), empty: '""' },
    },
  },
  'create server': {
    route: () => 'POST /servers/',
    good: { name: 'fine' },
    required: ['name'],
    fields: { name: required(100), description: optional(1000), icon_url: optional(2048) },
  },
  'update server': {
    route: () => `PUT /servers/${channel.serverId}`,
    good: {},
    required: [],
    fields: { name: textOf(100), description: optional(1000), icon_url: optional(2048) },
  },
  'create channel': {
    route: () => 'POST /channels/',
    good: { name: 'fine', server_id: 1 },
    required: ['name', 'server_id'],
    fields: {
      name: required(100),
      description: optional(1000),
      server_id: { ...numbers, null: 'null', text: '"x"', zero: '0', empty: '""' },
    },
  },
  'update channel': {
    route: () => `PUT /channels/${channel.channelId}`,
    good: {},
    required: [],
    fields: { name: textOf(100), description: optional(1000) },
  },
}

const ids = ['abc', '-1', '0', '1.5', '9223372036854775808', '1e400', '%00', '%F0%9F', 'x'.repeat(4000), '%EA%B0%80', '1%20']
const idRoutes = [
  'GET /users/:id',
  'GET /servers/:id',
  'PUT /servers/:id',
  'DELETE /servers/:id',
  'POST /servers/:id/join',
  'POST /servers/:id/leave',
]
idRoutes.push('GET /channels/:id', 'PUT /channels/:id', 'DELETE /channels/:id', 'GET /channels/:id/messages')

function expectRefused(what: string, { status, body }: Reply, statuses = [422]): void {
  expect(statuses, `${what}: ${status} ${JSON.stringify(body)}`).toContain(status)
  if (status !== 422) return expect(body, what).toEqual({ detail: expect.any(String) })
  for (const entry of body.detail) expect(Object.keys(entry), what).toEqual(['type', 'loc', 'msg', 'input'])
}

/** All that could have changed. */
async function stateOf(): Promise<string> {
  const paths = ['/users/me', '/servers/', `/servers/${channel.serverId}`, `/channels/${channel.channelId}/messages`]
  const replies = await Promise.all(paths.map((path) => guild.call(`GET ${path}`, { token: channel.owner })))
  return replies.map(({ text }) => text).join('\n')
}

describe.each(Object.entries(targets))('%s', (_name, { route, good, required: needed, fields }) => {
  test.each(Object.keys(fields))('[A17] [A4] refuses a bad %s', async (field) => {
    const before = await stateOf()
    for (const [what, value] of Object.entries(fields[field]!)) {
      const entries = Object.entries({ ...good, [field]: undefined }).filter(([name]) => name !== field)
      const others = entries.map(([name, one]) => `${JSON.stringify(name)}:${JSON.stringify(one)},`).join('')
      const reply = await guild.call(route(), { token: channel.owner, body: `{${others}"${field}":${value}}` })
      // A number that no id can have is an unknown server.
      const isUnknown = field === 'server_id' && ['negative', '2^63', 'zero'].includes(what)
      expectRefused(`${field} ${what}`, reply, [isUnknown ? 404 : 422])
      if (reply.status === 422) expect(reply.body.detail[0].loc, what).toEqual(['body', field])
    }
    expect(await stateOf()).toBe(before)
  })

  test('[G1] says which fields are missing, and from what', async () => {
    const { status, body } = await guild.call(route(), { token: channel.owner, body: { other: 1 } })
    if (needed.length === 0) return expect(status).toBe(200)
    const missing = needed.map((field) => ({ type: 'missing', loc: ['body', field], msg: 'Field required', input: { other: 1 } }))
    expect({ status, body }).toEqual({ status: 422, body: { detail: missing } })
  })

  test('[G1] [A4] refuses whole bodies that are none', async () => {
    const bodies: Record<string, [body: string | Uint8Array | undefined, type: string, status?: number]> = {
      'broken JSON': ['{"name":', 'json_invalid'],
      'broken UTF-8': [Uint8Array.from([0x22, 0xff, 0xfe, 0x22]), 'json_invalid'],
      '100,000 deep': ['['.repeat(100_000), 'json_invalid'],
      '100,000 deep and whole': ['{"name":'.repeat(20_000) + '1' + '}'.repeat(20_000), 'json_invalid'],
      'an array': ['[]', 'model_attributes_type'],
      'a number': ['5', 'model_attributes_type'],
      'a text': ['"x"', 'model_attributes_type'],
      null: ['null', 'missing'],
      nothing: [undefined, 'missing'],
    }
    for (const [what, [body, type]] of Object.entries(bodies)) {
      const reply = await guild.call(route(), { token: channel.owner, ...(body !== undefined && { body }) })
      expectRefused(what, reply)
      expect(reply.body.detail[0], what).toMatchObject({
        type,
        loc: type === 'json_invalid' ? ['body', expect.any(Number)] : ['body'],
      })
    }
    const plain = await guild.call(route(), {
      token: channel.owner,
      body: JSON.stringify(good),
      headers: { 'content-type': 'text/plain' },
    })
    expect(plain.body.detail[0]).toMatchObject({ type: 'model_attributes_type', loc: ['body'], input: JSON.stringify(good) })
    const large = await guild.call(route(), { token: channel.owner, body: `{"name":"${'x'.repeat(10_000_000)}"}` })
    expect(large).toMatchObject({ status: 413, body: { detail: 'Request Entity Too Large' } })
  })
})

describe('ids and pages', () => {
  test.each(idRoutes)('[G1] %s refuses what is no id, and does not find what none can be', async (pattern) => {
    const before = await stateOf()
    for (const id of ids) {
      const route = pattern.replace(':id', id)
      const reply = await guild.call(route, { token: channel.owner, ...(pattern.startsWith('PUT') && { body: { name: 'x' } }) })
      expectRefused(route.slice(0, 80), reply, /^-?\d+$/.test(id) || /%00|%F0/.test(id) ? [404] : [422])
    }
    expect(await stateOf()).toBe(before)
  })

  test('[A17] limit is 1 to 100 and offset from 0, in pydantic’s words', async () => {
    const path = `GET /channels/${channel.channelId}/messages`
    const table: [query: string, type: string, msg: string][] = [
      ['limit=0', 'greater_than_equal', 'Input should be greater than or equal to 1'],
      ['limit=101', 'less_than_equal', 'Input should be less than or equal to 100'],
      ['limit=9223372036854775808', 'less_than_equal', 'Input should be less than or equal to 100'],
      ['limit=', 'int_parsing', 'Input should be a valid integer, unable to parse string as an integer'],
      ['limit=1.5', 'int_parsing', 'Input should be a valid integer, unable to parse string as an integer'],
      ['limit=1e2', 'int_parsing', 'Input should be a valid integer, unable to parse string as an integer'],
      ['offset=-1', 'greater_than_equal', 'Input should be greater than or equal to 0'],
      ['offset=abc', 'int_parsing', 'Input should be a valid integer, unable to parse string as an integer'],
    ]
    for (const [query, type, msg] of table) {
      const [name, input] = query.split('=')
      const { status, body } = await guild.call(`${path}?${query}`, { token: channel.owner })
      expect({ status, body }, query).toEqual({ status: 422, body: { detail: [{ type, loc: ['query', name], msg, input }] } })
    }
    expect(await guild.call(`${path}?limit=%00`, { token: channel.owner })).toMatchObject({ status: 422 })
    expect(await guild.call(`${path}?offset=9223372036854775808`, { token: channel.owner })).toMatchObject({
      status: 200,
      body: [],
    })
    expect(await guild.call(`${path}?limit=0&limit=5`, { token: channel.owner })).toMatchObject({ status: 200 })
  })
})

describe('the login form', () => {
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  const missing = (field: string) => ({ type: 'missing', loc: ['body', field], msg: 'Field required', input: null })

  test('[G6] [G1] missing and empty fields are missing, and so are all in a body that is no form', async () => {
    const both = { detail: [missing('username'), missing('password')] }
    expect((await guild.call('POST /auth/login')).body).toEqual(both)
    expect((await guild.call('POST /auth/login', { body: '', headers })).body).toEqual(both)
    const empty = await guild.call('POST /auth/login', { body: 'username=&password=', headers })
    expect(empty.body).toEqual({ detail: both.detail.map((entry) => ({ ...entry, input: '' })) })
    expect((await guild.call('POST /auth/login', { body: { username: 'x', password: 'y' } })).body).toEqual(both)
    expect((await guild.call('POST /auth/login', { body: 'username=x', headers })).body).toEqual({
      detail: [missing('password')],
    })
  })

  test('[A4] broken encodings, U+0000 and large forms are refused', async () => {
    for (const body of ['username=%ff&password=x', 'username=%zz&password=x', 'username=a%00&password=x', 'a&'.repeat(1001)]) {
      expectRefused(body, await guild.call('POST /auth/login', { body, headers }))
    }
    const large = await guild.call('POST /auth/login', { body: `username=x&password=${'x'.repeat(300_000)}`, headers })
    expect(large).toMatchObject({ status: 413 })
    for (const username of ['../x', 'x'.repeat(10_000), 'guest:a:b', ' ']) {
      const body = new URLSearchParams({ username, password: 'x' }).toString()
      expect(await guild.call('POST /auth/login', { body, headers })).toMatchObject({ status: 401 })
    }
  })
})

test('[A17] the echo of a long input is its beginning', async () => {
  const { body } = await guild.call('POST /servers/', { token: channel.owner, body: { name: '가'.repeat(80_000) } })
  expect(body.detail[0].input.length).toBeLessThan(5_000)
  const wide = await guild.call('POST /servers/', {
    token: channel.owner,
    body: { other: Array.from({ length: 20_000 }, () => 1) },
  })
  expect(wide.text.length).toBeLessThan(20_000)
})

test('[G1] an unknown path is Not Found, another method is Method Not Allowed with Allow', async () => {
  expect(await guild.call('GET /servers/1/2/3', { token: channel.owner })).toMatchObject({
    status: 404,
    body: { detail: 'Not Found' },
  })
  const { status, body, headers } = await guild.call('DELETE /servers/', { token: channel.owner })
  expect({ status, body, allow: headers.get('allow') }).toEqual({
    status: 405,
    body: { detail: 'Method Not Allowed' },
    allow: 'GET, HEAD, POST',
  })
})
