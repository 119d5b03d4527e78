/** The lines themselves, byte for byte. */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import type { LogLevel, LogSubject } from '../core/log.ts'
import { until } from '../../test/chat.ts'
import { createManualClock } from '../../test/manual-clock.ts'
import { openLog, type LogSettings } from './log.ts'

const at = Date.parse('2025-07-15T14:32:10.245Z')
const pid = process.pid
const onlyTerminal: LogSettings = {
  level: 'debug',
  format: 'text',
  file: null,
  lokiUrl: null,
  elasticsearchUrl: null,
  slackUrl: null,
  mail: null,
}

function open(settings: Partial<LogSettings> = {}) {
  const lines: string[] = []
  const terminal = {
    name: 'the terminal',
    write: (line: string) => void lines.push(line),
    takeDropped: () => 0,
    close: async () => {},
  }
  return { lines, log: openLog({ ...onlyTerminal, ...settings }, createManualClock(at), terminal) }
}

function print(level: LogLevel, text: string, about?: LogSubject, settings?: Partial<LogSettings>): string {
  const { lines, log } = open(settings)
  log[level](text, about)
  return lines.join('')
}

/** With a stack that does not change from run to run. */
function errorWith(message: string, frames: string[] = ['f (file.ts:1:2)'], more: object = {}): Error {
  const error = Object.assign(new Error(message), more)
  error.stack = `Error: ${message}\n${frames.map((frame) => `    at ${frame}`).join('\n')}`
  return error
}

describe('a line', () => {
  it('[C11] is as the contract prints it, with user and room', () => {
    const line = print('info', 'Room created successfully.', { userId: 'user123', roomId: 'room789' })
    expect(line).toBe(`[2025-07-15T14:32:10.245Z] [INFO] [PID:${pid}] [user123] [room789] - Room created successfully.\n`)
  })

  it('[C11] has a user and a room only where there are any', () => {
    const head = `[2025-07-15T14:32:10.245Z] [WARN] [PID:${pid}]`
    expect(print('warn', 'A')).toBe(`${head} - A\n`)
    expect(print('warn', 'A', { userId: 'lea' })).toBe(`${head} [lea] - A\n`)
    expect(print('warn', 'A', { roomId: 7 })).toBe(`${head} [7] - A\n`)
    expect(print('warn', 'A', { userId: undefined, roomId: undefined, error: undefined })).toBe(`${head} - A\n`)
  })

  it.each(['debug', 'info', 'warn'] as const)('[C11] names its level: %s', (level) => {
    expect(print(level, 'A')).toBe(`[2025-07-15T14:32:10.245Z] [${level.toUpperCase()}] [PID:${pid}] - A\n`)
  })

  it('[C11] escapes CR, LF and ] in ids and in the message, and the sign that escapes', () => {
    const line = print('info', 'a\r\nb] c\\d', { userId: 'x] [1', roomId: 'y\r\n[2025' })
    expect(line).toBe(String.raw`[2025-07-15T14:32:10.245Z] [INFO] [PID:${pid}] [x\] [1] [y\r\n[2025] - a\r\nb\] c\\d` + '\n')
  })

  it('[C11] escapes what could steer a terminal or end a line elsewhere, and leaves Hangul and emoji', () => {
    const line = print('info', 'a\u001b[31m\u0000\t\u0085\u2028 안녕 👋', { userId: '김철수' })
    const shown = String.raw`a\u001b[31m\u0000\t\u0085\u2028 안녕 👋`
    expect(line).toBe(`[2025-07-15T14:32:10.245Z] [INFO] [PID:${pid}] [김철수] - ${shown}\n`)
  })
})

