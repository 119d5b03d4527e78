/** One HTTP request to an outlet. */
import { OutletFailure } from './outlet.ts'

export interface Post {
  url: URL
  contentType: string
  body: string
  signal: AbortSignal
}

/** The answer's text. A user and password in the address go as Basic credentials. Throws OutletFailure. */
export async function post({ url, contentType, body, signal }: Post): Promise<string> {
  const headers: Record<string, string> = { 'content-type': contentType }
  if (url.username !== '') headers['authorization'] = `Basic ${credentialsOf(url)}`
  const bare = new URL(url)
  bare.username = bare.password = ''
  try {
    // A redirect could take lines and credentials to somewhere else.
    const answer = await fetch(bare, { method: 'POST', headers, body, signal, redirect: 'error' })
    const text = await answer.text()
    if (!answer.ok) throw new OutletFailure(String(answer.status), isFinal(answer.status))
    return text
  } catch (error) {
    throw error instanceof OutletFailure ? error : new OutletFailure(reasonOf(error))
  }
}

function credentialsOf(url: URL): string {
  const text = [url.username, url.password].map((part) => decodeURIComponent(part)).join(':')
  return Buffer.from(text).toString('base64')
}

/** Bad input stays bad. Wrong credentials, a wrong path and a limit can be mended, and the lines wait for that. */
function isFinal(status: number): boolean {
  return status === 400 || status === 413 || status === 422
}

/** fetch hides the system's code in the cause. */
function reasonOf(error: unknown): string {
  const { cause } = error as { cause?: { code?: unknown } }
  if (typeof cause?.code === 'string') return cause.code
  return error instanceof Error ? error.name : typeof error
}
