import { describe, expect, it } from 'vitest'
import { connect, openTestChat } from '../../../test/chat.ts'
import { createMemoryDatabase } from '../../storage/memory/memory.ts'
import type { Chat } from '../chat.ts'
import type { Department, Principal, User } from '../model.ts'
import { unknownUser } from '../user-cache.ts'
import { nestDepartments, type DepartmentFields, type DepartmentNode, type NewPerson } from './organisation.ts'

const service: Principal = { kind: 'service', user: null }
const nobody: Principal = { kind: 'nobody' }

async function open({ isDevelopment = false }: { isDevelopment?: boolean } = {}) {
  const database = createMemoryDatabase()
  const chat = await openTestChat(database.openStorage(), { isDevelopment })
  const { organisation } = chat
  const department = (name: string, more: Partial<DepartmentFields> = {}, as = service) =>
    organisation.createDepartment(as, { name, code: null, parentId: null, sortOrder: 0, ...more })
  const person = (username: string, more: Partial<NewPerson> = {}, as = service) =>
    organisation.createUser(as, { ...bare, username, ...more })
  return { ...chat, chat, database, department, person }
}

const bare = { password: 'secret', email: null, fullName: null, departmentId: null }
const invalid = (field: string) => ({ code: 'invalid_field', field })

describe('[P12] the organisation is changed', () => {
  it('by a service key, and by nobody else in production', async () => {
    const { organisation, department, person, accounts } = await open()
    expect(await department('본사')).toMatchObject({ id: 1, name: '본사' })
    const lea = await person('lea')
    for (const as of [nobody, { kind: 'user', user: lea } satisfies Principal]) {
      await expect(department('x', {}, as)).rejects.toMatchObject({ code: 'forbidden' })
      await expect(person('x', {}, as)).rejects.toMatchObject({ code: 'forbidden' })
      await expect(organisation.updateUser(as, lea.id, { isActive: false })).rejects.toMatchObject({ code: 'forbidden' })
    }
    expect((await organisation.listDepartments()).map(({ name }) => name)).toEqual(['본사'])
    expect(await accounts.get(lea.id)).toMatchObject({ isActive: true })
  })

  it('by anyone in development', async () => {
    const { department, person, organisation } = await open({ isDevelopment: true })
    expect(await department('본사', {}, nobody)).toMatchObject({ id: 1 })
    const lea = await person('lea', { departmentId: 1 }, nobody)
    const as: Principal = { kind: 'user', user: lea }
    expect(await organisation.updateUser(as, lea.id, { departmentId: null })).toMatchObject({ departmentId: null })
  })
})

describe('[P12] a department', () => {
  it('is made with what was given, under a parent that there is', async () => {
    const { department, organisation } = await open()
    const company = await department('본사', { code: 'HQ', sortOrder: 3 })
    expect(company).toEqual({ id: 1, name: '본사', code: 'HQ', parentId: null, sortOrder: 3, isActive: true })
    const team = await department('팀', { parentId: company.id })
    expect(await organisation.listDepartments()).toEqual([team, company])
  })

  it.each<[string, Partial<DepartmentFields>]>([
    ['name', { name: '' }],
    ['name', { name: ' ' }],
    ['name', { name: '가'.repeat(101) }],
    ['name', { name: 'a\0' }],
    ['code', { code: 'a'.repeat(101) }],
    ['code', { code: '\ud800' }],
    ['parent_id', { parentId: 9 }],
    ['parent_id', { parentId: 0 }],
    ['parent_id', { parentId: 1.5 }],
    ['parent_id', { parentId: 2 ** 53 }],
    ['sort_order', { sortOrder: 0.5 }],
    ['sort_order', { sortOrder: Number.NaN }],
  ])('[A17] is refused for the field %s of %j', async (field, given) => {
    const { department, organisation } = await open()
    await expect(department('팀', given)).rejects.toMatchObject(invalid(field))
    expect(await organisation.listDepartments()).toEqual([])
  })
})

