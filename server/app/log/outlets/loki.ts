/** Grafana Loki, by its push API: the printed lines, labelled with `app`, `host` and `level`. */
import { hostname } from 'node:os'
import type { Entry } from '../entry.ts'
import { formatLine } from '../line.ts'
import type { Outlet } from './outlet.ts'
import { post } from './post.ts'

/** `address`: Loki's own, without the API's path. */
export function createLoki(address: string): Outlet {
  const url = new URL(address)
  url.pathname = `${url.pathname.replace(/\/$/, '')}/loki/api/v1/push`
  return {
    name: 'Loki',
    async send(entries, signal) {
      const body = JSON.stringify({ streams: encodeStreams(entries) })
      await post({ url, contentType: 'application/json', body, signal })
    },
  }
}

function encodeStreams(entries: readonly Entry[]): object[] {
  const levels = new Set(entries.map(({ level }) => level))
  return [...levels].map((level) => ({
    stream: { app: 'madang', host: hostname(), level },
    values: entries.filter((entry) => entry.level === level).map(encodeValue),
  }))
}

/** The time in nanoseconds, and the line. */
function encodeValue(entry: Entry): [string, string] {
  return [`${entry.at}000000`, formatLine(entry, process.pid).trimEnd()]
}
