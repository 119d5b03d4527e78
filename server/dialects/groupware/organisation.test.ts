/** Departments and people (P1, P12), and choosing people by department (P9). */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { asHost, openGroupware, type Groupware, type Person } from './groupware.fixture.ts'

let door: Groupware
let ann: Person
let idOf: Record<string, number>

async function department(name: string, parent_id: unknown, rest: object = {}): Promise<number> {
  return (await door.done('POST /api/departments/create', asHost, { name, parent_id, ...rest })).data.id
}

async function user(username: string, department_id: unknown, rest: object = {}): Promise<number> {
  const body = { username, password: 'a good password', full_name: `${username} 이름`, department_id, ...rest }
  return (await door.done('POST /api/users/create', asHost, body)).data.id
}

beforeAll(async () => {
  door = await openGroupware({ isProduction: true, env: { LIMIT_SENDS: 'off' } })
  ;[ann] = (await door.people('ann')) as [Person]
  const top = await department('본사', null, { code: 'HQ', sort_order: '2' })
  const sub = await department('개발팀', String(top))
  const deep = await department('서버파트', sub)
  const other = await department('지사', 0, { sort_order: 1 })
  const [kim, lee, park] = [await user('kim', top), await user('lee', sub), await user('park', deep)]
  const gone = await user('gone', deep)
  await door.done(`PUT /api/users/${gone}`, asHost, { is_active: false })
  idOf = { top, sub, deep, other, kim, lee, park, gone }
})
afterAll(() => door.stop())

const leaf = (username: string, id: number) => {
  return { key: `u-${id}`, label: `${username} 이름`, type: 'user', data: { id, type: 'user' }, children: [] }
}
const branch = (label: string, id: number | null, children: object[]) => {
  return { key: `d-${id ?? '__unassigned__'}`, label, type: 'dept', data: { id, type: 'dept' }, children }
}

describe('reading', () => {
  test('[P1] departments in their order, as rows', async () => {
    const { top, sub, deep, other } = idOf
    const row = (id: number | undefined, name: string, parent_id: number | null | undefined, rest: object = {}) => {
      return { id, name, code: null, parent_id, sort_order: 0, is_active: true, ...rest }
    }
    const { data } = await door.done('GET /api/departments', ann.bearer)
    expect(data).toEqual([
      row(sub, '개발팀', top),
      row(deep, '서버파트', sub),
      row(other, '지사', null, { sort_order: 1 }),
      row(top, '본사', null, { code: 'HQ', sort_order: 2 }),
    ])
    expect(Object.keys(data[0])).toEqual(['id', 'name', 'code', 'parent_id', 'sort_order', 'is_active'])
  })

  test('[P1] the tree has departments and the active people in them, those without one last', async () => {
    const { top, sub, deep, other, kim, lee, park } = idOf as Record<
      'top' | 'sub' | 'deep' | 'other' | 'kim' | 'lee' | 'park',
      number
    >
    const below = branch('개발팀', sub, [branch('서버파트', deep, [leaf('park', park)]), leaf('lee', lee)])
    const { data } = await door.done('GET /api/org/tree', ann.bearer)
    expect(data).toEqual([
      branch('지사', other, []),
      branch('본사', top, [below, leaf('kim', kim)]),
      branch('부서 없음', null, [leaf('ann', ann.id)]),
    ])
  })

  test('[P12] development starts with departments three deep and people in them, some with Korean names', async () => {
    const development = await openGroupware({ hasOrganisation: true })
    const { data } = await development.done('GET /api/org/tree')
    expect(data[0]).toMatchObject({ label: '본사', type: 'dept' })
    expect(data[0].children[0].children[0].children).toContainEqual(expect.objectContaining({ label: '박지민', key: 'u-1' }))
    expect(data.at(-1)).toMatchObject({ key: 'd-__unassigned__', label: '부서 없음', data: { id: null, type: 'dept' } })
    await development.stop()
  })
})

