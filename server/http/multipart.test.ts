import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { until } from '../../test/chat.ts'
import { acceptMultipart, labelOf, readForm, type MultipartLimits } from './multipart.ts'
import { ProblemError } from './problems.ts'
import { bodyOf, exchange, openRaw, statusOf } from './raw-client.fixture.ts'
import { createHttpServer, type HttpServer } from './server.ts'

const limits: MultipartLimits = { fileBytesMax: 1_000_000, filesMax: 5, requestBytesMax: 3_000_000 }

interface Told {
  fields: [string, string][]
  files: { field: string; label: string; sizeBytes: number; sha256: string }[]
}

let server: HttpServer
let port: number
/** What is stored; what was discarded is no more. */
let stored: Map<number, Buffer>
/** Files whose bytes have begun to come. */
let begun: number
let failed: unknown
/** How a file is stored; a test may fail here. */
let store: (bytes: AsyncIterable<Buffer>) => Promise<number>

beforeEach(async () => {
  server = createHttpServer()
  stored = new Map()
  begun = 0
  failed = null
  store = keep
  server.app.register(async (scope) => {
    acceptMultipart(scope)
    scope.post('/form', async (request): Promise<Told> => {
      try {
        const { fields, files } = await readForm(request, {
          limits,
          cutFields: ['cut'],
          store: (bytes) => store(bytes),
          discard: async (key) => void stored.delete(key),
        })
        return { fields: [...fields], files: files.map(({ field, label, stored: key }) => ({ field, label, ...factsOf(key) })) }
      } catch (error) {
        failed = error
        // Or what reads on, for the answer's sake, would never get a byte.
        expect(request.raw.listenerCount('readable')).toBe(0)
        throw error
      }
    })
    scope.post('/refused', async () => {
      throw new ProblemError({ kind: 'unavailable' })
    })
  })
  ;[port] = (await server.listen([{ host: '127.0.0.1', port: 0 }])) as [number]
})

afterEach(() => server.close({ graceMs: 0 }))

async function keep(bytes: AsyncIterable<Buffer>): Promise<number> {
  begun += 1
  const key = begun
  const chunks: Buffer[] = []
  for await (const chunk of bytes) chunks.push(Buffer.from(chunk))
  stored.set(key, Buffer.concat(chunks))
  return key
}

function factsOf(key: number) {
  const bytes = stored.get(key)!
  return { sizeBytes: bytes.length, sha256: hashOf(bytes) }
}

function hashOf(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex')
}

async function postForm(form: FormData): Promise<Told> {
  const answer = await fetch(`http://127.0.0.1:${port}/form`, { method: 'POST', body: form })
  expect(answer.status).toBe(200)
  return (await answer.json()) as Told
}

function requestOf(body: string | Buffer, options: { boundary?: string; length?: number; path?: string } = {}): Buffer {
  const bytes = Buffer.from(body)
  const { boundary = 'b', length = bytes.length, path = '/form' } = options
  const head = `POST ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: multipart/form-data; boundary=${boundary}\r\nContent-Length: ${length}\r\n\r\n`
  return Buffer.concat([Buffer.from(head), bytes])
}

/** A whole body of these parts; a part is its headers, an empty line and its bytes. */
function bodyOfParts(...parts: (string | Buffer)[]): Buffer {
  const chunks = parts.flatMap((part) => [Buffer.from('--b\r\n'), Buffer.from(part), Buffer.from('\r\n')])
  return Buffer.concat([...chunks, Buffer.from('--b--\r\n')])
}

async function told(body: string | Buffer, options: Parameters<typeof requestOf>[1] = {}): Promise<Told> {
  const answer = await exchange(port, requestOf(body, options))
  expect(statusOf(answer), answer).toBe(200)
  return JSON.parse(Buffer.from(bodyOf(answer), 'latin1').toString('utf8')) as Told
}

