/** For tests: a TCP proxy in front of the stream that cuts links at chosen places of what the server sends. */
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

/** A link ends so many bytes into one frame of the stream. */
export interface Cut {
  /** From 0, as they stand in this link's answer. */
  frame: number
  /** How much of that frame, its blank line included, still passes. */
  place(frame: Buffer): number
  /** `end`: as of a server that ends. `reset`: as of a line that breaks. */
  how: 'end' | 'reset'
}

export interface CuttingProxy {
  port: number
  /** What each link's client has sent. */
  requests: string[]
  /** All that the server has answered. */
  answered(): string
  /** The cuts that are still to come. */
  cuts: Cut[]
  close(): Promise<void>
}

/** `cuts`: one for each link on which a request comes, in their order; links after the last stand. */
export async function openCuttingProxy(targetPort: number, cuts: Cut[] = []): Promise<CuttingProxy> {
  const links = new Set<Socket>()
  const requests: string[] = []
  let answered = ''
  const left = [...cuts]

  const server = createServer((client) => {
    const target = connect(targetPort, '127.0.0.1')
    for (const socket of [client, target]) {
      links.add(socket)
      socket.on('error', () => {}).on('close', () => links.delete(socket))
    }
    client.on('close', () => target.destroy())
    target.on('close', () => client.destroySoon())
    target.on('data', (piece) => void (answered += piece.toString('latin1')))
    let link: number | null = null
    client.on('data', (piece) => {
      // A browser opens links that it then does not use: one counts when something is asked on it.
      if (link === null) relay({ target, client }, left.shift() ?? null)
      link ??= requests.push('') - 1
      requests[link] += piece.toString('latin1')
      target.write(piece)
    })
  })

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    requests,
    answered: () => answered,
    cuts: left,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve))
      for (const socket of links) socket.destroy()
      await closed
    },
  }
}

interface Link {
  target: Socket
  client: Socket
}

function relay({ target, client }: Link, cut: Cut | null): void {
  let received = Buffer.alloc(0)
  let passed = 0
  let isCut = false
  target.on('data', (piece) => {
    if (cut === null) return void client.write(piece)
    if (isCut) return
    received = Buffer.concat([received, piece])
    const found = findCut(received, cut)
    isCut = found.isCut
    client.write(
      received.subarray(passed, found.at),
      () => isCut && (cut.how === 'end' ? client.end() : client.resetAndDestroy()),
    )
    passed = found.at
  })
}

/** How much may pass: whole frames, up to the place of the cut. */
function findCut(received: Buffer, cut: Cut): { at: number; isCut: boolean } {
  const head = received.indexOf('\r\n\r\n')
  if (head === -1) return { at: 0, isCut: false }
  let at = head + 4
  for (let index = 0; ; index++) {
    const end = received.indexOf('\n\n', at)
    if (end === -1) return { at, isCut: false }
    if (index === cut.frame) return { at: at + cut.place(received.subarray(at, end + 2)), isCut: true }
    at = end + 2
  }
}
