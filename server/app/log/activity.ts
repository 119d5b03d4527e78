/** What the chat does, as lines of the log at the levels of the `chatroom` contract (C11). A posted message costs nothing above DEBUG. */
import { toChatError } from '../../core/errors.ts'
import type { ChatEvent, Fact } from '../../core/events.ts'
import type { Log, LogLevel } from '../../core/log.ts'
import type { RoomId } from '../../core/model.ts'
import { endings, type Session } from '../../core/session.ts'
import type { Problem } from '../../http/problems.ts'

interface Line {
  level: LogLevel
  text: string
}

/** INFO: rooms that come and go, users that come and go. DEBUG: messages and changes. A Room as it lives has lines of its own (C10). */
const lines: Record<Fact['type'], Line> = {
  'room.created': { level: 'info', text: 'Chat room created.' },
  'room.deleted': { level: 'info', text: 'Chat room deleted.' },
  'member.added': { level: 'info', text: 'User joined the room.' },
  'member.removed': { level: 'info', text: 'User left the room.' },
  'room.updated': { level: 'debug', text: 'Chat room changed.' },
  'role.changed': { level: 'debug', text: 'Role changed.' },
  'name.changed': { level: 'debug', text: 'Name in the room changed.' },
  'message.posted': { level: 'debug', text: 'Message posted.' },
  'message.edited': { level: 'debug', text: 'Message edited.' },
  'message.deleted': { level: 'debug', text: 'Message deleted.' },
  'reaction.added': { level: 'debug', text: 'Reaction added.' },
  'reaction.removed': { level: 'debug', text: 'Reaction removed.' },
  'read.advanced': { level: 'debug', text: 'Messages read.' },
}

export interface Activity {
  /** This process has a new journal. */
  onJournal: (opened: { number: number }) => void
  /** Handed out, in order; those of other nodes stand in their own logs. */
  onEvents: (events: readonly ChatEvent[]) => void
  /** A live connection is in a room; null: in all of its user's. */
  onEnter: (session: Session, roomId: RoomId | null) => void
  onLeave: (session: Session) => void
  /** A request or an upgrade is refused. Where, is not told: a token may stand in a path (A6). */
  onProblem: (problem: Problem) => void
}

export function createActivity(log: Log): Activity {
  const told = new Map<string, Line>(Object.entries(lines).filter(([, { level }]) => log.isOn(level)))
  const journals = new Set<number>()
  const entered = new Map<Session, RoomId | undefined>()

  return {
    onJournal: ({ number }) => void journals.add(number),
    onEvents(events) {
      for (const event of events) {
        const line = told.get(event.type)
        if (line === undefined || !('stamp' in event) || !journals.has(event.stamp.journal)) continue
        // A room that a host's back end or the chat itself makes, changes or deletes is about nobody.
        const userId = event.userId === 0 ? undefined : event.user.username
        log[line.level](line.text, { userId, roomId: event.roomId })
      }
    },
    onEnter(session, roomId) {
      // One that enters further rooms has connected before.
      if (entered.has(session)) return
      entered.set(session, roomId ?? undefined)
      log.info('User connected.', { userId: session.user.username, roomId: roomId ?? undefined })
    },
    onLeave(session) {
      if (!entered.has(session)) return
      const about = { userId: session.user.username, roomId: entered.get(session) }
      entered.delete(session)
      const { level, text } = describeEnd(session.endedBy)
      log[level](text, about)
    },
    onProblem: (problem) => tellProblem(log, problem),
  }
}

/** WARN: connections that ended in a way that nobody wanted. */
const faults: readonly Session['endedBy'][] = ['too_slow', 'silent', 'undeliverable', 'not_stored', 'registry_away']

function describeEnd(endedBy: Session['endedBy']): Line {
  if (endedBy === null) return { level: 'info', text: 'User disconnected.' }
  const why = endedBy === 'silent' ? 'timeout, no answer to pings' : endings[endedBy].text
  if (faults.includes(endedBy)) return { level: 'warn', text: `Connection ended: ${why}.` }
  return { level: 'info', text: `User disconnected: ${why}.` }
}

/** A fault is told by the kit, with its place. Who shows no credential at all has not failed to authenticate. */
function tellProblem(log: Log, { kind, error }: Problem): void {
  const refusal = toChatError(error)
  if (kind === 'internal' || (kind === 'thrown' && refusal === null)) return
  const why = refusal?.code ?? kind
  if (why === 'bad_credentials' || why === 'wrong_password') log.error('Authentication failed.', { error })
  else if (why === 'unavailable' || why === 'ids_exhausted') log.warn('A request could not be served for now.')
  else log.debug(`A request was refused: ${why}.`)
}
