/** The browser's files (web/): in production as `npm run build` left them beside the bundle, in development built when first asked for. */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'

export interface WebFile {
  type: string
  bytes: Buffer
  gzipped: Buffer
  /** Weak, as it stands for both codings. */
  etag: string
}

/** By path below their folder: `widget.js`, `index.html`, `assets/…`. */
export type WebFiles = ReadonlyMap<string, WebFile>

const types: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
}

const builtDirectory = fileURLToPath(new URL('web', import.meta.url))
const repository = fileURLToPath(new URL('../../..', import.meta.url))

/** Once; a failed attempt is made again at the next call. */
export function createWebFiles(): () => Promise<WebFiles> {
  let files: Promise<WebFiles> | null = null
  return () =>
    (files ??= load().catch((error: unknown) => {
      files = null
      throw error
    }))
}

function load(): Promise<WebFiles> {
  return existsSync(builtDirectory) ? readWebFiles(builtDirectory) : buildAndRead()
}

/** Vite runs in processes of its own: it is a development dependency, and would hold up the event loop. */
async function buildAndRead(): Promise<WebFiles> {
  const directory = await mkdtemp(join(tmpdir(), 'madang-web-'))
  try {
    await Promise.all([runVite(directory), runVite(directory, '--mode', 'loader')])
    return await readWebFiles(directory)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

function runVite(directory: string, ...more: string[]): Promise<unknown> {
  const vite = join(createRequire(import.meta.url).resolve('vite/package.json'), '../bin/vite.js')
  const env = { ...process.env, NODE_ENV: 'production' }
  return promisify(execFile)(process.execPath, [vite, 'build', '--outDir', directory, ...more], { cwd: repository, env })
}

export async function readWebFiles(directory: string): Promise<WebFiles> {
  const found = await readdir(directory, { recursive: true, withFileTypes: true })
  const names = found.filter((one) => one.isFile()).map((one) => join(one.parentPath, one.name).slice(directory.length + 1))
  return new Map(await Promise.all(names.map(async (name) => [name, await readWebFile(join(directory, name))] as const)))
}

async function readWebFile(path: string): Promise<WebFile> {
  const bytes = await readFile(path)
  const etag = `W/"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`
  return { type: types[extname(path)] ?? 'application/octet-stream', bytes, gzipped: await promisify(gzip)(bytes), etag }
}
