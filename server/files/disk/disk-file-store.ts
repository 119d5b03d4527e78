/** Files in a directory that all nodes share. A file is written under another name, made durable and only then renamed to its own. */
import { createHash, randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { mkdir, open, opendir, rename, rm, stat } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { FilesUnavailable, FileTooLarge, isStoredName } from '../file-store.ts'
import type { ByteRange, FileStore, OpenFile, StoredFile } from '../file-store.ts'
import { headBytes, kindOf } from '../kind.ts'

/** Files that are being written. In the same file system, as a rename leads out of it. */
const unfinished = 'unfinished'
const markName = /^madang-([A-Za-z0-9-]{1,100})$/
/** Names that are looked at together. */
const pageSize = 500

/** Makes the directory, with mode 0700, where it is missing. Throws FilesUnavailable. */
export async function openDiskFileStore(directory: string): Promise<FileStore> {
  await orUnavailable(mkdir(join(directory, unfinished), { recursive: true, mode: 0o700 }))
  const pathOf = (name: string) => join(directory, name)
  return {
    put: (bytes, bytesMax) => put(directory, bytes, bytesMax),
    open: async (name) => (isStoredName(name) ? openFile(pathOf(name)) : null),
    remove: async (name) => {
      if (isStoredName(name)) await orUnavailable(rm(pathOf(name), { force: true }))
    },
    listBefore: (before) => listBefore(directory, before),
    removeUnfinished: (before) => removeUnfinished(join(directory, unfinished), before),
    async mark(text) {
      const handle = await orUnavailable(open(pathOf(`madang-${text}`), 'a', 0o600))
      await handle.close()
    },
    listMarks: () => orUnavailable(listMarks(directory)),
    unmark: (text) => orUnavailable(rm(pathOf(`madang-${text}`), { force: true })),
  }
}

async function put(directory: string, bytes: AsyncIterable<Uint8Array>, bytesMax: number): Promise<StoredFile> {
  const random = randomName()
  const path = join(directory, unfinished, random)
  try {
    const { head, sizeBytes, sha256 } = await write(path, bytes, bytesMax)
    const { mimeType, extension } = await kindOf(head, head.length === sizeBytes)
    const name = `${random}.${extension}`
    await orUnavailable(rename(path, join(directory, name)))
    await orUnavailable(syncDirectory(directory))
    return { name, sizeBytes, mimeType, sha256 }
  } catch (error) {
    await rm(path, { force: true }).catch(() => undefined)
    throw error
  }
}

/** 160 bits in lower-case base32 (RFC 4648), which has 32 letters for 5 bits each. */
function randomName(): string {
  return Array.from(randomBytes(32), (byte) => 'abcdefghijklmnopqrstuvwxyz234567'[byte % 32]).join('')
}

async function write(path: string, bytes: AsyncIterable<Uint8Array>, bytesMax: number) {
  const handle = await orUnavailable(open(path, 'wx', 0o600))
  try {
    const hash = createHash('sha256')
    const head: Uint8Array[] = []
    let sizeBytes = 0
    for await (const chunk of bytes) {
      if (sizeBytes + chunk.length > bytesMax) throw new FileTooLarge()
      if (sizeBytes < headBytes) head.push(Buffer.from(chunk.subarray(0, headBytes - sizeBytes)))
      sizeBytes += chunk.length
      hash.update(chunk)
      await orUnavailable(writeWhole(handle, chunk))
    }
    await orUnavailable(handle.sync())
    return { head: Buffer.concat(head), sizeBytes, sha256: hash.digest('hex') }
  } finally {
    await handle.close()
  }
}

async function writeWhole(handle: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let at = 0; at < chunk.length;) at += (await handle.write(chunk, at)).bytesWritten
}

/** So that a new name survives a power cut too. */
async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, constants.O_RDONLY)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function openFile(path: string): Promise<OpenFile | null> {
  const handle = await orUnavailable(open(path, 'r').catch(nullIfMissing))
  if (handle === null) return null
  const { size } = await handle.stat()
  return { sizeBytes: size, read: (range) => read(handle, range), close: () => handle.close() }
}

/** The stream closes the handle. */
function read(handle: FileHandle, range: ByteRange | undefined): AsyncIterable<Uint8Array> {
  return handle.createReadStream(range === undefined ? {} : { start: range.first, end: range.last })
}

async function* listBefore(directory: string, before: number): AsyncIterable<string[]> {
  let page: string[] = []
  for await (const { name } of await orUnavailable(opendir(directory))) {
    if (!isStoredName(name) || !(await isOlder(join(directory, name), before))) continue
    page.push(name)
    if (page.length < pageSize) continue
    yield page
    page = []
  }
  if (page.length > 0) yield page
}

async function removeUnfinished(directory: string, before: number): Promise<void> {
  for await (const { name } of await orUnavailable(opendir(directory))) {
    const path = join(directory, name)
    if (await isOlder(path, before)) await orUnavailable(rm(path, { force: true }))
  }
}

/** False also where it has gone meanwhile. */
async function isOlder(path: string, before: number): Promise<boolean> {
  const found = await orUnavailable(stat(path).catch(nullIfMissing))
  return found !== null && found.mtimeMs < before
}

async function listMarks(directory: string): Promise<string[]> {
  const marks: string[] = []
  for await (const { name } of await opendir(directory)) {
    const mark = markName.exec(name)?.[1]
    if (mark !== undefined) marks.push(mark)
  }
  return marks
}

function nullIfMissing(error: NodeJS.ErrnoException): null {
  if (error.code === 'ENOENT') return null
  throw error
}

async function orUnavailable<T>(attempt: Promise<T>): Promise<T> {
  try {
    return await attempt
  } catch (error) {
    throw new FilesUnavailable(error instanceof Error ? error.message : String(error), { cause: error })
  }
}
