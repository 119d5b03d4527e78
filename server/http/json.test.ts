import { expect, test } from 'vitest'
import { parseJson, parseJsonText, isSafeText } from './json.ts'
import { ProblemError } from './problems.ts'
import type { Problem } from './problems.ts'

function problemFrom(call: () => unknown): Problem {
  try {
    call()
  } catch (error) {
    if (error instanceof ProblemError) return error.problem
    throw error
  }
  throw new Error('nothing was refused')
}

test('[A4] a body that is not UTF-8 is refused', () => {
  for (const bytes of [
    [0x22, 0xff, 0x22],
    [0x22, 0xc0, 0x80, 0x22],
    [0x22, 0xed, 0xa0, 0x80, 0x22],
    [0x22, 0xec, 0x95],
  ]) {
    expect(problemFrom(() => parseJson(Buffer.from(bytes))).kind).toBe('bad_encoding')
  }
})

test('[A4] U+0000 and lone surrogates are refused wherever they stand, and the place is told', () => {
  const bad: [string, (string | number)[]][] = [
    ['"\\u0000"', []],
    ['{"a":[1,{"b":"x\\ud800"}]}', ['a', 1, 'b']],
    ['{"a":"\\udc00\\ud800"}', ['a']],
    ['{"a":{"k\\u0000":1}}', ['a']],
  ]
  for (const [text, path] of bad) {
    expect(
      problemFrom(() => parseJsonText(text)),
      text,
    ).toMatchObject({ kind: 'validation', issues: [{ path, code: 'unsafe_text', location: 'body' }] })
  }
})

test('[A4] text that only looks like it is kept to the byte', () => {
  expect(parseJsonText('"\\\\u0000 \\\\ud800"')).toBe('\\u0000 \\ud800')
  expect(parseJsonText('"\\ud83d\\ude00 é 한"')).toBe('😀 é 한')
  expect(isSafeText('한글 😀')).toBe(true)
})

test('[A3] nesting up to 64 is read, deeper is broken JSON, and 100,000 deep does no harm', () => {
  const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth)
  expect(parseJsonText(nested(64))).toBeInstanceOf(Array)
  expect(problemFrom(() => parseJsonText(nested(65)))).toMatchObject({ kind: 'bad_body', position: 64 })
  expect(problemFrom(() => parseJsonText(nested(100_000))).kind).toBe('bad_body')
  expect(problemFrom(() => parseJsonText('{"a":'.repeat(100_000))).kind).toBe('bad_body')
})

test('[A3] brackets inside strings are not nesting', () => {
  const text = `${'['.repeat(200)}"\\`
  expect(parseJsonText(JSON.stringify([text, text]))).toEqual([text, text])
})

test('[A3] broken JSON tells where it broke, where that is known', () => {
  expect(problemFrom(() => parseJsonText('{"a" 1}'))).toEqual({ kind: 'bad_body', position: 5 })
  expect(problemFrom(() => parseJsonText('[1,2'))).toMatchObject({ kind: 'bad_body', position: 4 })
  expect(problemFrom(() => parseJsonText('"'))).toMatchObject({ kind: 'bad_body' })
})

test('[A3] ten megabytes of quotes, brackets and backslashes are read to the end', () => {
  for (const part of ['"', '[', '\\', '"\\']) {
    expect(problemFrom(() => parseJson(Buffer.from(part.repeat(5_000_000)))).kind).toBe('bad_body')
  }
  const long = `"${'x'.repeat(10_000_000)}"`
  expect(parseJson(Buffer.from(long))).toHaveLength(10_000_000)
})

test('[A3] a key called __proto__ stays a key', () => {
  expect(Object.keys(parseJsonText('{"__proto__":{"a":1}}') as object)).toEqual(['__proto__'])
})
