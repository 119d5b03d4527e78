/** Records of the registry that several processes change: each change is made to what stands, and made again where it had changed. */
import { RegistryUnavailable, type Moment, type Registry } from '../registry/registry.ts'

/** More than processes that change one record at once. */
const attemptsMax = 50

export interface Change<T> {
  /** Null: there is none any more. */
  record: T | null
  /** When what was read means something else; null: never. */
  beforeMs: number | null
  /** For how long it is kept. */
  keepMs: number
}

/** Does nothing that counts twice, as it may be asked several times. Null where all may stay as it is. */
type Step<T> = (record: T | null, moment: Moment) => Change<T> | null

/** Resolves with the record as it is then. Throws RegistryUnavailable. */
export async function changeRecord<T>(registry: Registry, name: string, step: Step<T>): Promise<T | null> {
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const { values, ...moment } = await registry.readRecords([name])
    const from = values[0] ?? null
    const record = parseRecord(from) as T | null
    const change = step(record, moment)
    if (change === null) return record
    // Also where it is the same text: it is kept for longer then.
    const to = change.record && JSON.stringify(change.record)
    if (await registry.replaceRecord(name, { ...change, from, to })) return change.record
  }
  throw new RegistryUnavailable(`a record that changes all the time: ${name}`)
}

/** Null where there is none, or none of ours: it is then replaced. */
export function parseRecord(text: string | null): unknown {
  if (text === null) return null
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
