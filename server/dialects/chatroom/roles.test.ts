/** Who may do what in a room (C5, C6, A13): ranks, rooms without an admin, and development's requests that name nobody. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { makeChannel, makeGroup } from '../../../test/clients.ts'
import { asHost, chatrooms, openChatroom, type ChatroomServer, type Person, type Reply } from './chatroom.fixture.ts'

let door: ChatroomServer
let people: Record<string, Person>

beforeAll(async () => {
  door = await openChatroom({ isProduction: true, env: { LIMIT_SENDS: 'off' } })
  const made = await door.people('admin', 'other admin', 'sub', 'other sub', 'member', 'other', 'stranger', 'new')
  people = Object.fromEntries(made.map((person) => [person.username, person]))
})
afterAll(() => door.stop())

const roleOf: Record<string, string> = { 'other admin': 'admin', sub: 'sub-admin', 'other sub': 'sub-admin' }
const inside = ['admin', 'other admin', 'sub', 'other sub', 'member', 'other']

/** A room of all but `stranger` and `new`, each as what his name says. */
async function ranked(names = inside): Promise<string> {
  const roomId = await door.room(names.map((name) => people[name]!))
  for (const [name, role] of Object.entries(roleOf)) {
    if (names.includes(name)) await door.done(`PATCH ${at(roomId, name)}/role`, asHost, { role })
  }
  return roomId
}

const at = (roomId: string, name: string) => `${chatrooms}/${roomId}/participants/${encodeURIComponent(name)}`
const as = (name: string) => people[name]!.bearer

const change = {
  rename: (roomId: string, by: string) => door.call(`PATCH ${chatrooms}/${roomId}/name`, as(by), { name: '새 이름' }),
  delete: (roomId: string, by: string) => door.call(`DELETE ${chatrooms}/${roomId}`, as(by)),
  add: (roomId: string, by: string, userId: string, role?: string) =>
    door.call(`POST ${chatrooms}/${roomId}/participants`, as(by), { userId, ...(role && { role }) }),
  remove: (roomId: string, by: string, name: string) => door.call(`DELETE ${at(roomId, name)}`, as(by)),
  role: (roomId: string, by: string, name: string, role = '') => door.call(`PATCH ${at(roomId, name)}/role`, as(by), { role }),
  name: (roomId: string, by: string, name: string) =>
    door.call(`PATCH ${at(roomId, name)}/name`, as(by), { edited_name: '팀장' }),
}

/** What a refusal says: its status and code. */
function outcome({ status, body }: Reply): string {
  return status === 200 ? 'done' : `${status} ${body.error}`
}

interface Case {
  by: string
  does: keyof typeof change
  to?: string
  role?: string
  is: string
}

const no = '403 forbidden'

