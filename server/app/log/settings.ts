/** The log's part of the settings (docs/logging.md). */
import { join, resolve } from 'node:path'
import { z } from 'zod'
import { logLevels } from '../../core/log.ts'
import type { LogSettings } from '../log.ts'

const webAddress = z.string().refine((text) => isAddress(text, /^https?:\/\/./), 'must be like https://logs.example.com')
const smtpAddress = z
  .string()
  .refine((text) => isAddress(text, /^smtps?:\/\/./), 'must be like smtp://user:password@host:587, or smtps:// for TLS')

export const logShape = {
  LOG_LEVEL: z.enum(logLevels).default('info'),
  LOG_FORMAT: z.enum(['text', 'json']).default('text'),
  LOG_FILE: z.string().min(1).optional(),
  LOG_LOKI_URL: webAddress.optional(),
  LOG_ELASTICSEARCH_URL: webAddress.optional(),
  LOG_SLACK_URL: webAddress.optional(),
  LOG_SMTP_URL: smtpAddress.optional(),
  LOG_MAIL_FROM: z.string().min(1).optional(),
  LOG_MAIL_TO: z.string().min(1).optional(),
}

const shape = z.object(logShape)
type LogVariables = z.infer<typeof shape>

/** Of all the settings as they were given: what is wrong between them. */
export function logProblems(given: Record<string, string | undefined>): string[] {
  const isOneMissing = (given['LOG_SMTP_URL'] === undefined) !== (given['LOG_MAIL_TO'] === undefined)
  return isOneMissing ? ['LOG_SMTP_URL, LOG_MAIL_TO: e-mail needs both'] : []
}

/** C11: a file, unless it is `off`. */
export function logOf(from: LogVariables & { DATA_DIR: string }): LogSettings {
  const path = from.LOG_FILE ?? join(from.DATA_DIR, 'logs', 'madang.log')
  return {
    level: from.LOG_LEVEL,
    format: from.LOG_FORMAT,
    file: path === 'off' ? null : resolve(path),
    lokiUrl: from.LOG_LOKI_URL ?? null,
    elasticsearchUrl: from.LOG_ELASTICSEARCH_URL ?? null,
    slackUrl: from.LOG_SLACK_URL ?? null,
    mail: mailOf(from),
  }
}

function mailOf({ LOG_SMTP_URL: url, LOG_MAIL_FROM: from, LOG_MAIL_TO: to }: LogVariables): LogSettings['mail'] {
  if (url === undefined || to === undefined) return null
  return { url, from: from ?? to.split(',')[0]!.trim(), to }
}

function isAddress(text: string, scheme: RegExp): boolean {
  return scheme.test(text) && URL.canParse(text)
}
