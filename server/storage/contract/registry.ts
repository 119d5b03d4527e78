/** What the directory keeps for a registry: logins, records and leases. */
import { expect, it } from 'vitest'
import type { Login } from '../../core/model.ts'
import type { Directory } from '../storage.ts'
import type { Contract } from './harness.ts'

const HOUR_MS = 3_600_000

export function registryContract(contract: Contract): void {
  loginContract(contract)
  recordContract(contract)
  leaseContract(contract)
  if (contract.differences.clock === undefined) passingContract(contract)
}

function loginOf(letter: string, more: Partial<Login> = {}): Login {
  const about = { userId: 7, username: 'mina', subject: 'host|7', token: null }
  return { sha256: letter.repeat(64), ...about, expiresAt: Date.now() + HOUR_MS, ...more }
}

/** The letters of the logins that a list holds. */
async function list(directory: Directory, { after = 0, limit = 99, pending = false } = {}): Promise<string> {
  return (await directory.listLogins({ after, limit, pending })).map(({ sha256 }) => sha256[0]).join('')
}

function loginContract({ open }: Contract): void {
  it('[C2] keeps a login whole, for every process', async () => {
    const { storage, second } = await open()
    const logins = [loginOf('a', { token: 'e.y.J', expiresAt: null }), loginOf('b')]
    for (const login of logins) await storage.directory.keepLogin(login)
    const found = await (await second()).directory.findLogins(['b'.repeat(64), 'c'.repeat(64), 'a'.repeat(64)])
    expect(found).toEqual(logins.map((login) => ({ ...login, number: expect.any(Number), isPending: true })))
    expect(await storage.directory.findLogins([])).toEqual([])
  })

  it('[C2] lists logins in the order in which they were kept, by page, one kept again as the newest', async () => {
    const { directory } = (await open()).storage
    for (const letter of 'abcda') await directory.keepLogin(loginOf(letter))
    expect(await list(directory)).toBe('bcda')
    expect(await list(directory, { limit: 2 })).toBe('bc')
    const [, second] = await directory.listLogins({ after: 0, limit: 2, pending: false })
    expect(await list(directory, { after: second!.number })).toBe('da')
  })

  it('[C2] tells the logins that the registry is still to learn of', async () => {
    const { directory } = (await open()).storage
    for (const letter of 'abc') await directory.keepLogin(loginOf(letter))
    await directory.settleLogins(['a'.repeat(64), 'c'.repeat(64)])
    expect(await list(directory, { pending: true })).toBe('b')
    expect((await directory.findLogins(['a'.repeat(64)]))[0]!.isPending).toBe(false)
    await directory.keepLogin(loginOf('a'))
    expect(await list(directory, { pending: true })).toBe('ba')
    expect(await list(directory)).toBe('bca')
  })

  it('[C2] forgets a login that was ended or is over', async () => {
    const { directory } = (await open()).storage
    for (const letter of 'ab') await directory.keepLogin(loginOf(letter))
    await directory.keepLogin(loginOf('c', { expiresAt: Date.now() - HOUR_MS }))
    await directory.endLogins(['a'.repeat(64), 'e'.repeat(64)])
    expect(await list(directory)).toBe('b')
    expect(await directory.findLogins(['a'.repeat(64), 'c'.repeat(64)])).toEqual([])
  })
}

const set = { beforeMs: null, keepMs: null }

