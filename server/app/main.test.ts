/** The process itself: it ends when it is told to or cannot go on, and never without a word. */
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { expect, it, onTestFinished } from 'vitest'
import { until } from '../../test/chat.ts'
import { spawnChild, startChild } from '../../test/child.ts'
import { done, enroll, feedHistory, makeGroup, post, type Place } from '../../test/clients.ts'
import { openTcpProxy } from '../../test/tcp-proxy.ts'
import { describeServer, makeSchema, makeStartedDir } from '../storage/postgres/testing.ts'

async function freshDir(): Promise<string> {
  const { dataDir, remove } = await makeStartedDir()
  onTestFinished(remove)
  return dataDir
}

/** Runs in the child before anything else. */
function preload(script: string): string {
  return `--import=data:text/javascript,${encodeURIComponent(script)}`
}

it('[M1] a start beside a process that holds the directory and does not answer ends with 1 and says why', async () => {
  const DATA_DIR = await freshDir()
  const hung = createServer(() => undefined)
  await new Promise<void>((resolve) => hung.listen(join(DATA_DIR, 'lock-5.sock'), resolve))
  onTestFinished(() => void hung.close())
  const child = spawnChild({ env: { DATA_DIR } })
  expect(await child.exited).toEqual({ code: 1, signal: null })
  expect(child.output()).toContain(`${DATA_DIR} is in use by another Madang`)
})

it('[M1] a start that waits for what nothing will bring ends with 1 and says so', async () => {
  const NODE_OPTIONS = preload('import net from "node:net";net.Server.prototype.listen=function(){return this}')
  const child = spawnChild({ env: { DATA_DIR: await freshDir(), NODE_OPTIONS } })
  expect(await child.exited).toEqual({ code: 1, signal: null })
  expect(child.output()).toContain('Madang cannot go on')
})

it('[P12] development starts with an organisation, says how to sign in, and keeps to the one that it has made', async () => {
  const env = { DATA_DIR: await freshDir() }
  const readIds = async (child: Place) => (await done(child, 'GET /api/v1/users')).data.map(({ id }: { id: number }) => id)
  const ids = Array.from({ length: 10 }, (_, nth) => nth + 1)
  const first = await startChild({ env })
  expect(first.output()).toContain('sign in as jimin, ')
  expect(await readIds(first)).toEqual(ids)
  expect(await enroll(first, 'lea')).toMatchObject({ id: 11 })
  first.kill('SIGTERM')
  await first.exited
  const again = await startChild({ env })
  expect(again.output()).toContain('sign in as jimin, ')
  expect(await readIds(again)).toEqual([...ids, 11])
  const form = new URLSearchParams({ username: 'jimin', password: 'password' })
  expect((await fetch(`${again.url}/auth/login`, { method: 'POST', body: form })).status).toBe(200)
})

/** Holds the rooms of a schema, so that an append stays under way. */
async function holdRooms(url: string): Promise<{ untilWaitedFor: () => Promise<void>; release: () => Promise<void> }> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  onTestFinished(() => client.end())
  await client.query('begin')
  await client.query('select from rooms for update')
  const isWaitedFor = async () => {
    // A transaction sees the activity as it was when it first looked.
    await client.query('select pg_stat_clear_snapshot()')
    const { rowCount } = await client.query(
      "select from pg_stat_activity where application_name = current_setting('application_name') and wait_event_type = 'Lock'",
    )
    return rowCount !== 0
  }
  return {
    untilWaitedFor: () => until('an append that waits', isWaitedFor),
    release: async () => void (await client.query('rollback')),
  }
}

describeServer('a server', () => {
  it('[A15] a stop while the database is away waits for it, also when told twice, settles what is uncertain, and then says that it stopped', async () => {
    const { url, drop } = await makeSchema()
    onTestFinished(drop)
    const linked = new URL(url)
    const proxy = await openTcpProxy(Number(linked.port || 5432), linked.hostname)
    onTestFinished(() => proxy.close())
    linked.host = `127.0.0.1:${proxy.port}`
    const child = await startChild({ isProduction: true, env: { DATABASE_URL: linked.href } })
    const person = await enroll(child, 'sender')
    const roomId = await makeGroup(child, [person])
    const rooms = await holdRooms(url)
    // Told 503, or cut off: his patience and the grace of a stop end at about the same time.
    const sent = post(child, roomId, person, 'uncertain').catch(() => null)
    await rooms.untilWaitedFor()
    proxy.set('refuse')
    proxy.cut()
    child.kill('SIGTERM')
    await sent
    // npm hands on a Ctrl-C that the terminal has sent already.
    child.kill('SIGTERM')
    await rooms.release()
    // Nothing is open now but the wait between two tries.
    await sleep(500)
    proxy.set('fine')
    expect(await child.exited).toEqual({ code: 0, signal: null })
    expect(child.output()).toContain(' - stopped\n')
    const again = await startChild({ isProduction: true, env: { DATABASE_URL: url } })
    expect((await feedHistory(again, roomId, person)).map(({ text }) => text)).toEqual(['uncertain'])
  })
})
