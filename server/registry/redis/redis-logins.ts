/** Tokens in Redis (C2): a key for each, with the rest of its life as TTL. */
import type { Login } from '../../core/model.ts'
import type { Directory } from '../../storage/storage.ts'
import { RegistryUnavailable } from '../registry.ts'
import type { Link } from './link.ts'
import { endLogin } from './scripts.ts'
import type { TokenKeys } from './token-keys.ts'

/** Of the directory, what knows the logins beside Redis. */
export type LoginStore = Pick<Directory, 'findLogins' | 'listLogins' | 'settleLogins' | 'endLogins'>

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
          const expiration = leftMs === null ? {} : { expiration: { type: 'PX', value: leftMs } as const }
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
    const keys = logins.map((login) => this.keys.keyOf(login))
    const [marker, ...values] = await this.link.ask((client) => client.mGet([markerKey, ...keys.map((key) => key ?? '')]))
    if (marker !== generation) throw new Emptied('Redis was emptied')
    const missing = logins.filter((_, nth) => keys[nth] !== null && values[nth] === null)
    const late = await this.enterLate(missing)
    return logins.map((login, nth) => {
      const value = values[nth] ?? null
      return value === null ? late.has(login.sha256) : keys[nth] !== null && this.keys.isOf(login, value)
    })
  }

  /**
   * Of tokens that are not there: those that could not be entered while Redis was away are entered now. The others were revoked, whoever
   * did it, and are not to come back when Redis is filled again.
   */
  private async enterLate(missing: Login[]): Promise<Set<string>> {
    if (missing.length === 0) return new Set()
    // Without the directory they are taken for what they look like.
    const kept = await this.directory.findLogins(missing.map(({ sha256 }) => sha256)).catch(() => [])
    const late = kept.filter(({ isPending }) => isPending)
    const hashesOf = (logins: Login[]) => logins.map(({ sha256 }) => sha256)
    if (kept.length > late.length) await this.directory.endLogins(hashesOf(kept.filter(({ isPending }) => !isPending)))
    if (late.length === 0) return new Set()
    await this.enter(late)
    await this.directory.settleLogins(hashesOf(late))
    return new Set(hashesOf(late))
  }
}

/** Its marker is gone, or is another one: somebody has emptied it. */
export class Emptied extends RegistryUnavailable {}