/** Who does what to whom in a room by ranks, and what comes of it. */
const table: Case[] = [
  { by: 'admin', does: 'rename', is: 'done' },
  { by: 'sub', does: 'rename', is: 'done' },
  { by: 'member', does: 'rename', is: no },
  { by: 'stranger', does: 'rename', is: no },
  { by: 'admin', does: 'delete', is: 'done' },
  { by: 'sub', does: 'delete', is: no },
  { by: 'member', does: 'delete', is: no },
  { by: 'stranger', does: 'delete', is: no },
  { by: 'admin', does: 'add', to: 'new', is: 'done' },
  { by: 'admin', does: 'add', to: 'new', role: 'admin', is: 'done' },
  { by: 'sub', does: 'add', to: 'new', is: 'done' },
  { by: 'sub', does: 'add', to: 'new', role: 'sub-admin', is: 'done' },
  { by: 'sub', does: 'add', to: 'new', role: 'admin', is: no },
  { by: 'member', does: 'add', to: 'new', is: no },
  { by: 'stranger', does: 'add', to: 'stranger', is: no },
  { by: 'member', does: 'add', to: 'nobody at all', is: no },
  { by: 'admin', does: 'add', to: 'nobody at all', is: '404 user_not_found' },
  { by: 'admin', does: 'add', to: 'member', is: '409 already_a_member' },
  { by: 'admin', does: 'remove', to: 'member', is: 'done' },
  { by: 'admin', does: 'remove', to: 'sub', is: 'done' },
  { by: 'admin', does: 'remove', to: 'other admin', is: no },
  { by: 'sub', does: 'remove', to: 'member', is: 'done' },
  { by: 'sub', does: 'remove', to: 'other sub', is: no },
  { by: 'sub', does: 'remove', to: 'admin', is: no },
  { by: 'member', does: 'remove', to: 'other', is: no },
  { by: 'stranger', does: 'remove', to: 'member', is: no },
  { by: 'admin', does: 'remove', to: 'stranger', is: '404 member_not_found' },
  { by: 'admin', does: 'remove', to: 'nobody at all', is: '404 member_not_found' },
  { by: 'admin', does: 'remove', to: 'admin', is: 'done' },
  { by: 'sub', does: 'remove', to: 'sub', is: 'done' },
  { by: 'member', does: 'remove', to: 'member', is: 'done' },
  { by: 'admin', does: 'role', to: 'member', role: 'admin', is: 'done' },
  { by: 'admin', does: 'role', to: 'sub', role: 'member', is: 'done' },
  { by: 'admin', does: 'role', to: 'other admin', role: 'member', is: no },
  { by: 'admin', does: 'role', to: 'admin', role: 'member', is: 'done' },
  { by: 'sub', does: 'role', to: 'member', role: 'sub-admin', is: 'done' },
  { by: 'sub', does: 'role', to: 'member', role: 'admin', is: no },
  { by: 'sub', does: 'role', to: 'sub', role: 'admin', is: no },
  { by: 'sub', does: 'role', to: 'sub', role: 'member', is: 'done' },
  { by: 'sub', does: 'role', to: 'other sub', role: 'member', is: no },
  { by: 'sub', does: 'role', to: 'admin', role: 'member', is: no },
  { by: 'member', does: 'role', to: 'other', role: 'sub-admin', is: no },
  { by: 'member', does: 'role', to: 'member', role: 'sub-admin', is: no },
  { by: 'stranger', does: 'role', to: 'member', role: 'member', is: no },
  { by: 'admin', does: 'role', to: 'stranger', role: 'member', is: '404 member_not_found' },
  { by: 'member', does: 'name', to: 'member', is: 'done' },
  { by: 'sub', does: 'name', to: 'admin', is: 'done' },
  { by: 'admin', does: 'name', to: 'member', is: 'done' },
  { by: 'member', does: 'name', to: 'other', is: no },
  { by: 'stranger', does: 'name', to: 'stranger', is: no },
  { by: 'admin', does: 'name', to: 'nobody at all', is: '404 member_not_found' },
]

test.each(table)('[C6] $by: $does $to $role is $is', async ({ by, does, to = '', role, is }) => {
  expect(outcome(await change[does](await ranked(), by, to, role))).toBe(is)
})

test('[C6] the last admin cannot be demoted while others remain, and when he goes the longest-standing sub-admin follows', async () => {
  const roomId = await ranked(['admin', 'member', 'other', 'sub'])
  expect(outcome(await change.role(roomId, 'admin', 'admin', 'member'))).toBe('409 last_admin')
  await change.remove(roomId, 'admin', 'admin')
  const { participants } = await door.done(`GET ${chatrooms}/${roomId}`, as('member'))
  const [member, other, admin] = [
    { userId: 'member', edited_name: 'member', role: 'member' },
    { userId: 'other', edited_name: 'other', role: 'member' },
    { userId: 'sub', edited_name: 'sub', role: 'admin' },
  ]
  expect(participants).toEqual([member, other, admin])
})

describe('a room made without an admin', () => {
  test('[C5][C6] of two, both are members: either renames, adds and removes', async () => {
    for (const by of ['member', 'other']) {
      const roomId = await door.room([people['member']!, people['other']!])
      const { participants } = await door.done(`GET ${chatrooms}/${roomId}`, as(by))
      expect(participants.map(({ role }: { role: string }) => role)).toEqual(['member', 'member'])
      for (const reply of [
        await change.rename(roomId, by),
        await change.add(roomId, by, 'new'),
        await change.remove(roomId, by, 'new'),
      ])
        expect(outcome(reply)).toBe('done')
      expect(outcome(await change.rename(roomId, 'stranger'))).toBe(no)
    }
  })

  test('[C6] its creator gives roles and deletes, and once he has left the longest-standing one', async () => {
    const roomId = await door.room([people['member']!, people['other']!])
    await change.add(roomId, 'other', 'new')
    expect(outcome(await change.role(roomId, 'other', 'new', 'sub-admin'))).toBe(no)
    expect(outcome(await change.delete(roomId, 'other'))).toBe(no)
    expect(outcome(await change.role(roomId, 'member', 'new', 'sub-admin'))).toBe('done')
    await change.remove(roomId, 'member', 'member')
    expect(outcome(await change.delete(roomId, 'new'))).toBe(no)
    expect(outcome(await change.delete(roomId, 'other'))).toBe('done')
  })
})

