/** A TCP proxy between a server and its database, with links that can be cut, frozen or made deaf. */
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

/** `freeze`: nothing goes either way. `mute`: what is sent arrives, and no answer comes. */
export type Weather = 'fine' | 'freeze' | 'mute' | 'refuse'

export interface TcpProxy {
  port: number
  /** How many pieces went to the target. */
  sentCount(): number
  /** From now on, for the links that stand and for new ones. */
  set(weather: Weather): void
  /** Ends all links at once. */
  cut(): void
  close(): Promise<void>
}

interface Link {
  client: Socket
  target: Socket
}

export async function openTcpProxy(targetPort: number, targetHost = '127.0.0.1'): Promise<TcpProxy> {
  const links = new Set<Link>()
  let weather: Weather = 'fine'
  let sent = 0

  const server = createServer((client) => {
    if (weather === 'refuse') return void client.destroy()
    const link = { client, target: connect(targetPort, targetHost) }
    links.add(link)
    for (const [from, to] of [
      [client, link.target],
      [link.target, client],
    ] as const) {
      from.on('data', (chunk) => {
        if (from === client) sent++
        to.write(chunk)
      })
      from.on('error', () => {})
      from.on('close', () => end(link))
    }
    apply(link)
  })

  function apply({ client, target }: Link): void {
    const isFrozen = weather === 'freeze'
    if (isFrozen) client.pause()
    else client.resume()
    if (isFrozen || weather === 'mute') target.pause()
    else target.resume()
  }

  function end(link: Link): void {
    links.delete(link)
    link.client.destroy()
    link.target.destroy()
  }

  function cut(): void {
    for (const link of links) end(link)
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    sentCount: () => sent,
    set(next) {
      weather = next
      if (next === 'refuse') cut()
      else for (const link of links) apply(link)
    },
    cut,
    async close() {
      cut()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
