/** The directory's port over the state. */
import type { Department, User, UserId } from '../../core/model.ts'
import { guestUsername } from '../../core/texts.ts'
import type { Directory, NewDepartment, NewGuest, NewUser, UserPatch } from '../storage.ts'
import { openLogins, openRecords } from './registry.ts'
import type { MemoryState } from './state.ts'

export function openDirectory(state: MemoryState): Directory {
  return {
    ...openAccounts(state),
    ...openDepartments(state),
    ...openSpaces(state),
    ...openMarks(state),
    ...openLogins(state),
    ...openRecords(state),
  }
}

type Accounts = Pick<
  Directory,
  'createUser' | 'openGuest' | 'updateUser' | 'findUser' | 'findUsers' | 'findUserByName' | 'listUsers' | 'findPasswordHash'
>

function openAccounts(state: MemoryState): Accounts {
  return {
    createUser: async (user) => createUser(state, user),
    openGuest: async (guest) => openGuest(state, guest),
    updateUser: async (userId, patch) => updateUser(state, userId, patch),
    findUser: async (userId) => findUser(state, userId),
    findUsers: async (userIds) => byId(new Set(userIds)).flatMap((userId) => findUser(state, userId) ?? []),
    findUserByName: async (username) => findUser(state, state.usernames.get(username.normalize('NFC'))),
    listUsers: async ({ offset, limit }) => {
      const accounts = listUsers(state).filter(({ origin }) => origin !== 'guest')
      return accounts.slice(offset, offset + limit)
    },
    findPasswordHash: async (userId) => state.users.get(userId)?.passwordHash ?? null,
  }
}

function byId(ids: Iterable<number>): number[] {
  return [...ids].toSorted((a, b) => a - b)
}

function listUsers(state: MemoryState): User[] {
  return byId(state.users.keys()).flatMap((userId) => findUser(state, userId) ?? [])
}

function findUser(state: MemoryState, userId: UserId | undefined): User | null {
  const found = userId === undefined ? undefined : state.users.get(userId)
  return found === undefined ? null : { ...found.user }
}

function createUser(state: MemoryState, given: NewUser): Awaited<ReturnType<Directory['createUser']>> {
  const username = given.username.normalize('NFC')
  if (given.id !== null && state.users.has(given.id)) return { taken: 'id' }
  if (state.usernames.has(username)) return { taken: 'username' }
  if (state.emails.has(given.email)) return { taken: 'email' }
  const { email, fullName, origin, passwordHash, departmentId = null } = given
  const id = given.id ?? nextUserId(state)
  const now = state.options.now()
  const profile = { bio: null, avatarUrl: null, isActive: true, createdAt: now, updatedAt: now }
  const user: User = { id, username, email, fullName, origin, departmentId, ...profile }
  state.users.set(id, { user, passwordHash })
  state.usernames.set(username, id)
  state.emails.set(email, id)
  return { user: { ...user } }
}

function openGuest(state: MemoryState, { projectId, name, avatarUrl }: NewGuest): User {
  const key = `guest:${projectId}\n${name}`
  const known = state.usernames.get(key)
  const id = known ?? nextUserId(state)
  if (known === undefined) keepGuest(state, id, { projectId, name, key })
  const { user } = state.users.get(id)!
  if (user.avatarUrl !== avatarUrl) Object.assign(user, { avatarUrl, updatedAt: state.options.now() })
  return { ...user }
}

function keepGuest(
  state: MemoryState,
  id: UserId,
  { projectId, name, key }: { projectId: string; name: string; key: string },
): void {
  const now = state.options.now()
  const email = guestEmail(state, `guest${id}`)
  const profile = { bio: null, avatarUrl: null, departmentId: null, isActive: false, createdAt: now, updatedAt: now }
  const user: User = { id, username: guestUsername({ projectId, name }), email, fullName: name, origin: 'guest', ...profile }
  state.users.set(id, { user, passwordHash: null })
  state.usernames.set(key, id)
  state.emails.set(email, id)
}

/** One that nobody else has. */
function guestEmail(state: MemoryState, name: string): string {
  const email = `${name}@example.com`
  return state.emails.has(email) ? guestEmail(state, `${name}-`) : email
}

/** Skips ids that a request made up (A2). */
function nextUserId(state: MemoryState): UserId {
  do state.last.user += 1
  while (state.users.has(state.last.user))
  return state.last.user
}