describe('an error', () => {
  const head = `[2025-07-15T14:32:10.245Z] [ERROR] [PID:${pid}] [lea] [7] - It broke.\n`
  const about = { userId: 'lea', roomId: 7 }

  it('[C11] has its stack below it, each line indented', () => {
    const error = errorWith('disk full', ['write (disk.ts:7:9)', 'async Promise.all (index 0)'], { code: 'ENOSPC' })
    expect(print('error', 'It broke.', { ...about, error })).toBe(
      `${head}    Error (ENOSPC): disk full\n        at write (disk.ts:7:9)\n        at async Promise.all (index 0)\n`,
    )
  })

  it('[C11] has a stack also where nothing was thrown: that of its own place', () => {
    const [first, ...stack] = print('error', 'It broke.', about).trimEnd().split('\n')
    expect(`${first}\n`).toBe(head)
    expect(stack[0]).toBe('    Trace')
    expect(stack.slice(1).every((line) => line.startsWith('        at '))).toBe(true)
    expect(stack.join()).toContain('log.test.ts')
  })

  it.each([
    ['invalid input syntax for type integer: "hunter2"', 'invalid input syntax for type integer: "…"'],
    ['Unexpected token \'h\', "hunter2\n" is not valid JSON', 'Unexpected token \'…\', "…" is not valid JSON'],
    [`a "hunter2" that holds "hunter2`, 'a "…"'],
    ["The argument 'path' can't be. Received 'hunter2'", "The argument '…'"],
    ['no `hunter2` here', 'no `…` here'],
    ["it doesn't say", "it doesn't say"],
  ])('[C11] is told without the values that its message quotes: %s', (message, shown) => {
    const printed = print('error', 'It broke.', { ...about, error: errorWith(message) })
    expect(printed).toBe(`${head}    Error: ${shown}\n        at f (file.ts:1:2)\n`)
  })

  it('[C11] is told without values also where its message looks like frames or ends a line', () => {
    const error = errorWith('bad\r\n    at hunter2 (x)\n[2025-07-15T14:32:10.245Z] [INFO] [PID:1] - forged \u001b[0m')
    const lines = print('error', 'It broke.', { ...about, error }).split('\n')
    expect(lines.filter((line) => !line.startsWith('    '))).toEqual([head.trimEnd(), ''])
    expect(lines.filter((line) => line.includes('hunter2'))).toHaveLength(1)
    expect(lines.join()).not.toContain('\u001b')
  })

  it('[C11] tells its causes, and of what is no Error its type alone', () => {
    const cause = errorWith('deeper')
    expect(print('error', 'It broke.', { ...about, error: errorWith('up', ['g (a.ts:1:1)'], { cause }) })).toBe(
      `${head}    Error: up\n        at g (a.ts:1:1)\n    Caused by: Error: deeper\n        at f (file.ts:1:2)\n`,
    )
    expect(print('error', 'It broke.', { ...about, error: 'hunter2' })).toBe(`${head}    thrown: string\n`)
  })

  it('[A6] holds no token, whatever it got into', () => {
    const token = 'eyJhbGciOiJIUzI1NiJ9.eyJpZCI6MX0.c2lnbmF0dXJl'
    for (const format of ['text', 'json'] as const) {
      const printed = print(
        'error',
        `GET /${token} failed`,
        { userId: token, roomId: token, error: errorWith(token) },
        { format },
      )
      expect(printed).not.toContain('eyJ')
      expect(printed).not.toContain('c2lnbmF0dXJl')
    }
  })
})

describe('LOG_FORMAT=json', () => {
  it('[C11] is an object a line', () => {
    const printed = print('info', 'Room "created".', { userId: 'lea]', roomId: 7 }, { format: 'json' })
    expect(printed).toBe(
      `{"level":"info","time":"2025-07-15T14:32:10.245Z","pid":${pid},"userId":"lea]","roomId":"7","msg":"Room \\"created\\"."}\n`,
    )
    expect(JSON.parse(print('error', 'It broke.', { error: errorWith('x') }, { format: 'json' }))).toEqual({
      level: 'error',
      time: '2025-07-15T14:32:10.245Z',
      pid,
      error: 'Error: x\n    at f (file.ts:1:2)',
      msg: 'It broke.',
    })
  })
})

describe('LOG_LEVEL', () => {
  it.each([
    ['debug', ['debug', 'info', 'warn', 'error']],
    ['info', ['info', 'warn', 'error']],
    ['warn', ['warn', 'error']],
    ['error', ['error']],
  ] as const)('%s writes no line below it', (level, written) => {
    const { lines, log } = open({ level, format: 'json' })
    const levels = ['debug', 'info', 'warn', 'error'] as const
    for (const each of levels) log[each]('A')
    expect(lines.map((line) => JSON.parse(line).level)).toEqual(written)
    expect(levels.filter((each) => log.isOn(each))).toEqual(written)
  })
})

describe('LOG_FILE', () => {
  it('[C11] that cannot be written costs a word on the terminal', async () => {
    const { lines, log } = open({ file: join(fileURLToPath(import.meta.url), 'madang.log') })
    log.info('A')
    await until('the word', () => lines.length === 2)
    expect(lines[1]).toMatch(/\[WARN\] \[PID:\d+\] - LOG_FILE cannot be written \(E[A-Z]+\); it is tried again each 10 s\n$/)
    await log.close()
  })
})
