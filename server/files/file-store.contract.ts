/** The suite that every adapter of file-store.ts runs. `open` gives it a store with nothing in it, once per test. */
import { createHash } from 'node:crypto'
import { describe, expect, it, onTestFinished } from 'vitest'
import { FileTooLarge, isStoredName, type FileStore } from './file-store.ts'

export interface ContractFiles {
  files: FileStore
  /** What a crash would leave of a file whose bytes have begun to come. */
  leaveUnfinished(): Promise<void>
  /** How many unfinished files there are. */
  countUnfinished(): Promise<number>
  close(): Promise<void>
}

const png = Buffer.from('89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489', 'hex')
const pdf = Buffer.from('%PDF-1.7\n%âãÏÓ\n', 'latin1')
const mebibyte = 1024 * 1024

async function* chunksOf(...chunks: (Buffer | Error)[]): AsyncGenerator<Buffer, void> {
  for (const chunk of chunks) {
    if (chunk instanceof Error) throw chunk
    yield chunk
  }
}

async function bytesOf(bytes: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of bytes) chunks.push(chunk)
  return Buffer.concat(chunks)
}

async function namesIn(files: FileStore, before = Number.POSITIVE_INFINITY): Promise<string[]> {
  const names: string[] = []
  for await (const page of files.listBefore(before)) names.push(...page)
  return names.toSorted()
}

