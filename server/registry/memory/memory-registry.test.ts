import { describe, expect, it } from 'vitest'
import { until } from '../../../test/chat.ts'
import { createMemoryDatabase, openMemoryStorage } from '../../storage/memory/memory.ts'
import { isOpen, listenTo, testRegistry } from '../registry.contract.ts'
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

  it('[C2] lets no token count before the process has told what is so here, which is tried until it is done', async () => {
    const registry = createMemoryRegistry(openMemoryStorage().directory)
    const seen: boolean[] = []
    async function onOpen(): Promise<void> {
      seen.push(await isOpen(registry))
      if (seen.length < 3) throw new Error('away, for a test')
    }
    registry.listen({ onOpen, onEnded() {}, onBound() {} })
    await until('the registry', () => isOpen(registry))
    expect(seen).toEqual([false, false, false])
    await registry.close()
  })
})