function recordContract({ open }: Contract): void {
  it('reads records of one moment, with its own clock', async () => {
    const { storage, second } = await open()
    const { directory } = storage
    expect(await directory.replaceRecord('room:1', { ...set, from: null, to: '{"a":"말"}' })).toBe(true)
    const read = await (await second()).directory.readRecords(['room:2', 'room:1', 'room:1'])
    expect(read).toEqual({ values: [null, '{"a":"말"}', '{"a":"말"}'], nowMs: expect.any(Number), leases: new Map() })
    expect(Math.abs(read.nowMs - Date.now())).toBeLessThan(HOUR_MS)
    expect((await directory.readRecords([])).values).toEqual([])
  })

  it('replaces a record that is what was read, and no other', async () => {
    const { directory } = (await open()).storage
    const replace = (from: string | null, to: string | null) => directory.replaceRecord('r', { ...set, from, to })
    expect(await replace('a', 'b')).toBe(false)
    expect(await replace('a', null)).toBe(false)
    expect([await replace(null, 'a'), await replace(null, 'b'), await replace('b', 'c')]).toEqual([true, false, false])
    expect([await replace('a', 'b'), await replace('a', null)]).toEqual([true, false])
    expect((await directory.readRecords(['r'])).values).toEqual(['b'])
    expect([await replace('b', null), await replace(null, 'd')]).toEqual([true, true])
  })

  it('lets one of many at once replace a record', async () => {
    const { storage, second } = await open()
    const stores = [storage.directory, (await second()).directory]
    const race = (from: string | null) =>
      Promise.all(Array.from({ length: 8 }, (_, nth) => stores[nth % 2]!.replaceRecord('r', { ...set, from, to: `${nth}` })))
    expect((await race(null)).filter(Boolean)).toHaveLength(1)
    await storage.directory.replaceRecord('r', { ...set, from: (await storage.directory.readRecords(['r'])).values[0]!, to: 'a' })
    expect((await race('a')).filter(Boolean)).toHaveLength(1)
  })

  it('replaces nothing once what was read means something else', async () => {
    const { directory } = (await open()).storage
    const { nowMs } = await directory.readRecords([])
    for (const [from, to] of [
      [null, 'a'],
      ['a', 'b'],
      ['b', null],
    ] as const) {
      expect(await directory.replaceRecord('r', { from, to, keepMs: null, beforeMs: nowMs - 1 })).toBe(false)
      expect(await directory.replaceRecord('r', { from, to, keepMs: null, beforeMs: nowMs + HOUR_MS })).toBe(true)
    }
  })
}

function leaseContract({ open }: Contract): void {
  it('tells until when each process was known to live, and takes for dead for good whose lease had run out', async () => {
    const { storage, second } = await open()
    const [one, two] = [storage.directory, (await second()).directory]
    expect([await one.renewLease('one', HOUR_MS), await one.renewLease('two', HOUR_MS)]).toEqual([true, true])
    expect(await two.renewLease('two', HOUR_MS)).toBe(true)
    await two.renewLease('dead', 0)
    expect(await one.renewLease('dead', HOUR_MS)).toBe(false)
    const { nowMs, leases } = await two.readRecords([])
    expect([...leases.keys()].toSorted()).toEqual(['dead', 'one', 'two'])
    expect(Math.abs(leases.get('two')! - nowMs - HOUR_MS)).toBeLessThan(HOUR_MS / 2)
    expect(leases.get('dead')).toBeLessThanOrEqual(nowMs)
  })
}

function passingContract({ open }: Contract): void {
  it('forgets records and logins after their time, and a lease long after it', async () => {
    const { storage, moveClock } = await open()
    const { directory, log } = storage
    await directory.keepLogin(loginOf('a'))
    await directory.replaceRecord('r', { ...set, from: null, to: 'kept', keepMs: HOUR_MS })
    await directory.renewLease('one', 0)
    await moveClock!(2 * HOUR_MS)
    expect(await list(directory)).toBe('')
    expect((await directory.readRecords(['r'])).values).toEqual([null])
    expect(await directory.replaceRecord('r', { ...set, from: 'kept', to: null })).toBe(false)
    expect(await directory.replaceRecord('r', { ...set, from: null, to: 'new' })).toBe(true)
    await log.prune()
    expect((await directory.readRecords(['r'])).values).toEqual(['new'])
    expect((await directory.readRecords([])).leases.size).toBe(1)
    await moveClock!(9 * 24 * HOUR_MS)
    await log.prune()
    expect((await directory.readRecords([])).leases.size).toBe(0)
  })
}
