import { compare, hash } from '@node-rs/bcrypt'
import { ChatError } from '../core/errors.ts'
import type { Passwords } from '../core/core.ts'
import { createGate } from '../http/limits.ts'
import { ProblemError } from '../http/problems.ts'

/** 2^12 rounds, about a quarter of a second: what passlib makes by default. */
const cost = 12

/** bcrypt, two at once at most and a short queue; beyond it `too_many` (A12). Reads hashes that passlib made (G8). */
export function createPasswords(): Passwords {
  const gate = createGate({ atOnce: 2, waiting: 8 })

  async function inTurn<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await gate.run(work)
    } catch (error) {
      if (error instanceof ProblemError) throw new ChatError('too_many', { retryAfterS: 1 })
      throw error
    }
  }

  return {
    hash: (password) => inTurn(() => hash(password, { cost })),
    verify: (password, hashed) => inTurn(() => compare(password, hashed)),
  }
}
