/** Bad input leaves nothing behind. */
import { expect } from 'vitest'
import type { Storage } from '../server/storage/storage.ts'

/** Everything that there is, as one text. */
async function listAll({ directory, log }: Storage): Promise<string> {
  const users = await directory.listUsers({ offset: 0, limit: 1000 })
  const rooms = (await Promise.all(users.map(({ id }) => log.listRoomsOf(id)))).flat()
  const members = await Promise.all(rooms.map(({ id }) => log.listMembers(id)))
  return JSON.stringify({ users, rooms, members, departments: await directory.listDepartments() })
}

/** Nor does the server log anything of it. */
export async function expectUntouched(storage: Storage, logged: unknown[], work: () => Promise<void>): Promise<void> {
  const before = await listAll(storage)
  await work()
  expect(await listAll(storage)).toBe(before)
  expect(logged).toEqual([])
}
