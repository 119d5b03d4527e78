/** This process among those of its registry: the name under which it stands in records, and the lease that says that it lives. */
import type { Registry } from '../registry/registry.ts'

/** Three beats; who dies is gone by then, and presence needs 45 s at most (A19). */
const leaseMs = 30_000
export const beatMs = 10_000

export interface NodeLease {
  /** Another one whenever its lease had run out: the others have gone on without this process by then. */
  readonly node: string
  /** Says that this process lives. True where it goes on under another name: what it stands in is to be told anew. Throws RegistryUnavailable. */
  beat(): Promise<boolean>
}

/** `process` is unique among those of the database, also over time. */
export function createNodeLease(registry: Registry, process: string): NodeLease {
  let lives = 1
  const nameOf = () => `${process}.${lives}`
  return {
    get node() {
      return nameOf()
    },
    async beat() {
      if (await registry.renewLease(nameOf(), leaseMs)) return false
      lives += 1
      await registry.renewLease(nameOf(), leaseMs)
      return true
    },
  }
}
