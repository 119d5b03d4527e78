import { expect, test } from 'vitest'
import { createServiceKeys, findBearer, findCookie } from './credentials.ts'

test('[A9] a bearer token is found whatever the case of the scheme, and nothing else is one', () => {
  expect(findBearer('Bearer a.b.c')).toBe('a.b.c')
  expect(findBearer('bearer   a.b.c  ')).toBe('a.b.c')
  expect(findBearer('Bearer not a token')).toBe('not a token')
  for (const header of [undefined, '', 'Basic YTpi', 'Basic Bearer', 'Bearerx', 'Bearer-x a.b.c', 'a.b.c'])
    expect(findBearer(header), header).toBeNull()
})

test('[A9] a bearer header without a readable token is still one that was sent', () => {
  for (const header of ['Bearer', 'bearer ', 'BEARER \t']) expect(findBearer(header), header).toBe('')
  expect(findBearer('Bearer:a.b.c')).toBe(':a.b.c')
  expect(findBearer('Bearer="a.b.c"')).toBe('="a.b.c"')
})

test('[A9] a cookie is found by its whole name, the first one of that name', () => {
  expect(findCookie('a=1; auth-token=x.y.z; auth-token=2', 'auth-token')).toBe('x.y.z')
  expect(findCookie('xauth-token=1;auth-token="q%20r"', 'auth-token')).toBe('q r')
  expect(findCookie('auth-token=%E0%A4%A', 'auth-token')).toBe('%E0%A4%A')
  for (const header of [undefined, '', 'auth-token', 'auth-token=', 'auth=1', ';;=;='])
    expect(findCookie(header, 'auth-token'), header).toBeNull()
})

test('[M3] a service key is one of the list, whole', () => {
  const isServiceKey = createServiceKeys(['first-key', '둘째', ''])
  expect(['first-key', '둘째'].map(isServiceKey)).toEqual([true, true])
  for (const text of ['', 'first-ke', 'first-key ', 'First-key', 'x'.repeat(100_000)])
    expect(isServiceKey(text), text.slice(0, 20)).toBe(false)
  expect(createServiceKeys([])('')).toBe(false)
})
