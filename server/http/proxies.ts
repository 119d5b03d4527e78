/** Who is at the other end: `X-Forwarded-For`, `-Proto` and `-Host` are believed from `TRUSTED_PROXIES` alone (A12). */
import { BlockList, isIP } from 'node:net'
import type { IncomingMessage } from 'node:http'

export interface Proxies {
  /** Whether an address is one of ours in front. */
  trusts(address: string): boolean
  /** The nearest address that is no trusted proxy; IPv4 never as `::ffff:`. Empty for a socket that is gone. */
  clientAddress(request: IncomingMessage): string
  /** What the client believes to talk to: `example.com:8080`. Empty without a Host header. */
  hostOf(request: IncomingMessage): string
  isSecure(request: IncomingMessage): boolean
}

/** `addresses`: IPv4 or IPv6, each alone or as a network (`10.0.0.0/8`). Throws a TypeError that names one it cannot read. */
export function createProxies(addresses: readonly string[]): Proxies {
  const list = new BlockList()
  for (const address of addresses) addTo(list, address)

  function trusts(address: string): boolean {
    const plain = plainAddress(address)
    const family = isIP(plain)
    return addresses.length > 0 && family !== 0 && list.check(plain, family === 6 ? 'ipv6' : 'ipv4')
  }

  /** A forwarded header counts only from a trusted neighbour; of several values the last is the one that neighbour wrote. */
  function forwarded(request: IncomingMessage, header: 'x-forwarded-host' | 'x-forwarded-proto'): string | undefined {
    if (!trusts(request.socket.remoteAddress ?? '')) return undefined
    return String(request.headers[header] ?? '')
      .split(',')
      .pop()
      ?.trim()
  }

  return {
    trusts,
    clientAddress(request) {
      const hops = String(request.headers['x-forwarded-for'] ?? '')
        .split(',')
        .map((hop) => hop.trim())
        .filter((hop) => hop !== '')
      let address = request.socket.remoteAddress ?? ''
      while (trusts(address) && hops.length > 0) address = hops.pop() as string
      return plainAddress(address)
    },
    hostOf: (request) => forwarded(request, 'x-forwarded-host') || (request.headers.host ?? ''),
    isSecure: (request) => forwarded(request, 'x-forwarded-proto') === 'https',
  }
}

function addTo(list: BlockList, address: string): void {
  const [network = '', prefix] = address.split('/')
  const family = isIP(network)
  const bits = prefix === undefined ? (family === 6 ? 128 : 32) : Number(prefix)
  const bitsMax = family === 6 ? 128 : 32
  if (family === 0 || !Number.isInteger(bits) || bits < 0 || bits > bitsMax)
    throw new TypeError(`not an address or network: ${address}`)
  list.addSubnet(network, bits, family === 6 ? 'ipv6' : 'ipv4')
}

function plainAddress(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address
}
