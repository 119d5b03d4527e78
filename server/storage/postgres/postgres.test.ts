/** The contract, on PGlite and on the server of TEST_DATABASE_URL; what only this adapter has is in the files beside. */
import { afterAll } from 'vitest'
import { storageContract } from '../storage.contract.ts'
import { describeServer, openServer, shareEmbedded } from './testing.ts'

const embedded = shareEmbedded()
afterAll(embedded.close, 30_000)

storageContract('PGlite', embedded.open)

describeServer('a server', () => storageContract('PostgreSQL', openServer))
