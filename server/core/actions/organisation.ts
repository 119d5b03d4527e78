/** The organisation: departments and people, as its own system tells them (P12), and the tree in which people find one another. */
import type { Core } from '../core.ts'
import { ChatError, checkField } from '../errors.ts'
import type { Department, Principal, User, UserId } from '../model.ts'
import type { Directory, UserPatch } from '../../storage/storage.ts'
import { byName } from '../names.ts'
import { isEmail, isName, isText, limits } from '../texts.ts'
import { isId, type AccountActions } from './accounts.ts'
import { seedOrganisation, type SignIn } from './seed.ts'

export interface DepartmentFields {
  /** At most 100 code points, as its code (A17). */
  name: string
  code: string | null
  parentId: number | null
  /** Siblings stand in rising order of it. */
  sortOrder: number
}

export interface NewPerson {
  username: string
  password: string
  /** Null: as a made-up account's (A18). */
  email: string | null
  /** Null or blank: the username. */
  fullName: string | null
  departmentId: number | null
}

/** Absent fields stay. */
export interface PersonPatch {
  /** Blank: the username. */
  fullName?: string
  email?: string
  departmentId?: number | null
  isActive?: boolean
}

export interface DepartmentNode {
  department: Department
  /** In sort order. */
  children: DepartmentNode[]
  /** Active ones, by name. */
  users: User[]
}

export interface OrganisationTree {
  roots: DepartmentNode[]
  /** Active users whose department is none or inactive, by name. */
  unassigned: User[]
}

export class OrganisationActions {
  private readonly core: Core
  private readonly accounts: AccountActions
  private readonly directory: Directory

  constructor(core: Core, accounts: AccountActions) {
    this.core = core
    this.accounts = accounts
    this.directory = core.storage.directory
  }

  /** Throws ChatError forbidden, invalid_field (`parent_id` also where there is no such department). */
  async createDepartment(principal: Principal, { name, code, parentId, sortOrder }: DepartmentFields): Promise<Department> {
    this.checkMay(principal)
    checkField('name', isName(name))
    checkField('code', code === null || isText(code, limits.name))
    checkField('parent_id', parentId === null || isId(parentId))
    checkField('sort_order', Number.isSafeInteger(sortOrder))
    const made = await this.directory.createDepartment({ id: null, name, code, parentId, sortOrder })
    if (typeof made === 'string') throw new ChatError('invalid_field', { field: 'parent_id' })
    return made
  }

  /** Throws ChatError forbidden, invalid_field, username_taken, email_taken, too_many. */
  async createUser(principal: Principal, { username, fullName, ...person }: NewPerson): Promise<User> {
    this.checkMay(principal)
    checkField('full_name', fullName === null || isText(fullName, limits.name))
    await this.checkDepartment(person.departmentId)
    return this.accounts.open({ ...person, username, fullName: fullName?.trim() || username.normalize('NFC') })
  }

  /** A user who is no longer active is signed out everywhere (A15). Throws ChatError forbidden, invalid_field, user_not_found, email_taken. */
  async updateUser(principal: Principal, userId: UserId, { fullName, ...given }: PersonPatch): Promise<User> {
    this.checkMay(principal)
    checkField('full_name', fullName === undefined || isText(fullName, limits.name))
    checkField('email', given.email === undefined || isEmail(given.email))
    await this.checkDepartment(given.departmentId ?? null)
    const { username, origin } = await this.accounts.get(userId)
    if (origin === 'guest') throw new ChatError('user_not_found')
    const patch: UserPatch = fullName === undefined ? given : { ...given, fullName: fullName.trim() || username }
    return this.accounts.change(userId, patch)
  }

  /** By sort order, then id; inactive ones too. */
  listDepartments(): Promise<Department[]> {
    return this.directory.listDepartments()
  }

  async readTree(): Promise<OrganisationTree> {
    const departments = await this.directory.listDepartments()
    return nestDepartments(departments, await this.directory.listUsersIn([null, ...departments.map(({ id }) => id)]))
  }

  /** The active users of a department, with `includeSub` also of those below it in the tree, by id; nobody where it is unknown or inactive. */
  async membersOf(departmentId: number, includeSub: boolean): Promise<User[]> {
    const departmentIds = findBelow(await this.directory.listDepartments(), departmentId, includeSub)
    return this.directory.listUsersIn(departmentIds)
  }

  /** In development, on a database where nobody is yet: some departments and people. With whom to sign in; null where they are not. */
  async seedDevelopment(): Promise<SignIn | null> {
    return this.core.settings.isDevelopment ? seedOrganisation(this.core) : null
  }

  private checkMay(principal: Principal): void {
    if (principal.kind !== 'service' && !this.core.settings.isDevelopment) throw new ChatError('forbidden')
  }

  private async checkDepartment(departmentId: number | null): Promise<void> {
    if (departmentId === null) return
    const departments = await this.directory.listDepartments()
    const isThere = departments.some(({ id }) => id === departmentId)
    checkField('department_id', isThere)
  }
}

/**
 * Active departments under their parents, each with its users, given in sort order. What is under an inactive parent is a root, and
 * whoever is in an inactive department is unassigned: the tree is the only place where people are chosen (P1), so nobody vanishes.
 */
export function nestDepartments(departments: Department[], users: User[]): OrganisationTree {
  const active = departments.filter(({ isActive }) => isActive)
  const nodes = new Map<number | null, DepartmentNode>(
    active.map((department) => [department.id, { department, children: [], users: [] }]),
  )
  const roots: DepartmentNode[] = []
  const unassigned: User[] = []
  for (const node of nodes.values()) (nodes.get(node.department.parentId)?.children ?? roots).push(node)
  for (const user of users.toSorted(byName)) (nodes.get(user.departmentId)?.users ?? unassigned).push(user)
  return { roots, unassigned }
}

/** The ids of a department and, where `includeSub`, of those below it in the tree. */
function findBelow(departments: Department[], departmentId: number, includeSub: boolean): number[] {
  const active = departments.filter(({ isActive }) => isActive)
  const found = new Set(active.filter(({ id }) => id === departmentId).map(({ id }) => id))
  if (!includeSub) return [...found]
  // A Set hands out what is added while it is walked.
  for (const above of found) for (const { id, parentId } of active) if (parentId === above) found.add(id)
  return [...found]
}
