/** What every adapter of the registry must do. */
import { createHash } from 'node:crypto'
import { expect, it } from 'vitest'
import { until } from '../../test/chat.ts'
import type { Login, Message } from '../core/model.ts'
import type { Directory } from '../storage/storage.ts'
import type { Registry } from './registry.ts'

/** A registry, listened to, with the directory beside it; both nodes share them. */
export interface TestRegistry {
  directory: Directory
  one: Node
  two: Node
}

export interface Node {
  registry: Registry
  ended: string[]
  bound: number[]
  opened: number
}

export interface Differences {
  /** Why another process does not hear what this one says. */
  silent?: string
}

export async function listenTo(registry: Registry): Promise<Node> {
  const node: Node = { registry, ended: [], bound: [], opened: 0 }
  registry.listen({
    onOpen: async () => void (node.opened += 1),
    onEnded: (sha256) => void node.ended.push(sha256),
    onBound: (userId) => void node.bound.push(userId),
  })
  await until('the registry', () => isOpen(registry))
  return node
}

export async function isOpen(registry: Registry): Promise<boolean> {
  return registry.checkLogins([]).then(
    () => true,
    () => false,
  )
}

export function loginOf(name: string, more: Partial<Login> = {}): Login {
  const token = `e30.${name}.sig`
  const sha256 = createHash('sha256').update(token).digest('hex')
  return { sha256, token, userId: 7, username: 'mina', subject: 'host|7', expiresAt: Date.now() + 3_600_000, ...more }
}

/** As the core does it. */
export async function enter({ directory, one }: TestRegistry, login: Login): Promise<Login> {
  await directory.keepLogin(login)
  await one.registry.enterLogin(login)
  await directory.settleLogins([login.sha256])
  return login
}

export async function isIn({ registry }: Node, login: Login): Promise<boolean> {
  return (await registry.checkLogins([login]))[0]!
}

export function messageOf(seq: number, content = `text ${seq}`): Message {
  const about = { id: 100 + seq, roomId: 7, seq, ordinal: seq, authorId: 5, kind: 'text', fileUrl: null }
  return { ...about, content, attachments: [], createdAt: 1_700_000_000_000 + seq, editedAt: null, deletedAt: null }
}

const plain = { beforeMs: null, keepMs: null }

export function testRegistry(open: () => Promise<TestRegistry>, differences: Differences = {}): void {
  testTokens(open)
  testRecords(open)
  testRecent(open)
  if (differences.silent !== undefined) it.skip(`tells the other processes: ${differences.silent}`)
  else testNews(open)
}

function testTokens(open: () => Promise<TestRegistry>): void {
  it('[C2] lets a token count that was entered, at every node, and no other', async () => {
    const stand = await open()
    const logins = [await enter(stand, loginOf('a')), loginOf('stranger'), await enter(stand, loginOf('b'))]
    expect(await stand.one.registry.checkLogins(logins)).toEqual([true, false, true])
    expect(await stand.two.registry.checkLogins(logins)).toEqual([true, false, true])
    expect(await stand.one.registry.checkLogins([])).toEqual([])
  })

  it('[C2] lets a token count until its end, and one without an end on and on', async () => {
    const stand = await open()
    const short = await enter(stand, loginOf('short', { expiresAt: Date.now() + 50 }))
    const longer = await enter(stand, loginOf('longer', { expiresAt: Date.now() + 60_000 }))
    const endless = await enter(stand, loginOf('endless', { expiresAt: null }))
    const past = await enter(stand, loginOf('past', { expiresAt: Date.now() - 1 }))
    expect(await isIn(stand.one, past)).toBe(false)
    expect(await isIn(stand.one, longer)).toBe(true)
    await until('its end', async () => !(await isIn(stand.two, short)))
    expect(await isIn(stand.two, endless)).toBe(true)
  })

  it('[C2] lets a token count no more that was ended, and leaves the others of its user', async () => {
    const stand = await open()
    const [ended, other] = [await enter(stand, loginOf('a')), await enter(stand, loginOf('b'))]
    await stand.directory.endLogins([ended.sha256])
    await stand.two.registry.endLogin(ended)
    expect(await stand.one.registry.checkLogins([ended, other])).toEqual([false, true])
  })

  it('[C2] lets a token count again that is entered again', async () => {
    const stand = await open()
    const login = await enter(stand, loginOf('a'))
    await stand.directory.endLogins([login.sha256])
    await stand.one.registry.endLogin(login)
    await enter(stand, login)
    expect(await isIn(stand.two, login)).toBe(true)
  })
}

