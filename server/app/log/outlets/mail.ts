/** E-mail, by nodemailer over SMTP. */
import { hostname } from 'node:os'
import type { Transporter } from 'nodemailer'
import type { Entry } from '../entry.ts'
import { formatLine } from '../line.ts'
import { OutletFailure, type Outlet } from './outlet.ts'

export interface MailOptions {
  /** `smtp://user:password@host:587`, or `smtps://` for TLS from the start. */
  url: string
  from: string
  /** Separated by commas. */
  to: string
}

const waitMs = 8_000
const subjectMax = 120

export function createMail({ url, from, to }: MailOptions): Outlet {
  const waits = { connectionTimeout: waitMs, greetingTimeout: waitMs, socketTimeout: waitMs, dnsTimeout: waitMs }
  let transport: Promise<Transporter> | null = null
  // Nearly nobody waits for a mail at the start.
  const openTransport = async () => (await import('nodemailer')).createTransport({ url, ...waits })
  return {
    name: 'e-mail',
    async send(entries) {
      try {
        transport ??= openTransport()
        await (await transport).sendMail({ from, to, subject: encodeSubject(entries), text: encodeText(entries) })
      } catch (error) {
        throw new OutletFailure(reasonOf(error))
      }
    },
    close: () => void transport?.then((opened) => opened.close()),
  }
}

function encodeSubject([first, ...rest]: readonly Entry[]): string {
  const more = rest.length === 0 ? '' : ` and ${rest.length} more`
  return `Madang on ${hostname()}: ${first!.text.slice(0, subjectMax)}${more}`
}

function encodeText(entries: readonly Entry[]): string {
  return entries.map((entry) => formatLine(entry, process.pid)).join('\n')
}

/** nodemailer's code (ECONNECTION, EAUTH …); its message may hold what the server said about an address. */
function reasonOf(error: unknown): string {
  const { code } = error as { code?: unknown }
  return typeof code === 'string' ? code : 'not sent'
}
