/** The directory: accounts, departments, spaces, revoked tokens, settings. */
import { sql } from 'kysely'
import type { Department, Space, User } from '../../core/model.ts'
import { isStorable } from '../../core/texts.ts'
import type { Directory, NewDepartment, NewUser, UserPatch } from '../storage.ts'
import { createOpenGuest } from './guests.ts'
import { prepareQuery, type Database } from './database.ts'
import { isUniqueViolation } from './errors.ts'
import { gather } from './gathering.ts'
import { createLogins, createRecords } from './registry.ts'
import { toDepartment, toSpace, toUser } from './rows.ts'
import type { Tables } from './tables.ts'

export function createDirectory(db: Database): Directory {
  return {
    ...createAccounts(db),
    ...createDepartments(db),
    ...createSpaces(db),
    ...createMarks(db),
    ...createLogins(db),
    ...createRecords(db),
  }
}

type Accounts = Pick<
  Directory,
  'createUser' | 'openGuest' | 'updateUser' | 'findUser' | 'findUsers' | 'findUserByName' | 'listUsers' | 'findPasswordHash'
>

function createAccounts(db: Database): Accounts {
  const users = db.selectFrom('users').selectAll()
  const firstOf = (row: Tables['users'] | undefined) => (row === undefined ? null : toUser(row))
  return {
    createUser: (user) => createUser(db, user),
    openGuest: createOpenGuest(db),
    updateUser: (userId, patch) => updateUser(db, userId, patch),
    findUser: async (userId) => firstOf(await users.where('id', '=', userId).executeTakeFirst()),
    findUsers: async (userIds) => {
      const rows = await users
        .where('id', '=', sql<number>`any (${userIds}::bigint[])`)
        .orderBy('id')
        .execute()
      return rows.map(toUser)
    },
    findUserByName: gather(db, findUsersByName),
    listUsers: async ({ offset, limit }) => {
      const accounts = users.where('origin', '<>', 'guest').orderBy('id').offset(offset).limit(limit)
      return (await accounts.execute()).map(toUser)
    },
    findPasswordHash: async (userId) => {
      const row = await db.selectFrom('users').select('password_hash').where('id', '=', userId).executeTakeFirst()
      return row?.password_hash ?? null
    },
  }
}

async function findUsersByName(db: Database, usernames: string[]): Promise<(User | null)[]> {
  const keys = usernames.map(soughtKeyOf)
  const users = db.selectFrom('users').selectAll()
  const rows = await users.where('username_key', '=', sql<string>`any (${keys}::text[])`).execute()
  const found = new Map<string | null, User>(rows.map((row) => [row.username_key, toUser(row)]))
  return keys.map((key) => found.get(key) ?? null)
}

/** What is unique about a username (A17). */
function keyOf(username: string): string {
  return username.normalize('NFC')
}

/** Null, which is nobody's, for what cannot be kept: its error would be that of all who ask in the same statement. */
function soughtKeyOf(username: string): string | null {
  return isStorable(username) ? keyOf(username) : null
}

async function createUser(db: Database, user: NewUser): Promise<{ user: User } | { taken: 'id' | 'username' | 'email' }> {
  for (;;) {
    const row = await insertUser(db, user)
    if (row !== null) return { user: toUser(row) }
    const taken = await findTaken(db, user)
    // Else it was the counter's number that a request had just made up, and the next one is free.
    if (taken !== null) return { taken }
  }
}

/** Null where something about it is taken. */
async function insertUser(db: Database, user: NewUser): Promise<Tables['users'] | null> {
  const { id, username, email, fullName, passwordHash, origin, departmentId = null } = user
  try {
    const { rows } = await sql<Tables['users']>`
      insert into users (id, username, username_key, email, full_name, password_hash, origin, department_id, created_at, updated_at)
      select coalesce(${id}::bigint, madang_next_id('user')), ${username}, ${keyOf(username)}, ${email}, ${fullName},
        ${passwordHash}, ${origin}, ${departmentId}::bigint, now, now
      from madang_now() as now
      returning *
    `.execute(db)
    return rows[0] ?? null
  } catch (error) {
    if (isUniqueViolation(error)) return null
    throw error
  }
}

