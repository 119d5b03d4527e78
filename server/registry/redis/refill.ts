/** Fills an emptied Redis again, by one node (C2), and brings what could not be entered while it was away. */
import { randomBytes } from 'node:crypto'
import type { KeptLogin } from '../../storage/storage.ts'
import { RegistryUnavailable } from '../registry.ts'
import type { Link } from './link.ts'
import type { RedisLogins } from './redis-logins.ts'
import { finishRefill } from './scripts.ts'

/** Missing where Redis was emptied. Its value is another one after each filling. */
export const markerKey = 'auth:generation'
const lockKey = 'madang:refill'
/** Renewed with each page; a node that dies over it is followed by another after this. */
const lockMs = 30_000
const pageSize = 500

export class Refill {
  private readonly link: Link
  private readonly logins: RedisLogins
  private readonly self = randomBytes(8).toString('hex')

  constructor(link: Link, logins: RedisLogins) {
    this.link = link
    this.logins = logins
  }

  /** Resolves with the generation once all that is known is entered. Throws RegistryUnavailable, also while another node is filling it. */
  async complete(): Promise<string> {
    const marker = await this.link.ask((client) => client.get(markerKey))
    if (marker === null) return this.fill()
    await this.enterAll(true)
    return marker
  }

  private async fill(): Promise<string> {
    const lock = { condition: 'NX', expiration: { type: 'PX', value: lockMs } } as const
    const claimed = await this.link.ask((client) => client.set(lockKey, this.self, lock))
    if (claimed === null) throw new RegistryUnavailable('another node is filling Redis')
    await this.enterAll(false)
    const generation = randomBytes(8).toString('hex')
    const words = { keys: [lockKey, markerKey], arguments: [this.self, generation] }
    // Lost where it was emptied once more, or took too long.
    if ((await this.link.ask((client) => client.eval(finishRefill, words))) !== 1) throw new RegistryUnavailable('lost the lock')
    return generation
  }

  /** In the order in which they were kept: where two share a key, the newer one has it. */
  private async enterAll(pending: boolean): Promise<void> {
    const { directory } = this.logins
    let page: KeptLogin[] = []
    do {
      page = await directory.listLogins({ after: page.at(-1)?.number ?? 0, limit: pageSize, pending })
      await this.logins.enter(page)
      await directory.settleLogins(page.map(({ sha256 }) => sha256))
      if (!pending) await this.link.ask((client) => client.pExpire(lockKey, lockMs))
    } while (page.length === pageSize)
  }
}
