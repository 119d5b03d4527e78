/** What a token says about its bearer. Only for show: whether it is good, the server decides. */

export interface Person {
  username: string
  avatar: string | null
  project: string
  /** Milliseconds since 1970; null for one that does not end. */
  expiresAt: number | null
}

/** Null for what cannot be read as a widget token. */
export function findPerson(token: string | null): Person | null {
  try {
    const { username, avatar, projectId, exp } = JSON.parse(decode(token?.split('.')[1] ?? '')) as Record<string, unknown>
    if (typeof username !== 'string' || typeof projectId !== 'string') return null
    return {
      username,
      avatar: typeof avatar === 'string' ? avatar : null,
      project: projectId,
      expiresAt: typeof exp === 'number' ? exp * 1000 : null,
    }
  } catch {
    return null
  }
}

function decode(base64url: string): string {
  const bytes = atob(base64url.replaceAll('-', '+').replaceAll('_', '/'))
  return new TextDecoder().decode(Uint8Array.from(bytes, (byte) => byte.codePointAt(0)!))
}
