/** This process among those of its registry: the name under which it stands in records, and the lease that says that it lives. */
import { RegistryUnavailable, type Moment, type Registry } from '../registry/registry.ts'

/** Three beats; who dies is gone by then, and presence needs 45 s at most (A19). */
const leaseMs = 30_000
export const beatMs = 10_000

export interface NodeLease {
  /**
   * The name under which it lives at a moment of the registry; another one whenever its lease had run out, as the others have gone on
   * without this process by then. Throws RegistryUnavailable where it has none, or counts as dead: what stands under it would mean nothing.
   */
  nodeAt(moment: Moment): string
  /** Says that this process lives. True where it goes on under another name: what it stands in is to be told anew. Throws RegistryUnavailable. */
  beat(): Promise<boolean>
}

/** `process` is unique among those of the database, also over time. */
export function createNodeLease(registry: Registry, process: string): NodeLease {
  let node: string | null = null
  let lives = 0
  let beating: Promise<boolean> | null = null

  async function beat(): Promise<boolean> {
    if (node !== null && (await registry.renewLease(node, leaseMs))) return false
    lives += 1
    const next = `${process}.${lives}`
    await registry.renewLease(next, leaseMs)
    node = next
    return true
  }

  return {
    nodeAt({ nowMs, leases }) {
      if (node === null || (leases.get(node) ?? 0) <= nowMs) throw new RegistryUnavailable('this process counts as dead there')
      return node
    },
    // Two at once would take two names, and one of them would stay in records.
    beat: () => (beating ??= beat().finally(() => (beating = null))),
  }
}
