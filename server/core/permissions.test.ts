import { describe, expect, it } from 'vitest'
import { memberOf } from './model.fixture.ts'
import type { Principal, Role, Room, RoomRule, User } from './model.ts'
import { mayChange, mayGiveName, mayGiveRole, type RoomChange } from './permissions.ts'
import { unknownUser } from './user-cache.ts'

const roles: (Role | null)[] = ['admin', 'sub-admin', 'member', null]
const changes: RoomChange[] = ['add', 'remove', 'rename', 'delete']
const user = (id: number): User => unknownUser(id)
const roomOf = (rule: RoomRule): Room => ({
  id: 1,
  kind: 'group',
  rule,
  name: 'a',
  description: null,
  spaceId: null,
  head: 1,
  ordinal: 0,
  createdAt: 0,
  updatedAt: 0,
})

const as = (principal: Principal, role: Role | null) => ({ principal, member: role && memberOf({ userId: 1, role }) })
const caller: Principal = { kind: 'user', user: user(1) }
const other = (role: Role | null) => ({ userId: 2, role })

/** One line of A13: what a member of each role may; `remove` by the role of who is removed. Nobody listed: nobody. */
interface Rule {
  rule: RoomRule
  add: (Role | null)[]
  remove: Partial<Record<Role, (Role | null)[]>>
  rename: (Role | null)[]
  delete: (Role | null)[]
}

const table: Rule[] = [
  {
    rule: 'owner',
    add: ['admin'],
    remove: { admin: ['admin'], 'sub-admin': ['admin'], member: ['admin'] },
    rename: ['admin'],
    delete: ['admin'],
  },
  { rule: 'pair', add: ['admin', 'sub-admin', 'member'], remove: {}, rename: [], delete: [] },
  { rule: 'peers', add: ['admin', 'sub-admin', 'member'], remove: {}, rename: [], delete: [] },
  {
    rule: 'admins',
    add: ['admin', 'sub-admin', 'member'],
    remove: { 'sub-admin': ['admin', 'sub-admin', 'member'], member: ['admin', 'sub-admin', 'member'] },
    rename: ['admin'],
    delete: ['admin'],
  },
  {
    rule: 'roles',
    add: ['admin', 'sub-admin'],
    remove: { 'sub-admin': ['admin'], member: ['admin', 'sub-admin'] },
    rename: ['admin', 'sub-admin'],
    delete: ['admin'],
  },
  { rule: 'service', add: [], remove: {}, rename: [], delete: [] },
  { rule: 'anyone', add: roles, remove: { admin: roles, 'sub-admin': roles, member: roles }, rename: roles, delete: roles },
]

describe.each(table)('[A13] in a room with the rule $rule', (line) => {
  const room = roomOf(line.rule)

  it.each(['add', 'rename', 'delete'] as const)('%s is for whom the table names', (change) => {
    const may = roles.filter((role) => mayChange(room, as(caller, role), change, change === 'add' ? other(null) : null))
    expect(may).toEqual(line[change])
  })

  it.each(['admin', 'sub-admin', 'member'] as const)('a %s is removed by whom the table names', (role) => {
    const may = roles.filter((byRole) => mayChange(room, as(caller, byRole), 'remove', other(role)))
    expect(may).toEqual(line.remove[role] ?? [])
  })

  it('anyone removes himself, whatever he is', () => {
    expect(roles.every((role) => mayChange(room, as(caller, role), 'remove', { userId: 1, role }))).toBe(true)
  })

  it('a service key may do all of it, for a user and for nobody', () => {
    for (const actor of [as({ kind: 'service', user: null }, null), as({ kind: 'service', user: user(9) }, null)]) {
      expect(changes.every((change) => mayChange(room, actor, change, other('admin')))).toBe(true)
    }
  })

  it("a request without an actor may what its rule leaves to it: a project's and development's open room", () => {
    const may = changes.every((change) => mayChange(room, as({ kind: 'nobody' }, null), change, other('admin')))
    expect(may).toBe(line.rule === 'service' || line.rule === 'anyone')
  })
})

describe('[C6] in a room by ranks without an admin', () => {
  const [leader, peer] = [true, false].map((leads) => ({ ...as(caller, 'member'), leads }))
  const room = roomOf('roles')

  it('all participants do all but delete, which is for who leads, and so is giving roles', () => {
    for (const change of ['add', 'remove', 'rename'] as const)
      expect([leader!, peer!].map((actor) => mayChange(room, actor, change, other('sub-admin')))).toEqual([true, true])
    expect([leader!, peer!].map((actor) => mayChange(room, actor, 'delete'))).toEqual([true, false])
    expect([leader!, peer!].map((actor) => mayGiveRole(room, actor, other('member'), 'admin'))).toEqual([true, false])
  })
})

describe('[C6] in a room by ranks', () => {
  const given: Role[] = ['admin', 'sub-admin', 'member']
  const givenBy = (by: Role | null, target: { userId: number; role: Role | null }) =>
    given.filter((role) => mayGiveRole(roomOf('roles'), as(caller, by), target, role))

  it.each<{ by: Role | null; to: Record<Role | 'new' | 'own', Role[]> }>([
    { by: 'admin', to: { admin: [], 'sub-admin': given, member: given, new: given, own: given } },
    {
      by: 'sub-admin',
      to: { admin: [], 'sub-admin': [], member: given.slice(1), new: given.slice(1), own: given.slice(1) },
    },
    { by: 'member', to: { admin: [], 'sub-admin': [], member: [], new: [], own: [] } },
    { by: null, to: { admin: [], 'sub-admin': [], member: [], new: [], own: [] } },
  ])('$by gives roles as the table says', ({ by, to }) => {
    for (const role of given) expect(givenBy(by, other(role)), role).toEqual(to[role])
    expect([givenBy(by, other(null)), givenBy(by, { userId: 1, role: by })]).toEqual([to.new, to.own])
  })

  it('names are for oneself, admins and sub-admins', () => {
    const may = (by: Role | null, userId: number) => mayGiveName(roomOf('roles'), as(caller, by), userId)
    expect(roles.filter((role) => may(role, 2))).toEqual(['admin', 'sub-admin'])
    expect(roles.filter((role) => may(role, 1))).toEqual(['admin', 'sub-admin', 'member'])
  })
})

it("[A11] roles in a space's room are its owner's alone: nobody gives them, no service key either", () => {
  const channel = { ...roomOf('owner'), spaceId: 1 }
  for (const actor of [as(caller, 'admin'), as({ kind: 'service', user: null }, null)])
    expect(mayGiveRole(channel, actor, other('member'), 'admin')).toBe(false)
})