describe('[P12] a person', () => {
  it('is made with what was given, and his password opens the account', async () => {
    const { department, person, accounts } = await open()
    await department('팀')
    const user = await person('lea', { email: 'lea@h.test', fullName: ' 이레아 ', departmentId: 1 })
    expect(user).toMatchObject({ id: 1, username: 'lea', email: 'lea@h.test', fullName: '이레아', departmentId: 1 })
    expect(user.origin).toBe('registered')
    expect(await accounts.signIn('lea', 'secret')).toEqual(user)
  })

  it('[A18] without an address or a name gets the address of a made-up account and his username', async () => {
    const { person, accounts } = await open()
    const name = '각'.repeat(50)
    const lea = await person(name.normalize('NFD'))
    expect(lea).toMatchObject({ username: name, fullName: name, email: `user${lea.id}@example.com`, departmentId: null })
    expect(await accounts.get(lea.id)).toEqual(lea)
    const both = await Promise.all([person('max', { fullName: '  ' }), person('eve')])
    expect(both).toMatchObject([{ fullName: 'max' }, { fullName: 'eve' }])
  })

  it('is made where registration is closed to everybody else', async () => {
    const { settings, person } = await open()
    settings.isRegistrationOpen = false
    expect(await person('lea')).toMatchObject({ username: 'lea' })
  })

  it('has a name and an address of his own', async () => {
    const { person } = await open()
    await person('lea', { email: 'lea@h.test' })
    await expect(person('lea')).rejects.toMatchObject({ code: 'username_taken' })
    await expect(person('max', { email: 'lea@h.test' })).rejects.toMatchObject({ code: 'email_taken' })
  })

  it.each<[string, Partial<NewPerson>]>([
    ['username', { username: 'guest:x' }],
    ['email', { email: 'a@b@c' }],
    ['email', { email: '' }],
    ['password', { password: '' }],
    ['password', { password: '가'.repeat(25) }],
    ['full_name', { fullName: 'a'.repeat(101) }],
    ['full_name', { fullName: 'a\0' }],
    ['department_id', { departmentId: 9 }],
    ['department_id', { departmentId: 0 }],
    ['department_id', { departmentId: 0.5 }],
  ])('[A17] is refused for the field %s of %j', async (field, given) => {
    const { person, queries } = await open()
    await expect(person('lea', given)).rejects.toMatchObject(invalid(field))
    expect(await queries.listUsers({ offset: 0, limit: 9 })).toEqual([])
  })
})

describe("[P12] a person's change", () => {
  it('changes what it gives and keeps the rest; no name is the username again', async () => {
    const { department, person, organisation } = await open()
    for (const name of ['x', 'y']) await department(name)
    const lea = await person('lea', { fullName: 'Lea', email: 'lea@h.test', departmentId: 1 })
    const change = { updatedAt: expect.any(Number) }
    const moved = { ...lea, ...change, departmentId: 2, email: 'new@h.test' }
    expect(await organisation.updateUser(service, 1, { departmentId: 2, email: 'new@h.test' })).toEqual(moved)
    expect(await organisation.updateUser(service, 1, { fullName: ' ' })).toEqual({ ...moved, fullName: 'lea' })
    expect(await organisation.updateUser(service, 1, { departmentId: null })).toMatchObject({ departmentId: null })
  })

  it('is refused where it cannot be, and then changes nothing', async () => {
    const { person, organisation, accounts } = await open()
    await person('max', { email: 'max@h.test' })
    const lea = await person('lea')
    const change = (patch: Parameters<Chat['organisation']['updateUser']>[2]) =>
      organisation.updateUser(service, lea.id, { isActive: false, ...patch })
    await expect(change({ email: 'max@h.test' })).rejects.toMatchObject({ code: 'email_taken' })
    await expect(change({ email: 'no address' })).rejects.toMatchObject(invalid('email'))
    await expect(change({ fullName: 'a'.repeat(101) })).rejects.toMatchObject(invalid('full_name'))
    await expect(change({ departmentId: 9 })).rejects.toMatchObject(invalid('department_id'))
    expect(await accounts.get(lea.id)).toEqual(lea)
    await expect(organisation.updateUser(service, 99, {})).rejects.toMatchObject({ code: 'user_not_found' })
  })

  it('[A15] that deactivates ends his sessions and opens nothing, until one that activates again', async () => {
    const { chat, person, organisation, accounts } = await open()
    const lea = await person('lea')
    const room = await chat.rooms.createGroup({ name: 'x', description: null }, [lea.id], null)
    const live = await connect(chat, lea, room.id)
    expect(await organisation.updateUser(service, lea.id, { isActive: false })).toMatchObject({ isActive: false })
    // At once: other nodes hear of it by and by.
    expect(live.closedWith).toBe(4001)
    await expect(accounts.signIn('lea', 'secret')).rejects.toMatchObject({ code: 'wrong_password' })
    expect(await organisation.updateUser(service, lea.id, { isActive: true })).toMatchObject({ isActive: true })
    expect(await accounts.signIn('lea', 'secret')).toMatchObject({ id: lea.id, isActive: true })
    expect((await connect(chat, lea, room.id)).closedWith).toBeNull()
  })
})

