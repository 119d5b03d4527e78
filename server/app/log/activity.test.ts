/** What a real server writes of what happens in it: the lines of the terminal, and the same in the file. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { until } from '../../../test/chat.ts'
import { startChild, type Child } from '../../../test/child.ts'
import { call, enrollAll, makeGroup, open, post, refusal, rooms, signToken, type Person } from '../../../test/clients.ts'
import { makeDataDir } from '../../storage/postgres/testing.ts'
import { createLog } from '../log.ts'
import { createActivity } from './activity.ts'
import type { ChatEvent } from '../../core/events.ts'
import type { Session } from '../../core/session.ts'

const stamped = /^\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\] \[(DEBUG|INFO|WARN|ERROR)\] \[PID:\d+\] /

/** Level and all that follows the process's number. */
function linesOf(text: string): string[] {
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('    '))
    .map((line) => `${stamped.exec(line)?.[1] ?? 'not a line'} ${line.replace(stamped, '')}`)
}

/** At SIGUSR2 it throws what nobody catches. */
async function start(): Promise<{ child: Child; written: () => Promise<string> }> {
  const { dataDir, remove } = await makeDataDir()
  onTestFinished(remove)
  const fault = 'process.on("SIGUSR2",()=>{throw new TypeError(`broken by "${process.env.VALUE}"`)})'
  const NODE_OPTIONS = `--import=data:text/javascript,${encodeURIComponent(fault)}`
  const env = { DATA_DIR: dataDir, LOG_LEVEL: 'debug', NODE_OPTIONS, VALUE: 'hunter2' }
  const child = await startChild({ isProduction: true, env })
  return { child, written: () => readFile(join(dataDir, 'logs', 'madang.log'), 'utf8') }
}

it('[C11] a server writes who comes and goes at INFO, messages at DEBUG, refused tokens and what it dies of at ERROR', async () => {
  const { child, written } = await start()
  const people = await enrollAll(child, 'person', 2)
  const [ann, bob] = people as [Person, Person]
  const room = await makeGroup(child, people)
  const live = await open(child, ['feed', room], ann)
  await post(child, room, bob, 'not for the log')
  await live.close()
  const said = () => linesOf(child.output())
  await until('her going', () => said().some((line) => line.includes('disconnected')))
  const late = await signToken({ username: 'late' }, -1)
  await call(child, 'GET /users/me', undefined, { authorization: `Bearer ${late}` })
  await refusal(`${child.wsUrl}/ws/${room}?token=${late}`)
  await call(child, `DELETE ${rooms}/${room}/members/${bob.id}`, undefined, ann.bearer)
  await until('his going', () => said().some((line) => line.includes('left')))
  child.kill('SIGUSR2')
  expect(await child.exited).toEqual({ code: 1, signal: null })
  const lines = said()
  expect(lines.slice(lines.findIndex((line) => line.includes('Madang listens')) + 1)).toEqual([
    `INFO [${ann.username}] [${room}] - Chat room created.`,
    `INFO [${ann.username}] [${room}] - User connected.`,
    `DEBUG [${bob.username}] [${room}] - Message posted.`,
    `DEBUG [${bob.username}] [${room}] - Messages read.`,
    `INFO [${ann.username}] [${room}] - User disconnected.`,
    'ERROR - Authentication failed.',
    'ERROR - Authentication failed.',
    `INFO [${bob.username}] [${room}] - User left the room.`,
    'ERROR - Madang ends: an error that nobody caught',
  ])
  const output = child.output()
  expect(output).toMatch(/Authentication failed\.\n {4}ChatError \(bad_credentials\): Could not validate credentials\n {8}at /)
  expect(output).toMatch(/nobody caught\n {4}TypeError: broken by "…"\n {8}at /)
  expect(output).not.toMatch(/not for the log|hunter2/)
  expect(await written()).toBe(output)
})

it('[C11] a line about a room names nobody where nobody made it', () => {
  const lines: string[] = []
  const activity = createActivity(createLog('info', (_, text, about) => void lines.push(`${about?.userId} ${text}`)))
  activity.onJournal({ number: 3 })
  const about = { roomId: 7, stamp: { journal: 3, position: 1 }, actorId: null, at: 0, seq: 1 }
  const created = (userId: number, username: string) =>
    ({ ...about, type: 'room.created', memberIds: [], userId, user: { username } }) as unknown as ChatEvent
  activity.onEvents([created(0, 'user0'), created(1, 'lea')])
  expect(lines).toEqual(['undefined Chat room created.', 'lea Chat room created.'])
})

describe('the end of a connection', () => {
  const endOf = (endedBy: Session['endedBy']) => {
    const lines: string[] = []
    const log = createLog('debug', (level, text, about) => void lines.push(`${level} ${about?.userId} ${about?.roomId} ${text}`))
    const activity = createActivity(log)
    const session = { user: { username: 'lea' }, endedBy } as Session
    activity.onLeave(session)
    activity.onEnter(session, 7)
    activity.onLeave(session)
    activity.onLeave(session)
    return lines
  }

  it.each([
    [null, 'info', 'User disconnected.'],
    ['revoked', 'info', 'User disconnected: credential revoked.'],
    ['stopping', 'info', 'User disconnected: server restart.'],
    ['too_slow', 'warn', 'Connection ended: reader too slow.'],
    ['silent', 'warn', 'Connection ended: timeout, no answer to pings.'],
    ['not_stored', 'warn', 'Connection ended: a frame could not be stored.'],
  ] as const)('[C11] is told once, at its level: %s', (endedBy, level, text) => {
    expect(endOf(endedBy)).toEqual(['info lea 7 User connected.', `${level} lea 7 ${text}`])
  })
})