function updateUser(state: MemoryState, userId: UserId, patch: UserPatch): Awaited<ReturnType<Directory['updateUser']>> {
  const found = state.users.get(userId)
  if (found === undefined) return null
  const { passwordHash, ...fields } = patch
  const { email } = fields
  if (email !== undefined && (state.emails.get(email) ?? userId) !== userId) return { taken: 'email' }
  state.emails.delete(found.user.email)
  Object.assign(found.user, fields, { updatedAt: state.options.now() })
  state.emails.set(found.user.email, userId)
  if (passwordHash !== undefined) found.passwordHash = passwordHash
  if (patch.isActive === false) state.endings.push(userId)
  return { user: { ...found.user } }
}

type Departments = Pick<Directory, 'createDepartment' | 'listDepartments' | 'listUsersIn'>

function openDepartments(state: MemoryState): Departments {
  return {
    createDepartment: async (department) => createDepartment(state, department),
    listDepartments: async () => {
      const departments = [...state.departments.values()].toSorted((a, b) => a.sortOrder - b.sortOrder || a.id - b.id)
      return departments.map((department) => ({ ...department }))
    },
    listUsersIn: async (departmentIds) =>
      listUsers(state).filter((user) => user.isActive && departmentIds.includes(user.departmentId)),
  }
}

function createDepartment(state: MemoryState, given: NewDepartment): Department | 'parent_not_found' | 'taken' {
  const { id: wanted, name, code, parentId, sortOrder } = given
  if (parentId !== null && !state.departments.has(parentId)) return 'parent_not_found'
  if (wanted !== null && state.departments.has(wanted)) return 'taken'
  const department = { id: wanted ?? nextDepartmentId(state), name, code, parentId, sortOrder, isActive: true }
  state.departments.set(department.id, department)
  return { ...department }
}

function nextDepartmentId(state: MemoryState): number {
  do state.last.department += 1
  while (state.departments.has(state.last.department))
  return state.last.department
}

type Spaces = Pick<Directory, 'createSpace' | 'updateSpace' | 'findSpace' | 'listSpacesOf' | 'isSpaceMember'>

function openSpaces(state: MemoryState): Spaces {
  return {
    createSpace: async ({ name, description, iconUrl, ownerId }) => {
      state.last.space += 1
      const now = state.options.now()
      const space = { id: state.last.space, name, description, iconUrl, ownerId, createdAt: now, updatedAt: now }
      state.spaces.set(space.id, { space, members: new Set([ownerId]) })
      return { ...space }
    },
    updateSpace: async (spaceId, patch) => {
      const found = state.spaces.get(spaceId)
      return found === undefined ? null : { ...Object.assign(found.space, patch, { updatedAt: state.options.now() }) }
    },
    findSpace: async (spaceId) => {
      const found = state.spaces.get(spaceId)
      return found === undefined ? null : { ...found.space }
    },
    // Their order in the Map is that of their ids: the counter alone numbers spaces.
    listSpacesOf: async (userId) =>
      [...state.spaces.values()].flatMap(({ space, members }) => (members.has(userId) ? [{ ...space }] : [])),
    isSpaceMember: async (spaceId, userId) => state.spaces.get(spaceId)?.members.has(userId) ?? false,
  }
}

type Marks = Pick<
  Directory,
  'revokeToken' | 'isTokenRevoked' | 'findTokenUser' | 'readEndings' | 'isDevelopment' | 'markDevelopment'
>

function openMarks(state: MemoryState): Marks {
  return {
    revokeToken: async (sha256, expiresAt) => {
      state.revokedTokens.set(sha256, expiresAt)
      state.endings.push(sha256)
    },
    isTokenRevoked: async (sha256) => state.revokedTokens.has(sha256),
    findTokenUser: async (sha256, username) => ({
      isRevoked: state.revokedTokens.has(sha256),
      user: findUser(state, state.usernames.get(username.normalize('NFC'))),
    }),
    readEndings: async (after) => {
      const found = state.endings.slice(after ?? state.endings.length)
      return {
        upTo: state.endings.length,
        tokenHashes: found.filter((ending) => typeof ending === 'string'),
        userIds: found.filter((ending) => typeof ending === 'number'),
      }
    },
    isDevelopment: async () => state.isDevelopment,
    markDevelopment: async () => {
      state.isDevelopment = true
    },
  }
}