describe('choosing by department', () => {
  const membersIn = async (roomId: number) => {
    const { data } = await door.done(`GET /api/chats/${roomId}/members`, ann.bearer)
    return data.map(({ username }: { username: string }) => username)
  }

  test('[P9] a department means its active users, with includeSub those below it too', async () => {
    const start = async (body: unknown) => (await door.done('POST /api/chats/start-group', ann.bearer, body)).chatId
    expect(await membersIn(await start({ departmentId: idOf['top'] }))).toEqual(['ann', 'kim'])
    expect(await membersIn(await start({ departmentId: String(idOf['top']), includeSub: true }))).toEqual([
      'ann',
      'kim',
      'lee',
      'park',
    ])
    expect(await membersIn(await start({ memberUserIds: [idOf['kim']], departmentId: idOf['deep'] }))).toEqual([
      'ann',
      'kim',
      'park',
    ])
    const nobody = await door.call('POST /api/chats/start-group', ann.bearer, { departmentId: idOf['other'] })
    expect(nobody.status).toBe(400)
  })

  test('[P9] an invitation takes a department as well', async () => {
    const { chatId } = await door.done('POST /api/chats/start', ann.bearer, { targetUserId: idOf['kim'] })
    const invite = (body: unknown) => door.done(`POST /api/chats/${chatId}/invite`, ann.bearer, body)
    expect(await invite({ departmentId: idOf['deep'] })).toEqual({ success: true, added: 1 })
    expect(await invite({ departmentId: idOf['top'], includeSub: true })).toEqual({ success: true, added: 1 })
    expect(await invite({ departmentId: 999_999 })).toEqual({ success: true, added: 0 })
  })

  test('[P9] a deactivated user is a 404 in start', async () => {
    expect((await door.call('POST /api/chats/start', ann.bearer, { targetUserId: idOf['gone'] })).status).toBe(404)
  })
})

describe('writing', () => {
  test('[P12] takes a service key', async () => {
    const refused = async (route: string, body: unknown) => (await door.call(route, ann.bearer, body)).status
    expect(await refused('POST /api/departments/create', { name: '새 부서' })).toBe(403)
    expect(await refused('POST /api/users/create', { username: 'new', password: 'a good password' })).toBe(403)
    expect(await refused(`PUT /api/users/${ann.id}`, { full_name: '사장' })).toBe(403)
  })

  test('[P12] a user’s absent fields stay, null takes the department away', async () => {
    const id = await user('choi', idOf['top'], { email: 'choi@corp.example' })
    const find = async () => {
      const { data } = await door.done('GET /api/org/tree', ann.bearer)
      const places = data.flatMap(({ label, children }: { label: string; children: { data: { id: number }; label: string }[] }) =>
        children.filter((child) => child.data.id === id).map((child) => [label, child.label]),
      )
      return places[0]
    }
    expect(await find()).toEqual(['본사', 'choi 이름'])
    await door.done(`PUT /api/users/${id}`, asHost, { full_name: '최 부장' })
    expect(await find()).toEqual(['본사', '최 부장'])
    await door.done(`PUT /api/users/${id}`, asHost, {
      department_id: idOf['other'],
      full_name: null,
      email: null,
      is_active: null,
    })
    expect(await find()).toEqual(['지사', '최 부장'])
    await door.done(`PUT /api/users/${id}`, asHost, { department_id: null })
    expect(await find()).toEqual(['부서 없음', '최 부장'])
    const signIn = await door.done('POST /api/auth/login', {}, { username: 'choi', password: 'a good password' })
    expect(signIn.user).toEqual({ id, username: 'choi', email: 'choi@corp.example', full_name: '최 부장' })
    await door.done(`PUT /api/users/${id}`, asHost, { is_active: false })
    expect(await find()).toBeUndefined()
    expect((await door.call('POST /api/auth/login', {}, { username: 'choi', password: 'a good password' })).status).toBe(401)
  })

  test('[P12] what is taken is a 409, what is not there a 404 or 400', async () => {
    const status = async (route: string, body: unknown) => (await door.call(route, asHost, body)).status
    const person = { username: 'kim', password: 'a good password' }
    expect(await status('POST /api/users/create', person)).toBe(409)
    expect(await status('POST /api/users/create', { ...person, username: 'kim2', department_id: 999_999 })).toBe(400)
    expect(await status('POST /api/departments/create', { name: '새 부서', parent_id: 999_999 })).toBe(400)
    expect(await status('PUT /api/users/999999', { full_name: '아무' })).toBe(404)
    expect(await status(`PUT /api/users/${idOf['kim']}`, { department_id: 999_999 })).toBe(400)
  })
})
