/** A Slack channel, by an incoming webhook (or what understands the same: Mattermost, Rocket.Chat). */
import { hostname } from 'node:os'
import type { Entry } from '../entry.ts'
import { formatLine } from '../line.ts'
import type { Outlet } from './outlet.ts'
import { post } from './post.ts'

/** Slack cuts longer ones. */
const textMax = 3_500

export function createSlack(address: string): Outlet {
  const url = new URL(address)
  return {
    name: 'Slack',
    async send(entries, signal) {
      await post({ url, contentType: 'application/json', body: JSON.stringify({ text: encodeText(entries) }), signal })
    },
  }
}

function encodeText(entries: readonly Entry[]): string {
  const lines = entries.map((entry) => formatLine(entry, process.pid)).join('')
  const shown = lines.length > textMax ? `${lines.slice(0, textMax)}\n…` : lines.trimEnd()
  return `*Madang* on ${escape(hostname())}\n\`\`\`\n${escape(shown)}\n\`\`\``
}

/** Slack's three signs; a fence inside would end ours. */
function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('```', "'''")
}
