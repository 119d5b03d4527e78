/** Files that came with a message, as members and others fetch them (P10, A16). */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { mkdtemp, readdir, readlink, rm } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { until } from '../../test/chat.ts'
import { openDiskFileStore } from '../files/disk/disk-file-store.ts'
import { isStoredName } from '../files/file-store.ts'
import { openRaw, type RawClient } from '../http/raw-client.fixture.ts'
import { asHost, openGroupware, type Groupware, type Person } from './groupware/groupware.fixture.ts'

const png = Buffer.from('89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489', 'hex')
const html = '<script>alert(1)</script>'

let directory: string
let groupware: Groupware
let kim: Person
let lee: Person
let stranger: Person
let chatId: number

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'madang-uploads-'))
  groupware = await openGroupware({ isProduction: true, files: await openDiskFileStore(directory) })
  ;[kim, lee, stranger] = (await groupware.people('kim', 'lee', 'stranger')) as [Person, Person, Person]
  chatId = await groupware.group([kim, lee])
})

afterEach(async () => {
  await groupware.stop()
  await rm(directory, { recursive: true, force: true })
})

interface Sent {
  messageId: number
  /** Their addresses. */
  paths: string[]
}

async function attach(...files: [name: string, bytes: Buffer | string, type?: string][]): Promise<Sent> {
  const form = new FormData()
  for (const [name, bytes, type = ''] of files) form.append('file', new Blob([bytes], { type }), name)
  const { data } = await groupware.done(`POST /api/chats/${chatId}/attach`, kim.bearer, form)
  return { messageId: data.message.id, paths: data.message.attachments.map((one: { file_path: string }) => one.file_path) }
}

interface Got {
  status: number
  headers: Headers
  bytes: Buffer
}

/** Reads the body to its end: a connection with an open answer holds up the server's stop. */
async function get(path: string, headers: Record<string, string> = kim.bearer, method = 'GET'): Promise<Got> {
  const answer = await fetch(groupware.server.url + path, { headers, method })
  return { status: answer.status, headers: answer.headers, bytes: Buffer.from(await answer.arrayBuffer()) }
}

async function listStored(): Promise<string[]> {
  return (await readdir(directory)).filter(isStoredName)
}

describe('who', () => {
  it('[A16] a member gets the bytes, by bearer and by either cookie, and a host with its key', async () => {
    const { paths } = await attach(['a.png', png])
    const ways = [lee.bearer, { cookie: `auth-token=${lee.token}` }, { cookie: `jwt_token=${lee.token}` }, asHost]
    for (const way of ways) {
      const answer = await get(paths[0]!, way)
      expect(answer.status, JSON.stringify(way)).toBe(200)
      expect(answer.bytes.equals(png)).toBe(true)
    }
  })

  it('[A16] others get none of it, in this door’s shape', async () => {
    const { paths } = await attach(['a.png', png])
    const ways: [Record<string, string>, number][] = [
      [{}, 401],
      [{ authorization: 'Bearer nonsense' }, 401],
      [{ cookie: `auth-token=${kim.token}`, origin: 'https://evil.example' }, 401],
      [stranger.bearer, 403],
    ]
    for (const [way, statusCode] of ways) {
      const answer = await get(`${paths[0]}?name=x`, way)
      expect(answer.status).toBe(statusCode)
      const body = JSON.parse(answer.bytes.toString()) as { message: string }
      expect(body).toMatchObject({ error: true, url: paths[0], statusCode })
      expect(body.message).toMatch(/[가-힣]/)
    }
  })

  it('[A16] who has left gets it no more', async () => {
    const { paths } = await attach(['a.png', png])
    await groupware.done(`POST /api/chats/${chatId}/leave`, lee.bearer)
    expect((await get(paths[0]!, lee.bearer)).status).toBe(403)
  })

  it('[A14] the file of a deleted message is gone', async () => {
    const { messageId, paths } = await attach(['a.png', png])
    const { chat } = groupware.server.app
    const author = await chat.accounts.getOrMake(kim.id)
    await chat.messages.remove(author, chatId, messageId)
    expect((await get(paths[0]!)).status).toBe(404)
  })

  it.each([
    '/uploads/',
    '/uploads/none.png',
    `/uploads/${'a'.repeat(32)}.png`,
    '/uploads/..%2f..%2f..%2fetc%2fpasswd',
    '/uploads/%2e%2e/secret',
    '/uploads/unfinished',
    '/uploads/a%00b',
    '/uploads/%ff',
  ])('[P10] %s is not found', async (path) => {
    expect((await get(path)).status).toBe(404)
  })

  it('[M2] in development, without a credential, user 1 and X-Dev-User get the files of their chats alone', async () => {
    const development = await openGroupware()
    try {
      const form = new FormData()
      form.append('file', new Blob([png]), 'a.png')
      const { data } = await development.done('POST /api/chats/123/attach', {}, form)
      const address = development.server.url + data.message.attachments[0].file_path
      const statuses = [{}, { 'x-dev-user': '1' }, { 'x-dev-user': '7' }].map(async (headers) => {
        const answer = await fetch(address, { headers })
        await answer.arrayBuffer()
        return answer.status
      })
      expect(await Promise.all(statuses)).toEqual([200, 200, 403])
    } finally {
      await development.stop()
    }
  })
})

