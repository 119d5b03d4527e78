/** Projects' rooms, and guests, who write in them (W9). */
import { expect, it } from 'vitest'
import type { NewGuest } from '../storage.ts'
import { post, remove, room } from './entries.ts'
import { create } from './directory.ts'
import { factOf, openWriter, statusOf, type Contract } from './harness.ts'

export function guestContract(contract: Contract): void {
  projectContract(contract)
  guestRowContract(contract)
  seqContract(contract)
}

const project = (projectId: string) => room([], { roomKind: 'project', rule: 'service', projectId, name: projectId })

function projectContract({ open }: Contract): void {
  it("[W9] finds a project's room by the project's name as it is spelled, until it is deleted, and then another", async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    expect(await storage.log.findProject('shop')).toBeNull()
    const { roomId } = factOf(await writer.run(project('shop')), 'room.created')
    await writer.run(project('Shop'))
    expect(await storage.log.findProject('shop')).toBe(roomId)
    expect(await storage.log.findRoom(roomId)).toMatchObject({ kind: 'project', rule: 'service', name: 'shop' })
    await writer.run({ kind: 'room.update', roomId, name: 'renamed', description: null, actorId: null })
    expect(await writer.ask(project('shop'))).toBe('room_exists')
    await writer.run({ kind: 'room.delete', roomId, actorId: null })
    expect(await storage.log.findProject('shop')).toBeNull()
    const again = factOf(await writer.run(project('shop')), 'room.created').roomId
    expect([again === roomId, await storage.log.findProject('shop')]).toEqual([false, again])
  })

  it('[W9] finds the rooms of many projects that are asked for at once', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const names = ['shop', 'blog', 'Shop']
    const roomIds = []
    for (const name of names) roomIds.push(factOf(await writer.run(project(name)), 'room.created').roomId)
    const asked = [...names.toReversed(), 'nothing', ...names]
    const found = await Promise.all(asked.map((name) => storage.log.findProject(name)))
    expect(found).toEqual([...roomIds.toReversed(), null, ...roomIds])
  })

  it('[W9] makes one of ten rooms of one project that come at once, by two processes', async () => {
    const { storage, second } = await open()
    const writers = [await openWriter(storage), await openWriter(await second())]
    const batches = writers.map((writer) => writer.write(...Array.from({ length: 5 }, () => project('shop'))))
    const outcomes = (await Promise.all(batches)).flatMap((result) => result.outcomes)
    expect(outcomes.map(statusOf).toSorted()).toEqual(['done', ...Array.from({ length: 9 }, () => 'room_exists')])
  })
}

const guest = (more: Partial<NewGuest> = {}): NewGuest => ({ projectId: 'shop', name: '손님', avatarUrl: null, ...more })

