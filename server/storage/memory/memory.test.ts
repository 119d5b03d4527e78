import { storageContract, type OpenStorage } from '../storage.contract.ts'
import { createMemoryDatabase } from './memory.ts'

const open: OpenStorage = async (options) => {
  let movedMs = 0
  const database = createMemoryDatabase({ ...options, now: () => Date.now() + movedMs })
  return {
    storage: database.openStorage(),
    second: async () => database.openStorage(),
    moveClock: async (ms) => {
      movedMs += ms
    },
    close: async () => {},
  }
}

storageContract('memory', open)