describe('how', () => {
  it('[P10] nothing that is given out can run, and only a safe image is shown', async () => {
    const { paths } = await attach(
      ['a.png', png, 'text/html'],
      ['b.html', html, 'image/png'],
      ['c.svg', '<svg/>', 'image/svg+xml'],
    )
    const shown = ['inline', 'attachment', 'attachment']
    const types = ['image/png', 'text/plain; charset=utf-8', 'text/plain; charset=utf-8']
    for (const [at, path] of paths.entries()) {
      const { headers } = await get(path)
      expect(headers.get('content-type')).toBe(types[at])
      expect(headers.get('content-disposition')).toMatch(new RegExp(`^${shown[at]};`))
      expect(headers.get('x-content-type-options')).toBe('nosniff')
      expect(headers.get('content-security-policy')).toContain('sandbox')
      expect(headers.get('cache-control')).toContain('private')
    }
  })

  it('[P10] the file has the name that is asked for, else its own, in NFC or NFD to the byte', async () => {
    const own = "보고서 (최종)'*.txt".normalize('NFD')
    const { paths } = await attach([own, '글'])
    const nameOf = async (path: string) => {
      const [, name = ''] = (await get(path)).headers.get('content-disposition')!.split("filename*=UTF-8''")
      expect(name).toMatch(/^[\w%.~!-]+$/)
      return decodeURIComponent(name)
    }
    expect(await nameOf(paths[0]!)).toBe(own)
    expect(await nameOf(`${paths[0]}?name=`)).toBe(own)
    expect(await nameOf(`${paths[0]}?name=${encodeURIComponent('다른 이름.txt')}`)).toBe('다른 이름.txt')
    expect(await nameOf(`${paths[0]}?name=..%2F%0D%0Aset-cookie%3A%20a`)).toBe('set-cookie: a')
    expect(await nameOf(`${paths[0]}?name=a&name=b`)).toBe(own)
  })

  it('[P10] HEAD tells what GET would, without the bytes', async () => {
    const { paths } = await attach(['a.txt', 'x'.repeat(1000)])
    const [head, whole] = [await get(paths[0]!, kim.bearer, 'HEAD'), await get(paths[0]!)]
    for (const name of ['content-length', 'content-type', 'content-disposition', 'etag']) {
      expect(head.headers.get(name)).toBe(whole.headers.get(name))
    }
    expect(head.headers.get('content-length')).toBe('1000')
    expect(head.bytes.toString()).toBe('')
  })

  it('[P10] who has it already is told so, if he may still have it', async () => {
    const { paths } = await attach(['a.txt', 'x'])
    const etag = (await get(paths[0]!)).headers.get('etag')!
    expect((await get(paths[0]!, { ...kim.bearer, 'if-none-match': `"other", W/${etag}` })).status).toBe(304)
    expect((await get(paths[0]!, { ...kim.bearer, 'if-none-match': '"other"' })).status).toBe(200)
    expect((await get(paths[0]!, { ...stranger.bearer, 'if-none-match': etag })).status).toBe(403)
  })

  it.each([
    ['bytes=2-5', 206, '2345', 'bytes 2-5/10'],
    ['bytes=7-', 206, '789', 'bytes 7-9/10'],
    ['bytes=-3', 206, '789', 'bytes 7-9/10'],
    ['bytes=-30', 206, '0123456789', 'bytes 0-9/10'],
    ['bytes=5-99999999999999999999', 206, '56789', 'bytes 5-9/10'],
    ['bytes=10-', 200, '0123456789', null],
    ['bytes=5-2', 200, '0123456789', null],
    ['bytes=-0', 200, '0123456789', null],
    ['bytes=-', 200, '0123456789', null],
    ['bytes=0-1,3-4', 200, '0123456789', null],
    ['lines=0-1', 200, '0123456789', null],
  ])('[P10] the range %s is answered with %d %s', async (range, status, text, contentRange) => {
    const { paths } = await attach(['a.txt', '0123456789'])
    const answer = await get(paths[0]!, { ...kim.bearer, range })
    expect([answer.status, answer.bytes.toString(), answer.headers.get('content-range')]).toEqual([status, text, contentRange])
    expect(answer.headers.get('content-length')).toBe(String(text.length))
    const other = await get(paths[0]!, { ...kim.bearer, range, 'if-range': '"other"' })
    expect([other.status, other.bytes.toString()]).toEqual([200, '0123456789'])
  })

  it('[P10] an empty file is given back', async () => {
    const { paths } = await attach(['a.txt', ''])
    const answer = await get(paths[0]!)
    expect([answer.status, answer.bytes.toString()]).toEqual([200, ''])
  })
})

