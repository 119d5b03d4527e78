/** What goes to people (Slack, e-mail): errors alone, and of each kind one notice a minute at most, with a count (C11). */
import type { Clock } from '../../../core/clock.ts'
import type { Entry } from '../entry.ts'

/** Kinds are told apart up to here in one minute; those beyond count as one. */
const kindsMax = 100
const minuteMs = 60_000

/** The latest of a kind since its last notice, and how many there were. */
interface Held {
  latest: Entry
  count: number
}

/** Calls `notify` at once for the first error of a kind, and after a minute for those that came meanwhile. */
export function createNotices(clock: Clock, notify: (entry: Entry) => void): (entry: Entry) => void {
  const kinds = new Map<string, Held | null>()

  function endMinute(kind: string): void {
    const held = kinds.get(kind)
    if (!held) return void kinds.delete(kind)
    kinds.set(kind, null)
    clock.after(minuteMs, () => endMinute(kind))
    notify(counted(held))
  }

  return (entry) => {
    if (entry.level !== 'error') return
    const own = kindOf(entry)
    const kind = kinds.has(own) || kinds.size < kindsMax ? own : 'others'
    const held = kinds.get(kind)
    if (held === undefined) {
      kinds.set(kind, null)
      clock.after(minuteMs, () => endMinute(kind))
      notify(entry)
    } else kinds.set(kind, { latest: entry, count: (held?.count ?? 0) + 1 })
  }
}

/** A text without its numbers, so that `/rooms/1` and `/rooms/2` are one kind. */
function kindOf({ text }: Entry): string {
  return text.replace(/\d+/g, '#').slice(0, 200)
}

function counted({ latest, count }: Held): Entry {
  return count === 1 ? latest : { ...latest, text: `${latest.text} (${count} times within a minute)` }
}
