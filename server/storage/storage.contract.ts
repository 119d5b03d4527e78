/**
 * The suite that every adapter of storage.ts runs. `open` gives it a storage with nothing in it, once per test; where an
 * adapter may differ stands in `Differences`, as data with its reason.
 */
import { describe } from 'vitest'
import { agreementContract } from './contract/agreement.ts'
import { clockContract } from './contract/clock.ts'
import { directoryContract } from './contract/directory.ts'
import { contractOf, type Differences, type OpenStorage } from './contract/harness.ts'
import { isolationContract } from './contract/isolation.ts'
import { journalContract } from './contract/journals.ts'
import { memberContract } from './contract/members.ts'
import { messageContract } from './contract/messages.ts'
import { postContract } from './contract/posts.ts'
import { raceContract } from './contract/races.ts'
import { readContract } from './contract/reads.ts'
import { roomContract } from './contract/rooms.ts'
import { spaceContract } from './contract/spaces.ts'

export type { ContractStorage, Differences, OpenOptions, OpenStorage } from './contract/harness.ts'

export function storageContract(name: string, open: OpenStorage, differences: Differences = {}): void {
  const contract = contractOf(open, differences)
  describe(`storage: ${name}`, () => {
    describe('journals', () => journalContract(contract))
    describe('posts', () => postContract(contract))
    describe('messages', () => messageContract(contract))
    describe('reads', () => readContract(contract))
    describe('members', () => memberContract(contract))
    describe('rooms', () => roomContract(contract))
    describe('spaces', () => spaceContract(contract))
    describe('races', () => raceContract(contract))
    describe('directory', () => directoryContract(contract))
    describe('isolation', () => isolationContract(contract))
    describe('clock', () => clockContract(contract))
    describe('agreement', () => agreementContract(contract))
  })
}
