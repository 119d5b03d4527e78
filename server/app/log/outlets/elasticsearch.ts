/** Elasticsearch (or OpenSearch), by its bulk API: a document an entry. */
import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { z } from 'zod'
import type { Entry } from '../entry.ts'
import { OutletFailure, type Outlet } from './outlet.ts'
import { post } from './post.ts'

const bulkAnswer = z.object({
  errors: z.boolean(),
  items: z.array(z.object({ create: z.object({ status: z.number() }) })),
})

/** `address`: of the server and the index or data stream, `https://search.example.com/madang`; `madang` where it names none. */
export function createElasticsearch(address: string): Outlet {
  const url = new URL(address)
  url.pathname = `${url.pathname === '/' ? '/madang' : url.pathname.replace(/\/$/, '')}/_bulk`
  // Entries that are sent again keep their ids: what had been taken is a conflict then and no second document.
  const ids = new WeakMap<Entry, string>()
  const idOf = (entry: Entry) => ids.get(entry) ?? (ids.set(entry, randomUUID()), ids.get(entry)!)
  return {
    name: 'Elasticsearch',
    async send(entries, signal) {
      const lines = entries.flatMap((entry) => [{ create: { _id: idOf(entry) } }, encodeDocument(entry)])
      const body = lines.map((line) => `${JSON.stringify(line)}\n`).join('')
      checkAnswer(await post({ url, contentType: 'application/x-ndjson', body, signal }))
    },
  }
}

/** Names of the Elastic Common Schema where it has them. */
function encodeDocument({ at, level, text, userId, roomId, stack }: Entry): object {
  return {
    '@timestamp': new Date(at).toISOString(),
    log: { level },
    host: { name: hostname() },
    process: { pid: process.pid },
    service: { name: 'madang' },
    message: text,
    ...(userId === null ? {} : { user: { name: userId } }),
    ...(roomId === null ? {} : { labels: { room_id: roomId } }),
    ...(stack === null ? {} : { error: { stack_trace: stack } }),
  }
}

/** A bulk request is a 200 also where documents were refused. */
function checkAnswer(text: string): void {
  const answer = bulkAnswer.safeParse(parseJson(text))
  if (!answer.success) throw new OutletFailure('an answer that is not of the bulk API')
  if (!answer.data.errors) return
  const bad = answer.data.items.map(({ create }) => create.status).filter((status) => status >= 400 && status !== 409)
  if (bad.length === 0) return
  const passing = bad.find((status) => status === 429 || status >= 500)
  throw new OutletFailure(String(passing ?? bad[0]), passing === undefined, bad.length)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