function testRecords(open: () => Promise<TestRegistry>): void {
  it('[C10] holds one record for all nodes, which is changed only where it is what was read', async () => {
    const { one, two } = await open()
    const replace = (node: Node, from: string | null, to: string | null) =>
      node.registry.replaceRecord('room:1', { ...plain, from, to })
    expect([await replace(one, null, '{"a":"말"}'), await replace(two, null, 'b')]).toEqual([true, false])
    expect((await two.registry.readRecords(['room:2', 'room:1'])).values).toEqual([null, '{"a":"말"}'])
    expect([await replace(two, 'b', 'c'), await replace(two, '{"a":"말"}', 'b')]).toEqual([false, true])
    expect([await replace(one, 'a', null), await replace(one, 'b', null), await replace(one, null, 'd')]).toEqual([
      false,
      true,
      true,
    ])
  })

  it('[C10] judges by one clock: changes nothing once what was read means something else', async () => {
    const { one } = await open()
    const { nowMs } = await one.registry.readRecords([])
    const replace = (beforeMs: number) => one.registry.replaceRecord('r', { from: null, to: 'a', keepMs: null, beforeMs })
    expect([await replace(nowMs - 1), await replace(nowMs + 60_000)]).toEqual([false, true])
  })

  it('keeps a record for its time', async () => {
    const { one, two } = await open()
    await one.registry.replaceRecord('long', { from: null, to: 'a', keepMs: 60_000, beforeMs: null })
    await one.registry.replaceRecord('r', { from: null, to: 'a', keepMs: 50, beforeMs: null })
    expect((await two.registry.readRecords(['long'])).values).toEqual(['a'])
    await until('its end', async () => (await two.registry.readRecords(['r'])).values[0] === null)
    expect(await two.registry.replaceRecord('r', { ...plain, from: null, to: 'b' })).toBe(true)
  })

  it('[C10] knows until when each node lives, and takes for dead for good whose lease ran out', async () => {
    const { one, two } = await open()
    expect([await one.registry.renewLease('one', 60_000), await one.registry.renewLease('one', 60_000)]).toEqual([true, true])
    await two.registry.renewLease('dead', 0)
    expect(await two.registry.renewLease('dead', 60_000)).toBe(false)
    const { nowMs, leases } = await two.registry.readRecords([])
    expect(leases.get('one')).toBeGreaterThan(nowMs + 30_000)
    expect(leases.get('dead')).toBeLessThanOrEqual(nowMs)
  })
}

function testRecent(open: () => Promise<TestRegistry>): void {
  it('keeps the latest messages of a room whole, for the head at which they were made', async () => {
    const { one } = await open()
    const attachments = [{ id: 4, fileName: '회의록.pdf', url: '/uploads/ab', mimeType: null, sizeBytes: 12 }]
    const messages = [{ ...messageOf(1, '안녕 "\\" \u2028 \u0001'), attachments }, messageOf(2)]
    await one.registry.keepRecent(7, 2, messages)
    expect(await one.registry.findRecent(7, 2)).toEqual(messages)
    expect(await one.registry.findRecent(7, 3)).toBeNull()
    expect(await one.registry.findRecent(8, 2)).toBeNull()
    await one.registry.keepRecent(7, 3, [])
    expect([await one.registry.findRecent(7, 2), await one.registry.findRecent(7, 3)]).toEqual([null, []])
    await one.registry.dropRecent(7)
    expect(await one.registry.findRecent(7, 3)).toBeNull()
  })
}

function testNews(open: () => Promise<TestRegistry>): void {
  it('[C2] tells every node of a token that was ended', async () => {
    const stand = await open()
    const login = await enter(stand, loginOf('a'))
    await stand.one.registry.endLogin(login)
    await until('the word', () => stand.one.ended.length + stand.two.ended.length === 2)
    expect([stand.one.ended, stand.two.ended]).toEqual([[login.sha256], [login.sha256]])
  })

  it('[C1] tells the other nodes of whose bindings have changed', async () => {
    const { one, two } = await open()
    one.registry.announceBound(41)
    await until('the word', () => two.bound.length === 1)
    expect(two.bound).toEqual([41])
  })
}