async function findTaken(db: Database, { id, username, email }: NewUser): Promise<'id' | 'username' | 'email' | null> {
  const users = db.selectFrom('users').select('id')
  if (id !== null && (await users.where('id', '=', id).executeTakeFirst()) !== undefined) return 'id'
  if ((await users.where('username_key', '=', keyOf(username)).executeTakeFirst()) !== undefined) return 'username'
  if ((await users.where('email', '=', email).executeTakeFirst()) !== undefined) return 'email'
  return null
}

const nextEnding = sql<number>`madang_next_id('ending')`

/** The columns that a patch sets; kysely leaves out those that are undefined. */
function columnsOf(patch: UserPatch) {
  return {
    email: patch.email,
    full_name: patch.fullName,
    bio: patch.bio,
    avatar_url: patch.avatarUrl,
    department_id: patch.departmentId,
    password_hash: patch.passwordHash,
    is_active: patch.isActive,
    ending: patch.isActive === false ? nextEnding : undefined,
    updated_at: sql<number>`madang_now()`,
  }
}

async function updateUser(db: Database, userId: number, patch: UserPatch): Promise<{ user: User } | { taken: 'email' } | null> {
  try {
    const update = db.updateTable('users').set(columnsOf(patch)).where('id', '=', userId)
    const row = await update.returningAll().executeTakeFirst()
    return row === undefined ? null : { user: toUser(row) }
  } catch (error) {
    if (isUniqueViolation(error)) return { taken: 'email' }
    throw error
  }
}

type Departments = Pick<Directory, 'createDepartment' | 'listDepartments' | 'listUsersIn'>

function createDepartments(db: Database): Departments {
  const departments = db.selectFrom('departments').selectAll()
  return {
    createDepartment: (department) => createDepartment(db, department),
    listDepartments: async () => (await departments.orderBy('sort_order').orderBy('id').execute()).map(toDepartment),
    listUsersIn: async (departmentIds) => {
      const given = departmentIds.filter((id) => id !== null)
      const isIn = sql<boolean>`(department_id = any (${given}::bigint[]) or (${departmentIds.includes(null)} and department_id is null))`
      const users = db.selectFrom('users').selectAll().where('is_active', '=', sql.lit(true)).where(isIn)
      return (await users.orderBy('id').execute()).map(toUser)
    },
  }
}

async function createDepartment(db: Database, department: NewDepartment): Promise<Department | 'parent_not_found' | 'taken'> {
  for (;;) {
    const row = await insertDepartment(db, department)
    if (row !== null) return toDepartment(row)
    const { id, parentId } = department
    if (parentId !== null && !(await hasDepartment(db, parentId))) return 'parent_not_found'
    // Else it was the counter's number that another had asked for, and the next one is free.
    if (id !== null) return 'taken'
  }
}

/** Null where its parent is not there, or its id is taken. */
async function insertDepartment(db: Database, department: NewDepartment): Promise<Tables['departments'] | null> {
  const { id, name, code, parentId, sortOrder } = department
  const { rows } = await sql<Tables['departments']>`
    insert into departments (id, name, code, parent_id, sort_order)
    select coalesce(${id}::bigint, madang_next_id('department')), ${name}, ${code}, ${parentId}::bigint, ${sortOrder}::bigint
    where ${parentId}::bigint is null or exists (select from departments where id = ${parentId}::bigint)
    on conflict (id) do nothing
    returning *
  `.execute(db)
  return rows[0] ?? null
}

async function hasDepartment(db: Database, id: number): Promise<boolean> {
  const row = await db.selectFrom('departments').select('id').where('id', '=', id).executeTakeFirst()
  return row !== undefined
}

type Spaces = Pick<Directory, 'createSpace' | 'updateSpace' | 'findSpace' | 'listSpacesOf' | 'isSpaceMember'>

function createSpaces(db: Database): Spaces {
  const spaces = db.selectFrom('spaces').selectAll('spaces')
  const firstOf = (row: Tables['spaces'] | undefined) => (row === undefined ? null : toSpace(row))
  return {
    createSpace: (space) => createSpace(db, space),
    updateSpace: async (spaceId, { name, description, iconUrl }) => {
      const patch = { name, description, icon_url: iconUrl, updated_at: sql<number>`madang_now()` }
      return firstOf(await db.updateTable('spaces').set(patch).where('id', '=', spaceId).returningAll().executeTakeFirst())
    },
    findSpace: async (spaceId) => firstOf(await spaces.where('id', '=', spaceId).executeTakeFirst()),
    listSpacesOf: async (userId) => {
      const query = spaces.innerJoin('space_members', 'space_members.space_id', 'spaces.id')
      return (await query.where('user_id', '=', userId).orderBy('spaces.id').execute()).map(toSpace)
    },
    isSpaceMember: async (spaceId, userId) => {
      const query = db.selectFrom('space_members').select('user_id').where('space_id', '=', spaceId).where('user_id', '=', userId)
      return (await query.executeTakeFirst()) !== undefined
    },
  }
}

