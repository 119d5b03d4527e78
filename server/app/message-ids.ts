/** Warns before message ids run out (A2): from 80 % of `MESSAGE_ID_MAX`, once a percent. */
import type { Commit } from '../storage/storage.ts'

const warnFromPercent = 80

/** `warn` hears a text; the answer is told of each commit. */
export function createMessageIdWatch(messageIdMax: number, warn: (text: string) => void): (commit: Commit) => void {
  let warnedPercent = warnFromPercent - 1
  return ({ facts }) => {
    const posted = facts.findLast((fact) => fact.type === 'message.posted')
    if (posted === undefined) return
    const percent = Math.floor((posted.message.id / messageIdMax) * 100)
    if (percent <= warnedPercent) return
    warnedPercent = percent
    warn(`${percent} % of message ids up to MESSAGE_ID_MAX (${messageIdMax}) are used; at the end sends are refused`)
  }
}
