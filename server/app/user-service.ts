/** A host's user service (C7): `GET <url>/users/<userId>` answers JSON with `name`. */
import { z } from 'zod'
import type { Clock } from '../core/clock.ts'
import type { FindName } from '../core/user-names.ts'
import { addressOf, reasonOf } from './requests.ts'

const answerMs = 1_000
const answerBytesMax = 64 * 1024
/** It is back when it has not failed for so long: what fails for one user alone is told once, not at each question. */
const quietMs = 60_000
const answerShape = z.object({ name: z.string() })

export interface UserServiceOptions {
  /** With or without a slash at its end. A user and password in it go as Basic credentials. */
  url: string
  clock: Clock
  /** Hears when it fails (once, with the reason) and when it is back. */
  onNotice: (text: string) => void
}

/** It has answered, and not well. Its text is a reason for the log. */
class BadAnswer extends Error {
  override name = 'BadAnswer'
}

export function createUserService({ url, clock, onNotice }: UserServiceOptions): FindName {
  let failedAt: number | null = null
  const ask = createQuestion(url)

  function noteFailure(error: unknown): void {
    const reason = error instanceof BadAnswer ? error.message : reasonOf(error)
    if (failedAt === null) onNotice(`The user service fails (${reason}): names come from the users table`)
    failedAt = clock.now()
  }

  function noteAnswer(): void {
    if (failedAt === null || clock.now() - failedAt < quietMs) return
    failedAt = null
    onNotice('The user service is there again')
  }

  return async (username) => {
    try {
      const name = await ask(username)
      noteAnswer()
      return name
    } catch (error) {
      noteFailure(error)
      throw error
    }
  }
}

function createQuestion(address: string): FindName {
  const { url, authorization } = addressOf(new URL(address))
  const base = url.href.replace(/\/+$/, '')
  const headers = { accept: 'application/json', ...authorization }
  return async (username) => {
    // The limit is for headers and body together.
    const signal = AbortSignal.timeout(answerMs)
    const response = await fetch(`${base}/users/${encodeURIComponent(username)}`, { signal, headers })
    const text = await readText(response)
    if (response.status === 404) return null
    if (!response.ok) throw new BadAnswer(String(response.status))
    return parseName(text)
  }
}

function parseName(text: string): string {
  try {
    return answerShape.parse(JSON.parse(text)).name
  } catch {
    throw new BadAnswer('no name in its answer')
  }
}

/** All of it also where it is not wanted, so that the connection can be used again. */
async function readText({ body }: Response): Promise<string> {
  const pieces: Uint8Array[] = []
  let bytes = 0
  for await (const piece of body ?? []) {
    bytes += piece.byteLength
    if (bytes > answerBytesMax) throw new BadAnswer('it answers too much')
    pieces.push(piece)
  }
  return Buffer.concat(pieces).toString('utf8')
}