async function refusal(body: string | Buffer, options: Parameters<typeof requestOf>[1] = {}): Promise<number> {
  const status = statusOf(await exchange(port, requestOf(body, options)))
  expect(stored.size, 'stored').toBe(0)
  return status
}

const field = (name: string, value: string) => `Content-Disposition: form-data; name="${name}"\r\n\r\n${value}`
const file = (name: string, bytes = 'bytes') => `Content-Disposition: form-data; name="file"; filename="${name}"\r\n\r\n${bytes}`

describe('what is read', () => {
  it('[P10] files keep the order of their parts and their bytes, wherever the text stands', async () => {
    const form = new FormData()
    const bytes = [Buffer.alloc(300_000, 1), Buffer.from('\r\n--'), Buffer.alloc(0)]
    form.append('file', new Blob([bytes[0]!]), '하나.png')
    form.append('content', '설명 텍스트\r\n둘째 줄')
    form.append('file', new Blob([bytes[1]!], { type: 'image/png' }), 'b.png')
    form.append('file', new Blob([bytes[2]!]), 'c')
    const { fields, files } = await postForm(form)
    expect(fields).toEqual([['content', '설명 텍스트\r\n둘째 줄']])
    expect(files.map(({ label }) => label)).toEqual(['하나.png', 'b.png', 'c'])
    expect(files.map(({ sha256 }) => sha256)).toEqual(bytes.map(hashOf))
  })

  it('[P10] curl’s own requests are read, with names in NFC and NFD kept to the byte', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'madang-curl-'))
    onTestFinished(() => rm(directory, { recursive: true, force: true }))
    const names = ['한글 보고서.txt', '한글 보고서.txt'.normalize('NFD'), 'it"s; a=b.txt']
    for (const name of names) await writeFile(join(directory, name), name)
    // `@"..."`: curl splits at ; and , where a name is not quoted.
    const forms = names.flatMap((name) => ['-F', `file=@"${join(directory, name).replaceAll(/["\\]/g, String.raw`\$&`)}"`])
    const url = `http://127.0.0.1:${port}/form`
    const { stdout } = await promisify(execFile)('curl', ['-s', ...forms, '-F', 'content=설명', url])
    const { fields, files } = JSON.parse(stdout) as Told
    expect(fields).toEqual([['content', '설명']])
    expect(files.map(({ sha256 }) => sha256)).toEqual(names.map(hashOf))
    expect(files.slice(0, 2).map(({ label }) => label)).toEqual(names.slice(0, 2))
    // WHATWG's form of a quote, which newer curls send, is not undone: nobody else undoes it.
    expect(['it"s; a=b.txt', 'it%22s; a=b.txt']).toContain(files[2]?.label)
  })

  it.each([
    ['a part with a file name and no type', file('a.bin'), 'a.bin'],
    [
      'a file name of its own encoding',
      `content-disposition:form-data;name=file;filename=x;filename*=utf-8''%ED%95%9C%20%EA%B8%80.txt\r\n\r\nbytes`,
      '한 글.txt',
    ],
    ['names without quotes', 'Content-Disposition: form-data; name=file; filename=a.txt\r\n\r\nbytes', 'a.txt'],
    ['escaped quotes', String.raw`Content-Disposition: form-data; name="file"; filename="a\"b.txt"` + '\r\n\r\nbytes', 'a"b.txt'],
    ['a lying type', 'Content-Type: text/html; charset=utf-16\r\nContent-Transfer-Encoding: base64\r\n' + file('a.png'), 'a.png'],
    ['a way up', file('../../etc/passwd'), 'passwd'],
    ['a Windows path', file(String.raw`C:\Users\kim\a.txt`), 'a.txt'],
    ['a name that is a way up', file('..'), 'file'],
    ['control characters', file('a\u0001\u001b[31m\u009f.txt'), 'a[31m.txt'],
    ['a name that is too long', file(`${'가'.repeat(300)}.txt`), '가'.repeat(255)],
  ])('[P10] %s: the file is taken, and its name is a label', async (_, part, label) => {
    const { files } = await told(bodyOfParts(part))
    expect(files).toEqual([{ field: 'file', label, sizeBytes: 5, sha256: hashOf('bytes') }])
  })

  it('[P10] what a browser sends where no file was chosen is no file', async () => {
    const { fields, files } = await told(bodyOfParts(file('', ''), field('content', 'x')))
    expect([fields, files]).toEqual([
      [
        ['file', ''],
        ['content', 'x'],
      ],
      [],
    ])
  })

  it('[P10] what stands before the first part and behind the last is nobody’s', async () => {
    const body = Buffer.concat([Buffer.from('preamble\r\n'), bodyOfParts(field('a', '1')), Buffer.from('--b\r\nepilogue')])
    expect(await told(body)).toEqual({ fields: [['a', '1']], files: [] })
  })

  it('[P10] a form without parts is empty', async () => {
    expect(await told('--b--\r\n')).toEqual({ fields: [], files: [] })
  })
})

