import { createHmac } from 'node:crypto'
import { expect, test } from 'vitest'
import { createTokens, sha256Hex } from './tokens.ts'

const secret = 'a secret of at least thirty-two bytes'
const base64 = (value: unknown) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')

/** A token signed by hand, so that it may be wrong in any way. */
function forge(header: object, payload: unknown, key = secret, hashName = 'sha256'): string {
  const signed = `${base64(header)}.${base64(payload)}`
  return `${signed}.${createHmac(hashName, key).update(signed).digest('base64url')}`
}

const hs256 = { alg: 'HS256', typ: 'JWT' }

function at(startMs: number) {
  let nowMs = startMs
  return { now: () => nowMs, pass: (ms: number) => void (nowMs += ms) }
}

test('[A9] a token made here comes back with its claims, until it expires', async () => {
  const clock = at(1_700_000_000_500)
  const tokens = createTokens({ secret, now: clock.now })
  const token = await tokens.sign({ sub: '민수', username: '민수', id: 3 }, 60)
  expect(await tokens.verify(token)).toMatchObject({ sub: '민수', username: '민수', id: 3, exp: 1_700_000_060 })
  clock.pass(59_000)
  expect(await tokens.verify(token)).not.toBeNull()
  clock.pass(1_000)
  expect(await tokens.verify(token)).toBeNull()
  clock.pass(-1_000)
  expect(await tokens.verify(token)).not.toBeNull()
})

test('[A15] two tokens of one account, made in one second, are not the same: one may be revoked and the other not', async () => {
  const tokens = createTokens({ secret, now: () => 1_700_000_000_500 })
  const [first, second] = await Promise.all([tokens.sign({ sub: 'a' }, 60), tokens.sign({ sub: 'a' }, 60)])
  expect(first).not.toBe(second)
})

test('[A9] a token signed by a host with the shared secret is good, also a short secret and without exp', async () => {
  const tokens = createTokens({ secret: 'short', now: () => 0 })
  expect(await tokens.verify(forge(hs256, { username: 'kim' }, 'short'))).toEqual({ username: 'kim' })
})

test.each([
  [1_700_000_060.25, 1_700_000_061],
  [1e20, 253_402_300_799],
])('[A9] a token whose exp is %d says %d: whole seconds, and a time that can be written', async (exp, said) => {
  const clock = at(1_700_000_000_000)
  const tokens = createTokens({ secret, now: clock.now })
  const token = forge(hs256, { sub: 'a', exp })
  expect([await tokens.verify(token), await tokens.verify(token)]).toEqual([
    { sub: 'a', exp: said },
    { sub: 'a', exp: said },
  ])
  clock.pass(60_999)
  expect(await tokens.verify(token)).not.toBeNull()
})

test('[A9] each algorithm is good where it is the set one, and only there', async () => {
  for (const [algorithm, hashName] of [
    ['HS256', 'sha256'],
    ['HS384', 'sha384'],
    ['HS512', 'sha512'],
  ] as const) {
    const token = forge({ alg: algorithm }, { sub: 'a' }, secret, hashName)
    for (const set of ['HS256', 'HS384', 'HS512'] as const) {
      const claims = await createTokens({ secret, algorithm: set, now: () => 0 }).verify(token)
      expect(claims !== null, `${algorithm} where ${set}`).toBe(algorithm === set)
    }
  }
})

test('[A9] what is no good token now is null, twice in a row', async () => {
  const tokens = createTokens({ secret, now: () => 1_000_000 })
  const bad: Record<string, string> = {
    none: `${base64({ alg: 'none' })}.${base64({ sub: 'a' })}.`,
    'none, signed': forge({ alg: 'none' }, { sub: 'a' }),
    'another secret': forge(hs256, { sub: 'a' }, 'another'),
    'no signature': forge(hs256, { sub: 'a' }).replace(/[^.]*$/, ''),
    expired: forge(hs256, { sub: 'a', exp: 1000 }),
    'not yet valid': forge(hs256, { sub: 'a', nbf: 1001 }),
    'exp no number': forge(hs256, { sub: 'a', exp: '2000' }),
    list: forge(hs256, [1, 2]),
    text: forge(hs256, '"a"'),
    null: forge(hs256, 'null'),
    'no JSON': forge(hs256, 'x'),
    critical: forge({ ...hs256, crit: ['x'], x: 1 }, { sub: 'a' }),
    oversized: forge(hs256, { sub: 'a'.repeat(8 * 1024) }),
    empty: '',
    garbage: 'a.b.c',
    'two parts': 'a.b',
    'not ASCII': '한.글.요',
    NUL: '\0.\0.\0',
  }
  for (const [name, token] of Object.entries(bad)) {
    expect(await tokens.verify(token), name).toBeNull()
    expect(await tokens.verify(token), name).toBeNull()
  }
})

test('[A15] a token has one spelling, so that a revoked one cannot come back under another SHA-256', async () => {
  const tokens = createTokens({ secret, now: () => 0 })
  const token = await tokens.sign({ sub: 'a' }, 60)
  expect(await tokens.verify(token)).not.toBeNull()
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const others = alphabet
    .split('')
    .map((last) => token.slice(0, -1) + last)
    .filter((other) => other !== token)
  for (const other of [...others, `${token} `, ` ${token}`, `${token}=`, `${token}\n`, token.replaceAll('.', ' .')]) {
    expect(await createTokens({ secret, now: () => 0 }).verify(other), other).toBeNull()
    expect(await tokens.verify(other), other).toBeNull()
  }
})

test('[A9] the claims of a token that is asked for often cannot be changed by who got them', async () => {
  const tokens = createTokens({ secret, now: () => 0 })
  const token = await tokens.sign({ sub: 'a' }, 60)
  const claims = await tokens.verify(token)
  expect(() => Object.assign(claims as object, { sub: 'b' })).toThrow()
  expect(await tokens.verify(token)).toMatchObject({ sub: 'a' })
})

test('[C2] the name of a token is its SHA-256 in hex', () => {
  expect(sha256Hex('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
})