async function createSpace(
  db: Database,
  { name, description, iconUrl, ownerId }: Parameters<Directory['createSpace']>[0],
): Promise<Space> {
  const { rows } = await sql<Tables['spaces']>`
    with made as (
      insert into spaces (id, name, description, icon_url, owner_id, created_at, updated_at)
      select madang_next_id('space'), ${name}, ${description}, ${iconUrl}, ${ownerId}::bigint, now, now from madang_now() as now
      returning *
    ), owner as (
      insert into space_members (space_id, user_id) select id, owner_id from made
    )
    select * from made
  `.execute(db)
  const [row] = rows
  if (row === undefined) throw new Error('a space was not made')
  return toSpace(row)
}

type Marks = Pick<
  Directory,
  'revokeToken' | 'isTokenRevoked' | 'findTokenUser' | 'readEndings' | 'isDevelopment' | 'markDevelopment'
>

const MODE = 'mode'

function createMarks(db: Database): Marks {
  const findTokenUser = gather(db, findTokenUsers)
  return {
    revokeToken: async (sha256, expiresAt) => {
      const insert = db.insertInto('revoked_tokens').values({ sha256, expires_at: expiresAt, ending: nextEnding })
      await insert.onConflict((conflict) => conflict.column('sha256').doNothing()).execute()
    },
    isTokenRevoked: gather(db, areTokensRevoked),
    findTokenUser: (sha256, username) => findTokenUser({ sha256, username }),
    readEndings: (after) => readEndings(db, after),
    isDevelopment: async () => {
      const row = await db.selectFrom('settings').select('value').where('name', '=', MODE).executeTakeFirst()
      return row?.value === 'development'
    },
    markDevelopment: async () => {
      const insert = db.insertInto('settings').values({ name: MODE, value: 'development' })
      await insert.onConflict((conflict) => conflict.column('name').doUpdateSet({ value: 'development' })).execute()
    },
  }
}

async function areTokensRevoked(db: Database, hashes: string[]): Promise<boolean[]> {
  const tokens = db.selectFrom('revoked_tokens').select('sha256')
  const rows = await tokens.where('sha256', '=', sql<string>`any (${hashes}::text[])`).execute()
  const revoked = new Set(rows.map((row) => row.sha256))
  return hashes.map((hash) => revoked.has(hash))
}

interface Bearer {
  sha256: string
  username: string
}

const readBearers = prepareQuery(
  (_, sha256s: string[], keys: (string | null)[]) => sql<Tables['users'] & { is_revoked: boolean }>`
    select users.*, exists (select from revoked_tokens where sha256 = asked.sha256) as is_revoked
    from unnest(${sha256s}::text[], ${keys}::text[]) with ordinality as asked (sha256, username_key, nth)
    left join users on users.username_key = asked.username_key
    order by nth
  `,
)

async function findTokenUsers(db: Database, bearers: Bearer[]): Promise<{ isRevoked: boolean; user: User | null }[]> {
  const keys = bearers.map(({ username }) => soughtKeyOf(username))
  const rows = await readBearers(
    db,
    bearers.map(({ sha256 }) => sha256),
    keys,
  )
  // Where there is no such user, his columns are null.
  return rows.map((row) => ({ isRevoked: row.is_revoked, user: Number.isInteger(row.id) ? toUser(row) : null }))
}

interface Endings {
  upTo: number
  tokenHashes: string[]
  userIds: number[]
}

/** One statement, so that the counter is of the same moment as the rows. */
async function readEndings(db: Database, after: number | null): Promise<Endings> {
  const { rows } = await sql<Endings>`
    select
      c.value as "upTo",
      array(select sha256 from revoked_tokens where ending > ${after}::bigint) as "tokenHashes",
      array(select id::float8 from users where ending > ${after}::bigint) as "userIds"
    from counters c where c.name = 'ending'
  `.execute(db)
  const [endings] = rows
  if (endings === undefined) throw new Error('the counter of endings is gone')
  return endings
}
