/** Tokens that count at a door with a registry (C2): entering and ending them, and watching over the sockets that they opened. */
import { RegistryUnavailable, type Registry } from '../registry/registry.ts'
import type { Directory } from '../storage/storage.ts'
import { every, type Clock } from './clock.ts'
import type { Login } from './model.ts'

/** An open socket's token is asked for so often; 30 s at most (C2), with what the asking takes. */
const checkMs = 20_000
/** Open sockets outlive the registry by so much (C2). */
const awayMs = 60_000
/** So often a registry that is away is asked whether it is back. */
const retryMs = 2_000
/** Logins that are asked for at once. */
const batchSize = 500
/** The longest that a timer runs; a token may last longer. */
const timerMsMax = 2 ** 31 - 1

/** A socket that a token opened. Called once, one or the other. */
export interface Watcher {
  /** The token counts no more: it was revoked or is over. */
  onEnded(): void
  /** The registry has been away for 60 s: whether it counts is not known. */
  onAway(): void
}

export interface Logins {
  /** From now on the token counts; so it does where the registry learns of it only once it is back. */
  enter(login: Login): Promise<void>
  /** It counts no more at such a door. What ends it at all doors is `accounts.revokeToken`. */
  end(login: Login): Promise<void>
  /** Throws RegistryUnavailable: then nobody knows. */
  isIn(login: Login): Promise<boolean>
  /** Watches until the answer is called. */
  watch(login: Login, watcher: Watcher): () => void
  /** A token may count no more. */
  recheck(sha256: string): void
  start(): void
  stop(): void
}

export interface LoginsOptions {
  registry: Registry
  directory: Pick<Directory, 'keepLogin' | 'settleLogins' | 'endLogins'>
  clock: Clock
  /** Each question of a handshake as it begins, to be timed. */
  onCheck?(check: Promise<unknown>): void
}

export function createLogins(options: LoginsOptions): Logins {
  return new WatchedLogins(options)
}

interface Watched {
  login: Login
  watcher: Watcher
  cancel: () => void
}

class WatchedLogins implements Logins {
  private readonly options: LoginsOptions
  private readonly watched = new Set<Watched>()
  /** When the registry last answered. */
  private heardAt = 0
  private cancelAway = () => {}
  private cancelRetry = () => {}
  private stopChecking = () => {}
  private isStopped = false

  constructor(options: LoginsOptions) {
    this.options = options
  }

  async enter(login: Login): Promise<void> {
    const { registry, directory } = this.options
    const kept = registry.needsTokens ? login : { ...login, token: null }
    await directory.keepLogin(kept)
    try {
      await registry.enterLogin(login)
    } catch (error) {
      if (error instanceof RegistryUnavailable) return
      throw error
    }
    await directory.settleLogins([login.sha256])
  }

  async end(login: Login): Promise<void> {
    await this.options.directory.endLogins([login.sha256])
    // Where it cannot be told, the token ends by what else revoked it, or by its TTL.
    await this.options.registry.endLogin(login).catch(() => {})
    this.endWhere((one) => one.sha256 === login.sha256)
  }

  async isIn(login: Login): Promise<boolean> {
    const check = this.options.registry.checkLogins([login])
    this.options.onCheck?.(check)
    const [isIn = false] = await check
    return isIn
  }

  watch(login: Login, watcher: Watcher): () => void {
    const one: Watched = { login, watcher, cancel: () => {} }
    this.watched.add(one)
    this.timeOut(one)
    return () => this.drop(one)
  }

  private drop(one: Watched): void {
    this.watched.delete(one)
    one.cancel()
  }

  /** At its `exp` (A15). */
  private timeOut(one: Watched): void {
    const { expiresAt } = one.login
    if (expiresAt === null) return
    const leftMs = expiresAt - this.options.clock.now()
    one.cancel = this.options.clock.after(Math.max(0, Math.min(leftMs, timerMsMax)), () => {
      if (leftMs <= timerMsMax) this.expire(one)
      else this.timeOut(one)
    })
  }

  private expire(one: Watched): void {
    this.drop(one)
    one.watcher.onEnded()
  }

  private endWhere(isMeant: (login: Login) => boolean): void {
    for (const one of this.watched) if (isMeant(one.login)) this.expire(one)
  }

  recheck(sha256: string): void {
    const meant = [...this.watched].filter(({ login }) => login.sha256 === sha256)
    void this.check(meant).catch(() => {})
  }

  start(): void {
    this.heardAt = this.options.clock.now()
    this.stopChecking = every(this.options.clock, checkMs, () => this.checkAll())
  }

  private async checkAll(): Promise<void> {
    const { clock } = this.options
    const beganAt = clock.now()
    this.cancelRetry()
    try {
      await this.check([...this.watched])
      this.heardAt = beganAt
      this.cancelAway()
      this.cancelAway = () => {}
    } catch {
      if (this.isStopped) return
      this.cancelAway()
      this.cancelAway = clock.after(Math.max(0, this.heardAt + awayMs - clock.now()), () => this.endAll())
      this.cancelRetry = clock.after(retryMs, () => void this.checkAll())
    }
  }

  /** Also of none: whether the registry is there is asked in any case. */
  private async check(all: Watched[]): Promise<void> {
    for (let from = 0; from === 0 || from < all.length; from += batchSize) {
      const batch = all.slice(from, from + batchSize)
      const answers = await this.options.registry.checkLogins(batch.map(({ login }) => login))
      for (const [nth, one] of batch.entries()) if (!answers[nth] && this.watched.has(one)) this.expire(one)
    }
  }

  private endAll(): void {
    for (const one of this.watched) {
      this.drop(one)
      one.watcher.onAway()
    }
  }

  stop(): void {
    this.isStopped = true
    this.stopChecking()
    this.cancelAway()
    this.cancelRetry()
    for (const one of this.watched) this.drop(one)
  }
}
