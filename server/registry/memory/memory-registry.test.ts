import { describe } from 'vitest'
import { createMemoryDatabase } from '../../storage/memory/memory.ts'
import { listenTo, testRegistry } from '../registry.contract.ts'
import { createMemoryRegistry } from './memory-registry.ts'

describe('the registry without a server of its own', () => {
  testRegistry(
    async () => {
      const database = createMemoryDatabase()
      const connect = () => listenTo(createMemoryRegistry(database.openStorage().directory))
      return { directory: database.openStorage().directory, one: await connect(), two: await connect() }
    },
    { silent: 'they share only the database; a token ended there is found when it is asked for' },
  )
})
