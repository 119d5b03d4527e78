import { expect, it } from 'vitest'
import { ConfigError, parseConfig } from './config.ts'

function problemsWith(env: Record<string, string>): string[] {
  try {
    parseConfig({ JWT_SECRET: 'Zq7-only-for-this-suite-0123456789abcdef', ...env }, false)
    return []
  } catch (error) {
    return (error as ConfigError).problems
  }
}

it.each([
  'auth:token:{sha256}',
  'auth:{sha256}',
  '{token}',
  'auth:{userId}:token',
  'auth:{userId}:{sha256}',
  'session:{userId}',
  'mad{token}',
  'madangs:{userId}',
])('[C2] TOKEN_KEY may be %s', (pattern) => {
  expect(problemsWith({ TOKEN_KEY: pattern })).toEqual([])
})

it.each([
  '{userId}',
  '{userId}:{sha256}',
  'm{userId}',
  'madang:{userId}',
  'madang:{sha256}',
  'auth:{userId}',
  'a{userId}n',
  'auth:generation{userId}',
])('[C2] TOKEN_KEY may not be %s, whose keys can be ours', (pattern) => {
  const problem = 'TOKEN_KEY: must begin with a text of its own, like session:, so that no key of it can be one of ours'
  expect(problemsWith({ TOKEN_KEY: pattern })).toEqual([problem])
})

it.each(['auth:token', 'auth:{user}', '{sha256}}'])('[C2] TOKEN_KEY needs a place for the token or the user: %s', (pattern) => {
  expect(problemsWith({ TOKEN_KEY: pattern })[0]).toBe('TOKEN_KEY: must hold {sha256}, {token} or {userId}, and no other braces')
})

it('[C10] ROOM_IDLE_MINUTES is whole milliseconds, whatever the fraction', () => {
  const env = { JWT_SECRET: 'Zq7-only-for-this-suite-0123456789abcdef', ROOM_IDLE_MINUTES: '0.0333333' }
  expect(parseConfig(env, false).roomIdleMs).toBe(2_000)
})
