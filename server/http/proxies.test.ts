import type { IncomingMessage } from 'node:http'
import { expect, test } from 'vitest'
import { createProxies } from './proxies.ts'

function from(remoteAddress: string, headers: Record<string, string> = {}): IncomingMessage {
  return { socket: { remoteAddress }, headers } as unknown as IncomingMessage
}

test('[A12] forwarded headers of a stranger are not believed', () => {
  const forged = { 'x-forwarded-for': '1.2.3.4', 'x-forwarded-host': 'evil', 'x-forwarded-proto': 'https', host: 'real' }
  for (const list of [[], ['10.0.0.0/8']]) {
    const proxies = createProxies(list)
    expect(proxies.clientAddress(from('192.0.2.1', forged))).toBe('192.0.2.1')
    expect(proxies.hostOf(from('192.0.2.1', forged))).toBe('real')
    expect(proxies.isSecure(from('192.0.2.1', forged))).toBe(false)
  }
})

test('[A12] behind trusted proxies the client is the nearest address that is none of them', () => {
  const proxies = createProxies(['10.0.0.0/8', '::1', '192.0.2.9'])
  const chain = {
    'x-forwarded-for': '6.6.6.6, 203.0.113.5, 10.1.1.1, 192.0.2.9',
    'x-forwarded-host': 'chat.example',
    'x-forwarded-proto': 'https',
  }
  expect(proxies.clientAddress(from('::ffff:10.0.0.1', chain))).toBe('203.0.113.5')
  expect(proxies.clientAddress(from('::1', { 'x-forwarded-for': '10.0.0.2' }))).toBe('10.0.0.2')
  expect(proxies.clientAddress(from('::1', {}))).toBe('::1')
  expect(proxies.hostOf(from('10.0.0.1', chain))).toBe('chat.example')
  expect(proxies.isSecure(from('10.0.0.1', chain))).toBe(true)
})

test('[A12] an address that is none is told by name', () => {
  for (const address of ['proxy.local', '10.0.0.0/33', '1.2.3', '::1/129', '10.0.0.1/x'])
    expect(() => createProxies([address])).toThrow(address)
})
