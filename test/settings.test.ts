import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parseConfig, settingNames } from '../server/app/config.ts'
import { createMetrics } from '../server/app/metrics.ts'
import type { Sessions } from '../server/core/sessions.ts'
import { readTables } from './documents.ts'

const tables = readTables(readFileSync(new URL('../docs/operations.md', import.meta.url), 'utf8'))
const example = readFileSync(new URL('../.env.example', import.meta.url), 'utf8')
const secret = 'Zq7-only-for-this-suite-0123456789abcdef'
const rows = tables.find((table) => table[0]?.setting !== undefined)!

describe('docs/operations.md', () => {
  it('lists each setting, in the order of the schema, and no other', () => {
    expect(rows.map((row) => row.setting)).toEqual(settingNames)
  })

  it.each(rows.filter((row) => row.default !== 'none'))('tells the default of $setting: $default', (row) => {
    const usual = parseConfig({ JWT_SECRET: secret }, false)
    expect(parseConfig({ JWT_SECRET: secret, [row.setting!]: row.default }, false)).toEqual(usual)
  })

  it('lists each metric of ours, and no other', async () => {
    const metrics = createMetrics()
    const sessions = { count: () => new Map(), queuedBytes: () => 0 } as Partial<Sessions> as Sessions
    metrics.watch({ sessions, searchLagMs: () => 0 })
    const printed = [...(await metrics.print()).matchAll(/^# TYPE (madang_\w+)/gm)].map(([, name]) => name)
    const documented = tables.find((table) => table[0]?.metric !== undefined)!.map((row) => row.metric)
    expect(new Set(documented)).toEqual(new Set(printed))
  })
})

describe('compose.yaml', () => {
  const compose = readFileSync(new URL('../compose.yaml', import.meta.url), 'utf8')
  const asked = new Set([...compose.matchAll(/\$\{([A-Z_]+)/g)].map(([, name]) => name!))
  /** Its own: the port inside, the directories of the image, its services; and another name of `JWT_SECRET`. */
  const settled = ['PORT', 'HOST', 'DATA_DIR', 'FILES_DIR', 'DATABASE_URL', 'REDIS_URL', 'SECRET_KEY']

  it('passes every setting on that it does not settle itself', () => {
    const passed = [...compose.matchAll(/^ {6}([A-Z_]+): \$\{\1:/gm)].map(([, name]) => name!)
    const wanted = settingNames.filter((name) => !settled.includes(name))
    expect(passed.filter((name) => name !== 'POSTGRES_PASSWORD').toSorted()).toEqual(wanted.toSorted())
  })

  it('takes them from .env, of which .env.example has each and no other', () => {
    const named = [...example.matchAll(/^(?:# )?([A-Z_]+)=/gm)].map(([, name]) => name!)
    expect(named.toSorted()).toEqual([...asked].toSorted())
  })

  it('.env.example tells the defaults', () => {
    const lines = [...example.matchAll(/^(?:# )?([A-Z_]+)=(?!.*…)(.+)$/gm)]
    const told = lines
      .filter(([, name]) => name !== 'POSTGRES_PASSWORD')
      .map(([, name, value]) => [name!, value!.replaceAll("'", '')])
    const usual = parseConfig({ JWT_SECRET: secret }, false)
    expect(parseConfig({ JWT_SECRET: secret, ...(Object.fromEntries(told) as Record<string, string>) }, false)).toEqual(usual)
  })
})
