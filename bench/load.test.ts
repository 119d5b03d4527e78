import { rmSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { dirname } from 'node:path'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { WebSocketServer, type WebSocket } from 'ws'
import type { OpenSubject } from './context.ts'
import { measureLoad, type LoadResult } from './load.ts'
import { buildPrograms } from './programs.ts'

/** What the room does with the nth message (from 1) towards the member who came as number `member` (from 0). */
type Deliver = (text: string, n: number, member: number) => string[]

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
      members.forEach((member, i) => deliver(String(data), n, i).forEach((text) => member.send(text)))
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
  const traffic = { members: 5, senders: 3, inFlight: 0, rate: 500, seconds: 0.3, warmUpSeconds: 0.1, frameBytes: 100 }
  return measureLoad({ program: programs?.load ?? '', cores: undefined }, subject, traffic)
}

describe.skipIf(programs === undefined)('the load client (skipped without a C compiler)', { timeout: 30_000 }, () => {
  it('finds nothing wrong with a room that delivers all, once, in order, and pads its frames', async () => {
    const result = await measureRoom((text) => [text])
    expect(result).toMatchObject({ lost: 0, doubled: 0, reordered: 0, disagree: 0, dead: 0, frameBytes: 100 })
    expect(result.deliveries).toBeGreaterThan(300)
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
    const result = await measureRoom(heldBack(20, 4))
    expect(result).toMatchObject({ lost: 0, doubled: 0, reordered: 1, disagree: 1 })
  })

  it("counts a member who saw two senders' messages in another order than the others", async () => {
    const result = await measureRoom(heldBack(20, 1))
    expect(result).toMatchObject({ lost: 0, doubled: 0, reordered: 0, disagree: 1 })
  })
})

/** Member 2 gets the nth message only after `by` more; the three senders take turns. */
function heldBack(nth: number, by: number): Deliver {
  let held = ''
  return (text, n, member) => {
    if (member !== 2) return [text]
    if (n === nth) held = text
    if (n === nth + by) return [text, held]
    return n === nth ? [] : [text]
  }
}
