/** Changes of a member's role and of his name in the room. */
import { expect, it } from 'vitest'
import type { Role } from '../../core/model.ts'
import { add, expel, giveName, giveRole, makeRoom } from './entries.ts'
import { FROM_THE_NEWEST, factOf, openWriter, typesOf, type Contract } from './harness.ts'

export function roleContract(contract: Contract): void {
  changeContract(contract)
  lastAdminContract(contract)
  refusalContract(contract)
}

function changeContract({ open }: Contract): void {
  it("[C6] changes a member's role, and says who did it", async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1, 2])
    const facts = await writer.run(giveRole(roomId, 2, 'sub-admin', { actorId: 1, ifMember: 1 }))
    expect(factOf(facts, 'role.changed')).toMatchObject({ roomId, seq: 2, userId: 2, actorId: 1, role: 'sub-admin' })
    expect(await storage.log.findMember(roomId, 2)).toMatchObject({ role: 'sub-admin' })
    expect(await storage.log.findMember(roomId, 1)).toMatchObject({ role: 'admin' })
    expect(await storage.log.readLog(roomId, FROM_THE_NEWEST, 1)).toEqual(facts)
    expect(await writer.run(giveRole(roomId, 2, 'sub-admin'))).toEqual([])
  })

  it('[C5] gives a member a name in the room, another one, and takes it away', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const [roomId, other] = [await makeRoom(writer, [1, 2]), await makeRoom(writer, [2])]
    const named = await writer.run(giveName(roomId, 2, '김팀장', { actorId: 1, ifMember: 1 }))
    expect(factOf(named, 'name.changed')).toMatchObject({ roomId, seq: 2, userId: 2, actorId: 1, nickname: '김팀장' })
    expect(await storage.log.readLog(roomId, FROM_THE_NEWEST, 1)).toEqual(named)
    expect(await writer.run(giveName(roomId, 2, '김팀장'))).toEqual([])
    expect((await storage.log.listMembers(roomId)).map(({ nickname }) => nickname)).toEqual(['', '김팀장'])
    expect(await storage.log.findMember(other, 2)).toMatchObject({ nickname: '' })
    expect(factOf(await writer.run(giveName(roomId, 2, '')), 'name.changed')).toMatchObject({ nickname: '' })
    expect(await storage.log.findMember(roomId, 2)).toMatchObject({ nickname: '' })
  })

  it('[C5] gives who comes back neither his name nor his role again', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1, 2])
    await writer.write(giveName(roomId, 2, '김팀장'), giveRole(roomId, 2, 'sub-admin'), expel(roomId, 2), add(roomId, 2))
    expect(await storage.log.findMember(roomId, 2)).toMatchObject({ nickname: '', role: 'member' })
  })
}

function lastAdminContract({ open }: Contract): void {
  interface Demotion {
    roles: Role[]
    to: Role
    answer: 'done' | 'last_admin'
  }
  const cases: Demotion[] = [
    { roles: ['admin', 'member'], to: 'member', answer: 'last_admin' },
    { roles: ['admin', 'sub-admin', 'member'], to: 'sub-admin', answer: 'last_admin' },
    { roles: ['admin', 'admin', 'member'], to: 'member', answer: 'done' },
    { roles: ['admin'], to: 'member', answer: 'done' },
    { roles: ['sub-admin', 'member'], to: 'member', answer: 'done' },
  ]

  it.each(cases)('[C6] user 1 of $roles becomes $to: $answer', async ({ roles, to, answer }) => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1], { rule: 'roles', members: roles.map((role, i) => ({ userId: i + 1, role })) })
    expect(await writer.ask(giveRole(roomId, 1, to))).toBe(answer)
    expect(await storage.log.findMember(roomId, 1)).toMatchObject({ role: answer === 'done' ? to : roles[0] })
  })

  it('[C6] does not count an admin who has left', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1, 2, 3], { rule: 'roles' })
    await writer.write(giveRole(roomId, 2, 'admin'), expel(roomId, 1))
    expect(await writer.ask(giveRole(roomId, 2, 'member'))).toBe('last_admin')
    await writer.run(expel(roomId, 3))
    expect(await writer.ask(giveRole(roomId, 2, 'member'))).toBe('done')
  })
}

function refusalContract({ open }: Contract): void {
  it('changes neither of who is no member, nor for one who is none any more, nor in a room that is not there', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const roomId = await makeRoom(writer, [1, 2, 3])
    await writer.run(expel(roomId, 3))
    const changes = [
      (room: number, userId: number, by: number) => giveRole(room, userId, 'sub-admin', { actorId: by, ifMember: by }),
      (room: number, userId: number, by: number) => giveName(room, userId, 'x', { actorId: by, ifMember: by }),
    ]
    for (const change of changes) {
      expect(await writer.ask(change(roomId, 3, 1))).toBe('not_a_member')
      expect(await writer.ask(change(roomId, 9, 1))).toBe('not_a_member')
      expect(await writer.ask(change(roomId, 2, 3))).toBe('not_a_member')
      expect(await writer.ask(change(404, 2, 1))).toBe('room_not_found')
    }
    expect(await storage.log.findMember(roomId, 2)).toMatchObject({ role: 'member', nickname: '' })
    expect(typesOf(await storage.log.readLog(roomId, FROM_THE_NEWEST, 1))).toEqual(['member.removed'])
  })
}
