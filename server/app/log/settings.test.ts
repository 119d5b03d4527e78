import { resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ConfigError, parseConfig } from '../config.ts'

function parse(env: Record<string, string>) {
  return parseConfig({ JWT_SECRET: 'Zq7-only-for-this-suite-0123456789abcdef', ...env }, false).log
}

function problemsOf(env: Record<string, string>): string[] {
  try {
    parse(env)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
  }
  return []
}

describe("the log's settings", () => {
  it('[C11] a file in the data directory, and no outlet, where nothing is said', () => {
    const none = { lokiUrl: null, elasticsearchUrl: null, slackUrl: null, mail: null }
    expect(parse({})).toEqual({ level: 'info', format: 'text', file: resolve('data/logs/madang.log'), ...none })
    expect(parse({ DATA_DIR: '/srv/madang' }).file).toBe('/srv/madang/logs/madang.log')
    expect(parse({ LOG_FILE: '/var/log/madang.log' }).file).toBe('/var/log/madang.log')
    expect(parse({ LOG_FILE: 'off' }).file).toBeNull()
  })

  it('[C11] mail goes from the first whom it goes to, unless another is named', () => {
    const mail = { LOG_SMTP_URL: 'smtp://mail.example.com:587', LOG_MAIL_TO: 'a@example.com, b@example.com' }
    expect(parse(mail).mail).toEqual({ url: mail.LOG_SMTP_URL, from: 'a@example.com', to: mail.LOG_MAIL_TO })
    expect(parse({ ...mail, LOG_MAIL_FROM: 'c@example.com' }).mail?.from).toBe('c@example.com')
  })

  it.each<[Record<string, string>, string]>([
    [{ LOG_SMTP_URL: 'smtp://mail.example.com' }, 'LOG_SMTP_URL, LOG_MAIL_TO: e-mail needs both'],
    [{ LOG_MAIL_TO: 'a@example.com' }, 'LOG_SMTP_URL, LOG_MAIL_TO: e-mail needs both'],
    [{ LOG_SLACK_URL: 'hooks.slack.com/x' }, 'LOG_SLACK_URL: must be like https://logs.example.com'],
    [{ LOG_SMTP_URL: 'mail', LOG_MAIL_TO: 'a' }, 'LOG_SMTP_URL: must be like smtp://user:password@host:587, or smtps:// for TLS'],
  ])('[C11] what cannot be is told at the start: %o', (env, problem) => {
    expect(problemsOf(env)).toEqual([problem])
  })
})
