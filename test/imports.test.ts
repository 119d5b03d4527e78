/** The rules of who may import whom hold for the project, and would be noticed where they did not: each fails on a planted breach. */
import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const project = fileURLToPath(new URL('..', import.meta.url))
const depcruise = join(project, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs')
const oxlint = join(project, 'node_modules/oxlint/bin/oxlint')
const config = '.dependency-cruiser.cjs'

interface Result {
  code: number
  output: string
}

function check(directory: string, folders: string[]): Promise<Result> {
  return run(directory, [depcruise, '--config', config, ...folders])
}

function lint(directory: string, folders: string[]): Promise<Result> {
  return run(directory, [oxlint, '--format', 'unix', ...folders])
}

function run(directory: string, words: string[]): Promise<Result> {
  return new Promise((resolve) => {
    execFile(process.execPath, words, { cwd: directory, maxBuffer: 1 << 24 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), output: stdout + stderr })
    })
  })
}

interface Breach {
  rule: string
  /** Where the import is planted, and what it imports. */
  from: string
  to: string
}

const breaches: Breach[] = [
  { rule: 'no-cycles', from: 'server/core/x.ts', to: 'server/core/y.ts' },
  { rule: 'core-knows-only-itself-and-the-ports', from: 'server/core/x.ts', to: 'server/http/y.ts' },
  { rule: 'core-knows-only-itself-and-the-ports', from: 'server/core/actions/x.ts', to: 'server/dialects/feed/y.ts' },
  { rule: 'core-knows-only-itself-and-the-ports', from: 'server/core/x.ts', to: 'server/storage/memory/y.ts' },
  { rule: 'core-knows-only-itself-and-the-ports', from: 'server/core/x.ts', to: 'node:fs' },
  { rule: 'ports-know-only-plain-types', from: 'server/storage/storage.ts', to: 'server/core/journal.ts' },
  { rule: 'adapters-know-their-port-and-plain-types', from: 'server/storage/postgres/x.ts', to: 'server/storage/memory/y.ts' },
  { rule: 'adapters-know-their-port-and-plain-types', from: 'server/bus/memory/x.ts', to: 'server/core/hub.ts' },
  { rule: 'adapters-know-their-port-and-plain-types', from: 'server/registry/redis/x.ts', to: 'server/bus/redis/y.ts' },
  { rule: 'kits-know-no-chat', from: 'server/http/x.ts', to: 'server/core/y.ts' },
  { rule: 'kits-know-no-chat', from: 'server/redis/x.ts', to: 'server/bus/redis/y.ts' },
  { rule: 'dialects-know-core-and-http', from: 'server/dialects/feed/x.ts', to: 'server/dialects/guild/y.ts' },
  { rule: 'dialects-know-core-and-http', from: 'server/dialects/guild/x.ts', to: 'server/storage/memory/y.ts' },
  { rule: 'browser-and-server-know-nothing-of-each-other', from: 'server/dialects/widget/x.ts', to: 'web/y.ts' },
  { rule: 'browser-and-server-know-nothing-of-each-other', from: 'web/panel/x.ts', to: 'server/core/y.ts' },
  { rule: 'the-loader-has-nothing-but-itself', from: 'web/loader/x.ts', to: 'web/panel/y.ts' },
  { rule: 'nobody-imports-app', from: 'server/http/x.ts', to: 'server/app/y.ts' },
  { rule: 'no-test-code-in-the-server', from: 'server/dialects/feed/x.ts', to: 'test/y.ts' },
  { rule: 'no-development-dependencies-in-the-server', from: 'server/http/x.ts', to: 'fast-check' },
]

/** Of files with JSX in them, which dependency-cruiser does not read: the linter does. */
const jsxBreaches = [
  { from: 'web/panel/x.tsx', to: 'server/core/y.ts' },
  { from: 'web/loader/x.ts', to: 'web/panel/y.tsx' },
  { from: 'server/dialects/widget/x.ts', to: 'web/panel/y.tsx' },
]

let place: string

beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'madang-imports-'))
})
afterAll(() => rm(place, { recursive: true, force: true }))

/** A tree of its own with nothing but these imports in it; the file that is imported imports back where the rule is about cycles. */
async function plant(name: string, planted: Breach[]): Promise<string> {
  const directory = join(place, name)
  await mkdir(directory)
  for (const file of [config, '.oxlintrc.json', 'tsconfig.json', 'package.json'])
    await cp(join(project, file), join(directory, file))
  await symlink(join(project, 'node_modules'), join(directory, 'node_modules'))
  for (const { rule, from, to } of planted) {
    const isFile = /\.tsx?$/.test(to)
    if (isFile) await write(directory, to, rule === 'no-cycles' ? importOf(to, from) : '')
    await write(directory, from, isFile ? importOf(from, to) : `import * as planted from '${to}'\nexport const used = planted\n`)
  }
  return directory
}

/** All in one tree, as a look at it takes a second: each has files of its own. */
function apart({ rule, from, to }: Breach, nth: number): Breach {
  return { rule, from: from.replace('/x.ts', `/x${nth}.ts`), to: to.replace('/y.ts', `/y${nth}.ts`) }
}

function importOf(from: string, to: string): string {
  const up = '../'.repeat(dirname(from).split('/').length)
  return `import { planted as other } from '${up}${to}'\nexport const used = other\n`
}

async function write(directory: string, path: string, text: string): Promise<void> {
  await mkdir(dirname(join(directory, path)), { recursive: true })
  await writeFile(join(directory, path), `${text}export const planted = 1\n`)
}

describe('who imports whom', () => {
  it('is as designed in the whole project', { timeout: 120_000 }, async () => {
    expect(await check(project, ['server', 'web', 'test', 'bench'])).toMatchObject({ code: 0 })
  })

  describe('is noticed where it is not', () => {
    let found: Result
    beforeAll(async () => {
      found = await check(await plant('breaches', breaches.map(apart)), ['server', 'web'])
    })

    it.each(breaches.map((breach, nth) => ({ ...breach, nth })))('$rule: $from may not import $to', (breach) => {
      expect(found.output).toContain(`error ${breach.rule}: ${apart(breach, breach.nth).from} `)
      expect(found.code).toBeGreaterThan(0)
    })
  })

  it('is noticed where it is not by a file with JSX, or of one', async () => {
    const planted = jsxBreaches.map((breach) => ({ rule: '', ...breach }))
    const good = { rule: '', from: 'web/panel/good.tsx', to: 'web/panel/y.tsx' }
    const found = await lint(await plant('jsx', [...planted, good]), ['server', 'web'])
    const files = [...found.output.matchAll(/^(\S+?):\d.*no-restricted-imports/gm)].map(([, file]) => file!)
    expect(files.toSorted()).toEqual(jsxBreaches.map(({ from }) => from).toSorted())
    expect(found.code).toBeGreaterThan(0)
  })

  it('says nothing of a tree that keeps them', async () => {
    const directory = await plant('good', [{ rule: '', from: 'server/dialects/feed/x.ts', to: 'server/core/y.ts' }])
    expect(await check(directory, ['server'])).toMatchObject({ code: 0 })
  })

  it('every rule has a planted breach', async () => {
    const { default: rules } = (await import(join(project, config))) as { default: { forbidden: { name: string }[] } }
    expect([...new Set(breaches.map(({ rule }) => rule))].toSorted()).toEqual(rules.forbidden.map(({ name }) => name).toSorted())
  })
})
