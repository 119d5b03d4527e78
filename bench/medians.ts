/** One row for what was measured several times. */
import { nameOf, type Row } from './rooms.ts'

/** What must be 0 in every run is not made better by a median. */
const faults = new Set<string>(['lost', 'doubled', 'reordered', 'disagree', 'dead', 'faults'])

export function mergeRows(rows: Row[]): Row[] {
  const groups = new Map<string, Row[]>()
  for (const row of rows) groups.set(nameOf(row), [...(groups.get(nameOf(row)) ?? []), row])
  return [...groups.values()].flatMap((group) => {
    const [first] = group
    return first === undefined ? [] : [{ ...first, figures: mergeFigures(group.map((row) => row.figures)) }]
  })
}

export function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const upper = sorted[middle] ?? NaN
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? NaN)) / 2
}

/** Throws where there is none. */
export function mergeFigures<T extends { [K in keyof T]: number }>(all: T[]): T {
  const [first] = all
  if (first === undefined) throw new Error('nothing to merge')
  const merged = { ...first }
  for (const key of Object.keys(first) as (keyof T & string)[]) {
    const values: number[] = all.map((figures) => figures[key])
    merged[key] = (faults.has(key) ? Math.max(...values) : median(values)) as T[typeof key]
  }
  return merged
}
