/**
 * The suite that every adapter of storage.ts runs. `open` gives it a storage with nothing in it, once per test; where an
 * adapter may differ stands in `Differences`, as data with its reason.
 */
import { describe } from 'vitest'
import { agreementContract } from './contract/agreement.ts'
import { attachmentContract } from './contract/attachments.ts'
import { clockContract } from './contract/clock.ts'
import { companyContract } from './contract/company.ts'
import { departmentContract } from './contract/departments.ts'
import { directoryContract } from './contract/directory.ts'
import { guestContract } from './contract/guests.ts'
import { contractOf, type Differences, type OpenStorage } from './contract/harness.ts'
import { isolationContract } from './contract/isolation.ts'
import { journalContract } from './contract/journals.ts'
import { memberContract } from './contract/members.ts'
import { messageContract } from './contract/messages.ts'
import { passedContract } from './contract/passed.ts'
import { postContract } from './contract/posts.ts'
import { raceContract } from './contract/races.ts'
import { reactionContract } from './contract/reactions.ts'
import { readContract } from './contract/reads.ts'
import { roleContract } from './contract/roles.ts'
import { registryContract } from './contract/registry.ts'
import { roomContract } from './contract/rooms.ts'
import { searchContract } from './contract/search.ts'
import { spaceContract } from './contract/spaces.ts'
import { summaryContract } from './contract/summaries.ts'

export type { ContractStorage, Differences, OpenOptions, OpenStorage } from './contract/harness.ts'

export function storageContract(name: string, open: OpenStorage, differences: Differences = {}): void {
  const contract = contractOf(open, differences)
  describe(`storage: ${name}`, () => {
    describe('journals', () => journalContract(contract))
    describe('posts', () => postContract(contract))
    describe('messages', () => messageContract(contract))
    describe('attachments', () => attachmentContract(contract))
    describe('reactions', () => reactionContract(contract))
    describe('reads', () => readContract(contract))
    describe('passed', () => passedContract(contract))
    describe('members', () => memberContract(contract))
    describe('roles', () => roleContract(contract))
    describe('company', () => companyContract(contract))
    describe('rooms', () => roomContract(contract))
    describe('summaries', () => summaryContract(contract))
    describe('search', () => searchContract(contract))
    describe('spaces', () => spaceContract(contract))
    describe('races', () => raceContract(contract))
    describe('directory', () => directoryContract(contract))
    describe('guests', () => guestContract(contract))
    describe('departments', () => departmentContract(contract))
    describe('registry', () => registryContract(contract))
    describe('isolation', () => isolationContract(contract))
    describe('clock', () => clockContract(contract))
    describe('agreement', () => agreementContract(contract))
  })
}
