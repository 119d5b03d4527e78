/** Bodies, as routes read them and as they come over the wire. */
import { afterEach, expect, test } from 'vitest'
import { ask, jsonOf, openTwoDialects } from './answering.fixture.ts'
import { exchange, openRaw, statusOf } from './raw-client.fixture.ts'
import type { HttpServer } from './server.ts'

let server: HttpServer
let logged: unknown[]

async function start(): Promise<number> {
  const opened = await openTwoDialects()
  ;({ server, logged } = opened)
  return opened.port
}

afterEach(() => server.close({ graceMs: 0 }))

test('[F2] a body is JSON whatever its Content-Type says, or without one', async () => {
  const port = await start()
  for (const type of [
    null,
    'text/plain;charset=UTF-8',
    'application/x-www-form-urlencoded',
    'image/png',
    'nonsense',
    ';',
    'application/json; charset=latin1',
  ]) {
    const headers: Record<string, string> = type === null ? {} : { 'Content-Type': type }
    expect(jsonOf(await ask(port, 'POST', '/a/echo', { body: '{"글":1}', headers })), String(type)).toEqual({ got: { 글: 1 } })
  }
  expect(jsonOf(await ask(port, 'DELETE', '/a/items/1', { body: '[1]' }))).toEqual({ got: [1] })
})

test('[P10] a POST without a body is fine, with or without a JSON Content-Type', async () => {
  const port = await start()
  for (const headers of [
    {},
    { 'Content-Type': 'application/json' },
    { 'Content-Length': '0', 'Content-Type': 'application/json' },
  ]) {
    expect(jsonOf(await ask(port, 'POST', '/a/echo', { headers }))).toEqual({ got: null })
  }
})

test('[G1] where JSON must be said, another body is no JSON but a string', async () => {
  const port = await start()
  const body = '{"a":1}'
  for (const type of ['application/json', 'Application/JSON; charset=utf-8', 'application/problem+json']) {
    expect(jsonOf(await ask(port, 'POST', '/a/said', { body, headers: { 'Content-Type': type } }))).toEqual({ got: { a: 1 } })
  }
  for (const type of ['text/plain', 'application/jsonx', 'nonsense']) {
    expect(jsonOf(await ask(port, 'POST', '/a/said', { body, headers: { 'Content-Type': type } })), type).toEqual({ got: body })
  }
  expect(jsonOf(await ask(port, 'POST', '/a/said', { body }))).toEqual({ got: { a: 1 } })
})

test('[G6] a form is read strictly, the last of two fields counts', async () => {
  const port = await start()
  const headers = { 'Content-Type': 'application/x-www-form-urlencoded; charset=utf-8' }
  const form = (body: string | Buffer) => ask(port, 'POST', '/a/form', { body, headers })
  expect(jsonOf(await form('username=%EB%AF%BC+%EC%88%98&&p=a%3Db=c&empty=&flag&p=2'))).toEqual({
    got: { username: '민 수', p: '2', empty: '', flag: '' },
  })
  expect(jsonOf(await form('username=민수'))).toEqual({ got: { username: '민수' } })
  for (const [body, kind] of [
    ['a=%', 'bad_encoding'],
    ['a=%ff', 'bad_encoding'],
    [Buffer.from([0x61, 0x3d, 0xff]), 'bad_encoding'],
    ['a=%00', 'validation'],
    ['&a=1'.repeat(1001), 'bad_body'],
  ] as const) {
    expect(jsonOf(await form(body))['kind']).toBe(kind)
  }
  expect(jsonOf(await ask(port, 'POST', '/a/form', { body: '{}', headers: { 'Content-Type': 'application/json' } }))).toEqual({
    got: {},
  })
})

