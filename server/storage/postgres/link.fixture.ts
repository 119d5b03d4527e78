/** A link to a server that tests can cut: a TCP proxy. */
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

export interface Link {
  /** The server's URL, by way of this link. */
  url: string
  /** From now on the server hears everything and its answers are lost; the first lost one cuts the link. */
  loseNextReply(): void
  /** From now on nothing passes and nothing breaks. */
  freeze(): void
  /** Cuts what is connected and refuses new connections until `mend`. */
  cut(): void
  mend(): void
  close(): Promise<void>
}

type Mode = 'open' | 'losing' | 'frozen' | 'cut'

export async function openLink(serverUrl: string): Promise<Link> {
  const target = new URL(serverUrl)
  const pairs = new Set<[Socket, Socket]>()
  let mode: Mode = 'open'
  const server = createServer((client) => {
    const upstream = connect(Number(target.port || 5432), target.hostname)
    const pair: [Socket, Socket] = [client, upstream]
    pairs.add(pair)
    const end = () => {
      for (const socket of pair) socket.destroy()
      pairs.delete(pair)
    }
    for (const socket of pair) socket.on('error', end).on('close', end)
    client.on('data', (data) => mode !== 'frozen' && upstream.write(data))
    upstream.on('data', (data) => {
      if (mode === 'open') client.write(data)
      if (mode !== 'losing') return
      mode = 'open'
      end()
    })
    if (mode === 'cut') end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = new URL(serverUrl)
  url.host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  const cut = () => {
    for (const pair of pairs) for (const socket of pair) socket.destroy()
  }
  return {
    url: url.href,
    loseNextReply: () => (mode = 'losing'),
    freeze: () => (mode = 'frozen'),
    cut: () => {
      mode = 'cut'
      cut()
    },
    mend: () => (mode = 'open'),
    close: () =>
      new Promise((resolve) => {
        cut()
        server.close(() => resolve())
      }),
  }
}
