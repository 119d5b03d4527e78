/** Tokens in Redis (C2): a key for each, with the rest of its life as TTL. */
import type { Login } from '../../core/model.ts'
import type { Directory } from '../../storage/storage.ts'
import { RegistryUnavailable } from '../registry.ts'
import type { Link } from './link.ts'
import { endLogin } from './scripts.ts'
import type { TokenKeys } from './token-keys.ts'

/** Of the directory, what knows the logins beside Redis. */
export type LoginStore = Pick<Directory, 'findLogins' | 'listLogins' | 'settleLogins' | 'endLogins'>

/** Ten thousand years. Redis refuses what is no whole number, or too much, and one such login would keep all of a page out. */
const ttlMsMax = 10_000 * 365 * 86_400_000

/** The SHA-256 of a token that may have ended; a login server may publish it, too. */
export const endedChannel = 'auth:ended'

export class RedisLogins {
  readonly directory: LoginStore
  private readonly link: Link
  private readonly keys: TokenKeys

  constructor(link: Link, keys: TokenKeys, directory: LoginStore) {
    this.link = link
    this.keys = keys
    this.directory = directory
  }

  /** What is over, or was kept under another pattern of keys, is left out. */
  async enter(logins: Login[]): Promise<void> {
    await this.link.ask((client) =>
      Promise.all(
        logins.map(async (login) => {
          const key = this.keys.keyOf(login)
          const leftMs = login.expiresAt === null ? null : login.expiresAt - Date.now()
          if (key === null || (leftMs !== null && leftMs <= 0)) return
          const value = Math.ceil(Math.min(leftMs ?? Infinity, ttlMsMax))
          const expiration = leftMs === null ? {} : { expiration: { type: 'PX', value } as const }
          await client.set(key, this.keys.valueOf(login), expiration)
        }),
      ),
    )
  }

  /** A newer token of the same user stays, where the two share a key. */
  async end(login: Login): Promise<void> {
    const key = this.keys.keyOf(login)
    if (key === null) return
    const value = await this.link.ask((client) => client.get(key))
    if (value === null || !this.keys.isOf(login, value)) return
    await this.link.ask((client) => client.eval(endLogin, { keys: [key, endedChannel], arguments: [value, login.sha256] }))
  }

  /** Throws RegistryUnavailable where Redis is of another generation than this. */
  async check(logins: Login[], markerKey: string, generation: string): Promise<boolean[]> {
    const read = (some: Login[]) => this.read(some, markerKey, generation)
    const answers = await read(logins)
    // Of one whose key cannot be known nothing is known.
    const missing = logins.filter((login, nth) => answers[nth] === null && this.keys.keyOf(login) !== null)
    if (missing.length === 0) return answers.map((answer) => answer === true)
    const late = await this.enterLate(missing, read)
    return logins.map(({ sha256 }, nth) => answers[nth] ?? late.has(sha256))
  }

  /** Null where there is no key. Of one moment with the marker. */
  private async read(logins: Login[], markerKey: string, generation: string): Promise<(boolean | null)[]> {
    const keys = logins.map((login) => this.keys.keyOf(login) ?? '')
    const [marker, ...values] = await this.link.ask((client) => client.mGet([markerKey, ...keys]))
    if (marker !== generation) throw new Emptied('Redis was emptied')
    return logins.map((login, nth) => {
      const value = values[nth] ?? null
      return value === null || keys[nth] === '' ? null : this.keys.isOf(login, value)
    })
  }

  /**
   * Of tokens that were not there, those that count: those that could not be entered while Redis was away are entered now, and some have
   * been entered meanwhile. The others were revoked, whoever did it, and are not to come back when Redis is filled again.
   */
  private async enterLate(missing: Login[], read: (logins: Login[]) => Promise<(boolean | null)[]>): Promise<Set<string>> {
    // Without the directory they are taken for what they look like.
    const kept = await this.directory.findLogins(missing.map(({ sha256 }) => sha256)).catch(() => [])
    const late = kept.filter(({ isPending }) => isPending)
    const settled = kept.filter(({ isPending }) => !isPending)
    // A login is settled once its key stands: one that was entered between the two readings stands now.
    const again = settled.length === 0 ? [] : await read(settled)
    const ended = settled.filter((_, nth) => again[nth] === null)
    if (ended.length > 0) await this.directory.endLogins(hashesOf(ended))
    if (late.length > 0) await this.enter(late)
    if (late.length > 0) await this.directory.settleLogins(hashesOf(late))
    return new Set(hashesOf([...late, ...settled.filter((_, nth) => again[nth])]))
  }
}

function hashesOf(logins: Login[]): string[] {
  return logins.map(({ sha256 }) => sha256)
}

/** Its marker is gone, or is another one: somebody has emptied it. */
export class Emptied extends RegistryUnavailable {}