describe('what is left', () => {
  it('[P10] a stranger’s files are not stored', async () => {
    const form = new FormData()
    form.append('file', new Blob([png]), 'a.png')
    expect((await groupware.call(`POST /api/chats/${chatId}/attach`, stranger.bearer, form)).status).toBe(403)
    expect(await listStored()).toEqual([])
  })

  it('[A8] a retry’s second copies are not kept', async () => {
    const send = async () => {
      const form = new FormData()
      form.append('file', new Blob([png]), 'a.png')
      return groupware.done(`POST /api/chats/${chatId}/attach`, kim.bearer, form, { 'idempotency-key': 'once' })
    }
    expect(await send()).toEqual(await send())
    expect(await listStored()).toHaveLength(1)
  })

  it('[P10] of an upload that breaks off nothing is left', async () => {
    const client = await openRaw(groupware.server.port)
    const head = `POST /api/chats/${chatId}/attach HTTP/1.1\r\nHost: x\r\nAuthorization: ${kim.bearer['authorization']}\r\n`
    client.send(`${head}Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 900000\r\n\r\n`)
    const part = '--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    client.send(`${part}whole\r\n${part}${'x'.repeat(300_000)}`)
    const unfinished = () => readdir(join(directory, 'unfinished'))
    await until('the second file', async () => (await listStored()).length === 1 && (await unfinished()).length === 1)
    client.socket.destroy()
    await until('nothing is left', async () => (await listStored()).length === 0 && (await unfinished()).length === 0)
    expect(groupware.server.logged.filter((line) => line.startsWith('error'))).toEqual([])
  })
})