export function fileStoreContract(name: string, open: () => Promise<ContractFiles>): void {
  async function openOne(): Promise<ContractFiles> {
    const opened = await open()
    onTestFinished(() => opened.close())
    return opened
  }

  const put = (files: FileStore, ...chunks: (Buffer | Error)[]) => files.put(chunksOf(...chunks), 10 * mebibyte)

  describe(`files: ${name}`, () => {
    it('[P10] gives back the bytes, their number and their hash', async () => {
      const { files } = await openOne()
      const chunks = Array.from({ length: 40 }, (_, index) => Buffer.alloc(50_000, index))
      const whole = Buffer.concat(chunks)
      const stored = await put(files, ...chunks)
      expect(stored).toMatchObject({ sizeBytes: whole.length, sha256: createHash('sha256').update(whole).digest('hex') })
      const file = await files.open(stored.name)
      expect(file?.sizeBytes).toBe(whole.length)
      expect((await bytesOf(file!.read())).equals(whole)).toBe(true)
    })

    it('[P10] gives back a range of the bytes, both its ends included', async () => {
      const { files } = await openOne()
      const { name: stored } = await put(files, Buffer.from('0123456789'))
      const file = await files.open(stored)
      expect((await bytesOf(file!.read({ first: 2, last: 5 }))).toString()).toBe('2345')
    })

    it('[P10] stored names are random, one for each file, also of equal ones', async () => {
      const { files } = await openOne()
      const stored = await Promise.all(Array.from({ length: 50 }, () => put(files, Buffer.from('same'))))
      const names = stored.map((one) => one.name)
      expect(new Set(names).size).toBe(50)
      expect(names.every(isStoredName)).toBe(true)
      expect(await namesIn(files)).toEqual(names.toSorted())
    })

    it.each([
      ['a PNG', png, 'image/png', 'png'],
      ['a PDF', pdf, 'application/pdf', 'pdf'],
      ['a text', Buffer.from('안녕하세요\n'), 'text/plain', 'txt'],
      ['HTML', Buffer.from('<!doctype html><script>alert(1)</script>'), 'text/plain', 'txt'],
      ['an SVG', Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'), 'text/plain', 'txt'],
      ['a text whose head ends inside a character', Buffer.from(`${'a'.repeat(4099)}가나`), 'text/plain', 'txt'],
      ['bytes that are nothing', Buffer.from([1, 2, 3, 0xff, 0xfe]), null, 'bin'],
      ['control characters', Buffer.from([1, 2, 3]), null, 'bin'],
      ['a text that is cut', Buffer.from('가').subarray(0, 2), null, 'bin'],
      ['nothing', Buffer.alloc(0), null, 'bin'],
    ])('[P10] the bytes of %s decide its type and extension', async (_, bytes, mimeType, extension) => {
      const { files } = await openOne()
      // Byte by byte, as they may come.
      const stored = await put(files, ...Array.from(bytes, (byte) => Buffer.from([byte])))
      expect(stored.mimeType).toBe(mimeType)
      expect(stored.name.split('.')[1]).toBe(extension)
    })

    it('[P10] what is larger than may be is refused, and nothing of it is left', async () => {
      const { files, countUnfinished } = await openOne()
      const exact = await files.put(chunksOf(Buffer.alloc(60), Buffer.alloc(40)), 100)
      await expect(files.put(chunksOf(Buffer.alloc(60), Buffer.alloc(41)), 100)).rejects.toThrow(FileTooLarge)
      expect(await namesIn(files)).toEqual([exact.name])
      expect(await countUnfinished()).toBe(0)
    })

    it('[P10] of bytes that break off nothing is left, and their error is told', async () => {
      const { files, countUnfinished } = await openOne()
      await expect(put(files, Buffer.alloc(mebibyte), new Error('broken off'))).rejects.toThrow('broken off')
      expect(await namesIn(files)).toEqual([])
      expect(await countUnfinished()).toBe(0)
    })

    it('[P10] a file is seen under its name only once it is whole', async () => {
      const { files, countUnfinished } = await openOne()
      let seen = -1
      async function* watched(): AsyncGenerator<Buffer, void> {
        yield Buffer.alloc(mebibyte)
        expect(await countUnfinished()).toBe(1)
        seen = (await namesIn(files)).length
        yield Buffer.alloc(mebibyte)
      }
      await files.put(watched(), 10 * mebibyte)
      expect(seen).toBe(0)
      expect(await countUnfinished()).toBe(0)
    })

    it('[P10] what was removed is gone, and removing it again is fine', async () => {
      const { files } = await openOne()
      const [first, second] = [await put(files, png), await put(files, png)]
      await files.remove(first.name)
      await files.remove(first.name)
      expect(await files.open(first.name)).toBeNull()
      expect(await namesIn(files)).toEqual([second.name])
    })

    it('[P10] a file that is being read is read to its end though it is removed', async () => {
      const { files } = await openOne()
      const { name: stored } = await put(files, Buffer.alloc(mebibyte, 7))
      const file = await files.open(stored)
      await files.remove(stored)
      expect((await bytesOf(file!.read())).length).toBe(mebibyte)
    })

    it.each([
      '',
      '.',
      '..',
      '../secret',
      '/etc/passwd',
      'madang-database-x',
      'unfinished',
      `${'a'.repeat(32)}.png`,
      `${'a'.repeat(32)}.png/..`,
      `..\\${'a'.repeat(32)}.png`,
      `${'a'.repeat(32)}.png\0`,
      `${'A'.repeat(32)}.png`,
    ])('[P10] %j is no file, and nothing is removed by it', async (given) => {
      const { files } = await openOne()
      await files.mark('database-x')
      await put(files, png)
      expect(await files.open(given)).toBeNull()
      await files.remove(given)
      expect(await files.listMarks()).toEqual(['database-x'])
      expect(await namesIn(files)).toHaveLength(1)
    })

    it('[P10] only files from before a time are listed, and only what was begun before it is removed as unfinished', async () => {
      const { files, leaveUnfinished, countUnfinished } = await openOne()
      const { name: stored } = await put(files, png)
      await leaveUnfinished()
      const [past, future] = [Date.now() - 60_000, Date.now() + 60_000]
      expect([await namesIn(files, past), await namesIn(files, future)]).toEqual([[], [stored]])
      await files.removeUnfinished(past)
      expect(await countUnfinished()).toBe(1)
      await files.removeUnfinished(future)
      expect(await countUnfinished()).toBe(0)
      expect(await namesIn(files)).toEqual([stored])
    })

    it('[M1] marks are seen until they are taken away, and are no files', async () => {
      const { files } = await openOne()
      for (const mark of ['node-1-a', 'node-1-a', 'database-b']) await files.mark(mark)
      expect((await files.listMarks()).toSorted()).toEqual(['database-b', 'node-1-a'])
      expect(await namesIn(files)).toEqual([])
      for (const mark of ['node-1-a', 'node-9-z']) await files.unmark(mark)
      expect(await files.listMarks()).toEqual(['database-b'])
    })
  })
}
