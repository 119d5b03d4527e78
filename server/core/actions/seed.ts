/** The organisation that a fresh development database starts with (P12), so that the documents' examples have somebody to act for. */
import type { Core } from '../core.ts'
import type { User } from '../model.ts'
import type { NewDepartment } from '../../storage/storage.ts'

/** How to sign in as the people of development. */
export interface SignIn {
  usernames: string[]
  password: string
}

const password = 'password'

const departments: (NewDepartment & { id: number })[] = [
  { id: 1, name: '본사', code: 'HQ', parentId: null, sortOrder: 1 },
  { id: 2, name: '개발본부', code: 'DEV', parentId: 1, sortOrder: 1 },
  { id: 3, name: '플랫폼팀', code: 'DEV-PLATFORM', parentId: 2, sortOrder: 1 },
  { id: 4, name: '서비스팀', code: 'DEV-SERVICE', parentId: 2, sortOrder: 2 },
  { id: 5, name: '경영지원본부', code: 'BIZ', parentId: 1, sortOrder: 2 },
  { id: 6, name: '인사팀', code: 'BIZ-HR', parentId: 5, sortOrder: 1 },
]

interface Person {
  id: number
  username: string
  fullName: string
  departmentId: number | null
}

/** Users 2 and 5 are named as the examples of `feed` print them. */
const people: [Person, ...Person[]] = [
  { id: 1, username: 'jimin', fullName: '박지민', departmentId: 3 },
  { id: 2, username: 'cheolsu', fullName: '김철수', departmentId: 3 },
  { id: 3, username: 'hana', fullName: '정하나', departmentId: 4 },
  { id: 4, username: 'minjun', fullName: '최민준', departmentId: 4 },
  { id: 5, username: 'younghee', fullName: '이영희', departmentId: 2 },
  { id: 6, username: 'gildong', fullName: '홍길동', departmentId: 1 },
  { id: 7, username: 'seoyeon', fullName: '한서연', departmentId: 6 },
  { id: 8, username: 'grace', fullName: 'Grace Lee', departmentId: 5 },
  { id: 9, username: 'kenji', fullName: '佐藤健二', departmentId: 3 },
  { id: 10, username: 'dasom', fullName: '윤다솜', departmentId: null },
]

/**
 * Null where the database holds others. Everything has its id from here, so that of two nodes that start at once one makes it; the
 * first person is made last, so that a start which was cut short is finished by the next.
 */
export async function seedOrganisation({ storage, passwords }: Core): Promise<SignIn | null> {
  const { directory } = storage
  const signIn = { usernames: people.map(({ username }) => username), password }
  const users = await directory.listUsers({ offset: 0, limit: people.length + 1 })
  if (users.some((user) => user.id === people[0].id && isOurs(user))) return signIn
  if (!users.every(isOurs)) return null
  for (const department of departments) await directory.createDepartment(department)
  const passwordHash = await passwords.hash(password)
  for (const person of people.toReversed()) {
    const email = `user${person.id}@example.com`
    await directory.createUser({ ...person, email, passwordHash, origin: 'registered' })
  }
  return signIn
}

function isOurs({ id, username }: User): boolean {
  return people.some((person) => person.id === id && person.username === username)
}