test('[A4] bytes that are not UTF-8, broken JSON and unsafe text are refused in the dialect, raw bytes are kept', async () => {
  const port = await start()
  for (const [body, kind] of [
    [Buffer.from([0x22, 0xff, 0x22]), 'bad_encoding'],
    ['{"a":', 'bad_body'],
    ['{"a":"\\u0000"}', 'validation'],
    ['['.repeat(100_000), 'bad_body'],
  ] as const) {
    const answer = await ask(port, 'POST', '/b/echo', { body, headers: { 'Content-Type': 'application/json' } })
    expect([statusOf(answer) < 500, jsonOf(answer)['dialect'], jsonOf(answer)['kind']]).toEqual([true, 'b', kind])
  }
  expect(jsonOf(await ask(port, 'POST', '/a/raw', { body: Buffer.from([0xff, 0]) }))).toEqual({ got: 'ff00' })
})

test('[A3] a connection goes on after a bad body that came whole', async () => {
  const port = await start()
  const client = await openRaw(port)
  client.send('POST /a/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n{')
  await client.until('bad_body')
  client.send('POST /a/echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 4\r\n\r\n"ok"')
  expect(await client.closed).toContain('{"got":"ok"}')
})

test('[A17] a body over the limit is a 413, at the limit it is read', async () => {
  const port = await start()
  const atLimit = JSON.stringify('x'.repeat(256 * 1024 - 2))
  expect(statusOf(await ask(port, 'POST', '/a/echo', { body: atLimit }))).toBe(200)
  const answer = await ask(port, 'POST', '/b/echo', { body: `${atLimit} ` })
  expect([statusOf(answer), jsonOf(answer)['dialect'], jsonOf(answer)['kind']]).toEqual([413, 'b', 'too_large'])
})

test('[A17] a client that sends 10 MB before it reads sees the 413, with a length and chunked', async () => {
  const port = await start()
  const piece = Buffer.alloc(1024 * 1024, 0x78)
  for (const isChunked of [false, true]) {
    const client = await openRaw(port)
    client.socket.pause()
    client.send(
      `POST /a/echo HTTP/1.1\r\nHost: x\r\n${isChunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${10 * piece.length}`}\r\n\r\n`,
    )
    for (let at = 0; at < 10; at++) {
      const bytes = isChunked ? Buffer.concat([Buffer.from('100000\r\n'), piece, Buffer.from('\r\n')]) : piece
      await new Promise((resolve) => client.socket.write(bytes, resolve))
    }
    if (isChunked) client.send('0\r\n\r\n')
    client.socket.resume()
    const answer = await client.closed
    expect([statusOf(answer), jsonOf(answer)['kind']], String(isChunked)).toEqual([413, 'too_large'])
  }
})

test('[A17] who goes on sending after the 413 is cut off', async () => {
  const port = await start()
  const client = await openRaw(port)
  client.send('POST /a/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000000\r\n\r\n')
  expect(statusOf(await client.until('too_large'))).toBe(413)
  const piece = Buffer.alloc(1024 * 1024)
  const flood = () => void (client.socket.writable && client.socket.write(piece, flood))
  flood()
  await client.closed
  expect(client.socket.bytesWritten).toBeLessThan(200 * 1024 * 1024)
})

test('[A3] broken chunks and broken heads are a clean 400', async () => {
  const port = await start()
  const bad = [
    'POST /a/echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n',
    'POST /a/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'POST /a/echo HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n',
    'POST /a/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}',
    'GET /a/items/1 HTTP/1.1\r\n\r\n',
    'GET / HTTP/9.9\r\n\r\n',
    '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
    'hello\r\n\r\n',
  ]
  for (const bytes of bad) expect(statusOf(await exchange(port, Buffer.from(bytes, 'latin1'))), JSON.stringify(bytes)).toBe(400)
  expect(statusOf(await exchange(port, `GET / HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(20_000)}\r\n\r\n`))).toBe(431)
  expect(logged).toEqual([])
})

test('[A3] a client that leaves in mid-body harms nobody', async () => {
  const port = await start()
  const client = await openRaw(port)
  client.send('POST /a/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"a":')
  client.socket.end()
  client.socket.destroy()
  await client.closed
  const gone = await openRaw(port)
  gone.send('POST /a/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"a":')
  gone.socket.resetAndDestroy()
  await gone.closed
  expect(jsonOf(await ask(port, 'POST', '/a/echo', { body: '1' }))).toEqual({ got: 1 })
  expect(logged).toEqual([])
})