describe('rooms of other doors', () => {
  test('[A11][A13] a channel’s owner alone adds, removes and renames, and nobody gives roles in it', async () => {
    const { roomId: channelId, serverId } = await makeChannel(door.server, [people['admin']!, people['member']!])
    const roomId = String(channelId)
    for (const does of ['rename', 'add', 'delete'] as const) expect(outcome(await change[does](roomId, 'member', 'new'))).toBe(no)
    expect(outcome(await change.add(roomId, 'admin', 'new'))).toBe('done')
    expect((await fetch(`${door.server.url}/servers/${serverId}`, { headers: as('new') })).status).toBe(200)
    expect(outcome(await change.role(roomId, 'admin', 'new', 'admin'))).toBe(no)
    expect(outcome(await change.remove(roomId, 'admin', 'new'))).toBe('done')
    expect((await fetch(`${door.server.url}/servers/${serverId}`, { headers: as('new') })).status).toBe(403)
    expect(outcome(await change.remove(roomId, 'admin', 'admin'))).toBe('403 owner_stays')
    expect(outcome(await change.rename(roomId, 'admin'))).toBe('done')
  })

  test('[A13] in a group made at feed members add, and its admin renames and gives roles', async () => {
    const roomId = String(await makeGroup(door.server, [people['admin']!, people['member']!]))
    expect(outcome(await change.add(roomId, 'member', 'new'))).toBe('done')
    expect(outcome(await change.rename(roomId, 'member'))).toBe(no)
    expect(outcome(await change.role(roomId, 'admin', 'new', 'sub-admin'))).toBe('done')
    expect(outcome(await change.rename(roomId, 'admin'))).toBe('done')
  })

  test('[A13] a service key may do all of it', async () => {
    const roomId = await ranked()
    const host = (route: string, body?: unknown) => door.done(route, asHost, body)
    await host(`PATCH ${chatrooms}/${roomId}/name`, { name: '호스트' })
    await host(`PATCH ${at(roomId, 'other admin')}/role`, { role: 'member' })
    await host(`PATCH ${at(roomId, 'admin')}/name`, { edited_name: '대표' })
    await host(`DELETE ${at(roomId, 'admin')}`)
    await host(`POST ${chatrooms}/${roomId}/participants`, { userId: 'new', role: 'admin' })
    await host(`DELETE ${chatrooms}/${roomId}`)
  })
})

test('[C6][M2] in development a request that names nobody acts as the creator, then as the longest-standing admin, else participant', async () => {
  const open = await openChatroom()
  const make = async (targetUserIds: string[]) =>
    (await open.done(`POST ${chatrooms}`, {}, { creatorId: 'kim', targetUserIds, name: '방' })).roomId
  const path = (roomId: string, name: string) => `${chatrooms}/${roomId}/participants/${name}`
  const roomId = await make(['lee', 'cho'])
  await open.done(`PATCH ${path(roomId, 'cho')}/role`, {}, { role: 'admin' })
  // Kim himself, whom no other admin may demote.
  await open.done(`PATCH ${path(roomId, 'kim')}/role`, {}, { role: 'member' })
  expect((await open.call(`PATCH ${chatrooms}/${roomId}/name`, {}, { name: '안 된다' })).status).toBe(403)
  await open.done(`DELETE ${path(roomId, 'kim')}`)
  // Cho, who is behind lee.
  await open.done(`PATCH ${chatrooms}/${roomId}/name`, {}, { name: '된다' })
  await open.done(`DELETE ${path(roomId, 'cho')}`, { 'x-user-id': 'cho' })
  const pair = await make(['lee'])
  await open.done(`DELETE ${path(pair, 'kim')}`)
  await open.done(`DELETE ${chatrooms}/${pair}`)
  await open.stop()
})
