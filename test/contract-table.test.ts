/** Which sentence of the contracts is held by which test. The table is printed; a sentence that nothing holds is a failure. */
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { sentences } from './contract-table.ts'

const project = fileURLToPath(new URL('..', import.meta.url))

interface Title {
  file: string
  text: string
  rules: string[]
}

/** A test's title, in any of its quotes, whatever stands between the function's name and it. */
const titlePattern =
  /\b(?:it|test|describe)\b(?:\.\w+)*(?:<[^(]*>)?(?:\([^()'"`]*\)|\(\[[\s\S]*?\]\))?\(\s*(['"`])((?:\\.|(?!\1)[^\\])*)\1/g
const rulesPattern = /\[([A-Z]\d+)\]/g

function readTitles(): Title[] {
  const files = ['server', 'test'].flatMap((folder) =>
    readdirSync(join(project, folder), { recursive: true, encoding: 'utf8' }).map((file) => join(project, folder, file)),
  )
  // The storage contract's tests stand in modules that each adapter's test file runs.
  const tests = files.filter((file) => file.endsWith('.test.ts') || /contract\/\w+\.ts$/.test(file))
  return tests.flatMap((file) =>
    titlesIn(readFileSync(file, 'utf8')).map((text) => ({ file: relative(project, file), text, rules: rulesOf(text) })),
  )
}

function titlesIn(source: string): string[] {
  const direct = [...source.matchAll(titlePattern)].map(([, , title]) => title!)
  // Tables of tests: `it.each(rows)('title', ...)` with rows of any shape.
  const tabled = [...source.matchAll(/\)\(\s*(['"`])(\[[A-Z]\d+(?:\\.|(?!\1)[^\\])*)\1/g)].map(([, , title]) => title!)
  return [...new Set([...direct, ...tabled])]
}

function rulesOf(title: string): string[] {
  return [...title.matchAll(rulesPattern)].map(([, rule]) => rule!)
}

const titles = readTitles()
const testsOf = (rule: string) => titles.filter(({ rules }) => rules.includes(rule))

it.each(sentences)('$rule ($says) is held by a test', ({ rule }) => {
  expect(testsOf(rule).map(({ text }) => text)).not.toEqual([])
})

it('no title names a rule that there is not', () => {
  const known = new Set(sentences.map(({ rule }) => rule))
  const unknown = titles.filter(({ rules }) => rules.some((rule) => !known.has(rule)))
  expect(unknown).toEqual([])
})

it('prints the table', () => {
  const lines = sentences.flatMap(({ rule, says }) => [
    '',
    `${rule.padEnd(4)} ${says}`,
    ...testsOf(rule).map(({ file, text }) => `       ${file}: ${text.replaceAll(/\\(.)/g, '$1')}`),
  ])
  process.stdout.write(`\nSentence of the contract -> its tests\n${lines.join('\n')}\n\n`)
  expect(lines.length).toBeGreaterThan(2 * sentences.length)
})