describe('who does not read', () => {
  const big = Buffer.alloc(8 * 1024 * 1024)
  const requestOf = (path: string) => `GET ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: ${kim.bearer['authorization']}\r\n\r\n`

  /** The files of the store that this process, which is also the server's, has open. */
  async function countOpen(): Promise<number> {
    const descriptors = await readdir('/proc/self/fd')
    const paths = await Promise.all(descriptors.map((one) => readlink(`/proc/self/fd/${one}`).catch(() => '')))
    return paths.filter((path) => path.startsWith(directory)).length
  }

  /** Waits until the server has closed all of them; the garbage collector, which warns of each it closes, does not count. */
  async function untilClosed(): Promise<void> {
    const warnings: string[] = []
    const note = ({ message }: Error) => void warnings.push(message)
    process.on('warning', note)
    onTestFinished(() => void process.off('warning', note))
    await until('all files are closed', async () => (await countOpen()) === 0)
    await new Promise(setImmediate)
    expect(warnings).toEqual([])
  }

  /** A client that asks and reads nothing. */
  async function ask(requests: string): Promise<RawClient> {
    const client = await openRaw(groupware.server.port)
    client.socket.pause()
    client.send(requests)
    return client
  }

  /** The server's ends of the connections that requests come on from now. */
  function watchSockets(): Socket[] {
    const sockets: Socket[] = []
    const note = (message: unknown) => void sockets.push((message as { socket: Socket }).socket)
    subscribe('http.server.request.start', note)
    onTestFinished(() => void unsubscribe('http.server.request.start', note))
    return sockets
  }

  it('[P10] holds one file, however many he asks for at once, and none when he has gone', async () => {
    const { paths } = await attach(['a.bin', big])
    const clients = await Promise.all(Array.from({ length: 10 }, () => ask(requestOf(paths[0]!).repeat(30))))
    await until('each has a file', async () => (await countOpen()) === clients.length)
    await get('/uploads/none.png')
    expect(await countOpen()).toBe(clients.length)
    for (const client of clients) client.socket.destroy()
    await untilClosed()
    expect(groupware.server.logged).toEqual([])
  })

  it('[P10] no file stays open behind an answer without bytes', async () => {
    const { paths } = await attach(['a.txt', 'text'], ['b.txt', ''])
    const etag = (await get(paths[0]!)).headers.get('etag')!
    await get(paths[0]!, { ...kim.bearer, 'if-none-match': etag })
    await get(paths[0]!, kim.bearer, 'HEAD')
    await get(paths[1]!)
    await untilClosed()
  })

  it('[P10] leaves no file open by going at any moment', async () => {
    const { paths } = await attach(['a.bin', big])
    const sockets = watchSockets()
    for (let turns = 0; turns < 40; turns++) {
      const client = await ask(requestOf(paths[0]!).repeat(5))
      await until('the request', () => sockets.length > 0)
      for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate)
      client.socket.resetAndDestroy()
      await until('the end', () => sockets.every((socket) => socket.destroyed))
      sockets.length = 0
    }
    await untilClosed()
  })

  it('[P10] is cut off when nothing has moved for 15 s', async () => {
    const { paths } = await attach(['a.bin', big])
    const sockets = watchSockets()
    const client = await ask(requestOf(paths[0]!))
    await until('the deadline', () => sockets[0]?.timeout === 15_000)
    sockets[0]!.setTimeout(10)
    await untilClosed()
    client.socket.resume()
    expect((await client.closed).length).toBeLessThan(big.length)
  })

  it('[P10] what comes after a download on its connection has its own time', async () => {
    const { paths } = await attach(['a.txt', 'text'])
    const sockets = watchSockets()
    const times: (number | undefined)[] = []
    const note = () => void times.push(sockets[0]!.timeout)
    subscribe('http.server.response.finish', note)
    onTestFinished(() => void unsubscribe('http.server.response.finish', note))
    const client = await openRaw(groupware.server.port)
    client.send(requestOf(paths[0]!) + requestOf('/api/chats') + requestOf(paths[0]!))
    await until('three answers', () => times.length === 3)
    expect(times).toEqual([0, 0, 0])
    await until('the time of an idle connection', () => sockets[0]!.timeout! > 60_000)
    client.socket.end()
    expect((await client.closed).match(/HTTP\/1.1 \d+/g)).toEqual(Array(3).fill('HTTP/1.1 200'))
  })
})