/** A tree as text: `name[users](children)`. */
function show({ department, users, children }: DepartmentNode): string {
  const names = users.map(({ fullName }) => fullName).join(' ')
  return `${department.name}[${names}](${children.map(show).join(', ')})`
}

function departmentOf(id: number, name: string, more: Partial<Department> = {}): Department {
  return { id, name, code: null, parentId: null, sortOrder: 0, isActive: true, ...more }
}

function userOf(id: number, fullName: string, departmentId: number | null): User {
  return { ...unknownUser(id), fullName, departmentId }
}

describe('[P1] the tree', () => {
  it('nests departments in sort order, each with its active users by name, and has those without a department', async () => {
    const { department, person, organisation } = await open()
    await department('회사')
    await department('둘째', { parentId: 1, sortOrder: 2 })
    await department('첫째', { parentId: 1, sortOrder: 1 })
    await department('손자', { parentId: 3 })
    for (const [name, departmentId] of Object.entries({ 하나: 4, 가나: 4, 나나: 1, 밖: null, 안: null })) {
      await person(name, { departmentId })
    }
    await organisation.updateUser(service, (await person('gone', { departmentId: 4 })).id, { isActive: false })
    const { roots, unassigned } = await organisation.readTree()
    expect(roots.map(show)).toEqual(['회사[나나](첫째[](손자[가나 하나]()), 둘째[]())'])
    expect(unassigned.map(({ fullName }) => fullName)).toEqual(['밖', '안'])
  })

  it('makes roots of what is under an inactive parent or one that is not there, and loses nobody', () => {
    const departments = [
      departmentOf(1, 'closed', { isActive: false }),
      departmentOf(2, 'open', { parentId: 1 }),
      departmentOf(3, 'below', { parentId: 2 }),
      departmentOf(4, 'lost', { parentId: 99 }),
    ]
    const users = [userOf(1, 'a', 3), userOf(2, 'b', 1), userOf(3, 'c', 99), userOf(4, 'd', null)]
    const { roots, unassigned } = nestDepartments(departments, users)
    expect(roots.map(show)).toEqual(['open[](below[a]())', 'lost[]()'])
    expect(unassigned.map(({ fullName }) => fullName)).toEqual(['b', 'c', 'd'])
  })
})

describe('[P9] a department', () => {
  it('means its active users, with those of the departments below where it is asked for', async () => {
    const { department, person, organisation } = await open()
    await department('회사')
    await department('본부', { parentId: 1 })
    await department('팀', { parentId: 2 })
    await department('다른 본부', { parentId: 1 })
    for (const [name, departmentId] of Object.entries({ a: 3, b: 2, c: 4, d: 1, e: null, f: 3 }))
      await person(name, { departmentId })
    await organisation.updateUser(service, 6, { isActive: false })
    const names = async (departmentId: number, includeSub: boolean) =>
      (await organisation.membersOf(departmentId, includeSub)).map(({ username }) => username).join('')
    expect(await names(2, false)).toBe('b')
    expect(await names(2, true)).toBe('ab')
    expect(await names(1, true)).toBe('abcd')
    expect(await names(3, true)).toBe('a')
    expect(await names(9, true)).toBe('')
  })
})

