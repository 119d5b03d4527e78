/** Where a request's credentials stand, and which of them are a host's own (A9, M3). */
import { createHash, timingSafeEqual } from 'node:crypto'

/**
 * What stands behind the scheme in `Authorization: Bearer <token>`, also where that is nothing or no token: it was sent, and is bad.
 * Null for a missing header and for another scheme, as a proxy in front may use one for itself.
 */
export function findBearer(header: string | undefined): string | null {
  return /^bearer(?![\w-])(.*)$/i.exec(header ?? '')?.[1]?.trim() ?? null
}

/** The value of the first cookie of that name, percent-decoded where that is possible; null where there is none or it is empty. */
export function findCookie(header: string | undefined, name: string): string | null {
  for (const pair of (header ?? '').split(';')) {
    const end = pair.indexOf('=')
    if (end !== -1 && pair.slice(0, end).trim() === name) return decodeCookie(pair.slice(end + 1).trim()) || null
  }
  return null
}

function decodeCookie(text: string): string {
  const value = text.startsWith('"') && text.endsWith('"') ? text.slice(1, -1) : text
  try {
    return decodeURIComponent(value)
  } catch {
    return value
  }
}

/**
 * Whether a text is one of the service keys (M3). Takes the same time whichever key it is or nearly is: digests are compared, and
 * with all keys always. Empty keys are left out.
 */
export function createServiceKeys(keys: readonly string[]): (text: string) => boolean {
  const digests = keys.filter((key) => key !== '').map(digest)
  return (text) => {
    const given = digest(text)
    let isOne = false
    for (const known of digests) isOne = timingSafeEqual(known, given) || isOne
    return isOne
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
