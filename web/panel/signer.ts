/** The token, and how to come by the next one. It is in this variable and nowhere else. */
import type { Credential } from '../protocol.ts'
import { findPerson } from './token.ts'

export class Signer {
  readonly #ask: () => void
  #credential: Credential = { token: null, canRenew: false }
  #waiting: ((token: string | null) => void)[] = []

  /** `ask`: the page, for another token; `take` gets its answer. */
  constructor(ask: () => void) {
    this.#ask = ask
  }

  get canRenew(): boolean {
    return this.#credential.canRenew
  }

  get isExpired(): boolean {
    return (findPerson(this.#credential.token)?.expiresAt ?? Infinity) <= Date.now()
  }

  take(credential: Credential): void {
    this.#credential = credential
    for (const settle of this.#waiting.splice(0)) settle(credential.token)
  }

  /** The server does not take it. */
  drop(): void {
    this.#credential = { ...this.#credential, token: null }
  }

  async find(): Promise<string | null> {
    const { token, canRenew } = this.#credential
    return canRenew && (token === null || this.isExpired) ? this.renew() : token
  }

  renew(): Promise<string | null> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
      if (this.#waiting.length === 1) this.#ask()
    })
  }
}