describe("[P12] development's organisation", () => {
  it('has departments three deep and people in them, whom their password opens; user 1 is one', async () => {
    const { organisation, accounts } = await open({ isDevelopment: true })
    const signIn = (await organisation.seedDevelopment())!
    const { roots, unassigned } = await organisation.readTree()
    expect(roots.map(show)).toEqual([
      '본사[홍길동](개발본부[이영희](플랫폼팀[김철수 박지민 佐藤健二](), 서비스팀[정하나 최민준]()), 경영지원본부[Grace Lee](인사팀[한서연]()))',
    ])
    expect(unassigned.map(({ fullName }) => fullName)).toEqual(['윤다솜'])
    for (const [nth, username] of signIn.usernames.entries())
      expect(await accounts.signIn(username, signIn.password)).toMatchObject({ id: nth + 1 })
    expect((await accounts.getOrMake(1)).departmentId).toBe(3)
  })

  it('[A2] takes the first user ids; others, rooms and departments are numbered behind it', async () => {
    const { organisation, accounts, department, person } = await open({ isDevelopment: true })
    const { usernames } = (await organisation.seedDevelopment())!
    expect(await person('next')).toMatchObject({ id: usernames.length + 1 })
    expect(await accounts.getOrMake(42)).toMatchObject({ username: 'user42', departmentId: null })
    const { length } = await organisation.listDepartments()
    expect(await department('new')).toMatchObject({ id: length + 1 })
  })

  it('is made once by two nodes that start at once, and not again later', async () => {
    const { database, organisation, queries } = await open({ isDevelopment: true })
    const second = await openTestChat(database.openStorage(), { isDevelopment: true })
    const both = await Promise.all([organisation.seedDevelopment(), second.organisation.seedDevelopment()])
    expect(both[0]).toEqual(both[1])
    const [people, departments] = [await queries.listUsers({ offset: 0, limit: 99 }), await organisation.listDepartments()]
    expect(people.map(({ id }) => id)).toEqual(Array.from({ length: 10 }, (_, nth) => nth + 1))
    expect(departments.map(({ id }) => id).toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6])
    await second.organisation.createUser(nobody, { ...bare, username: 'new' })
    expect(await organisation.seedDevelopment()).toEqual(both[0])
    expect(await queries.listUsers({ offset: 0, limit: 99 })).toHaveLength(11)
  })

  it('is completed where a start was cut short', async () => {
    const { database, organisation, queries } = await open({ isDevelopment: true })
    const storage = database.openStorage()
    let left = 4
    const createUser: typeof storage.directory.createUser = async (user) => {
      if (left-- === 0) throw new Error('cut short')
      return storage.directory.createUser(user)
    }
    const cut = await openTestChat({ ...storage, directory: { ...storage.directory, createUser } }, { isDevelopment: true })
    await expect(cut.organisation.seedDevelopment()).rejects.toThrow('cut short')
    expect(await queries.listUsers({ offset: 0, limit: 99 })).toHaveLength(4)
    expect(await organisation.seedDevelopment()).not.toBeNull()
    expect(await queries.listUsers({ offset: 0, limit: 99 })).toHaveLength(10)
    expect(await organisation.listDepartments()).toHaveLength(6)
  })

  it('is not put beside people who are there already, and never into production', async () => {
    const { organisation, accounts } = await open({ isDevelopment: true })
    await accounts.getOrMake(42)
    expect(await organisation.seedDevelopment()).toBeNull()
    const production = await open()
    expect(await production.organisation.seedDevelopment()).toBeNull()
    for (const seeded of [organisation, production.organisation]) expect(await seeded.listDepartments()).toEqual([])
  })
})
