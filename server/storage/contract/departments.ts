/** The directory: departments, and who is in them. */
import { expect, it } from 'vitest'
import type { Department } from '../../core/model.ts'
import type { Directory, NewDepartment } from '../storage.ts'
import { create as createUser } from './directory.ts'
import type { Contract } from './harness.ts'

async function createDepartment(directory: Directory, name: string, more: Partial<NewDepartment> = {}): Promise<Department> {
  const made = await directory.createDepartment({ id: null, name, code: null, parentId: null, sortOrder: 0, ...more })
  if (typeof made === 'string') throw new Error(made)
  return made
}

export function departmentContract(contract: Contract): void {
  creationContract(contract)
  membersContract(contract)
}

function creationContract({ open }: Contract): void {
  it('[P12] makes departments with what was given, numbered from 1, under parents that there are', async () => {
    const { storage, second } = await open()
    const { directory } = storage
    const company = { name: '본사', code: 'HQ', parentId: null, sortOrder: 5 }
    expect(await directory.createDepartment({ id: null, ...company })).toEqual({ id: 1, ...company, isActive: true })
    const team = { name: '팀', code: null, parentId: 1, sortOrder: -2 }
    expect(await (await second()).directory.createDepartment({ id: null, ...team })).toEqual({ id: 2, ...team, isActive: true })
    const orphan = { name: 'x', code: null, sortOrder: 0 }
    expect(await directory.createDepartment({ id: null, ...orphan, parentId: 9 })).toBe('parent_not_found')
    expect(await directory.createDepartment({ id: 7, ...orphan, parentId: 7 })).toBe('parent_not_found')
    expect((await directory.listDepartments()).map(({ id }) => id)).toEqual([2, 1])
  })

  it('[P12] lists departments by their sort order, then by id', async () => {
    const { directory } = (await open()).storage
    for (const [name, sortOrder] of Object.entries({ a: 10, b: 9, c: 10, d: 0, e: 9 })) {
      await createDepartment(directory, name, { sortOrder })
    }
    expect((await directory.listDepartments()).map(({ name }) => name).join('')).toBe('dbeac')
  })

  it('gives an id that was asked for to one of many at once, and the counter skips it', async () => {
    const { storage, second } = await open()
    const stores = [storage.directory, (await second()).directory]
    const ask = (id: number | null, i: number) =>
      stores[i % 2]?.createDepartment({ id, name: `${i}`, code: null, parentId: null, sortOrder: 0 })
    const asked = await Promise.all(Array.from({ length: 8 }, (_, i) => ask(2, i)))
    expect(asked.filter((result) => result === 'taken')).toHaveLength(7)
    const counted = await Promise.all(Array.from({ length: 8 }, (_, i) => ask(null, i)))
    const ids = counted.map((made) => (typeof made === 'object' ? made.id : made))
    expect(ids.toSorted((a, b) => Number(a) - Number(b))).toEqual([1, 3, 4, 5, 6, 7, 8, 9])
  })
}

function membersContract({ open }: Contract): void {
  it("[P12] keeps a user's department, until a patch names another or none", async () => {
    const { directory } = (await open()).storage
    for (const name of ['x', 'y']) await createDepartment(directory, name)
    expect(await createUser(directory, 'a', { departmentId: 1 })).toMatchObject({ id: 1, departmentId: 1 })
    expect(await directory.findUser(1)).toMatchObject({ departmentId: 1 })
    await directory.updateUser(1, { bio: 'hi' })
    expect(await directory.findUsers([1])).toMatchObject([{ departmentId: 1, bio: 'hi' }])
    expect(await directory.updateUser(1, { departmentId: 2 })).toMatchObject({ user: { departmentId: 2 } })
    expect(await directory.updateUser(1, { departmentId: null })).toMatchObject({ user: { departmentId: null } })
    expect(await directory.findUserByName('a')).toMatchObject({ departmentId: null })
  })

  it('[P9] lists the active users of departments, by id; null stands for none', async () => {
    const { directory } = (await open()).storage
    for (const name of ['x', 'y', 'z']) await createDepartment(directory, name)
    const places = { a: 2, b: 1, c: null, d: 1, e: 3, f: null }
    for (const [name, departmentId] of Object.entries(places)) await createUser(directory, name, { departmentId })
    await directory.updateUser(4, { isActive: false })
    await directory.updateUser(6, { isActive: false })
    const ids = async (of: (number | null)[]) => (await directory.listUsersIn(of)).map((user) => user.id)
    expect(await ids([1])).toEqual([2])
    expect(await ids([2, 1, 2])).toEqual([1, 2])
    expect(await ids([null])).toEqual([3])
    expect(await ids([3, null])).toEqual([3, 5])
    expect(await ids([])).toEqual([])
    expect(await ids([99])).toEqual([])
    await directory.updateUser(4, { isActive: true })
    expect(await directory.listUsersIn([1])).toEqual(await directory.findUsers([2, 4]))
  })
}
