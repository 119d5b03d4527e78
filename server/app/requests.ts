/** Requests to other servers, whose addresses the settings name. */

/** An address without the user and password in it, and the header that they go as (Basic). */
export function addressOf(address: URL): { url: URL; authorization: Record<string, string> } {
  const url = new URL(address)
  url.username = url.password = ''
  if (address.username === '') return { url, authorization: {} }
  const text = [address.username, address.password].map(decode).join(':')
  return { url, authorization: { authorization: `Basic ${Buffer.from(text).toString('base64')}` } }
}

/** A sign that is no escape stands for itself. */
function decode(text: string): string {
  return text.replace(/(%[0-9a-f]{2})+/gi, (escaped) => Buffer.from(escaped.replaceAll('%', ''), 'hex').toString())
}

/** Why a request failed, without its address: fetch hides the system's code in the cause. */
export function reasonOf(error: unknown): string {
  const { cause } = error as { cause?: { code?: unknown } }
  if (typeof cause?.code === 'string') return cause.code
  return error instanceof Error ? error.name : typeof error
}
