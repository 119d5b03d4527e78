import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Server } from 'socket.io'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { WebSocketServer, type WebSocket } from 'ws'
import type { OpenSubject } from './context.ts'
import { measureLoad, type LoadResult } from './load.ts'
import { buildPrograms } from './programs.ts'

const traffic = { members: 5, senders: 3, inFlight: 0, rate: 500, seconds: 0.3, warmUpSeconds: 0.1, frameBytes: 100 }

/** What the room does with the nth message (from 1) towards the member who came as number `member` (from 0), as `sender` did. */
type Deliver = (text: string, n: number, member: number, sender: number) => string[]

const programs = buildPrograms()
let server: WebSocketServer | undefined

afterEach(() => {
  for (const socket of server?.clients ?? []) socket.terminate()
  server?.close()
})

afterAll(() => {
  if (programs) rmSync(dirname(programs.load), { recursive: true })
})

async function measureRoom(deliver: Deliver): Promise<LoadResult> {
  server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  const members: WebSocket[] = []
  let n = 0
  server.on('connection', (socket) => {
    members.push(socket)
    socket.on('message', (data) => {
      n++
      const sender = members.indexOf(socket)
      members.forEach((member, i) => deliver(String(data), n, i, sender).forEach((text) => member.send(text)))
    })
  })
  await new Promise((resolve) => server?.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  const subject: OpenSubject = {
    pid: process.pid,
    port,
    path: '/',
    format: '%s',
    isSocketIo: false,
    membersPerRoom: 1,
    close: async () => {},
  }
  return measureLoad({ program: programs?.load ?? '', cores: undefined }, subject, traffic)
}

describe.skipIf(programs === undefined)('the load client (skipped without a C compiler)', { timeout: 30_000 }, () => {
  it('finds nothing wrong with a room that delivers all, once, in order, and pads its frames', async () => {
    const result = await measureRoom((text) => [text])
    expect(result).toMatchObject({ lost: 0, doubled: 0, reordered: 0, disagree: 0, dead: 0, frameBytes: 100 })
    expect(result.deliveries).toBeGreaterThan(0)
  })

  it('counts a message that one member did not get', async () => {
    const result = await measureRoom((text, n, member) => (member === 3 && n === 20 ? [] : [text]))
    expect(result).toMatchObject({ lost: 1, doubled: 0, reordered: 0, disagree: 1 })
  })

  it('counts a message that nobody got', async () => {
    expect(await measureRoom((text, n) => (n === 20 ? [] : [text]))).toMatchObject({ lost: 5, disagree: 0 })
  })

  it('counts a message that one member got twice', async () => {
    const result = await measureRoom((text, n, member) => (member === 0 && n === 20 ? [text, text] : [text]))
    expect(result).toMatchObject({ lost: 0, doubled: 1, reordered: 0 })
  })

  it("counts one sender's messages that a member got in the wrong order", async () => {
    const result = await measureRoom(heldBackBehindHisNext(20))
    expect(result).toMatchObject({ lost: 0, doubled: 0, reordered: 1, disagree: 1 })
  })

  it("counts a member who saw two senders' messages in another order than the others", async () => {
    const result = await measureRoom(heldBackBehindAnother(20))
    expect(result).toMatchObject({ lost: 0, doubled: 0, reordered: 0, disagree: 1 })
  })
})

it.skipIf(programs === undefined)(
  'the load client speaks socket.io, each connection with a token of its own',
  async () => {
    const directory = mkdtempSync(join(tmpdir(), 'madang-load-'))
    const tokensFile = join(directory, 'tokens')
    writeFileSync(tokensFile, 'a\nb\nc\nd\ne')
    const http = createServer()
    const io = new Server(http)
    const tokens: unknown[] = []
    io.on('connection', (socket) => {
      tokens.push(socket.handshake.auth['token'])
      socket.on('chat message', (text: string) => io.emit('chat message', { id: 1, content: text }))
    })
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
    const { port } = http.address() as AddressInfo
    const subject: OpenSubject = {
      pid: process.pid,
      port,
      path: '/socket.io/?EIO=4&transport=websocket',
      format: '42["chat message","%s"]',
      isSocketIo: true,
      auth: '{"token":"%t"}',
      tokensFile,
      membersPerRoom: 1,
      close: async () => {},
    }
    const result = await measureLoad({ program: programs?.load ?? '', cores: undefined }, subject, traffic)
    expect(result).toMatchObject({ lost: 0, doubled: 0, reordered: 0, disagree: 0, dead: 0, frameBytes: 100 })
    expect(result.deliveries).toBeGreaterThan(0)
    expect(new Set(tokens)).toEqual(new Set(['a', 'b', 'c', 'd', 'e']))
    expect(tokens).toHaveLength(5)
    await io.close()
    rmSync(directory, { recursive: true })
  },
  30_000,
)

/** Member 2 gets the nth message only after the next one of the same sender. */
function heldBackBehindHisNext(nth: number): Deliver {
  let held: string | null = null
  let from = -1
  return (text, n, member, sender) => {
    if (member !== 2) return [text]
    if (n === nth) {
      from = sender
      held = text
      return []
    }
    if (held === null || sender !== from) return [text]
    const both = [text, held]
    held = null
    return both
  }
}

/** Member 2 gets the nth message, and what its sender said meanwhile, only after the next one of another. */
function heldBackBehindAnother(nth: number): Deliver {
  const held: string[] = []
  let from = -1
  return (text, n, member, sender) => {
    if (member !== 2) return [text]
    if (n === nth) from = sender
    if (sender === from) {
      held.push(text)
      return []
    }
    from = -1
    return [text, ...held.splice(0)]
  }
}
