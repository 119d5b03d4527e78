/** How people are named where they are shown, and in which order they stand there (P1, P5). */
import type { User } from './model.ts'

export function shownName({ fullName, username }: User): string {
  return fullName.trim() || username
}

const collator = new Intl.Collator('ko')

/** By what is shown. */
export function byName(a: User, b: User): number {
  return collator.compare(shownName(a), shownName(b)) || a.id - b.id
}