describe('what is refused, with nothing left of it', () => {
  const chunkedHead = `POST /form HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Type: multipart/form-data; boundary=b\r\n\r\n`
  const chunk = (text: string) => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`
  const long = 'x'.repeat(limits.fileBytesMax + 1)

  it.each([
    ['a body that ends in a file', '--b\r\n' + file('a'), 400],
    ['a body that ends in headers', '--b\r\nContent-Disposition: form-d', 400],
    ['a body that ends behind a part', `--b\r\n${file('a')}\r\n--b`, 400],
    ['an empty body', '', 400],
    ['a body without the boundary', 'just text', 400],
    ['JSON', '{"content":"x"}', 400],
    ['a part without a disposition', bodyOfParts(file('a'), 'Content-Type: text/plain\r\n\r\nx'), 400],
    ['a part without a name', bodyOfParts(file('a'), 'Content-Disposition: form-data; filename="x"\r\n\r\nx'), 400],
    ['a part without headers', bodyOfParts(file('a'), '\r\nx'), 400],
    ['another disposition', bodyOfParts(file('a'), 'Content-Disposition: attachment; name="x"\r\n\r\nx'), 400],
    ['an open quote', bodyOfParts(file('a'), 'Content-Disposition: form-data; name="x\r\n\r\nx'), 400],
    [
      'backslashes without end',
      bodyOfParts(file('a'), `Content-Disposition: form-data; name="${'\\'.repeat(15_000)}\r\n\r\nx`),
      400,
    ],
    ['headers without end', bodyOfParts(file('a'), `X: ${'x'.repeat(20_000)}\r\n${field('a', 'b')}`), 400],
    ['a name that is no UTF-8', bodyOfParts(file('a'), Buffer.from(file('\xff\xfe.txt'), 'latin1')), 400],
    ['a name with U+0000', bodyOfParts(file('a'), file('a\0.txt')), 400],
    [
      'an encoded name that is no UTF-8',
      bodyOfParts(file('a'), `Content-Disposition: form-data; name="f"; filename*=utf-8''%ff\r\n\r\nx`),
      400,
    ],
    ['a field that is no UTF-8', bodyOfParts(file('a'), Buffer.from(field('content', '\xc3\x28'), 'latin1')), 400],
    ['a field with U+0000', bodyOfParts(file('a'), field('content', 'a\0b')), 400],
    ['a field that is cut and has U+0000 behind that', bodyOfParts(file('a'), field('cut', `${'x'.repeat(300_000)}\0`)), 400],
    [
      'a field that is cut and ends within a letter',
      bodyOfParts(file('a'), Buffer.concat([Buffer.from(field('cut', 'x'.repeat(300_000))), Buffer.from([0xea])])),
      400,
    ],
    ['a file that is too large', bodyOfParts(file('a'), file('b', long)), 413],
    ['a field that is too large', bodyOfParts(file('a'), field('content', 'x'.repeat(65_537))), 413],
    ['too many files', bodyOfParts(...Array.from({ length: 6 }, () => file('a'))), 413],
    ['thousands of parts', bodyOfParts(file('a'), ...Array.from({ length: 5000 }, () => field('a', 'b'))), 413],
    ['too much in all', bodyOfParts(...Array.from({ length: 4 }, () => file('a', long.slice(2)))), 413],
  ])('[P10] %s', async (_, body, status) => {
    expect(await refusal(body)).toBe(status)
  })

  it.each(['', '; boundary=', `; boundary=${'x'.repeat(71)}`, '; boundary=""'])(
    '[P10] a type that names no boundary: %j',
    async (given) => {
      const head = `POST /form HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: multipart/form-data${given}\r\nContent-Length: 7\r\n\r\n--b--\r\n`
      expect(statusOf(await exchange(port, head))).toBe(400)
    },
  )

  it('[P10] a length that is too large is refused before a byte is stored, and the client sees the answer', async () => {
    const client = await openRaw(port)
    client.send(requestOf('--b\r\n' + file('a'), { length: limits.requestBytesMax + 1 }))
    expect(statusOf(await client.until('\r\n\r\n'))).toBe(413)
    expect(begun).toBe(0)
    client.socket.destroy()
  })

  it('[P10] chunks without end are cut off at the limit', async () => {
    const client = await openRaw(port)
    client.send(chunkedHead)
    for (let at = 0; at < 5; at++) client.send(chunk(`--b\r\n${file('a', 'x'.repeat(900_000))}\r\n`))
    expect(statusOf(await client.until('\r\n\r\n'))).toBe(413)
    expect(stored.size).toBe(0)
    client.socket.destroy()
  })

  it('[P10] an epilogue without end is cut off at the limit', async () => {
    const client = await openRaw(port)
    client.send(`${chunkedHead}${chunk(bodyOfParts(file('a')).toString())}`)
    await until('the file', () => stored.size === 1)
    for (let at = 0; at < 4; at++) client.send(chunk('x'.repeat(900_000)))
    expect(statusOf(await client.until('\r\n\r\n'))).toBe(413)
    expect(stored.size).toBe(0)
    client.socket.destroy()
  })

  it('[P10] a client that goes away in mid-file leaves nothing', async () => {
    const client = await openRaw(port)
    client.send(requestOf(`--b\r\n${file('a')}\r\n--b\r\n${file('b', 'x'.repeat(100_000))}`, { length: 500_000 }))
    await until('a second file', () => begun === 2)
    expect(stored.size).toBe(1)
    client.socket.destroy()
    await until('the end of the request', () => failed !== null)
    expect(failed).toMatchObject({ problem: { kind: 'bad_body' } })
    expect(stored.size).toBe(0)
  })

  it('[P10] what the store throws ends the request, and what it had stored is taken back', async () => {
    store = async (bytes) => {
      if (begun === 1) throw new ProblemError({ kind: 'unavailable' })
      return keep(bytes)
    }
    expect(await refusal(bodyOfParts(file('a'), file('b', 'x'.repeat(500_000)), file('c')))).toBe(503)
  })

  it('[A17] who is refused before his files are read gets his answer while he is still sending', async () => {
    const client = await openRaw(port)
    const request = requestOf('--b\r\n' + file('a'), { path: '/refused', length: 2_000_000 }).toString()
    client.send(request.replace('Connection: close\r\n', ''))
    const answer = await client.until('"unavailable"')
    expect(statusOf(answer)).toBe(503)
    expect(answer.toLowerCase()).toContain('connection: close')
    client.send(Buffer.alloc(1_900_000))
    client.socket.destroy()
  })
})

it.each([
  ['a/b\\c.txt', 'c.txt'],
  ['보고서.hwp'.normalize('NFD'), '보고서.hwp'.normalize('NFD')],
  ['👩‍👩‍👧.png', '👩‍👩‍👧.png'],
  ['a/', 'file'],
  ['\n', 'file'],
])('[P10] of %j the label is %j', (given, label) => {
  expect(labelOf(given)).toBe(label)
})