function guestRowContract({ open }: Contract): void {
  it('[W9] makes a guest once, as an author who is in no list and is found by no name', async () => {
    const { storage, second } = await open()
    const { directory } = storage
    await create(directory, 'mina')
    const made = await directory.openGuest(guest({ avatarUrl: 'https://h.test/a.png' }))
    expect(made).toEqual({
      ...{ id: 2, username: 'guest:shop:손님', fullName: '손님', email: expect.stringMatching(/^[^@\s]+@[^@\s]+$/), bio: null },
      ...{ avatarUrl: 'https://h.test/a.png', origin: 'guest', departmentId: null, isActive: false },
      ...{ createdAt: expect.any(Number), updatedAt: expect.any(Number) },
    })
    expect(await (await second()).directory.openGuest(guest({ avatarUrl: 'https://h.test/a.png' }))).toEqual(made)
    expect(await directory.findUsers([1, 2])).toMatchObject([{ id: 1 }, { id: 2 }])
    expect((await directory.listUsers({ offset: 0, limit: 9 })).map(({ id }) => id)).toEqual([1])
    expect(await directory.listUsers({ offset: 1, limit: 9 })).toEqual([])
    expect(await directory.listUsersIn([null])).toMatchObject([{ id: 1 }])
    for (const name of [made.username, '손님']) expect(await directory.findUserByName(name)).toBeNull()
    expect(await directory.findPasswordHash(2)).toBeNull()
  })

  it("[W9] takes a guest's avatar from whom it heard last, also that he has none", async () => {
    const { directory } = (await open()).storage
    const { id } = await directory.openGuest(guest({ avatarUrl: 'a' }))
    expect(await directory.openGuest(guest({ avatarUrl: 'b' }))).toMatchObject({ id, avatarUrl: 'b' })
    expect(await directory.openGuest(guest())).toMatchObject({ id, avatarUrl: null })
    expect(await directory.findUser(id)).toMatchObject({ avatarUrl: null })
  })

  it('[W9] tells guests apart by project and name, as they are spelled', async () => {
    const { directory } = (await open()).storage
    const others = [
      guest(),
      guest({ projectId: 'Shop' }),
      guest({ projectId: 'a', name: 'b:c' }),
      guest({ projectId: 'a:b', name: 'c' }),
      guest({ name: '손님'.normalize('NFD') }),
      guest({ name: ' 손님' }),
    ]
    const ids = []
    for (const other of others) ids.push((await directory.openGuest(other)).id)
    expect(new Set(ids).size).toBe(others.length)
  })

  it('[W9] makes one guest of ten calls at once, by two processes', async () => {
    const { storage, second } = await open()
    const stores = [storage.directory, (await second()).directory]
    const made = await Promise.all(Array.from({ length: 10 }, (_, nth) => stores[nth % 2]!.openGuest(guest())))
    expect(new Set(made.map(({ id }) => id)).size).toBe(1)
  })

  it('[W9] gives each of many who come at once his own guest, and none of them two', async () => {
    const { directory } = (await open()).storage
    const known = await directory.openGuest(guest({ name: 'n3', avatarUrl: 'before' }))
    const asked = Array.from({ length: 60 }, (_, nth) =>
      guest({ name: `n${nth % 20}`, avatarUrl: nth % 2 ? `a${nth % 20}` : null }),
    )
    const made = await Promise.all(asked.map((one) => directory.openGuest(one)))
    expect(made.map(({ fullName, avatarUrl }) => ({ ...guest(), name: fullName, avatarUrl }))).toEqual(asked)
    expect(new Set(made.map(({ id }) => id)).size).toBe(20)
    expect(made[3]!.id).toBe(known.id)
    expect(made.map(({ email }) => email)).toEqual(made.map(({ id }) => `guest${id}@example.com`))
    const found = await directory.findUsers(made.map(({ id }) => id))
    expect(found.map(({ fullName }) => fullName).toSorted()).toEqual([...new Set(asked.map(({ name }) => name))].toSorted())
  })

  it('[W9] gives each of several who come at once as one new guest the avatar that he brought', async () => {
    const { directory } = (await open()).storage
    const made = await Promise.all(['a', 'b', 'c'].map((avatarUrl) => directory.openGuest(guest({ avatarUrl }))))
    expect(made.map(({ avatarUrl }) => avatarUrl)).toEqual(['a', 'b', 'c'])
    expect(await directory.openGuest(guest({ avatarUrl: 'd' }))).toMatchObject({ id: made[0]!.id, avatarUrl: 'd' })
  })

  it('[W9] finds a guest an address that no account has', async () => {
    const { directory } = (await open()).storage
    const { email } = await directory.openGuest(guest())
    const taken = [3, 4, 5].map((id) => email.replace('1', String(id)))
    await create(directory, 'a', { email: taken[0]! })
    for (const [nth, address] of taken.slice(1).entries()) await create(directory, `b${nth}`, { id: 100 + nth, email: address })
    const made = []
    for (const name of ['x', 'y', 'z']) made.push((await directory.openGuest(guest({ name }))).email)
    expect(new Set([email, ...taken, ...made]).size).toBe(7)
  })
}

function seqContract({ open }: Contract): void {
  it('[W8][W10] says where a message stands, a deleted one too, and nothing for one that the room never had', async () => {
    const { storage } = await open()
    const writer = await openWriter(storage)
    const { roomId } = factOf(await writer.run(room([1])), 'room.created')
    const other = factOf(await writer.run(room([1])), 'room.created').roomId
    const { message } = factOf(await writer.run(post(roomId, 1, 'x')), 'message.posted')
    const foreign = factOf(await writer.run(post(other, 1, 'x')), 'message.posted').message.id
    await writer.run(remove(roomId, 1, message.id))
    expect(await storage.log.findMessageSeq(roomId, message.id)).toBe(message.seq)
    for (const id of [foreign, 0, message.id + 100]) expect(await storage.log.findMessageSeq(roomId, id)).toBeNull()
    await writer.run({ kind: 'room.delete', roomId, actorId: null })
    expect(await storage.log.findMessageSeq(roomId, message.id)).toBeNull()
  })
}
