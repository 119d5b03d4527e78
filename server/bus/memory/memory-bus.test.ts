import { describe } from 'vitest'
import { testBus } from '../bus.contract.ts'
import { createMemoryBus } from './memory-bus.ts'

describe('the bus in memory', () => {
  const bus = createMemoryBus()
  testBus(() => bus.connect())
})
