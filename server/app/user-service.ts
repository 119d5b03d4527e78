/** A host's user service (C7): `GET <url>/users/<userId>` answers JSON with `name`. */
import { z } from 'zod'
import type { FindName } from '../core/user-names.ts'

const answerMs = 1_000
const answerBytesMax = 64 * 1024
const answerShape = z.object({ name: z.string() })

/** `url` with or without a slash at its end. */
export function createUserService(url: string): FindName {
  const base = url.replace(/\/+$/, '')
  return async (username) => {
    // The limit is for headers and body together.
    const signal = AbortSignal.timeout(answerMs)
    const headers = { accept: 'application/json' }
    const response = await fetch(`${base}/users/${encodeURIComponent(username)}`, { signal, headers })
    const text = await readText(response)
    if (response.status === 404) return null
    if (!response.ok) throw new Error(`the user service answers ${response.status}`)
    return answerShape.parse(JSON.parse(text)).name
  }
}

/** All of it also where it is not wanted, so that the connection can be used again. */
async function readText({ body }: Response): Promise<string> {
  const pieces: Uint8Array[] = []
  let bytes = 0
  for await (const piece of body ?? []) {
    bytes += piece.byteLength
    if (bytes > answerBytesMax) throw new Error('the user service answers too much')
    pieces.push(piece)
  }
  return Buffer.concat(pieces).toString('utf8')
}
