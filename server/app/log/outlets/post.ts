/** One HTTP request to an outlet. */
import { addressOf, reasonOf } from '../../requests.ts'
import { OutletFailure } from './outlet.ts'

export interface Post {
  url: URL
  contentType: string
  body: string
  signal: AbortSignal
}

/** The answer's text. A user and password in the address go as Basic credentials. Throws OutletFailure. */
export async function post({ url, contentType, body, signal }: Post): Promise<string> {
  const { url: bare, authorization } = addressOf(url)
  const headers = { 'content-type': contentType, ...authorization }
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

/** Bad input stays bad. Wrong credentials, a wrong path and a limit can be mended, and the lines wait for that. */
function isFinal(status: number): boolean {
  return status === 400 || status === 413 || status === 422
}
